// Package report counts what stands in a log of events, and writes one page about
// it for people: who asked for what, how much, what was blocked and why.
//
// The page is one file. It needs nothing else, asks for nothing else, and has no
// script; its plots are drawn here. What a log says is text on it, whatever it is.
//
// What is held does not grow with the log: there is room for so many people,
// labels and kinds of refusals. Where that was not enough, the rarer ones are
// forgotten, and the numbers say so.
package report

import (
	"bytes"
	"context"
	"encoding/json"
	"hash/maphash"
	"io"
	"time"

	"github.com/gimme-broker/gimme/internal/eventlog"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// Room for what is told apart.
const (
	roomPeople  = 4000
	roomLabels  = 500
	roomBlocked = 20_000
	roomBuckets = 20_000
	roomSeen    = 1 << 20 // pairs of person and bucket
	roomPending = 1 << 16 // requests that go on
)

// A Report counts events of a period. It is not safe for concurrent use.
type Report struct {
	since, until time.Time

	lines, torn, before, after, events int64
	first, last                        time.Time

	axis      axis
	decisions map[audit.Decision]*series
	read      int64
	written   int64

	people    *most[identity, person]
	allPeople series
	labels    *most[string, series]
	allLabels series

	blocked    *most[ground, occurrence]
	monitor    *most[tried, occurrence]
	severities map[string]*severity
	ended      int64 // requests that a budget ended

	seed       maphash.Seed
	seen       map[uint64]struct{} // pairs of person and bucket
	fullSeen   bool
	newBuckets *most[pair, occurrence]
	freshPairs int64

	pending map[string]request // by the id of the event
	order   []string           // of pending, a ring
	oldest  int

	sessions sessions
}

// An identity is who somebody is: issuer and subject.
type identity struct{ issuer, subject string }

type person struct {
	who  string
	kind string // person or service
	series
	blocked, wouldBlock, read, written, sessions, newBuckets int64
}

// A ground is what refusals have in common that are told together.
type ground struct {
	who                              identity
	name, operation, bucket, labels  string
	policy, severity, why, need, how string
}

// A tried is what monitor mode let through.
type tried struct {
	policy string
	who    identity
	name   string
}

type pair struct {
	who          identity
	name, bucket string
}

// An occurrence is when something was there, and one case of it.
type occurrence struct {
	first, last time.Time
	event, what string
	severity    string
	why         string
}

func (o *occurrence) see(e *event) {
	if o.first.IsZero() || e.Time.Before(o.first) {
		o.first = e.Time
	}
	if e.Time.After(o.last) {
		o.last, o.event, o.what = e.Time, e.ID, e.what()
	}
}

type severity struct {
	series
	blocked, wouldBlock int64
}

type sessions struct {
	issued, refused, revocations, policies, starts int64
	reasons                                        *most[string, occurrence]
}

// A request is what its outcome does not repeat.
type request struct {
	labels   []string
	decision audit.Decision
}

// New makes a report of the events from since on and before until; where one is
// zero, there is no such limit.
func New(since, until time.Time) *Report {
	return &Report{
		since: since, until: until, seed: maphash.MakeSeed(),
		decisions: map[audit.Decision]*series{audit.Allowed: {}, audit.WouldBlock: {}, audit.Blocked: {}},
		people:    newMost[identity, person](roomPeople), labels: newMost[string, series](roomLabels),
		blocked: newMost[ground, occurrence](roomBlocked), monitor: newMost[tried, occurrence](roomBlocked),
		newBuckets: newMost[pair, occurrence](roomBuckets), severities: map[string]*severity{},
		seen: map[uint64]struct{}{}, pending: map[string]request{}, order: make([]string, roomPending),
		sessions: sessions{reasons: newMost[string, occurrence](1000)},
	}
}

// An event is what counts of an audit.Event here. The rest is not decoded.
type event struct {
	Version   int              `json:"version"`
	ID        string           `json:"id"`
	Time      time.Time        `json:"time"`
	Kind      audit.Kind       `json:"kind"`
	Decision  audit.Decision   `json:"decision"`
	Principal *audit.Principal `json:"principal"`
	Request   struct {
		Operation string `json:"operation"`
		Bucket    string `json:"bucket"`
		Key       string `json:"key"`
		Source    string `json:"source"`
		Bytes     int64  `json:"bytes"`
	} `json:"request"`
	Labels   []string       `json:"labels"`
	Reasons  []audit.Reason `json:"reasons"`
	Response struct {
		Bytes int64 `json:"bytes"`
	} `json:"response"`
	Error string `json:"error"`
}

func (e *event) what() string {
	if e.Request.Bucket == "" {
		return ""
	}
	return eventlog.Resource(e.Request.Bucket, e.Request.Key)
}

func (e *event) identity() identity {
	if e.Principal == nil {
		return identity{}
	}
	return identity{e.Principal.Issuer, e.Principal.Subject}
}

// who is what people call the one who asked.
func (e *event) who() string {
	if name := eventlog.Who(e.Principal); name != "" {
		return name
	}
	return "nobody known"
}

// A batch is the events of some lines.
type batch struct {
	events      []event
	lines, torn int64
}

// Read counts one log, plain or compressed with gzip. It returns when all of it is
// counted, or when ctx ends.
func (r *Report) Read(ctx context.Context, log io.Reader) error {
	return eventlog.Each(ctx, log, decode, func(b batch) bool {
		r.lines += b.lines
		r.torn += b.torn
		for i := range b.events {
			r.take(&b.events[i])
		}
		return true
	})
}

func decode(lines []byte) batch {
	b := batch{events: make([]event, 0, len(lines)/800)}
	for line := range bytes.Lines(lines) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		b.lines++
		var e event
		if err := json.Unmarshal(line, &e); err != nil || e.Version != audit.Version {
			b.torn++
			continue
		}
		b.events = append(b.events, e)
	}
	return b
}
