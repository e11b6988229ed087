package policy

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Decide answers whether p may do all of qs. It is total: no question at all,
// an access or a scope that is none, and a path without container are
// blocked, and a nil p is the zero Principal. Nothing is remembered between
// calls. A question that repeats an earlier one adds nothing.
func (s *Set) Decide(p *Principal, f *Facts, qs ...Question) Decision {
	var room [fewLabels]uint64
	touched := s.none(&room)
	v := verdict{set: s, principal: p}
	if p == nil {
		v.principal = &Principal{}
	}
	if len(qs) == 0 {
		v.add(Reason{Text: "nothing was asked"})
	}
	for i, q := range qs {
		if !slices.Contains(qs[:i], q) {
			v.answer(q, touched)
		}
	}
	return Decision{Allowed: !v.blocked, labels: s.named(touched), reasons: v.reasons}
}

// none is an empty set of the right size, in room if it is large enough.
func (s *Set) none(room *[fewLabels]uint64) labels {
	if n := words(len(s.labels)); n > len(room) {
		return make(labels, n)
	}
	return room[:words(len(s.labels))]
}

func (s *Set) named(set labels) []string {
	if set.empty() {
		return nil
	}
	names := make([]string, 0, set.len())
	for i := range set.all {
		names = append(names, s.labels[i])
	}
	return names
}

// areas appends to into those that speak of container.
func (s *Set) areas(container string, into []*area) []*area {
	if a := s.literal[container]; a != nil {
		into = append(into, a)
	}
	for _, a := range s.patterns {
		if match(a.container, container) {
			into = append(into, a)
		}
	}
	return into
}

// A verdict is a decision in the making.
type verdict struct {
	set       *Set
	principal *Principal
	reasons   []Reason
	blocked   bool
}

// add keeps reasons of one kind: those that allow until the first that
// blocks, from then on those that block.
func (v *verdict) add(r Reason) {
	if !r.Allowed {
		if !v.blocked {
			v.blocked, v.reasons = true, v.reasons[:0]
		}
		if r.Severity == "" {
			r.Severity = Low
		}
	}
	if r.Allowed != v.blocked {
		v.reasons = append(v.reasons, r)
	}
}

// answer adds the reasons on q, and to touched the labels.
func (v *verdict) answer(q Question, touched labels) {
	container, name, _ := strings.Cut(q.Path, "/")
	kind := q.Access.index()
	block := func(text string) { v.add(Reason{Access: q.Access, Path: q.Path, Text: text}) }
	switch {
	case kind < 0:
		block(strconv.Quote(string(q.Access)) + " is no kind of access")
		return
	case container == "":
		block(strconv.Quote(q.Path) + " names no container")
		return
	}
	var few [8]*area
	areas := v.set.areas(container, few[:0])
	switch q.Scope {
	case Exact:
		v.exact(q, kind, areas, name, touched)
	case Under:
		v.under(q, kind, areas, name, touched)
	case Some:
		if name != "" {
			block(shown(q.Path) + " is more than a container, and scope some asks about a container")
			return
		}
		v.some(q, kind, areas, touched)
	default:
		block(strconv.Quote(string(q.Scope)) + " is no scope")
	}
}

// exact answers for the object name, or for the container itself when name is
// empty.
func (v *verdict) exact(q Question, kind int, areas []*area, name string, touched labels) {
	var room [fewLabels]uint64
	set := v.set.none(&room)
	for _, a := range areas {
		a.exact(name, set)
	}
	if set.empty() {
		v.unlabelled(q, shown(q.Path)+" carries no label")
	}
	touched.merge(set)
	v.judge(q, kind, set)
}

// under answers for every object whose name begins with prefix.
func (v *verdict) under(q Question, kind int, areas []*area, prefix string, touched labels) {
	var room [fewLabels]uint64
	set := v.set.none(&room)
	covered := false
	for _, a := range areas {
		a.under(prefix, set)
		covered = covered || a.covers(prefix)
	}
	touched.merge(set)
	v.judge(q, kind, set)
	if !covered {
		path := q.Path
		if !strings.Contains(path, "/") {
			path += "/"
		}
		v.unlabelled(q, "some of what begins with "+shown(path)+" carries no label")
	}
}

// some answers for a container: is there anything for which the access is
// granted? If so, the reasons are those of the first place where it is.
func (v *verdict) some(q Question, kind int, areas []*area, touched labels) {
	var rooms [3][fewLabels]uint64
	anywhere, granted, set := v.set.none(&rooms[0]), v.set.none(&rooms[1]), v.set.none(&rooms[2])
	for _, a := range areas {
		anywhere.merge(a.anywhere)
	}
	for l := range anywhere.all {
		if v.grants(kind, l) {
			granted.add(l)
		}
	}
	if v.search(areas, granted, set) {
		if set.empty() {
			v.unlabelled(q, "not all of "+shown(q.Path)+" carries a label")
		}
		touched.merge(set)
		v.judge(q, kind, set)
		return
	}
	if anywhere.empty() {
		v.unlabelled(q, "nothing in "+shown(q.Path)+" carries a label")
	}
	touched.merge(anywhere)
	v.judge(q, kind, anywhere)
}

// search looks for a place that carries no other labels than those granted,
// and leaves what it carries in set. It tries the container itself, then an
// object of which no narrower entry speaks, then the entries in the order of
// the data map.
func (v *verdict) search(areas []*area, granted, set labels) bool {
	fits := func(name string) bool {
		clear(set)
		for _, a := range areas {
			a.exact(name, set)
		}
		if set.empty() {
			return v.set.unlabelled == Allow
		}
		return set.within(granted)
	}
	if fits("") || fits(anyByte) {
		return true
	}
	if granted.empty() {
		return false
	}
	best := place{order: nobody}
	for _, a := range areas {
		for _, p := range a.places {
			if p.order < best.order && fits(p.sample) {
				best = p
				break
			}
		}
	}
	return best.order != nobody && fits(best.sample)
}

// grants reports whether every policy over label lets the principal.
func (v *verdict) grants(kind, label int) bool {
	clauses := v.set.governed[label][kind]
	for i := range clauses {
		if clauses[i].rule(v.principal) == nobody {
			return false
		}
	}
	return len(clauses) > 0
}

// judge asks every policy over every label of set.
func (v *verdict) judge(q Question, kind int, set labels) {
	if v.reasons == nil { // room for the answer that most questions have
		n := 0
		for l := range set.all {
			n += len(v.set.governed[l][kind])
		}
		if n > 0 {
			v.reasons = make([]Reason, 0, n)
		}
	}
	for l := range set.all {
		clauses := v.set.governed[l][kind]
		if len(clauses) == 0 {
			v.add(Reason{Label: v.set.labels[l], Access: q.Access, Path: q.Path, Text: "no policy governs label " + v.set.labels[l]})
		}
		for i := range clauses {
			c := &clauses[i]
			r := Reason{Policy: c.policy, Label: v.set.labels[l], Access: q.Access, Path: q.Path}
			if rule := c.rule(v.principal); rule != nobody {
				r.Allowed, r.Rule, r.Text = true, c.rules[rule], c.yes
			} else {
				r.Severity, r.Text = c.severity, c.no
			}
			v.add(r)
		}
	}
}

// unlabelled answers for data without label; fact says what it is.
func (v *verdict) unlabelled(q Question, fact string) {
	r := Reason{Allowed: v.set.unlabelled == Allow, Access: q.Access, Path: q.Path, Text: fact + ", and unlabelled data is blocked"}
	if r.Allowed {
		r.Text = fact + ", and unlabelled data is allowed"
	}
	v.add(r)
}

// shown is path as a reason shows it: quoted when it holds what would not
// print.
func shown(path string) string {
	for _, c := range path {
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) {
			return strconv.Quote(path)
		}
	}
	return path
}
