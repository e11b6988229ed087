package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// An Identity is a name that rules know somebody by.
type Identity struct {
	Kind string `json:"kind"` // user, group or service
	Name string `json:"name"`
}

// A Way is one combination that suffices to be allowed: whoever has all of
// Identities may, while all of Conditions hold. No way of an answer is part of
// another.
type Way struct {
	Identities []Identity `json:"identities"` // sorted; empty: everyone
	// Conditions are those of rules and grants, and their limits, in words.
	Conditions []string `json:"conditions,omitempty"`
	Rules      []string `json:"rules"` // "rule 2 of customer-data", for each policy that has a say

	conditions []condition
}

// An Answer says who may do something.
type Answer struct {
	Ways []Way `json:"ways"` // none: nobody may
	// Complete is false when there are more ways than MaxWays.
	Complete bool `json:"complete"`
	// Closed says why nobody may, where no rule could change it: data without
	// label, or a label without policy.
	Closed []string `json:"closed,omitempty"`
	// Monitored are policies in monitor mode that would narrow the ways, and do
	// not.
	Monitored []string `json:"monitored,omitempty"`
}

// MaxWays bounds an answer: the ways of several policies multiply.
const MaxWays = 1000

// WhoCan says who may do to the data of one label, and of no other, what access
// is: exactly, and from the policies that are in force at now.
func (s *Set) WhoCan(now time.Time, access Access, label string) Answer {
	set := make(labels, words(len(s.labels)))
	i, known := slices.BinarySearch(s.labels, label)
	if !known {
		return Answer{Complete: true, Closed: []string{"there is no label " + label}}
	}
	set.add(i)
	return s.whoCan(now, access, set)
}

// WhoCanAt says who may do to the object at path, or to the container itself,
// what access is.
func (s *Set) WhoCanAt(now time.Time, access Access, path string) Answer {
	if container, _, _ := strings.Cut(path, "/"); container == "" {
		return Answer{Complete: true, Closed: []string{fmt.Sprintf("%q names no container", path)}}
	}
	return s.whoCan(now, access, s.labelsAt(path))
}

// labelsAt is what the one resource carries.
func (s *Set) labelsAt(path string) labels {
	container, name, _ := strings.Cut(path, "/")
	set := make(labels, words(len(s.labels)))
	for _, a := range s.areas(container, nil) {
		a.exact(name, set)
	}
	return set
}

func (s *Set) whoCan(now time.Time, access Access, set labels) Answer {
	a := Answer{Complete: true}
	kind := access.index()
	switch {
	case kind < 0:
		a.Closed = []string{fmt.Sprintf("%q is no kind of access", access)}
		return a
	case s.monitored:
		a.Monitored = []string{"everything is in monitor mode"}
		a.Ways = []Way{{}}
		return a
	case set.empty() && s.unlabelled == Deny:
		a.Closed = []string{"it carries no label, and unlabelled data is blocked"}
		return a
	}
	ways := []Way{{}}
	for l := range set.all {
		governed := false
		for i := range s.governed[l][kind] {
			c := &s.governed[l][kind][i]
			if !c.policy.time.at(now) {
				continue
			}
			governed = true
			if c.policy.monitored {
				a.monitor(c.policy.name)
				continue
			}
			ways, a.Complete = combine(ways, c.ways(), a.Complete)
		}
		if !governed {
			a.Closed = append(a.Closed, "no policy governs label "+s.labels[l])
		}
	}
	if len(a.Closed) > 0 {
		return a
	}
	a.Ways = ways
	return a
}

func (a *Answer) monitor(policy string) {
	if !slices.Contains(a.Monitored, policy) {
		a.Monitored = append(a.Monitored, policy)
	}
}

// ways are those through the clause alone.
func (c *clause) ways() []Way {
	var all []Way
	for i := range c.permits {
		p := &c.permits[i]
		w := Way{Rules: []string{c.policy.rules[p.rule] + " of " + c.policy.name}, conditions: p.terms()}
		if p.of.everyone() {
			all = append(all, w)
			continue
		}
		for _, id := range p.of.identities() {
			one := w
			one.Identities = []Identity{id}
			all = append(all, one)
		}
	}
	return absorb(all)
}

func (r *rule) identities() []Identity {
	var all []Identity
	for _, u := range r.users {
		all = append(all, Identity{"user", u.V})
	}
	for _, g := range r.groups {
		all = append(all, Identity{"group", g.V})
	}
	for _, s := range r.services {
		all = append(all, Identity{"service", s.V})
	}
	return all
}

// combine gives the ways that lead through both, as far as there is room.
func combine(a, b []Way, complete bool) ([]Way, bool) {
	var all []Way
	for _, x := range a {
		for _, y := range b {
			if w, possible := both(x, y); possible {
				all = append(all, w)
			}
		}
		if len(all) > 4*MaxWays {
			if all = absorb(all); len(all) > MaxWays {
				return all[:MaxWays], false
			}
		}
	}
	if all = absorb(all); len(all) > MaxWays {
		return all[:MaxWays], false
	}
	return all, complete
}

// both is x and y together. Nobody is two services at once.
func both(x, y Way) (Way, bool) {
	w := Way{
		Identities: slices.Concat(x.Identities, y.Identities),
		Rules:      slices.Concat(x.Rules, y.Rules),
		conditions: slices.Clone(x.conditions),
	}
	slices.SortFunc(w.Identities, func(a, b Identity) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	w.Identities = slices.Compact(w.Identities)
	services := 0
	for _, id := range w.Identities {
		if id.Kind == "service" {
			services++
		}
	}
	for _, c := range y.conditions {
		if !slices.ContainsFunc(w.conditions, func(have condition) bool { return reflect.DeepEqual(have, c) }) {
			w.conditions = append(w.conditions, c)
		}
	}
	slices.Sort(w.Rules)
	w.Rules = slices.Compact(w.Rules)
	return w, services < 2
}

// absorb leaves out the ways of which another one is a part, and words the
// others.
func absorb(all []Way) []Way {
	slices.SortStableFunc(all, func(a, b Way) int {
		return cmp.Compare(len(a.Identities)+len(a.conditions), len(b.Identities)+len(b.conditions))
	})
	var kept []Way
	byWho := map[string][]int{} // of kept
	for _, w := range all {
		if partOf(w, kept, byWho) {
			continue
		}
		w.Conditions = nil
		for _, c := range w.conditions {
			w.Conditions = append(w.Conditions, c.want())
		}
		key := fmt.Sprint(w.Identities)
		byWho[key] = append(byWho[key], len(kept))
		kept = append(kept, w)
	}
	return kept
}

// partOf reports whether one of kept suffices for w: it can only have some of
// w's identities.
func partOf(w Way, kept []Way, byWho map[string][]int) bool {
	if len(w.Identities) > 6 { // too many subsets
		return slices.ContainsFunc(kept, func(k Way) bool { return k.suffices(w) })
	}
	for pick := range 1 << len(w.Identities) {
		var some []Identity
		for i, id := range w.Identities {
			if pick>>i&1 == 1 {
				some = append(some, id)
			}
		}
		if slices.ContainsFunc(byWho[fmt.Sprint(some)], func(i int) bool { return kept[i].suffices(w) }) {
			return true
		}
	}
	return false
}

// suffices reports whether whoever has w's identities, under w's conditions, is
// let in by k.
func (k Way) suffices(w Way) bool {
	for _, id := range k.Identities {
		if !slices.Contains(w.Identities, id) {
			return false
		}
	}
	for _, c := range k.conditions {
		if !slices.ContainsFunc(w.conditions, func(have condition) bool { return implies(have, c) }) {
			return false
		}
	}
	return true
}

// String says the way in words.
func (w Way) String() string {
	who := "everyone"
	if len(w.Identities) > 0 {
		names := make([]string, len(w.Identities))
		for i, id := range w.Identities {
			names[i] = id.Kind + " " + id.Name
		}
		who = strings.Join(names, " and ")
	}
	return strings.Join(append([]string{who}, w.Conditions...), ", ")
}

// A bound is a limit of a grant, as far as ways tell it: more like a condition.
type bound struct {
	rows           int
	objects, bytes Rate
}

func (b bound) holds(*Principal, *Facts, map[string]string) bool  { return true }
func (b bound) seen(*Principal, *Facts, map[string]string) string { return "" }

func (b bound) want() string {
	var parts []string
	if b.rows != 0 {
		parts = append(parts, fmt.Sprintf("at most %d objects in one request", b.rows))
	}
	if b.objects != (Rate{}) {
		parts = append(parts, fmt.Sprintf("at most %d objects in %s", b.objects.Amount, duration(b.objects.Per)))
	}
	if b.bytes != (Rate{}) {
		parts = append(parts, fmt.Sprintf("at most %d bytes in %s", b.bytes.Amount, duration(b.bytes.Per)))
	}
	return strings.Join(parts, ", ")
}

// terms are the conditions of the permit, and what it bounds.
func (p *permit) terms() []condition {
	if !p.limited() {
		return p.conditions
	}
	return append(slices.Clone(p.conditions), bound{p.grant.rows, p.grant.objects, p.grant.bytes})
}

// implies reports whether whatever meets a meets b. Where it cannot be seen, it
// is not so.
func implies(a, b condition) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	switch b := b.(type) {
	case network:
		a, same := a.(network)
		return same && every(a, func(p netip.Prefix) bool {
			return slices.ContainsFunc(b, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) })
		})
	case login:
		a, same := a.(login)
		return same && (b.maxAge == 0 || a.maxAge != 0 && a.maxAge <= b.maxAge) && subset(a.amr, b.amr)
	case transport:
		a, same := a.(transport)
		return same && a >= b
	case origin:
		a, same := a.(origin)
		return same && subset(a, b)
	case encryption:
		a, same := a.(encryption)
		return same && subset(a, b)
	case kmsKeys:
		a, same := a.(kmsKeys)
		return same && subset(a, b)
	case presigning:
		a, same := a.(presigning)
		return same && (a.never || !b.never && a.maxAge <= b.maxAge)
	case validity:
		a, same := a.(validity)
		return same && (b.from.IsZero() || !a.from.Before(b.from)) && (b.until.IsZero() || !a.until.IsZero() && !a.until.After(b.until))
	case bound:
		a, same := a.(bound)
		return same && (b.rows == 0 || a.rows != 0 && a.rows <= b.rows) && b.objects.atLeast(a.objects) && b.bytes.atLeast(a.bytes)
	}
	return false
}

func every[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(x T) bool { return !is(x) })
}

func subset(a, b []string) bool {
	return every(a, func(s string) bool { return slices.Contains(b, s) })
}
