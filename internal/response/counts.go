package response

import (
	"math"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// Most is how many counts are held at once, over all principals and rules: some
// 30 MiB if all are in use.
const Most = 1 << 16

// remembered is how long the usual reads of somebody are kept who reads nothing.
const remembered = 30 * 24 * time.Hour

// Counts are how far principals are from the rules. Make them with New; they are
// safe for concurrent use.
type Counts struct {
	rules []*Rule
	most  int

	mu          sync.Mutex // guards all below
	by          map[key]*count
	first, last *count // the one that was added to last, and the one that was not for longest
}

// A key names what is counted together.
type key struct {
	issuer, subject string
	rule            int
}

// A count is that of one rule for one principal.
type count struct {
	key          key
	rule         *Rule
	added        time.Time // when something last was
	quiet        time.Time // until when it does not fire again
	window       window
	usual        *usual // nil: another measure than reads
	before, next *count // by when something was last added
}

// New returns counts for the rules, of which at most so many are held.
func New(rules []*Rule, most int) *Counts {
	return &Counts{rules: rules, most: most, by: map[key]*count{}}
}

// See counts an event that was written at now, and returns the rules that fire
// because of it. For one principal a rule fires once in the time that it speaks
// of, and begins to count anew when it does.
func (c *Counts) See(e *audit.Event, now time.Time) []Firing {
	if e.Principal == nil {
		return nil // nobody has proven to be anybody
	}
	var fired []Firing
	for i, r := range c.rules {
		if a := r.amount(e); a != (amount{}) {
			if f, ok := c.add(i, e, a, now); ok {
				fired = append(fired, f)
			}
		}
	}
	return fired
}

func (c *Counts) add(rule int, e *audit.Event, a amount, now time.Time) (Firing, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.count(key{e.Principal.Issuer, e.Principal.Subject, rule}, now)
	f, fires := n.add(now, a)
	if !fires || now.Before(n.quiet) {
		return Firing{}, false
	}
	n.quiet = now.Add(n.rule.Within)
	n.window.empty()
	p := e.Principal
	f.Rule, f.Event = n.rule, e.ID
	f.Who = audit.Principal{Issuer: p.Issuer, Subject: p.Subject, Email: p.Email, Name: p.Name, Service: p.Service}
	return f, true
}

// add counts a, and says whether that is enough to fire.
func (n *count) add(now time.Time, a amount) (Firing, bool) {
	n.added = now
	r, sum := n.rule, n.window.add(now, n.rule.Within, a)
	if n.usual == nil {
		f := Firing{Measure: Violations, Count: sum.n, Limit: r.violations}
		if r.deletes > 0 {
			f.Measure, f.Limit = Deletes, r.deletes
		}
		return f, f.Count >= f.Limit
	}
	u := n.usual
	u.add(now, r, a)
	objects := Firing{Measure: Objects, Count: sum.n, Limit: r.limit(u.n, r.least.n), Usual: int64(u.n)}
	bytes := Firing{Measure: Bytes, Count: sum.bytes, Limit: r.limit(u.bytes, r.least.bytes), Usual: int64(u.bytes)}
	switch {
	case u.windows < r.history: // nobody knows yet what is usual
		return Firing{}, false
	case objects.Count >= objects.Limit:
		return objects, true
	}
	return bytes, bytes.Count >= bytes.Limit
}

// limit is from when on reads are unusual.
func (r *Rule) limit(usual float64, least int64) int64 {
	return max(least, int64(math.Ceil(min(r.times*usual, math.MaxInt64/2))))
}

// count returns that of k as the one that was added to last, and makes it if
// need be.
func (c *Counts) count(k key, now time.Time) *count {
	n := c.by[k]
	switch {
	case n == nil:
		c.makeRoom(now)
		n = &count{key: k, rule: c.rules[k.rule]}
		if n.rule.Label != "" {
			n.usual = &usual{}
		}
		c.by[k] = n
	case n == c.first:
		return n
	default:
		c.unlink(n)
	}
	n.before, n.next = nil, c.first
	if c.first != nil {
		c.first.before = n
	}
	c.first = n
	if c.last == nil {
		c.last = n
	}
	return n
}

// makeRoom forgets what has run out, some at a time, and if there is still no
// room what was not added to for longest.
func (c *Counts) makeRoom(now time.Time) {
	for n := 0; c.last != nil && (len(c.by) >= c.most || n < 4 && c.last.ranOut(now)); n++ {
		delete(c.by, c.last.key)
		c.unlink(c.last)
	}
}

// ranOut says whether nothing of n matters any more.
func (n *count) ranOut(now time.Time) bool {
	if n.usual != nil {
		return now.Sub(n.added) > remembered
	}
	return now.Sub(n.added) > n.rule.Within+partOf(n.rule.Within)
}

func (c *Counts) unlink(n *count) {
	if n.before != nil {
		n.before.next = n.next
	} else {
		c.first = n.next
	}
	if n.next != nil {
		n.next.before = n.before
	} else {
		c.last = n.before
	}
	n.before, n.next = nil, nil
}
