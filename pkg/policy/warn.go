package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// warnings finds what is certainly not meant, but does no harm.
func warnings(m *dataMap, documents []*document, s *Set, repo string) []strictyaml.Fault {
	found := ungoverned(m, s)
	if repo == "S3" {
		found = append(found, unnameable(m)...)
	}
	found = append(found, halfNamed(m)...)
	for _, d := range documents {
		found = append(found, idle(d, s)...)
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

// idle finds rules that grant nothing that other rules of their policy do not
// grant already.
func idle(d *document, s *Set) strictyaml.Faults {
	var found strictyaml.Faults
	for i := range d.rules {
		if !adds(d, i, s) {
			r := &d.rules[i]
			found = append(found, strictyaml.Fault{File: d.file, Line: r.line, Column: r.column,
				Text: fmt.Sprintf("rule %d grants nothing that the other rules of policy %q do not grant already", i+1, d.name.V)})
		}
	}
	return found
}

func adds(d *document, rule int, s *Set) bool {
	r := &d.rules[rule]
	for k, grants := range r.access {
		for _, g := range grants {
			for _, l := range g.covers(d.data) {
				i, _ := slices.BinarySearch(s.labels, l.V)
				for c := range s.governed[i][k] {
					if clause := &s.governed[i][k][c]; clause.policy == d.name.V && clause.adds(r, int32(rule)) {
						return true
					}
				}
			}
		}
	}
	return false
}
