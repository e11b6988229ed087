package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Difference is what becomes of one kind of access to some of the data.
type Difference struct {
	Access    Access   `json:"access"`
	Places    []string `json:"places"` // locations of the data map, or "container (settings)", in the order of the maps
	OldLabels []string `json:"old_labels"`
	NewLabels []string `json:"new_labels"`
	// Gains are ways that the new set opens, Loses those that it closes. A way
	// that is closed and opened with another condition is in both.
	Gains []Way `json:"gains,omitempty"`
	Loses []Way `json:"loses,omitempty"`
	// Complete is false when there were too many ways to compare all.
	Complete bool `json:"complete"`
}

// everythingElse stands among the places for what no location covers.
const everythingElse = "everything else"

// Diff says who gains and who loses what between two sets, judged by what is in
// force at now. It looks at each location of both data maps, at what carries no
// label, and at the containers themselves; where two locations with '*' cross
// and neither lies in the other, what lies in both is not looked at by itself.
func Diff(old, fresh *Set, now time.Time) []Difference {
	var all []Difference
	for _, p := range samples(old, fresh) {
		before, after := old.labelsAt(p.path), fresh.labelsAt(p.path)
		for _, k := range kinds {
			d := Difference{Access: k.access, Places: p.places, OldLabels: old.named(before), NewLabels: fresh.named(after)}
			was, is := old.whoCan(now, k.access, before), fresh.whoCan(now, k.access, after)
			d.Complete = was.Complete && is.Complete
			d.Gains, d.Loses = beyond(is.Ways, was.Ways), beyond(was.Ways, is.Ways)
			if len(d.Gains)+len(d.Loses) > 0 {
				all = append(all, d)
			}
		}
	}
	return all
}

// beyond are the ways of a for which none of b suffices.
func beyond(a, b []Way) []Way {
	return slices.DeleteFunc(slices.Clone(a), func(w Way) bool {
		return slices.ContainsFunc(b, func(k Way) bool { return k.suffices(w) })
	})
}

func (s *Set) named(set labels) []string {
	names := []string{}
	for l := range set.all {
		names = append(names, s.labels[l])
	}
	return names
}

// A sampled is a resource that stands for all that carries what it carries, in
// both sets.
type sampled struct {
	path   string
	places []string
}

// A sampler gathers them.
type sampler struct {
	old, fresh *Set
	all        []sampled
	seen       map[string]int // place in all, by what is carried
	told       map[string]int // place in all, by place
}

// samples are resources that together carry each combination of labels that a
// location of one of the sets can see.
func samples(old, fresh *Set) []sampled {
	s := &sampler{old: old, fresh: fresh, seen: map[string]int{}, told: map[string]int{}}
	containers := map[string]bool{}
	for _, l := range slices.Concat(old.locations, fresh.locations) {
		container, name, _ := strings.Cut(l.Text, "/")
		containers[container] = true
		s.add(strings.ReplaceAll(container, "*", anyByte)+"/"+strings.ReplaceAll(cmp.Or(name, "*"), "*", anyByte), l.Text, "")
	}
	for _, c := range slices.Sorted(maps.Keys(containers)) {
		path := strings.ReplaceAll(c, "*", anyByte)
		s.add(path, c+" (settings)", c)
		s.add(path+"/"+anyByte, c+"/*", c)
	}
	s.add(anyByte+"/"+anyByte, everythingElse, "")
	return s.all
}

// add tells of a place, of which path is a sample, unless it has been told with
// all that is in whole.
func (s *sampler) add(path, place, whole string) {
	if _, done := s.told[place]; done {
		return
	}
	key := strings.Join(s.old.named(s.old.labelsAt(path)), "\x00") + "\x01" + strings.Join(s.fresh.named(s.fresh.labelsAt(path)), "\x00")
	i, known := s.seen[key]
	if at, done := s.told[whole]; done && known && at == i {
		return
	}
	if !known {
		i = len(s.all)
		s.seen[key] = i
		s.all = append(s.all, sampled{path: path})
	}
	s.told[place] = i
	s.all[i].places = append(s.all[i].places, place)
}
