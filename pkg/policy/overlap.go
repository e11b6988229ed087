package policy

import (
	"slices"
	"strings"
)

// An Overlap is locations of one label that lie in locations of another: what
// is there carries both labels, and needs both.
type Overlap struct {
	Label string   `json:"label"`
	In    string   `json:"in"`    // the other label
	Count int      `json:"count"` // of locations of Label
	First Location `json:"first"` // of them, in the order of the data map
}

// Overlaps returns what overlaps, sorted by the two labels. It is no fault: a
// narrower location adds a label. But who believes that it replaces one is
// better told.
func (s *Set) Overlaps() []Overlap {
	found := map[[2]string]*Overlap{}
	var order [][2]string
	for _, l := range s.locations {
		container, name, within := strings.Cut(l.Text, "/")
		path := strings.ReplaceAll(container, "*", anyByte)
		if path += "/" + anyByte; within {
			path = strings.TrimSuffix(path, anyByte) + strings.ReplaceAll(name, "*", anyByte)
		}
		for i := range s.labelsAt(path).all {
			if s.labels[i] == l.Label {
				continue
			}
			key := [2]string{l.Label, s.labels[i]}
			if found[key] == nil {
				found[key] = &Overlap{Label: key[0], In: key[1], First: l}
				order = append(order, key)
			}
			found[key].Count++
		}
	}
	slices.SortFunc(order, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	all := make([]Overlap, len(order))
	for i, key := range order {
		all[i] = *found[key]
	}
	return all
}
