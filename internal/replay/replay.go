// Package replay decides again what a log of events says was decided, by another
// data map and other policies, and says what would come out differently.
//
// It reads events as docs/audit.md specifies them, in any number of logs, and
// holds none of them: what it keeps grows with the number of different flips
// alone, and that is bounded.
package replay

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/pkg/policy"
)

// A Replay decides again by New. The zero value of each other field has a
// meaning. It is not safe for concurrent use.
type Replay struct {
	New *policy.Set
	// Old decides what New is compared with; nil: the word of the log is.
	Old *policy.Set
	// Since is the moment before which events do not count.
	Since time.Time

	tally
}

// A Cause is why a decision could not be repeated.
type Cause string

// The causes.
const (
	NotAsked  Cause = "refused before the policy was asked"
	Limited   Cause = "ended by a limit: how much was used before is not counted"
	NoTargets Cause = "recorded by an older sidecar, without what was asked of the policy"
	NoNames   Cause = "recorded by an older sidecar, without the names that policies know"
	Tags      Cause = "dependent on tags, which no log holds"
	Filtered  Cause = "of ListBuckets, whose answer is filtered and not recorded"
	BadFacts  Cause = "recorded with an address or a version of TLS that cannot be read"
)

// A Kind is what flips have in common that are told together.
type Kind struct {
	From      rulebook.Answer `json:"from"`
	To        rulebook.Answer `json:"to"`
	Who       string          `json:"who"` // for people to read
	Operation string          `json:"operation"`
	Labels    string          `json:"labels"`   // of the data, divided by ", "
	Policies  string          `json:"policies"` // that have a part in the new decision, likewise
}

// A Flip is a kind of decision that comes out differently, how often, and the
// first of them.
type Flip struct {
	Kind
	Count   int     `json:"count"`
	Example Example `json:"example"`
}

// An Example is one decision that comes out differently.
type Example struct {
	Event    string    `json:"event"` // its id
	Time     time.Time `json:"time"`
	Resource string    `json:"resource"` // s3://bucket/key
	Text     string    `json:"text"`     // of the new decision's first reason
	Need     string    `json:"need,omitempty"`
}

// maxKinds is how many kinds of flips are told apart. Of others only the number
// is known.
const maxKinds = 20_000

// A tally is what came of some lines of a log.
type tally struct {
	Lines  int // all
	Torn   int // that are no event of a version that is known
	Others int // events that are no decisions
	Before int // events before Since
	Events int // decisions

	Decided int // again; each object of a batch is one
	Flipped int
	Same    int // that New has decided before, by its digest
	// Listings are those that were decided again, and are allowed by both: what
	// they show is filtered entry by entry, which is not repeated.
	Listings int
	Untold   int // flips of kinds beyond those that are told apart
	Causes   map[Cause]int
	flips    map[Kind]*Flip
	First    time.Time // of Events
	Last     time.Time
}

func (t *tally) cause(c Cause, n int) {
	if t.Causes == nil {
		t.Causes = map[Cause]int{}
	}
	t.Causes[c] += n
}

func (t *tally) flip(k Kind, n int, e Example) {
	t.Flipped += n
	if t.flips == nil {
		t.flips = map[Kind]*Flip{}
	}
	switch f := t.flips[k]; {
	case f != nil:
		f.Count += n
	case len(t.flips) < maxKinds:
		t.flips[k] = &Flip{k, n, e}
	default:
		t.Untold += n
	}
}

// add adds what came of later lines.
func (t *tally) add(more *tally) {
	for _, n := range [...]struct {
		to   *int
		more int
	}{{&t.Lines, more.Lines}, {&t.Torn, more.Torn}, {&t.Others, more.Others}, {&t.Before, more.Before}, {&t.Events, more.Events},
		{&t.Decided, more.Decided}, {&t.Same, more.Same}, {&t.Listings, more.Listings}, {&t.Untold, more.Untold}} {
		*n.to += n.more
	}
	for c, n := range more.Causes {
		t.cause(c, n)
	}
	for _, k := range slices.SortedFunc(maps.Keys(more.flips), compareKinds) {
		t.flip(k, more.flips[k].Count, more.flips[k].Example)
	}
	t.Flipped += more.Untold
	if !more.First.IsZero() && (t.First.IsZero() || more.First.Before(t.First)) {
		t.First = more.First
	}
	if more.Last.After(t.Last) {
		t.Last = more.Last
	}
}

// Flips are the kinds of decisions that come out differently, the most frequent
// first.
func (r *Replay) Flips() []Flip {
	all := make([]Flip, 0, len(r.flips))
	for _, f := range r.flips {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Flip) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), compareKinds(a.Kind, b.Kind))
	})
	return all
}

func compareKinds(a, b Kind) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Who, b.Who),
		cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Labels, b.Labels), cmp.Compare(a.Policies, b.Policies))
}

// NotRepeated is how many decisions could not be repeated.
func (r *Replay) NotRepeated() int {
	n := 0
	for _, c := range r.Causes {
		n += c
	}
	return n
}
