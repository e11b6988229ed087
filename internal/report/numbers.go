package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// How much is told.
const (
	toldSeries  = 7
	toldPeople  = 25
	toldBlocked = 15
	toldBuckets = 20
	toldMonitor = 30
	toldReasons = 10
)

// Numbers are all that a report says, without the plots.
type Numbers struct {
	Summary string     `json:"summary"` // one sentence or two
	Period  Period     `json:"period"`
	Log     Log        `json:"log"`
	Totals  Totals     `json:"totals"`
	Slot    int64      `json:"slot_seconds"` // the length of each point's time
	By      Plots      `json:"by"`
	People  []Person   `json:"people"` // who asked most, moved most, or was blocked most
	Blocked []Blocked  `json:"blocked"`
	Buckets []Bucket   `json:"new_buckets"`
	Severe  []Severity `json:"violations"`
	Monitor []Monitor  `json:"monitor"`
	Refused []Refused  `json:"refused_sessions"`
	Notes   []string   `json:"notes"` // what to know of the numbers
}

// A Period is the time that a report is about.
type Period struct {
	Since *time.Time `json:"since,omitempty"` // as it was asked for
	Until *time.Time `json:"until,omitempty"`
	First time.Time  `json:"first"` // event
	Last  time.Time  `json:"last"`
}

// Log is what was read.
type Log struct {
	Lines      int64 `json:"lines"`
	Unreadable int64 `json:"unreadable"`
	Outside    int64 `json:"outside_period"` // events
	Events     int64 `json:"events"`         // of the period
}

// Totals are sums.
type Totals struct {
	Requests    int64 `json:"requests"` // decisions
	Allowed     int64 `json:"allowed"`
	WouldBlock  int64 `json:"would_block"`
	Blocked     int64 `json:"blocked"`
	Ended       int64 `json:"ended"` // allowed, and then ended by a budget
	Read        int64 `json:"bytes_read"`
	Written     int64 `json:"bytes_written"`
	People      int64 `json:"people"`
	Services    int64 `json:"services"`
	NewBuckets  int64 `json:"new_buckets"`
	Sessions    int64 `json:"sessions"`
	Refused     int64 `json:"sessions_refused"`
	Revocations int64 `json:"revocations"`
	Policies    int64 `json:"policy_changes"`
	Starts      int64 `json:"starts"`
}

// Plots are what is counted over time.
type Plots struct {
	Decision []Series `json:"decision"`
	Person   []Series `json:"person"`
	Label    []Series `json:"label"`
	Severity []Series `json:"severity"` // of violations; Requests alone
}

// A Series is what is counted of one thing over time.
type Series struct {
	Name string `json:"name"`
	count
	Points []Point `json:"points"` // where there is something
}

// A Point is one slot of time.
type Point struct {
	Time time.Time `json:"time"` // when it begins
	count
}

// A Person is somebody who asked, or a service.
type Person struct {
	Who        string `json:"who"`
	Issuer     string `json:"issuer,omitempty"`
	Subject    string `json:"subject,omitempty"`
	Service    bool   `json:"service,omitempty"`
	Requests   int64  `json:"requests"`
	Blocked    int64  `json:"blocked"`
	WouldBlock int64  `json:"would_block"`
	Read       int64  `json:"bytes_read"`
	Written    int64  `json:"bytes_written"`
	Sessions   int64  `json:"sessions"`
	NewBuckets int64  `json:"new_buckets"`
}

// A Case is how often something was there, and the last time of it.
type Case struct {
	Count   int64     `json:"count"`
	AtLeast bool      `json:"at_least,omitempty"` // some may not have been counted
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Event   string    `json:"event"` // the id of the last
	What    string    `json:"what,omitempty"`
}

func caseOf(count, missed int64, o *occurrence) Case {
	return Case{count, missed > 0, o.first.UTC(), o.last.UTC(), o.event, o.what}
}

// Blocked is what somebody was refused, and why.
type Blocked struct {
	Who       string `json:"who"`
	Operation string `json:"operation,omitempty"`
	Bucket    string `json:"bucket,omitempty"`
	Labels    string `json:"labels,omitempty"`
	Policy    string `json:"policy,omitempty"`
	Severity  string `json:"severity,omitempty"`
	Why       string `json:"why"`
	Need      string `json:"need,omitempty"`
	Ended     bool   `json:"ended,omitempty"` // it was allowed, and ended by a budget
	Case
}

// A Bucket is one that somebody used for the first time.
type Bucket struct {
	Who    string `json:"who"`
	Bucket string `json:"bucket"`
	Case
}

// A Severity is how many violations of it there were.
type Severity struct {
	Name       string `json:"severity,omitempty"` // "": of requests that no policy was asked about
	Blocked    int64  `json:"blocked"`
	WouldBlock int64  `json:"would_block"`
}

// A Monitor is what a policy in monitor mode would have blocked, of one person.
type Monitor struct {
	Policy   string `json:"policy"`
	Who      string `json:"who"`
	Why      string `json:"why"`
	Severity string `json:"severity,omitempty"`
	Case
}

// A Refused is why sessions were refused.
type Refused struct {
	Why string `json:"why"`
	Case
}

// Numbers sums up what was read.
func (r *Report) Numbers() *Numbers {
	n := &Numbers{
		Period: Period{First: r.first.UTC(), Last: r.last.UTC()},
		Log:    Log{r.lines, r.torn, r.before + r.after, r.events},
		Totals: r.totals(),
		Slot:   int64(r.axis.length().Seconds()),
	}
	if !r.since.IsZero() {
		n.Period.Since = new(r.since.UTC())
	}
	if !r.until.IsZero() {
		n.Period.Until = new(r.until.UTC())
	}
	for _, d := range []audit.Decision{audit.Allowed, audit.WouldBlock, audit.Blocked} {
		n.By.Decision = append(n.By.Decision, r.told(string(d), r.decisions[d]))
	}
	n.By.Person = shown(r, r.people, &r.allPeople, func(e *entry[identity, person]) (string, *series) { return e.value.who, &e.value.series })
	n.By.Label = shown(r, r.labels, &r.allLabels, func(e *entry[string, series]) (string, *series) { return e.key, &e.value })
	r.tellPeople(n)
	r.tellCases(n)
	n.Notes = r.notes()
	n.Summary = n.summary()
	return n
}

func (r *Report) totals() Totals {
	s := &r.sessions
	t := Totals{
		Allowed: r.decisions[audit.Allowed].Requests, WouldBlock: r.decisions[audit.WouldBlock].Requests, Blocked: r.decisions[audit.Blocked].Requests,
		Ended: r.ended, Read: r.read, Written: r.written, NewBuckets: r.freshPairs,
		Sessions: s.issued, Refused: s.refused, Revocations: s.revocations, Policies: s.policies, Starts: s.starts,
	}
	t.Requests = t.Allowed + t.WouldBlock + t.Blocked
	for _, p := range r.people.entries {
		switch p.value.kind {
		case "person":
			t.People++
		case "service":
			t.Services++
		}
	}
	return t
}

func (r *Report) told(name string, s *series) Series {
	told := Series{Name: name, count: s.count, Points: []Point{}}
	for _, slot := range slices.Sorted(maps.Keys(s.slots)) {
		told.Points = append(told.Points, Point{r.axis.start(slot), s.slots[slot]})
	}
	return told
}

// shown are the largest series, by requests or by bytes, and the others as one.
func shown[K comparable, V any](r *Report, m *most[K, V], all *series, of func(*entry[K, V]) (string, *series)) []Series {
	list := []Series{}
	rest := series{count: all.count, slots: maps.Clone(all.slots)}
	by := func(size func(count) int64) func(a, b *entry[K, V]) int {
		return func(a, b *entry[K, V]) int {
			nameA, x := of(a)
			nameB, y := of(b)
			return cmp.Or(cmp.Compare(size(y.count), size(x.count)), cmp.Compare(nameA, nameB))
		}
	}
	for _, e := range pick(slices.Collect(maps.Values(m.entries)), toldSeries,
		by(func(c count) int64 { return c.Requests }), by(func(c count) int64 { return c.Bytes })) {
		name, s := of(e)
		if s.count == (count{}) {
			continue
		}
		list = append(list, r.told(name, s))
		rest.Requests, rest.Bytes = rest.Requests-s.Requests, rest.Bytes-s.Bytes
		for slot, c := range s.slots {
			left := rest.slots[slot]
			rest.slots[slot] = count{left.Requests - c.Requests, left.Bytes - c.Bytes}
		}
	}
	maps.DeleteFunc(rest.slots, func(_ int64, c count) bool { return c == count{} })
	if len(rest.slots) > 0 {
		list = append(list, r.told(Others, &rest))
	}
	return list
}

// NoPolicy is the name of the series of requests that were blocked before a policy
// was asked.
const NoPolicy = "no policy asked"

// Others is the name of the series that has all that is not told apart.
const Others = "all others"

func (r *Report) tellPeople(n *Numbers) {
	n.People = []Person{}
	all := slices.Collect(maps.Values(r.people.entries))
	by := func(size func(*person) int64) func(a, b *entry[identity, person]) int {
		return func(a, b *entry[identity, person]) int {
			return cmp.Or(cmp.Compare(size(&b.value), size(&a.value)), cmp.Compare(a.value.who, b.value.who), cmp.Compare(a.key.issuer, b.key.issuer), cmp.Compare(a.key.subject, b.key.subject))
		}
	}
	blocked := by(func(p *person) int64 { return p.blocked })
	for _, e := range pick(all, toldPeople, by(func(p *person) int64 { return p.Requests }), by(func(p *person) int64 { return p.Bytes }), blocked) {
		p := &e.value
		n.People = append(n.People, Person{
			Who: p.who, Issuer: e.key.issuer, Subject: e.key.subject, Service: p.kind == "service", Requests: p.Requests, Blocked: p.blocked, WouldBlock: p.wouldBlock,
			Read: p.read, Written: p.written, Sessions: p.sessions, NewBuckets: p.newBuckets,
		})
	}
}

func (r *Report) tellCases(n *Numbers) {
	n.Blocked, n.Buckets, n.Severe, n.Monitor, n.Refused = []Blocked{}, []Bucket{}, []Severity{}, []Monitor{}, []Refused{}
	n.By.Severity = []Series{}
	for _, e := range r.blocked.top(toldBlocked, func(a, b *entry[ground, occurrence]) int {
		return cmp.Or(-cmp.Compare(rank(a.key.severity), rank(b.key.severity)), strings.Compare(a.key.name+a.key.operation+a.key.why, b.key.name+b.key.operation+b.key.why), cmp.Compare(a.key.bucket, b.key.bucket))
	}) {
		k := e.key
		n.Blocked = append(n.Blocked, Blocked{k.name, k.operation, k.bucket, k.labels, k.policy, k.severity, k.why, k.need, k.how == "ended", caseOf(e.count, e.missed, &e.value)})
	}
	for _, e := range r.newBuckets.top(toldBuckets, func(a, b *entry[pair, occurrence]) int {
		return cmp.Or(cmp.Compare(a.key.name, b.key.name), cmp.Compare(a.key.bucket, b.key.bucket))
	}) {
		n.Buckets = append(n.Buckets, Bucket{e.key.name, e.key.bucket, caseOf(e.count, e.missed, &e.value)})
	}
	slices.SortStableFunc(n.Buckets, func(a, b Bucket) int { return b.First.Compare(a.First) })
	for _, name := range []string{"high", "medium", "low", ""} {
		if s := r.severities[name]; s != nil {
			n.By.Severity = append(n.By.Severity, r.told(cmp.Or(name, NoPolicy), &s.series))
			n.Severe = append(n.Severe, Severity{name, s.blocked, s.wouldBlock})
		}
	}
	for _, e := range r.monitor.top(toldMonitor, func(a, b *entry[tried, occurrence]) int {
		return cmp.Or(cmp.Compare(a.key.policy, b.key.policy), cmp.Compare(a.key.name, b.key.name))
	}) {
		n.Monitor = append(n.Monitor, Monitor{e.key.policy, e.key.name, e.value.why, e.value.severity, caseOf(e.count, e.missed, &e.value)})
	}
	for _, e := range r.sessions.reasons.top(toldReasons, func(a, b *entry[string, occurrence]) int { return cmp.Compare(a.key, b.key) }) {
		n.Refused = append(n.Refused, Refused{e.key, caseOf(e.count, e.missed, &e.value)})
	}
}
