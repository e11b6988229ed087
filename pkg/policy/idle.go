package policy

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// idle finds rules that grant nothing that other rules of their policy do not
// grant already.
func idle(s *Set) strictyaml.Faults {
	useful := map[*rule]bool{}
	for i := range s.governed {
		for k := range s.governed[i] {
			for c := range s.governed[i][k] {
				s.governed[i][k][c].useful(useful)
			}
		}
	}
	var found strictyaml.Faults
	for _, d := range s.documents {
		for i := range d.rules {
			if r := &d.rules[i]; !useful[r] {
				found = append(found, strictyaml.Fault{File: d.file, Line: r.line, Column: r.column,
					Text: fmt.Sprintf("rule %d grants nothing that the other rules of policy %q do not grant already", i+1, d.name.V)})
			}
		}
	}
	return found
}

// useful notes the rules of which the clause has a permit that lets somebody in
// whom no permit of another rule does.
func (c *clause) useful(into map[*rule]bool) {
	everyone := c.of[everyoneID]
	for id, list := range c.of {
		rivals := list
		if id != everyoneID {
			rivals = slices.Concat(everyone, list)
		}
		for _, i := range list {
			p := &c.permits[i]
			if !into[p.of] && !slices.ContainsFunc(rivals, func(j int32) bool { return c.permits[j].replaces(p) }) {
				into[p.of] = true
			}
		}
	}
}

// replaces reports whether q, of another rule, lets in whatever p does. Of two
// that are alike the first replaces the second.
func (q *permit) replaces(p *permit) bool {
	return q.of != p.of && q.allows(p) && (q.rule < p.rule || !p.allows(q) || q.of.everyone() && !p.of.everyone())
}

// allows reports whether q has no condition and no limit that p has not.
func (q *permit) allows(p *permit) bool {
	for _, c := range q.conditions {
		if !slices.ContainsFunc(p.conditions, func(have condition) bool { return reflect.DeepEqual(c, have) }) {
			return false
		}
	}
	return (q.grant.rows == 0 || p.grant.rows != 0 && q.grant.rows >= p.grant.rows) &&
		q.grant.objects.atLeast(p.grant.objects) && q.grant.bytes.atLeast(p.grant.bytes)
}

// atLeast reports whether r bounds no more than o does.
func (r Rate) atLeast(o Rate) bool {
	return r == Rate{} || r.Per == o.Per && r.Amount >= o.Amount
}
