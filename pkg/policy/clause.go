package policy

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// nobody is the number of no rule.
const nobody = math.MaxInt32

// everyoneID stands among the names of every principal.
const everyoneID = 0

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

// A compiled is what the clauses of one policy share.
type compiled struct {
	name      string
	rules     []string // "rule 1", …
	monitored bool
	time      validity
	document  *document
}

// A clause is one policy's word on one label and one kind of access. Rules are
// counted from 0.
type clause struct {
	policy   *compiled
	label    string
	kind     int
	severity Severity
	limited  bool     // one of permits has a limit
	permits  []permit // in the order of rules and grants
	// of has, by the number of a name, the permits that speak for it, in their
	// order.
	of map[uint32][]int32
}

// A permit is a grant as it stands in a clause.
type permit struct {
	rule       int32
	conditions []condition // of rule and grant
	tagged     bool        // one of them is about the tags of the object
	grant      *grant
	of         *rule
}

// governance has, for one label, the clauses of every policy over it, by kind
// of access.
type governance [len(kinds)][]clause

// names numbers those whom rules name: users, groups and services.
type names struct {
	users    map[string]uint32 // e-mail addresses in lower case
	groups   map[string]uint32
	services map[string]uint32
	count    uint32
}

func newNames() *names {
	return &names{users: map[string]uint32{}, groups: map[string]uint32{}, services: map[string]uint32{}, count: everyoneID}
}

func (n *names) number(of map[string]uint32, name string) uint32 {
	id, known := of[name]
	if !known {
		n.count++
		id = n.count
		of[name] = id
	}
	return id
}

// ids are the numbers of those for whom the rule speaks.
func (n *names) ids(r *rule) []uint32 {
	if r.everyone() {
		return []uint32{everyoneID}
	}
	var ids []uint32
	for _, u := range r.users {
		ids = append(ids, n.number(n.users, foldUser(u.V)))
	}
	for _, g := range r.groups {
		ids = append(ids, n.number(n.groups, g.V))
	}
	for _, s := range r.services {
		ids = append(ids, n.number(n.services, s.V))
	}
	return ids
}

// of appends to into the numbers of p's names that some rule has.
func (n *names) of(p *Principal, into []uint32) []uint32 {
	into = append(into, everyoneID)
	if n == nil {
		return into
	}
	for _, g := range p.Groups {
		if id, ok := n.groups[g]; ok {
			into = append(into, id)
		}
	}
	for _, u := range p.Users {
		if id, ok := n.user(u); ok {
			into = append(into, id)
		}
	}
	if id, ok := n.services[p.Service]; ok {
		into = append(into, id)
	}
	return into
}

func (n *names) user(u string) (uint32, bool) {
	var room [128]byte // an ordinary address is folded without allocating
	if len(u) > len(room) {
		id, ok := n.users[foldUser(u)]
		return id, ok
	}
	address := false
	for i := range len(u) {
		room[i] = lower(u[i])
		address = address || u[i] == '@'
	}
	if !address {
		id, ok := n.users[u]
		return id, ok
	}
	id, ok := n.users[string(room[:len(u)])]
	return id, ok
}

// foldUser gives the form in which users are compared: an e-mail address,
// which is whatever has an '@', in lower case as far as ASCII goes; anything
// else as it is.
func foldUser(u string) string {
	if !slices.Contains([]byte(u), '@') {
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

// govern compiles policies over labels, and numbers the names in them.
func govern(labels []string, policies []*document) ([]governance, *names) {
	governed := make([]governance, len(labels))
	known := newNames()
	policies = slices.Clone(policies)
	slices.SortFunc(policies, func(a, b *document) int { return cmp.Compare(a.name.V, b.name.V) })
	for _, d := range policies {
		for label, clauses := range d.clauses(known) {
			i, ok := slices.BinarySearch(labels, label)
			if !ok {
				continue
			}
			for k := range kinds {
				governed[i][k] = append(governed[i][k], *clauses[k])
			}
		}
	}
	return governed, known
}

// clauses compiles the policy: by label of its data, a clause for each kind of
// access.
func (d *document) clauses(known *names) map[string]*[len(kinds)]*clause {
	shared := &compiled{name: d.name.V, monitored: d.monitored, time: d.time, document: d, rules: make([]string, len(d.rules))}
	for i := range shared.rules {
		shared.rules[i] = ruleName(i)
	}
	all := make(map[string]*[len(kinds)]*clause, len(d.data))
	for _, l := range d.data {
		all[l.V] = new([len(kinds)]*clause)
		for k := range kinds {
			all[l.V][k] = &clause{policy: shared, label: l.V, kind: k, severity: Low}
		}
	}
	for i := range d.rules {
		r := &d.rules[i]
		ids := known.ids(r)
		for k, grants := range r.access {
			for g := range grants {
				p := newPermit(int32(i), r, &grants[g])
				for _, l := range grants[g].covers(d.data) {
					if clauses := all[l.V]; clauses != nil {
						clauses[k].admit(p, ids)
					}
				}
			}
		}
	}
	return all
}

// ruleName is how a rule is called that is counted from 0.
func ruleName(i int) string { return "rule " + strconv.Itoa(i+1) }

func newPermit(number int32, r *rule, g *grant) permit {
	p := permit{rule: number, of: r, grant: g, conditions: slices.Concat(r.conditions, g.conditions)}
	p.tagged = slices.ContainsFunc(p.conditions, func(c condition) bool { _, is := c.(objectTags); return is })
	return p
}

// admit takes a permit for the names of ids into the clause.
func (c *clause) admit(p permit, ids []uint32) {
	if slices.Index(severities, p.grant.severity) > slices.Index(severities, c.severity) {
		c.severity = p.grant.severity
	}
	c.limited = c.limited || p.limited()
	at := int32(len(c.permits))
	c.permits = append(c.permits, p)
	if c.of == nil {
		c.of = map[uint32][]int32{}
	}
	for _, id := range ids {
		c.of[id] = append(c.of[id], at)
	}
}

func (p *permit) limited() bool {
	return p.grant.rows != 0 || p.budgeted()
}

func (p *permit) budgeted() bool { return p.grant.objects != Rate{} || p.grant.bytes != Rate{} }

// permit returns the first permit that allows what is asked, or -1. It is
// looked for in ascending order under each name.
func (c *clause) permit(who []uint32, q asked, tags map[string]string) int32 {
	first := int32(nobody)
	for _, id := range who {
		for _, i := range c.of[id] {
			if i >= first {
				break
			}
			if q.meetsAll(c.permits[i].conditions, tags) {
				first = i
				break
			}
		}
	}
	if first == nobody {
		return -1
	}
	return first
}

// limit is what the permits that allow bound together; the zero Limit if
// nothing.
func (c *clause) limit(who []uint32, q asked, tags map[string]string) Limit {
	l := Limit{Policy: c.policy.name, Label: c.label, Access: kinds[c.kind].access}
	endless, unbounded := false, false
	for i := range c.permits {
		p := &c.permits[i]
		if !c.speaks(who, int32(i)) || !q.meetsAll(p.conditions, tags) {
			continue
		}
		l.Rows = max(l.Rows, p.grant.rows)
		endless = endless || p.grant.rows == 0
		unbounded = unbounded || !p.budgeted()
		l.Budgets = append(l.Budgets, Budget{Rule: c.policy.rules[p.rule], Objects: p.grant.objects, Bytes: p.grant.bytes})
	}
	if endless {
		l.Rows = 0
	}
	if unbounded {
		l.Budgets = nil
	}
	return l
}

// speaks reports whether permit i is for one of the names.
func (c *clause) speaks(who []uint32, i int32) bool {
	for _, id := range who {
		if _, is := slices.BinarySearch(c.of[id], i); is {
			return true
		}
	}
	return false
}
