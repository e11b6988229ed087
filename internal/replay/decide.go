package replay

import (
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
)

// take adds what an event comes to.
func (r *Replay) take(e *event, t *tally) {
	if e.Time.Before(r.Since) {
		t.Before++
		return
	}
	if e.Kind != audit.KindDecision {
		t.Others++
		return
	}
	t.Events++
	if t.First.IsZero() || e.Time.Before(t.First) {
		t.First = e.Time
	}
	if e.Time.After(t.Last) {
		t.Last = e.Time
	}
	if c := e.unrepeatable(); c != "" {
		t.cause(c, e.objects())
		return
	}
	facts, c := e.facts()
	if c != "" {
		t.cause(c, e.objects())
		return
	}
	p := e.principal()
	for i, qs := range e.questions() {
		r.compare(e, i, p, facts, qs, t)
	}
}

// compare repeats the i-th decision of an event.
func (r *Replay) compare(e *event, i int, p *policy.Principal, f *policy.Facts, qs []policy.Question, t *tally) {
	d, sure := decide(r.New, p, f, qs, e.tagged())
	from := e.Decision
	if r.Old != nil && sure {
		var old policy.Decision
		old, sure = decide(r.Old, p, f, qs, e.tagged())
		from = rulebook.AnswerOf(old)
	}
	if !sure {
		t.cause(Tags, 1)
		return
	}
	t.Decided++
	if e.PolicyDigest == r.New.Digest() {
		t.Same++
	}
	to := rulebook.AnswerOf(d)
	if from == to {
		if to == rulebook.Allowed && strings.HasPrefix(e.Request.Operation, "List") && slices.ContainsFunc(qs, open) {
			t.Listings++
		}
		return
	}
	k := Kind{From: from, To: to, Who: ruling.Who(p), Operation: e.Request.Operation, Labels: strings.Join(d.Labels(), ", ")}
	example := Example{Event: e.ID, Time: e.Time, Resource: e.resource(i)}
	var policies []string
	for n, reason := range d.Reasons() {
		if n == 0 {
			example.Text, example.Need = reason.Text, reason.Need
		}
		if reason.Policy != "" && !slices.Contains(policies, reason.Policy) {
			policies = append(policies, reason.Policy)
		}
	}
	k.Policies = strings.Join(policies, ", ")
	t.flip(k, 1, example)
}

// open says that a question is about more than one object.
func open(q policy.Question) bool { return q.Scope != policy.Exact }

// decide is the decision of a set, and whether it is sure, whatever tags there
// were. Tags can only let conditions hold that do not without; so what is allowed
// without them is allowed, and what is blocked even where an upload meets every
// condition is blocked.
func decide(s *policy.Set, p *policy.Principal, f *policy.Facts, qs []policy.Question, tagged bool) (policy.Decision, bool) {
	d := s.Decide(p, f, qs...)
	if len(d.WantsTags()) > 0 {
		return d, false
	}
	if !tagged || f.Upload == nil || rulebook.AnswerOf(d) == rulebook.Allowed {
		return d, true
	}
	best := *f
	best.Upload = nil
	return d, rulebook.AnswerOf(s.Decide(p, &best, qs...)) == rulebook.AnswerOf(d)
}
