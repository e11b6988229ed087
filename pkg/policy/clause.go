package policy

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// nobody is the number of no rule.
const nobody = math.MaxInt32

// A clause is one policy's word on one label and one kind of access: for each
// who is named, the first rule that grants it. Rules are counted from 0.
type clause struct {
	policy   string
	yes, no  string // the texts of reasons
	rules    []string
	severity Severity
	everyone int32
	users    map[string]int32 // e-mail addresses in lower case
	groups   map[string]int32
	services map[string]int32
}

// rule returns the number of the first rule that grants p, or nobody.
func (c *clause) rule(p *Principal) int32 {
	first := c.everyone
	if len(c.groups) > 0 {
		for _, g := range p.Groups {
			if i, ok := c.groups[g]; ok {
				first = min(first, i)
			}
		}
	}
	if len(c.users) > 0 {
		for _, u := range p.Users {
			if i, ok := c.user(u); ok {
				first = min(first, i)
			}
		}
	}
	if i, ok := c.services[p.Service]; ok {
		first = min(first, i)
	}
	return first
}

func (c *clause) user(u string) (int32, bool) {
	var room [128]byte // an ordinary address is folded without allocating
	if len(u) > len(room) || strings.IndexByte(u, '@') < 0 {
		i, ok := c.users[foldUser(u)]
		return i, ok
	}
	for i := range len(u) {
		room[i] = lower(u[i])
	}
	i, ok := c.users[string(room[:len(u)])]
	return i, ok
}

// foldUser gives the form in which users are compared: an e-mail address,
// which is whatever has an '@', in lower case as far as ASCII goes; anything
// else as it is.
func foldUser(u string) string {
	if strings.IndexByte(u, '@') < 0 {
		return u
	}
	b := []byte(u)
	for i := range b {
		b[i] = lower(b[i])
	}
	return string(b)
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// kinds are the kinds of access with the verb that reasons use.
var kinds = [...]struct {
	access Access
	verb   string
}{{Reads, "read"}, {Updates, "update"}, {Deletes, "delete"}, {Manages, "manage"}}

// index is the place of a in kinds, or -1.
func (a Access) index() int {
	for i := range kinds {
		if kinds[i].access == a {
			return i
		}
	}
	return -1
}

// severities, from the least.
var severities = []Severity{Low, Medium, High}

// governance has, for one label, the clauses of every policy over it, by kind
// of access.
type governance [len(kinds)][]clause

// govern compiles policies over the labels of names.
func govern(names []string, policies []*document) []governance {
	governed := make([]governance, len(names))
	policies = slices.Clone(policies)
	slices.SortFunc(policies, func(a, b *document) int { return cmp.Compare(a.name.V, b.name.V) })
	for _, d := range policies {
		for label, clauses := range d.clauses() {
			i, known := slices.BinarySearch(names, label)
			if !known {
				continue
			}
			for k := range kinds {
				governed[i][k] = append(governed[i][k], *clauses[k])
			}
		}
	}
	return governed
}

// clauses compiles the policy: by label of its data, a clause for each kind of
// access.
func (d *document) clauses() map[string]*[len(kinds)]*clause {
	names := make([]string, len(d.rules))
	for i := range names {
		names[i] = "rule " + strconv.Itoa(i+1)
	}
	all := make(map[string]*[len(kinds)]*clause, len(d.data))
	for _, l := range d.data {
		all[l.V] = new([len(kinds)]*clause)
		for k, kind := range kinds {
			all[l.V][k] = &clause{
				policy: d.name.V, rules: names, severity: Low, everyone: nobody,
				yes: "policy " + d.name.V + " lets you " + kind.verb + " " + l.V + " data",
				no:  "policy " + d.name.V + " has no rule that lets you " + kind.verb + " " + l.V + " data",
			}
		}
	}
	for i := range d.rules {
		for k, grants := range d.rules[i].access {
			for _, g := range grants {
				for _, l := range g.covers(d.data) {
					if clauses := all[l.V]; clauses != nil {
						clauses[k].admit(&d.rules[i], int32(i), g.severity)
					}
				}
			}
		}
	}
	return all
}

// admit takes into the clause that rule i grants it.
func (c *clause) admit(r *rule, i int32, severity Severity) {
	if slices.Index(severities, severity) > slices.Index(severities, c.severity) {
		c.severity = severity
	}
	if r.everyone() {
		c.everyone = min(c.everyone, i)
		return
	}
	first := func(m *map[string]int32, key string) {
		if *m == nil {
			*m = map[string]int32{}
		}
		if _, earlier := (*m)[key]; !earlier {
			(*m)[key] = i
		}
	}
	for _, u := range r.users {
		first(&c.users, foldUser(u.V))
	}
	for _, g := range r.groups {
		first(&c.groups, g.V)
	}
	for _, s := range r.services {
		first(&c.services, s.V)
	}
}

// adds reports whether rule i, one that the clause has admitted, lets in
// anybody whom no earlier rule does, and no rule for everyone.
func (c *clause) adds(r *rule, i int32) bool {
	if r.everyone() {
		return c.everyone == i
	}
	if c.everyone != nobody {
		return false
	}
	is := func(m map[string]int32, list []strictyaml.Value[string], fold func(string) string) bool {
		return slices.ContainsFunc(list, func(v strictyaml.Value[string]) bool { return m[fold(v.V)] == i })
	}
	same := func(s string) string { return s }
	return is(c.users, r.users, foldUser) || is(c.groups, r.groups, same) || is(c.services, r.services, same)
}
