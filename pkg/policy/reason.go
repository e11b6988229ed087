package policy

import (
	"fmt"
	"slices"
	"strings"
)

// reason is the ground in words.
func (g ground) reason() Reason {
	if g.clause == nil {
		return Reason{Allowed: true, Access: g.access, Path: g.path, Text: g.fact + ", and unlabelled data is allowed"}
	}
	c := g.clause
	return Reason{
		Allowed: true, Policy: c.policy.name, Rule: c.policy.rules[g.rule], Label: c.label, Access: kinds[c.kind].access, Path: g.path,
		Text: "policy " + c.policy.name + " lets you " + kinds[c.kind].verb + " " + c.label + " data",
	}
}

// against says why the clause does not allow q: nothing in it speaks for the
// principal, or the first permit that does has conditions that do not hold.
func (c *clause) against(who []uint32, q asked, tags map[string]string) Reason {
	r := Reason{Policy: c.policy.name, Label: c.label, Access: q.Access, Path: q.Path, Severity: c.severity}
	what := fmt.Sprintf("%s %s data", kinds[c.kind].verb, c.label)
	for i := range c.permits {
		p := &c.permits[i]
		if !c.speaks(who, int32(i)) {
			continue
		}
		r.Rule = c.policy.rules[p.rule]
		var want, seen []string
		for _, x := range p.conditions {
			if !q.meets(x, tags) {
				want = append(want, x.want())
				seen = append(seen, x.seen(q.principal, q.facts, tags))
			}
		}
		r.Need = strings.Join(want, ", and ")
		r.Text = fmt.Sprintf("%s of policy %s lets you %s only %s, but %s", r.Rule, r.Policy, what, r.Need, strings.Join(seen, ", and "))
		return r
	}
	r.Text = fmt.Sprintf("policy %s has no rule that lets you %s", r.Policy, what)
	r.Need = c.need()
	return r
}

// fewNames is how many groups a sentence names.
const fewNames = 3

// need says who is let in by the clause, without naming a person.
func (c *clause) need() string {
	var groups []string
	for i := range c.permits {
		for _, g := range c.permits[i].of.groups {
			if !slices.Contains(groups, g.V) {
				groups = append(groups, g.V)
			}
		}
	}
	switch {
	case len(groups) == 1:
		return "membership of " + groups[0]
	case len(groups) > fewNames:
		return fmt.Sprintf("membership of one of %s and %d more groups", strings.Join(groups[:fewNames], ", "), len(groups)-fewNames)
	case len(groups) > 0:
		return "membership of " + either(groups)
	case len(c.permits) > 0:
		return "to be named in " + c.policy.rules[c.permits[0].rule] + " of policy " + c.policy.name
	}
	return fmt.Sprintf("a rule of policy %s with %s of %s", c.policy.name, kinds[c.kind].access, c.label)
}
