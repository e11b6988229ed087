package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// maxWaiting is how many decisions wait for their outcomes at once.
const maxWaiting = 4096

// A Found is one event that was asked for.
type Found struct {
	Event *audit.Event
	Line  []byte // as it stands in the log, without its newline
	// Outcome is what became of a decision, once that is known.
	Outcome     *audit.Event
	OutcomeLine []byte
}

// A Search looks for events in one log or several, which are read in their order,
// and joins decisions with their outcomes. It is not safe for concurrent use.
type Search struct {
	query    *Query
	requests sieve // of all lines
	others   sieve // of those that are no outcomes, besides
	take     func(Found) bool

	queue   []*Found          // in the order of the log; those at its head wait for an outcome
	waiting map[string]*Found // those of queue that wait, by id
	late    map[string]bool   // ids of those that were handed over without their outcome
	ended   bool

	Lines int // that were read
	Torn  int // of them, that are no events of a version that is known
}

// NewSearch hands what q asks for to take, in the order of the log, until it says
// false. A decision is handed over together with its outcome, unless 4,096 others
// that came later wait for it; its outcome is then handed over by itself.
func NewSearch(q *Query, take func(Found) bool) *Search {
	return &Search{
		query: q, take: take, waiting: map[string]*Found{}, late: map[string]bool{},
		requests: sieveOf(q.IDs, q.Groups, q.Buckets), others: sieveOf(q.Labels, q.Policies, q.Severities, q.Decisions),
	}
}

// A batch is what is asked for among some lines.
type batch struct {
	found       []*Found
	lines, torn int
}

// Read takes in one log, plain or compressed with gzip. more is false when no more
// is wanted.
func (s *Search) Read(ctx context.Context, log io.Reader) (more bool, err error) {
	err = Each(ctx, log, s.look, s.add)
	return !s.ended, err
}

// Add takes in whole lines.
func (s *Search) Add(lines []byte) (more bool) { return s.add(s.look(lines)) }

// look finds what is asked for, and all outcomes that may belong to it.
func (s *Search) look(lines []byte) batch {
	var b batch
	for line := range bytes.Lines(lines) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		b.lines++
		// Quotes are escaped inside of texts, so this is the key.
		outcome := bytes.Contains(line, []byte(`"kind":"outcome"`))
		if !s.requests.passes(line) || !outcome && !s.others.passes(line) {
			continue
		}
		e := new(audit.Event)
		if err := json.Unmarshal(line, e); err != nil || e.Version != audit.Version {
			b.torn++
			continue
		}
		if s.query.fitsRequest(e) && (e.Kind == audit.KindOutcome || s.query.fitsDecision(e)) {
			b.found = append(b.found, &Found{Event: e, Line: bytes.Clone(line)}) // the block need not stay
		}
	}
	return b
}

func (s *Search) add(b batch) bool {
	s.Lines += b.lines
	s.Torn += b.torn
	for _, f := range b.found {
		if s.ended {
			break
		}
		e := f.Event
		switch decision := s.waiting[e.ID]; {
		case e.Kind == audit.KindOutcome && decision != nil:
			decision.Outcome, decision.OutcomeLine = e, f.Line
			delete(s.waiting, e.ID)
		case e.Kind == audit.KindOutcome && !s.late[e.ID] && !s.query.fitsDecision(e):
		case e.Kind == audit.KindDecision && e.Decision != audit.Blocked:
			s.waiting[e.ID] = f // of a batch, the last one has the outcome
			s.queue = append(s.queue, f)
		default:
			s.queue = append(s.queue, f)
		}
		s.flush(maxWaiting)
	}
	return !s.ended
}

// flush hands over what is complete, and what more than max others are behind.
func (s *Search) flush(max int) {
	for !s.ended && len(s.queue) > 0 {
		f := s.queue[0]
		if waits := s.waiting[f.Event.ID] == f; waits && len(s.queue) <= max {
			return
		} else if waits {
			delete(s.waiting, f.Event.ID)
			if len(s.late) >= maxWaiting {
				clear(s.late)
			}
			s.late[f.Event.ID] = true
		}
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.ended = !s.take(*f)
	}
}

// Flush hands over the decisions whose outcome has not come, at the end of the last
// log or when one that grows has a pause.
func (s *Search) Flush() (more bool) {
	s.flush(0)
	return !s.ended
}
