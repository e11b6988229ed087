// Package trial runs the tests that stand beside policies, and says what of the
// policies no test reaches.
package trial

import (
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
)

// A Report is what came of all tests.
type Report struct {
	Tests    []Result
	Coverage Coverage
}

// A Result is what came of one test.
type Result struct {
	*rulebook.Test
	Cases []Case
}

// A Case is one request by one person.
type Case struct {
	As      rulebook.Person
	Request *ruling.Matter
	Got     rulebook.Answer
	Reasons []policy.Reason
	// WantsTags are the objects whose tags the test does not give, and with which
	// the answer could be another.
	WantsTags []string
	// Missing are the grounds that the test wants and the decision does not have.
	Missing []rulebook.Ground
	Passed  bool
}

// Run runs the tests of b. now is the moment of those that name none.
func Run(b *rulebook.Book, now time.Time) *Report {
	r := &Report{}
	reached := newReach(b)
	for i := range b.Tests {
		t := &b.Tests[i]
		result := Result{Test: t}
		for _, p := range t.As {
			for _, m := range t.Requests {
				d := m.Decide(b.Set, p.Principal(), t.Facts.Of(m, now))
				reached.note(d)
				result.Cases = append(result.Cases, judge(t, p, m, d))
			}
		}
		r.Tests = append(r.Tests, result)
	}
	r.Coverage = reached.coverage()
	return r
}

// judge compares a decision with what the test expects.
func judge(t *rulebook.Test, p rulebook.Person, m *ruling.Matter, d policy.Decision) Case {
	c := Case{As: p, Request: m, Got: rulebook.AnswerOf(d), Reasons: d.Reasons(), WantsTags: d.WantsTags()}
	for _, g := range t.Because {
		if !slices.ContainsFunc(c.Reasons, g.Fits) {
			c.Missing = append(c.Missing, g)
		}
	}
	c.Passed = c.Got == t.Expect && len(c.Missing) == 0
	return c
}

// Passed says whether all cases of the test did.
func (r Result) Passed() bool {
	return !slices.ContainsFunc(r.Cases, func(c Case) bool { return !c.Passed })
}

// Failed is how many tests failed.
func (r *Report) Failed() int {
	n := 0
	for _, t := range r.Tests {
		if !t.Passed() {
			n++
		}
	}
	return n
}

// Requests is how many requests were decided on.
func (r *Report) Requests() int {
	n := 0
	for _, t := range r.Tests {
		n += len(t.Cases)
	}
	return n
}
