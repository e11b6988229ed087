package policy

import "strings"

// A location is an attribute of the data map, taken apart. Container and name
// are divided by the first '/', and matched each for itself: a '*' in the
// container never reaches into the name.
type location struct {
	text      string // as it was written
	container string // pattern
	name      string // pattern; empty for whole
	whole     bool   // the container itself and everything in it
}

// parseLocation reads an attribute. The fault is empty when it is one.
func parseLocation(text string) (l location, fault string) {
	switch {
	case text == "":
		return l, "a location is missing between the quotes"
	case text[0] == '/':
		return l, "a location begins with its container, not with \"/\""
	}
	container, name, _ := strings.Cut(text, "/")
	if strings.Contains(container, ":") {
		return l, "a location is container/name, without scheme or ARN in front"
	}
	l = location{text: text, container: collapse(container), whole: name == ""}
	if strings.HasSuffix(name, "/") {
		name += "*"
	}
	l.name = collapse(name)
	return l, ""
}

// exact reports whether the location is one object of containers.
func (l location) exact() bool { return !l.whole && !strings.Contains(l.name, "*") }

// canonical is the location with everything that it leaves to be understood.
func (l location) canonical() string {
	if l.whole {
		return l.container
	}
	return l.container + "/" + l.name
}

// within reports whether all that l covers is covered by m. Only what can be
// seen at once is found: both have the same container, and m is whole or a
// prefix.
func (l location) within(m location) bool {
	if l.container != m.container {
		return false
	}
	prefix, isPrefix := strings.CutSuffix(m.name, "*")
	return m.whole || !l.whole && isPrefix && !strings.Contains(prefix, "*") && strings.HasPrefix(l.name, prefix)
}
