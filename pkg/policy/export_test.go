package policy

import (
	"slices"
	"strings"
)

// WayFits reports whether p, under f and with those tags of the object, has a
// way.
func WayFits(w Way, p *Principal, f *Facts, tags map[string]string) bool {
	if p == nil {
		p = &Principal{}
	}
	if f == nil {
		f = &Facts{}
	}
	for _, id := range w.Identities {
		has := false
		switch id.Kind {
		case "user":
			has = slices.ContainsFunc(p.Users, func(u string) bool { return foldUser(u) == foldUser(id.Name) })
		case "group":
			has = slices.Contains(p.Groups, id.Name)
		case "service":
			has = p.Service == id.Name
		}
		if !has {
			return false
		}
	}
	return (asked{p, f, Question{}}).meetsAll(w.conditions, tags)
}

// TagsOf are those that facts have of the object at path, if it can have some.
func TagsOf(f *Facts, path string) map[string]string {
	if _, name, _ := strings.Cut(path, "/"); f == nil || name == "" {
		return nil
	}
	return f.ObjectTags[path]
}
