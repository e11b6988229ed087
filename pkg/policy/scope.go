package policy

import (
	"slices"
	"strings"
)

// An asking is one question while it is answered.
type asking struct {
	*verdict
	kind  int
	name  string  // what Path has behind the container: a name, or a prefix of names
	areas []*area // that speak of the container
	// lenient says that something is let through for monitor mode alone: what
	// blocks is noted, and what allows is no reason.
	lenient bool
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

// none is an empty set of the right size, in room if it is large enough.
func (s *Set) none(room *[fewLabels]uint64) labels {
	if n := words(len(s.labels)); n > len(room) {
		return make(labels, n)
	}
	return room[:words(len(s.labels))]
}

// of fills set with the labels of name, or of the container itself when name is
// empty.
func (a *asking) of(name string, set labels) {
	clear(set)
	for _, area := range a.areas {
		area.exact(name, set)
	}
}

// exact answers for the one object, or for the container itself.
func (a *asking) exact(q asked) {
	var room [fewLabels]uint64
	set := a.set.none(&room)
	a.of(a.name, set)
	if set.empty() {
		a.unlabelled(q, shown(q.Path)+" carries no label")
		return
	}
	a.d.touch(set)
	var tags map[string]string // the container itself is no object
	if a.name != "" {
		tags = q.facts.ObjectTags[q.Path]
	}
	a.judge(q, set, tags)
}

// under answers for every object whose name begins with the prefix.
func (a *asking) under(q asked) {
	var room [fewLabels]uint64
	set := a.set.none(&room)
	covered := false
	for _, area := range a.areas {
		area.under(a.name, set)
		covered = covered || area.covers(a.name)
	}
	a.d.touch(set)
	a.judge(q, set, nil)
	if !covered {
		path := q.Path
		if !strings.Contains(path, "/") {
			path += "/"
		}
		a.unlabelled(q, "some of what begins with "+shown(path)+" carries no label")
	}
}

// some answers for at least one object whose name begins with the prefix: is
// there any for which the access is granted? If so, the reasons are those of the
// first place where it is. If there is one for monitor mode alone, they are those
// for which nothing would be, and the limits are those of that place.
func (a *asking) some(q asked) {
	var rooms [4][fewLabels]uint64
	anywhere, granted, noted, set := a.set.none(&rooms[0]), a.set.none(&rooms[1]), a.set.none(&rooms[2]), a.set.none(&rooms[3])
	for _, area := range a.areas {
		if a.name == "" {
			anywhere.merge(area.anywhere)
		} else {
			area.under(a.name, anywhere)
		}
	}
	for l := range anywhere.all {
		allowed, noticed := a.grants(q, l)
		if allowed {
			granted.add(l)
		}
		if allowed || noticed {
			noted.add(l)
		}
	}
	if a.search(q.Scope, granted, set, a.set.unlabelled == Allow) {
		if set.empty() {
			a.unlabelled(q, "not all of "+shown(q.Path)+" carries a label")
		}
		a.d.touch(set)
		a.judge(q, set, nil)
		return
	}
	if a.set.monitored || !slices.Equal(granted, noted) {
		if a.lenient = a.search(q.Scope, noted, set, a.set.unlabelled == Allow || a.set.monitored); a.lenient {
			a.limit(q, set)
		}
	}
	a.nothing(q, anywhere)
}

// limit adds the limits of what allows the labels of set.
func (a *asking) limit(q asked, set labels) {
	for l := range set.all {
		clauses := a.set.governed[l][a.kind]
		for i := range clauses {
			if c := &clauses[i]; c.limited && c.policy.time.at(q.facts.Now) && c.permit(a.who, q, nil) >= 0 {
				a.d.limit(a.limitOf(q, c, nil))
			}
		}
	}
}

// nothing gives every reason why nothing is allowed. There is always one: where
// every label by itself is granted, no location is spelled as asked.
func (a *asking) nothing(q asked, anywhere labels) {
	before := len(a.d.blocking)
	if anywhere.empty() && a.set.unlabelled != Allow {
		a.unlabelled(q, "nothing in "+shown(q.Path)+" carries a label")
	}
	a.d.touch(anywhere)
	a.judge(q, anywhere, nil)
	if !a.lenient && len(a.d.blocking) == before {
		a.d.block(Reason{Access: q.Access, Path: q.Path, Text: "no location of what you may " + kinds[a.kind].verb + " begins with " + shown(q.Path)}, false)
	}
}

// grants reports whether every policy over label lets the principal, or would
// but for monitor mode.
func (a *asking) grants(q asked, label int) (allowed, noted bool) {
	clauses := a.set.governed[label][a.kind]
	governed := false
	allowed, noted = true, true
	for i := range clauses {
		c := &clauses[i]
		if !c.policy.time.at(q.facts.Now) {
			continue
		}
		governed = true
		if c.permit(a.who, q, nil) < 0 {
			allowed = false
			noted = noted && c.policy.monitored
		}
	}
	return allowed && governed, noted && governed || a.set.monitored
}

// search looks for a place that carries no other labels than those granted,
// and leaves what it carries in set. It tries the container itself, then an
// object of which no narrower entry speaks, then the entries in the order of
// the data map.
func (a *asking) search(scope Scope, granted, set labels, bare bool) bool {
	fits := func(name string) bool {
		a.of(name, set)
		if set.empty() {
			return bare
		}
		return set.within(granted)
	}
	if scope == Some {
		if a.name == "" && fits("") || fits(a.name+anyByte) {
			return true
		}
		if !set.empty() {
			return false // whatever begins with the prefix carries these labels, too
		}
	}
	if granted.empty() {
		return false
	}
	if scope == Mapped && a.name == "" && fits(anyByte) && !set.empty() {
		return true
	}
	first, name := nobody, ""
	try := func(p *place) (done bool) {
		if p.order >= first {
			return true
		}
		sample, ok := a.sample(scope, p, granted, fits)
		if ok {
			first, name = p.order, sample
		}
		return ok
	}
	for _, area := range a.areas {
		area.tryBehind(a.name, try)
	}
	return first != nobody && fits(name)
}

// sample finds a name that place covers, and as few others as can be, and that
// fits.
func (a *asking) sample(scope Scope, p *place, granted labels, fits func(string) bool) (string, bool) {
	if !granted.has(p.label) {
		return "", false
	}
	if scope == Mapped {
		if head, _, _ := strings.Cut(p.pattern, "*"); !strings.HasPrefix(head, a.name) {
			return "", false
		}
	}
	if scope == Mapped || a.name == "" {
		return p.sample, fits(p.sample)
	}
	for _, rest := range afterPrefix(p.pattern, a.name) {
		if name := a.name + strings.ReplaceAll(rest, "*", anyByte); fits(name) {
			return name, true
		}
	}
	return "", false
}

// unlabelled answers for data without label; fact says what it is.
func (a *asking) unlabelled(q asked, fact string) {
	if a.set.unlabelled == Allow {
		a.d.add(ground{access: q.Access, path: q.Path, fact: fact})
		return
	}
	a.d.block(Reason{Access: q.Access, Path: q.Path, Text: fact + ", and unlabelled data is blocked", Need: "a label for it in the data map"}, a.set.monitored)
}
