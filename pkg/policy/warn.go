package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// warnings finds what is certainly not meant, but does no harm.
func warnings(m *dataMap, s *Set, o Options) []strictyaml.Fault {
	found := append(m.warnings, ungoverned(m, s)...)
	if o.Repo == "S3" {
		found = append(found, unnameable(m)...)
	}
	found = append(found, halfNamed(m)...)
	found = append(found, covered(m)...)
	found = append(found, idle(s)...)
	for _, d := range s.documents {
		found = append(found, over(d, o)...)
	}
	_ = found.Err() // puts them in order
	return found
}

// ungoverned finds labels of this repo that no policy governs.
func ungoverned(m *dataMap, s *Set) strictyaml.Faults {
	used := map[string]bool{}
	for _, e := range m.entries {
		used[e.label] = true
	}
	var found strictyaml.Faults
	for _, l := range m.labels {
		i, _ := slices.BinarySearch(s.labels, l.V)
		if used[l.V] && len(s.governed[i][0]) == 0 {
			found = append(found, l.Fault(m.file, "no policy governs label %q, so what carries it is blocked for everyone", l.V))
		}
	}
	return found
}

// unnameable finds locations in buckets that cannot be, because S3 gives no
// bucket such a name.
func unnameable(m *dataMap) strictyaml.Faults {
	var found strictyaml.Faults
	for _, e := range m.entries {
		if !bucketLike(e.container) {
			found = append(found, e.at.Fault(m.file, "attribute %q matches nothing: bucket names have 3 to 63 lower-case letters, digits, dots and hyphens, not %q", e.text, e.container))
		}
	}
	return found
}

// bucketLike reports whether the pattern matches any name that S3 permits for
// a bucket.
func bucketLike(pattern string) bool {
	plain := strings.ReplaceAll(pattern, "*", "")
	odd := func(c rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-", c) }
	if strings.ContainsFunc(plain, odd) || len(plain) > 63 || strings.Contains(pattern, "..") {
		return false
	}
	if len(plain) == len(pattern) && len(plain) < 3 {
		return false
	}
	return !strings.ContainsAny(pattern[:1]+pattern[len(pattern)-1:], ".-")
}

// halfNamed finds single objects that look like a folder whose slash was
// forgotten, because another location goes on where they end.
func halfNamed(m *dataMap) strictyaml.Faults {
	texts := make([]string, len(m.entries))
	own := map[[2]string]bool{}
	for i, e := range m.entries {
		texts[i] = e.text
		own[[2]string{e.label, e.text}] = true
	}
	slices.Sort(texts)
	var found strictyaml.Faults
	for _, e := range m.entries {
		folder := e.text + "/"
		if !e.exact() || own[[2]string{e.label, folder}] {
			continue
		}
		if i, _ := slices.BinarySearch(texts, folder); i < len(texts) && strings.HasPrefix(texts[i], folder) {
			found = append(found, e.at.Fault(m.file, "attribute %q is one object, yet %q is below it; write %q if everything under it is meant", e.text, texts[i], folder))
		}
	}
	return found
}

// covered finds locations that lie in another one of the same label: they add
// nothing, and whoever takes the wider one away may believe that they did.
func covered(m *dataMap) strictyaml.Faults {
	sorted := slices.Clone(m.entries)
	slices.SortStableFunc(sorted, func(a, b mapped) int {
		return cmp.Or(cmp.Compare(a.label, b.label), cmp.Compare(a.container, b.container), cmp.Compare(a.start(), b.start()), cmp.Compare(b.width(), a.width()))
	})
	var found strictyaml.Faults
	var around []mapped // those that the next may lie in, from the widest
	for _, e := range sorted {
		for len(around) > 0 {
			if last := around[len(around)-1]; last.label == e.label && e.within(last.location) {
				break
			}
			around = around[:len(around)-1]
		}
		if len(around) > 0 && around[len(around)-1].at != e.at {
			found = append(found, e.at.Fault(m.file, "attribute %q lies in %q already, which has the label, too", e.text, around[len(around)-1].text))
		}
		around = append(around, e)
	}
	return found
}

// start is the beginning that a location's names have.
func (l location) start() string { return strings.TrimSuffix(l.name, "*") }

// width tells apart what begins alike: a container, a prefix, one object.
func (l location) width() int {
	switch {
	case l.whole:
		return 2
	case strings.HasSuffix(l.name, "*"):
		return 1
	}
	return 0
}

// over finds policies and rules whose time is over.
func over(d *document, o Options) strictyaml.Faults {
	past := func(v validity) bool { return !o.Now.IsZero() && !v.until.IsZero() && !o.Now.Before(v.until) }
	if past(d.time) {
		return strictyaml.Faults{d.timeAt.Fault(d.file, "the time of policy %q is over since %s", d.name.V, moment(d.time.until))}
	}
	var found strictyaml.Faults
	for i := range d.rules {
		if r := &d.rules[i]; past(r.time) {
			found = append(found, strictyaml.Fault{File: d.file, Line: r.line, Column: r.column, Text: "the time of " + ruleName(i) + " is over since " + moment(r.time.until)})
		}
	}
	return found
}
