package rulebook

import (
	"fmt"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A Place is where something stands in a file.
type Place struct {
	File         string
	Line, Column int
}

// places are where policies and their rules stand, and what groups they name.
type places map[string]*outline // by the names of policies

type outline struct {
	file   string
	name   strictyaml.Value[string]
	rules  []strictyaml.Value[string]
	groups []strictyaml.Value[string]
}

// read notes what the policy in from has where.
func (p places) read(from *file) {
	o := &outline{file: from.Name, name: scalar(child(from.root, "name"))}
	for _, r := range items(child(from.root, "rules")) {
		o.rules = append(o.rules, at(r))
		for _, g := range items(child(child(r, "identities"), "groups")) {
			o.groups = append(o.groups, scalar(g))
		}
	}
	p[o.name.V] = o
}

// Place says where a policy stands, or one of its rules ("rule 2"). It is the
// zero Place for what there is not.
func (b *Book) Place(policy, rule string) Place {
	o := b.places[policy]
	if o == nil {
		return Place{}
	}
	v := o.name
	var n int
	if _, err := fmt.Sscanf(rule, "rule %d", &n); err == nil && n > 0 && n <= len(o.rules) {
		v = o.rules[n-1]
	}
	return Place{o.file, v.Line, v.Column}
}

// A mention is where a file names a group.
type mention struct {
	file string
	name strictyaml.Value[string]
}

// groups are those that policies name, each once a file.
func (p places) groups() []mention {
	var all []mention
	for _, o := range p {
		seen := map[string]bool{}
		for _, g := range o.groups {
			if !seen[g.V] {
				all = append(all, mention{o.file, g})
			}
			seen[g.V] = true
		}
	}
	return all
}

// Rules is how many rules the policies have.
func (b *Book) Rules() int {
	n := 0
	for _, o := range b.places {
		n += len(o.rules)
	}
	return n
}
