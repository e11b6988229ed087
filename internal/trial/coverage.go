package trial

import (
	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/pkg/policy"
)

// A Coverage is what of a set the tests reach.
type Coverage struct {
	Labels Share[string] // of the data map: data with the label was asked for
	Rules  Share[Rule]   // the rule was what allowed something
	Grants Share[Grant]  // the rule was what allowed this kind of access to this label
}

// A Share is how many of all were reached, and which were not, in the order of
// the files.
type Share[T any] struct {
	Reached int `json:"reached"`
	All     int `json:"all"`
	Missed  []T `json:"missed"`
}

// A Rule is a rule and where it stands.
type Rule struct {
	Policy string         `json:"policy"`
	Rule   string         `json:"rule"`
	Place  rulebook.Place `json:"-"`
}

// A Grant is one kind of access to one label by one rule.
type Grant struct {
	Rule
	Access policy.Access `json:"access"`
	Label  string        `json:"label"`
}

// Percent is how much was reached, in whole percents, and 100 of nothing.
func (s Share[T]) Percent() int {
	if s.All == 0 {
		return 100
	}
	return 100 * s.Reached / s.All
}

// reach gathers what decisions reach.
type reach struct {
	labels []string
	rules  []Rule
	grants []Grant
	seen   map[any]bool
}

func newReach(b *rulebook.Book) *reach {
	r := &reach{seen: map[any]bool{}}
	known := map[any]bool{}
	first := func(v any) bool {
		again := known[v]
		known[v] = true
		return !again
	}
	for _, l := range b.Set.Locations() {
		if first(l.Label) {
			r.labels = append(r.labels, l.Label)
		}
	}
	for _, g := range b.Set.Grants() {
		rule := Rule{g.Policy, g.Rule, b.Place(g.Policy, g.Rule)}
		if first(rule) {
			r.rules = append(r.rules, rule)
		}
		for _, label := range g.Labels {
			if grant := (Grant{rule, g.Access, label}); first(grant) {
				r.grants = append(r.grants, grant)
			}
		}
	}
	return r
}

// note takes a decision to what was reached.
func (r *reach) note(d policy.Decision) {
	for _, l := range d.Labels() {
		r.seen[l] = true
	}
	for _, reason := range d.Reasons() {
		if reason.Allowed && reason.Rule != "" {
			rule := Rule{Policy: reason.Policy, Rule: reason.Rule}
			r.seen[rule] = true
			r.seen[Grant{rule, reason.Access, reason.Label}] = true
		}
	}
}

func (r *reach) coverage() Coverage {
	return Coverage{
		Labels: share(r.labels, func(l string) bool { return r.seen[l] }),
		Rules:  share(r.rules, func(x Rule) bool { return r.seen[Rule{Policy: x.Policy, Rule: x.Rule}] }),
		Grants: share(r.grants, func(x Grant) bool { return r.seen[Grant{Rule{Policy: x.Policy, Rule: x.Rule.Rule}, x.Access, x.Label}] }),
	}
}

func share[T any](all []T, reached func(T) bool) Share[T] {
	s := Share[T]{All: len(all), Missed: []T{}}
	for _, x := range all {
		if reached(x) {
			s.Reached++
		} else {
			s.Missed = append(s.Missed, x)
		}
	}
	return s
}
