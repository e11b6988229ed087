// Package response counts what principals do, by the events of the audit log,
// and says when a rule of the configuration fires: violations of the policy,
// reads beyond what is usual for the principal, deletes in mass.
//
// It only counts. It reads no clock, writes nothing and does nothing about what
// it finds: whoever asks does. Counts are held in memory, in a bounded number; a
// restart forgets them. docs/responses.md is the manual.
package response

import (
	"slices"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// The things that can be done, and the modes of a rule.
const (
	Alert   = "alert"   // tell whoever watches
	Suspend = "suspend" // end the principal's sessions, and give no new ones

	Monitor = "monitor" // say what would be done, and do not do it
	Enforce = "enforce"
)

// A Measure is what a rule counts.
type Measure string

// The measures.
const (
	Violations Measure = "violations" // events that block, or would without monitor mode
	Deletes    Measure = "deletes"    // objects that may be deleted
	Objects    Measure = "objects"    // that were read, of a label
	Bytes      Measure = "bytes"      // likewise
)

// A Firing is a rule that has fired for a principal.
type Firing struct {
	Rule    *Rule
	Who     audit.Principal // without groups
	Event   string          // the id of the one that made it fire
	Measure Measure
	Count   int64 // that was reached
	Limit   int64 // from which on the rule fires
	Usual   int64 // of Objects and Bytes: what Limit is a multiple of
}

// An amount is what an event adds to a count.
type amount struct{ n, bytes int64 }

// amount is what e counts for under the rule; zero: nothing.
func (r *Rule) amount(e *audit.Event) amount {
	switch {
	case r.violations > 0:
		if (e.Decision == audit.Blocked || e.Decision == audit.WouldBlock) && worst(e.Reasons) >= r.severity {
			return amount{n: 1}
		}
	case r.deletes > 0:
		// Counted when it is decided, so that many requests at once do not all
		// pass before the first of them has ended.
		if e.Kind == audit.KindDecision && e.Decision != audit.Blocked && e.Request != nil && slices.Contains(e.Request.Access, "deletes") {
			return amount{n: max(1, int64(len(e.Request.Keys)))}
		}
	default:
		if e.Kind == audit.KindOutcome && e.Response != nil && e.Response.Status < 300 && e.Request != nil &&
			slices.Contains(e.Labels, r.Label) && slices.Contains(e.Request.Access, "reads") {
			return amount{n: max(1, int64(e.Response.Objects)), bytes: e.Response.Bytes}
		}
	}
	return amount{}
}

// severities from the least on; 0 is that of an event without grounds.
var severities = [...]string{"", "low", "medium", "high"}

// worst is the place of the highest severity among the reasons.
func worst(reasons []audit.Reason) int {
	most := 0
	for i := range reasons {
		most = max(most, slices.Index(severities[:], reasons[i].Severity))
	}
	return most
}

// Does says whether the rule is to do so, were it in enforce mode.
func (r *Rule) Does(what string) bool { return slices.Contains(r.Do, what) }

// Enforced says whether the rule acts, and does not only say so.
func (r *Rule) Enforced() bool { return r.Mode == Enforce }

// A Rule says when to do something about a principal. Rules makes them.
type Rule struct {
	Name     string
	Do       []string // Alert, Suspend
	Mode     string   // Monitor, Enforce
	Within   time.Duration
	Label    string // whose reads are counted; empty: another measure
	Severity string // of violations

	violations, deletes int64
	severity            int
	times               float64
	history             int
	least               amount
}
