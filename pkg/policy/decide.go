package policy

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Decide answers whether p may do all of qs, given f. It is total: no question
// at all, an access or a scope that is none, and a path without container are
// blocked, in monitor mode too; a nil p is the zero Principal, and a nil f the
// zero Facts. Nothing is remembered between calls. A question that repeats an
// earlier one adds nothing.
func (s *Set) Decide(p *Principal, f *Facts, qs ...Question) Decision {
	if p == nil {
		p = &s.nobody
	}
	if f == nil {
		f = &s.nothing
	}
	d := Decision{set: s}
	var room [16]uint32
	v := verdict{set: s, d: &d, who: s.names.of(p, room[:0])}
	if n := words(len(s.labels)); n > fewLabels {
		d.many = make(labels, n)
	}
	if len(qs) == 0 {
		d.block(Reason{Text: "nothing was asked"}, false)
	}
	for i, q := range qs {
		if !slices.Contains(qs[:i], q) {
			v.answer(asked{p, f, q})
		}
	}
	d.conclude()
	return d
}

// An asked is who asks what, under which circumstances. It is handed down by
// value: what stood in one struct with it, and is not to outlive the decision,
// could not stay on the stack.
type asked struct {
	principal *Principal
	facts     *Facts
	Question
}

// meets reports whether a condition holds.
func (q asked) meets(c condition, tags map[string]string) bool {
	return c.holds(q.principal, q.facts, tags)
}

// meetsAll reports whether all of them hold.
func (q asked) meetsAll(all []condition, tags map[string]string) bool {
	for _, c := range all {
		if !q.meets(c, tags) {
			return false
		}
	}
	return true
}

// A verdict is a decision in the making.
type verdict struct {
	set *Set
	who []uint32 // the numbers of the principal's names
	d   *Decision
}

// answer adds what there is to say on q.
func (v *verdict) answer(q asked) {
	container, name, _ := strings.Cut(q.Path, "/")
	kind := q.Access.index()
	malformed := func(text string) { v.d.block(Reason{Access: q.Access, Path: q.Path, Text: text}, false) }
	switch {
	case kind < 0:
		malformed(strconv.Quote(string(q.Access)) + " is no kind of access")
		return
	case container == "":
		malformed(strconv.Quote(q.Path) + " names no container")
		return
	}
	var few [8]*area
	a := asking{verdict: v, kind: kind, name: name, areas: v.set.areas(container, few[:0])}
	switch q.Scope {
	case Exact:
		a.exact(q)
	case Under:
		a.under(q)
	case Some, Mapped:
		a.some(q)
	default:
		malformed(strconv.Quote(string(q.Scope)) + " is no scope")
	}
}

// judge asks every policy over every label of set. tags are those of the
// object that is asked about, if it is one.
func (a *asking) judge(q asked, set labels, tags map[string]string) {
	for l := range set.all {
		governed := false
		clauses := a.set.governed[l][a.kind]
		for i := range clauses {
			if c := &clauses[i]; c.policy.time.at(q.facts.Now) {
				governed = true
				a.ask(q, c, tags)
			}
		}
		if !governed {
			label := a.set.labels[l]
			a.d.block(Reason{Label: label, Access: q.Access, Path: q.Path, Text: "no policy governs label " + label, Need: "a policy over " + label}, a.set.monitored || a.lenient)
		}
	}
}

// ask asks one policy over one label.
func (a *asking) ask(q asked, c *clause, tags map[string]string) {
	at := c.permit(a.who, q, tags)
	if at < 0 {
		a.wantTags(q, c, tags)
		a.d.block(c.against(a.who, q, tags), c.policy.monitored || a.set.monitored || a.lenient)
		return
	}
	if a.lenient {
		return
	}
	a.d.add(ground{clause: c, rule: c.permits[at].rule, path: q.Path})
	if c.limited {
		a.d.limit(a.limitOf(q, c, tags))
	}
}

// limitOf is what one policy bounds. In monitor mode, its own or that of the
// whole set, it is to be noted alone.
func (a *asking) limitOf(q asked, c *clause, tags map[string]string) Limit {
	l := c.limit(a.who, q, tags)
	l.Monitored = c.policy.monitored || a.set.monitored
	return l
}

// wantTags notes that tags of the object would have helped.
func (a *asking) wantTags(q asked, c *clause, tags map[string]string) {
	if tags != nil || q.Scope != Exact || a.name == "" || slices.Contains(a.d.wants, q.Path) {
		return
	}
	for i := range c.permits {
		p := &c.permits[i]
		if p.tagged && c.speaks(a.who, int32(i)) && !slices.ContainsFunc(p.conditions, func(x condition) bool {
			_, about := x.(objectTags)
			return !about && !q.meets(x, nil)
		}) {
			a.d.wants = append(a.d.wants, q.Path)
			return
		}
	}
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
