package proxy

import (
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// A page counts the objects that a listing shows, entry by entry. It ends where
// a policy has no more rows, or a budget no more room.
type page struct {
	x       *exchange
	spender *spender
	rows    map[rowsOf]int
	short   *refusal
}

// A rowsOf is what a policy counts in one request.
type rowsOf struct {
	policy, label string
	access        policy.Access
}

// newPage counts what the answer to call shows to p.
func (s *Server) newPage(x *exchange, call *s3api.Call, p *policy.Principal) *page {
	return &page{x: x, spender: s.newSpender(x, call, p), rows: map[rowsOf]int{}}
}

// takes counts an entry that a decision lets be shown. It is false when the page
// ends before it; the entry is then not counted.
func (g *page) takes(d policy.Decision) bool {
	var b bill
	b.add(d, func(policy.Access) int64 { return 1 })
	over := false
	for _, l := range b.limits {
		if l.Rows > 0 && g.rows[rowsOf{l.Policy, l.Label, l.Access}] >= l.Rows {
			if !l.Monitored {
				return false
			}
			over = true
			g.x.noteLate([]policy.Reason{tooMany(l, int64(l.Rows)+1)})
		}
	}
	_, noted, short := g.spender.counts.Reserve(g.spender.who, b.uses, b.limits, time.Now())
	if short != nil {
		g.short = g.spender.refusal(short)
		return false
	}
	if !over {
		g.x.noteLate(reasonsOf(noted))
	}
	for _, l := range b.limits {
		if of := (rowsOf{l.Policy, l.Label, l.Access}); l.Rows > 0 {
			g.rows[of]++
		}
	}
	return true
}

// refusal is why nothing can be shown, when a budget is used up, and otherwise
// nil: the answer to a listing whose page has ended before its first entry.
func (g *page) refusal() error {
	if g.short == nil {
		return nil
	}
	return g.short
}

// noteLate has the outcome say that what is served would be blocked, were it not
// for monitor mode. The first reason is told.
func (x *exchange) noteLate(reasons []policy.Reason) {
	if len(reasons) > 0 && x.event.Decision == "" {
		x.event.Decision, x.event.Reasons = audit.WouldBlock, forEvent(reasons)
	}
}
