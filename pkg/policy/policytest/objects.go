package policytest

import (
	"slices"
	"strings"
)

// matches is the meaning of '*'.
func matches(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] == '*' {
		return matches(pattern[1:], s) || s != "" && matches(pattern, s[1:])
	}
	return s != "" && s[0] == pattern[0] && matches(pattern[1:], s[1:])
}

// cut divides a location into its container and its name, and writes out the
// '*' that a '/' at the end stands for.
func cut(location string) (container, name string) {
	container, name, _ = strings.Cut(location, "/")
	if strings.HasSuffix(name, "/") {
		name += "*"
	}
	return container, name
}

// covers says whether the location covers the object, or the container itself
// when name is empty.
func covers(location, container, name string) bool {
	if c, _, _ := strings.Cut(location, "/"); !matches(c, container) { // by far the most
		return false
	}
	_, n := cut(location)
	return n == "" || name != "" && matches(n, name)
}

// labels are those of an object, or of the container itself when name is
// empty.
func (w World) labels(container, name string) []string {
	var all []string
	for _, l := range w.Labels {
		if slices.ContainsFunc(l.Locations, func(location string) bool { return covers(location, container, name) }) {
			all = append(all, l.Name)
		}
	}
	slices.Sort(all)
	return all
}

// names are the name patterns of all locations in the container that are not
// all of it, in the order of the data map.
func (w World) names(container string) []string {
	var all []string
	for _, l := range w.Labels {
		for _, location := range l.Locations {
			if c, n := cut(location); n != "" && matches(c, container) {
				all = append(all, n)
			}
		}
	}
	return all
}

// stranger is a byte that stands in no location.
const stranger = "\xff"

// objects are names that begin with prefix, one for each way in which the
// locations of the container tell such names apart: whatever holds of every
// object behind the prefix holds of every one of these, and if there is one of
// which it holds, it holds of one of these.
//
// How far a name has come in each pattern is all that counts for what may
// follow, so of names that have come equally far in all of them one is enough.
func (w World) objects(container, prefix string) []string {
	var found []string
	var reached []progress
	seen := map[string]bool{}
	visit := func(name string, p progress) {
		if key := string(p.at); name != "" && !seen[key] { // "" would be the container itself
			seen[key] = true
			found, reached = append(found, name), append(reached, p)
		}
	}
	start := begin(w.names(container))
	letters := start.letters()
	for i := range len(prefix) {
		start = start.after(prefix[i])
	}
	visit(prefix, start)
	if prefix == "" {
		for _, c := range letters {
			visit(string([]byte{c}), start.after(c))
		}
	}
	for i := 0; i < len(found); i++ {
		for _, c := range letters {
			visit(found[i]+string([]byte{c}), reached[i].after(c))
		}
	}
	return found
}

// A progress says how far a name has come in patterns.
type progress struct {
	text string // the patterns, each followed by end
	at   []byte // beside text: 1 where what comes next in the name may go on
}

// end stands in no location, as stranger does.
const end = '\xfe'

func begin(patterns []string) progress {
	p := progress{}
	for _, pattern := range patterns {
		p.text += pattern + string([]byte{end})
	}
	p.at = make([]byte, len(p.text))
	for i := range len(p.text) {
		if i == 0 || p.text[i-1] == end {
			p.enter(i)
		}
	}
	return p
}

// enter marks a place, and those behind it that a '*' for nothing leads to.
func (p progress) enter(i int) {
	for p.at[i] = 1; p.text[i] == '*'; i++ {
		p.at[i+1] = 1
	}
}

// after is the progress of a name with one byte more.
func (p progress) after(c byte) progress {
	next := progress{p.text, make([]byte, len(p.text))}
	for i := range len(p.text) {
		switch {
		case p.at[i] == 0 || p.text[i] == end:
		case p.text[i] == '*':
			next.enter(i)
		case p.text[i] == c:
			next.enter(i + 1)
		}
	}
	return next
}

// letters are the bytes of the patterns, and the stranger for all others.
func (p progress) letters() []byte {
	all := []byte(stranger)
	for i := range len(p.text) {
		if c := p.text[i]; c != '*' && c != end && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// fewest are names behind the prefix that the pattern matches, and as few other
// patterns as possible: each '*' becomes the stranger, but for what the prefix
// has to match. There can be several, because a prefix can match the beginning
// of a pattern in several ways; the one of which it matches most is first.
func fewest(pattern, prefix string) []string {
	if prefix == "" {
		return []string{strings.ReplaceAll(pattern, "*", stranger)}
	}
	if pattern == "" {
		return nil
	}
	var all []string
	if pattern[0] == '*' {
		all = fewest(pattern[1:], prefix)
	} else if pattern[0] != prefix[0] {
		return nil
	} else {
		pattern = pattern[1:]
	}
	for _, tail := range fewest(pattern, prefix[1:]) {
		if name := prefix[:1] + tail; !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// places are the names among which an allowed question of scope some finds its
// answer, in the order in which they are tried.
func (w World) places(container, prefix string) []string {
	var all []string
	if prefix == "" {
		all = append(all, "")
	}
	all = append(all, prefix+stranger)
	for _, n := range w.names(container) {
		all = append(all, fewest(n, prefix)...)
	}
	return all
}

// mapped are the names that stand for the locations which begin with the prefix
// to the letter.
func (w World) mapped(container, prefix string) []string {
	var all []string
	for _, n := range w.names(container) {
		if head, _, _ := strings.Cut(n, "*"); strings.HasPrefix(head, prefix) {
			all = append(all, strings.ReplaceAll(n, "*", stranger))
		}
	}
	return all
}
