package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// An Explanation is how the policies came to their word on one question.
type Explanation struct {
	Question Question
	Decision Decision // on this question alone
	Labels   []LabelWord
	// Changes would each take away one of the grounds against; all of them
	// together let the question be allowed. None where it is allowed.
	Changes []Change
}

// A LabelWord is what the policies say of one label.
type LabelWord struct {
	Label     string       `json:"label"`
	Locations []string     `json:"locations"` // of the data map, by which the data carries the label
	Policies  []PolicyWord `json:"policies"`  // that govern it; none: nobody has a say, and it is blocked
}

// A PolicyWord is what one policy says of one label.
type PolicyWord struct {
	Policy    string     `json:"policy"`
	InForce   bool       `json:"in_force"` // otherwise it is as if it were not there
	Monitored bool       `json:"monitored,omitempty"`
	Allows    bool       `json:"allows"`
	Rules     []RuleWord `json:"rules"`
}

// A RuleWord is what one rule says by one of its grants.
type RuleWord struct {
	Rule       string          `json:"rule"`
	Speaks     bool            `json:"speaks"` // for the principal
	Grants     bool            `json:"grants"` // this kind of access to this label
	Allows     bool            `json:"allows"` // both, and all conditions hold
	Conditions []ConditionWord `json:"conditions,omitempty"`
}

// A ConditionWord is one condition and what was seen.
type ConditionWord struct {
	Holds bool   `json:"holds"`
	Want  string `json:"want"`           // goes on from "only"
	Seen  string `json:"seen,omitempty"` // where it does not hold: goes on from "but"
}

// A Change is the smallest one that takes away one ground against.
type Change struct {
	Policy string `json:"policy,omitempty"` // the one to change; empty: a new one is needed, or a label
	Label  string `json:"label,omitempty"`
	// Satisfy says what the request would have to be; empty: no request of this
	// principal would do.
	Satisfy string `json:"satisfy,omitempty"`
	// Text says what to write, in one clause.
	Text string `json:"text"`
	// YAML is that: a rule to go under the policy's rules, a policy, or an entry
	// for the data map.
	YAML string `json:"yaml"`
}

// Explain answers each question by itself as Decide does, and says how.
func (s *Set) Explain(p *Principal, f *Facts, qs ...Question) []Explanation {
	if p == nil {
		p = &s.nobody
	}
	if f == nil {
		f = &s.nothing
	}
	all := make([]Explanation, len(qs))
	for i, q := range qs {
		all[i] = s.explain(asked{p, f, q})
	}
	return all
}

func (s *Set) explain(q asked) Explanation {
	e := Explanation{Question: q.Question, Decision: s.Decide(q.principal, q.facts, q.Question)}
	kind := q.Access.index()
	if kind < 0 {
		return e
	}
	who := s.names.of(q.principal, nil)
	var tags map[string]string
	if q.Scope == Exact {
		tags = q.facts.ObjectTags[q.Path]
	}
	for _, label := range e.Decision.Labels() {
		i, _ := slices.BinarySearch(s.labels, label)
		w := LabelWord{Label: label, Locations: s.locationsOf(label, q.Question), Policies: []PolicyWord{}}
		for j := range s.governed[i][kind] {
			w.Policies = append(w.Policies, s.governed[i][kind][j].word(who, q, tags))
		}
		e.Labels = append(e.Labels, w)
	}
	if !e.Decision.Allowed || e.Decision.WouldBlock {
		for _, r := range e.Decision.Reasons() {
			e.Changes = append(e.Changes, s.change(q, r))
		}
	}
	return e
}

// locationsOf are the locations by which what is asked about carries label.
func (s *Set) locationsOf(label string, q Question) []string {
	container, name, _ := strings.Cut(q.Path, "/")
	texts := []string{}
	for _, l := range s.locations {
		c, n, _ := strings.Cut(l.Text, "/")
		if l.Label != label || !match(c, container) {
			continue
		}
		reaches := n == "" || name != "" && match(n, name)
		if q.Scope != Exact {
			reaches = reaches || len(afterPrefix(n, name)) > 0 || strings.Contains(n, "*") && match(n, name)
		}
		if reaches {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

func (c *clause) word(who []uint32, q asked, tags map[string]string) PolicyWord {
	w := PolicyWord{Policy: c.policy.name, InForce: c.policy.time.at(q.facts.Now), Monitored: c.policy.monitored}
	next := 0
	for i, name := range c.policy.rules {
		granted := false
		for ; next < len(c.permits) && int(c.permits[next].rule) == i; next++ {
			granted = true
			w.Rules = append(w.Rules, c.ruleWord(name, int32(next), who, q, tags))
		}
		if !granted {
			w.Rules = append(w.Rules, RuleWord{Rule: name, Speaks: c.policy.document.rules[i].speaks(q.principal)})
		}
	}
	w.Allows = w.InForce && slices.ContainsFunc(w.Rules, func(r RuleWord) bool { return r.Allows })
	return w
}

func (c *clause) ruleWord(name string, i int32, who []uint32, q asked, tags map[string]string) RuleWord {
	r := RuleWord{Rule: name, Speaks: c.speaks(who, i), Grants: true}
	for _, x := range c.permits[i].conditions {
		word := ConditionWord{Holds: q.meets(x, tags), Want: x.want()}
		if !word.Holds {
			word.Seen = x.seen(q.principal, q.facts, tags)
		}
		r.Conditions = append(r.Conditions, word)
	}
	r.Allows = r.Speaks && q.meetsAll(c.permits[i].conditions, tags)
	return r
}

// speaks reports whether the rule is for p.
func (r *rule) speaks(p *Principal) bool {
	if r.everyone() {
		return true
	}
	for _, u := range r.users {
		if slices.ContainsFunc(p.Users, func(have string) bool { return foldUser(have) == foldUser(u.V) }) {
			return true
		}
	}
	for _, g := range r.groups {
		if slices.Contains(p.Groups, g.V) {
			return true
		}
	}
	return slices.ContainsFunc(r.services, func(s strictyaml.Value[string]) bool { return s.V == p.Service })
}

// change is what would take away the ground r.
func (s *Set) change(q asked, r Reason) Change {
	who := identity(q.principal)
	rule := fmt.Sprintf("  - %s%s: [{data: [%s]}]\n", who, r.Access, quoted(r.Label))
	switch {
	case r.Label == "":
		return Change{Text: "give it a label in the data map, and a policy over the label", YAML: fmt.Sprintf("LABEL:\n  - repo: S3\n    attributes: [%s]\n", quoted(q.Path))}
	case r.Policy == "":
		return Change{Label: r.Label, Text: "write a policy over " + r.Label, YAML: fmt.Sprintf("name: %s\ndata: [%s]\nrules:\n%s", quoted(strings.ToLower(r.Label)), quoted(r.Label), rule)}
	}
	c := Change{Policy: r.Policy, Label: r.Label, YAML: rule, Text: "add this rule to policy " + r.Policy}
	if r.Rule != "" {
		c.Satisfy = r.Need
	}
	return c
}

// identity is the narrowest that names p, as the beginning of a rule.
func identity(p *Principal) string {
	kind, name := "", ""
	switch {
	case p.Service != "":
		kind, name = "services", p.Service
	case len(p.Users) > 0:
		kind, name = "users", p.Users[len(p.Users)-1]
	case len(p.Groups) > 0:
		kind, name = "groups", p.Groups[0]
	default:
		return ""
	}
	return fmt.Sprintf("identities: {%s: [%s]}\n    ", kind, quoted(name))
}

// quoted writes a text as YAML reads it back, whatever is in it.
func quoted(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./@", c))
	})
	if plain && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	return fmt.Sprintf("%q", s)
}
