package response_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/response"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// epoch is when tests begin: at the begin of a window of any length in use here.
var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func rules(t testing.TB, text string) []*response.Rule {
	t.Helper()
	var file struct {
		Responses []response.Config `yaml:"responses"`
	}
	if err := strictyaml.Decode("proxy.yaml", []byte(text), &file); err != nil {
		t.Fatal(err)
	}
	rules, faults := response.Rules("proxy.yaml", file.Responses, []string{"PUBLIC", "SENSITIVE"})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return rules
}

func principal(subject string) *audit.Principal {
	return &audit.Principal{Issuer: "https://idp.example", Subject: subject, Email: subject + "@example.com", Groups: []string{"g"}}
}

func blocked(subject, severity string) *audit.Event {
	return &audit.Event{
		ID: "E-" + subject, Kind: audit.KindDecision, Decision: audit.Blocked, Principal: principal(subject),
		Request: &audit.Request{Operation: "GetObject", Access: []string{"reads"}}, Reasons: []audit.Reason{{Severity: "low"}, {Severity: severity}},
	}
}

func deleted(subject string, keys int) *audit.Event {
	return &audit.Event{
		ID: "D-" + subject, Kind: audit.KindDecision, Decision: audit.Allowed, Principal: principal(subject),
		Request: &audit.Request{Operation: "DeleteObjects", Access: []string{"deletes"}, Keys: make([]string, keys)},
	}
}

func read(subject, label string, objects int, bytes int64) *audit.Event {
	return &audit.Event{
		ID: "R-" + subject, Kind: audit.KindOutcome, Principal: principal(subject), Labels: []string{label},
		Request: &audit.Request{Access: []string{"reads"}}, Response: &audit.Response{Status: 200, Objects: objects, Bytes: bytes},
	}
}

const threeViolations = `
responses:
  - {name: many, when: {violations: 3, severity: medium, within: 16m}, do: [alert]}
`

// What counts for which rule, and what does not.
func TestWhatCounts(t *testing.T) {
	text := `
responses:
  - {name: violations, when: {violations: 1, severity: medium, within: 10m}, do: [alert]}
  - {name: deletes, when: {deletes: 1, within: 10m}, do: [alert]}
`
	change := func(e *audit.Event, f func(*audit.Event)) *audit.Event { f(e); return e }
	for name, row := range map[string]struct {
		event *audit.Event
		want  []string
	}{
		"medium":            {blocked("a", "medium"), []string{"violations"}},
		"high":              {blocked("a", "high"), []string{"violations"}},
		"low":               {blocked("a", "low"), nil},
		"would block":       {change(blocked("a", "medium"), func(e *audit.Event) { e.Decision = audit.WouldBlock }), []string{"violations"}},
		"allowed":           {change(blocked("a", "medium"), func(e *audit.Event) { e.Decision = audit.Allowed }), nil},
		"without grounds":   {change(blocked("a", "medium"), func(e *audit.Event) { e.Reasons = nil }), nil},
		"ended by a budget": {change(blocked("a", "medium"), func(e *audit.Event) { e.Kind = audit.KindOutcome }), []string{"violations"}},
		"nobody is proven":  {change(blocked("a", "medium"), func(e *audit.Event) { e.Principal = nil }), nil},
		"delete":            {deleted("a", 0), []string{"deletes"}},
		"delete, monitored": {change(deleted("a", 0), func(e *audit.Event) { e.Decision = audit.WouldBlock }), []string{"deletes"}},
		"delete, blocked":   {change(deleted("a", 0), func(e *audit.Event) { e.Decision = audit.Blocked }), nil},
		"delete, its end":   {change(deleted("a", 0), func(e *audit.Event) { e.Kind = audit.KindOutcome }), nil},
		"delete, monitored and a violation": {change(deleted("a", 0), func(e *audit.Event) {
			e.Decision, e.Reasons = audit.WouldBlock, []audit.Reason{{Severity: "high"}}
		}), []string{"violations", "deletes"}},
		"an event of the sidecar": {&audit.Event{Kind: audit.KindAdmin, Principal: principal("a")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, f := range response.New(rules(t, text), 10).See(row.event, epoch) {
				names = append(names, f.Rule.Name)
			}
			if diff := cmp.Diff(row.want, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A rule fires when the number is reached within the time, once, for each
// principal by itself, and says of whom and of how much.
func TestFires(t *testing.T) {
	c := response.New(rules(t, threeViolations), 100)
	at := func(minutes int) time.Time { return epoch.Add(time.Duration(minutes) * time.Minute) }
	step := func(subject string, minutes int, want bool) {
		t.Helper()
		if fired := c.See(blocked(subject, "high"), at(minutes)); (len(fired) > 0) != want {
			t.Errorf("%s after %d minutes: %d fired, want %t", subject, minutes, len(fired), want)
		}
	}
	step("alice", 0, false)
	step("alice", 10, false)
	step("bob", 10, false)
	step("alice", 17, false) // the first is too old
	fired := c.See(blocked("alice", "high"), at(18))
	want := []response.Firing{{
		Who:   audit.Principal{Issuer: "https://idp.example", Subject: "alice", Email: "alice@example.com"},
		Event: "E-alice", Measure: response.Violations, Count: 3, Limit: 3,
	}}
	if diff := cmp.Diff(want, fired, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Rule" }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	for minute := 19; minute < 34; minute++ { // it has fired, and is quiet for its time
		step("alice", minute, false)
	}
	step("bob", 20, false)
	step("bob", 21, true)
	step("alice", 34, true) // it went on
	step("alice", 100, false)
	step("alice", 101, false)
	step("alice", 102, true)
}

// Held to a count of every moment, over many histories: nothing within the time
// is missed, nothing older than a sixteenth more counts, and no rule fires twice
// for the same events or within its time.
func TestCountsAgainstEveryMoment(t *testing.T) {
	const within, slack, wanted = 16 * time.Minute, 17 * time.Minute, 3
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := response.New(rules(t, threeViolations), 100)
		var since []time.Time // of events since the last firing
		var last time.Time
		for now := epoch; now.Before(epoch.Add(10 * time.Hour)); now = now.Add(time.Duration(random.Int64N(int64(20*time.Minute)) + 1)) {
			since = append(since, now)
			fired := len(c.See(blocked("alice", "high"), now)) > 0
			in := func(d time.Duration) (n int) {
				for _, at := range since {
					if now.Sub(at) < d {
						n++
					}
				}
				return n
			}
			quiet := !last.IsZero() && now.Sub(last) < within
			switch {
			case fired && (quiet || in(slack) < wanted):
				t.Fatalf("seed %d: fired at %v with %d events, quiet %t", seed, now, in(slack), quiet)
			case !fired && !quiet && in(within) >= wanted:
				t.Fatalf("seed %d: missed %d events at %v", seed, in(within), now)
			}
			if fired {
				since, last = nil, now
			}
		}
	}
}

// A clock that is set back neither loses what was counted nor counts it twice.
func TestClockSetBack(t *testing.T) {
	c := response.New(rules(t, threeViolations), 100)
	for n, at := range []time.Time{epoch.Add(time.Hour), epoch, epoch.Add(time.Hour)} {
		if fired := c.See(blocked("alice", "high"), at); (len(fired) > 0) != (n == 2) {
			t.Errorf("event %d: %d fired", n, len(fired))
		}
	}
}

// Keys of batches count one by one.
func TestMassDelete(t *testing.T) {
	c := response.New(rules(t, "responses:\n  - {name: mass-delete, when: {deletes: 500, within: 5m}, do: [alert, suspend], mode: enforce}\n"), 100)
	if fired := c.See(deleted("alice", 499), epoch); len(fired) != 0 {
		t.Error("fired at 499")
	}
	fired := c.See(deleted("alice", 0), epoch.Add(time.Minute))
	if len(fired) != 1 || fired[0].Measure != response.Deletes || fired[0].Count != 500 || fired[0].Limit != 500 {
		t.Fatalf("%+v", fired)
	}
	if r := fired[0].Rule; !r.Enforced() || !r.Does(response.Suspend) || !r.Does(response.Alert) {
		t.Errorf("%+v", r)
	}
}

const fiveTimes = `
responses:
  - name: unusual
    when: {reads: {label: SENSITIVE, times: 5, history: 4, least_objects: 20, least_bytes: 1000}, within: 1h}
    do: [alert]
`

// Reads are unusual beyond a multiple of what the principal itself usually reads,
// in objects or in bytes, once there is a history.
func TestUnusualReads(t *testing.T) {
	for name, row := range map[string]struct {
		history []int // objects in each hour, of 10 bytes
		event   *audit.Event
		want    *response.Firing
	}{
		"four times":         {[]int{10, 10, 10, 10}, read("alice", "SENSITIVE", 49, 0), nil},
		"five times":         {[]int{10, 10, 10, 10}, read("alice", "SENSITIVE", 50, 0), &response.Firing{Measure: response.Objects, Count: 50, Limit: 50, Usual: 10}},
		"five times, bytes":  {[]int{50, 50, 50, 50}, read("alice", "SENSITIVE", 1, 2500), &response.Firing{Measure: response.Bytes, Count: 2500, Limit: 2500, Usual: 500}},
		"no history":         {[]int{10, 10, 10}, read("alice", "SENSITIVE", 1e6, 1e9), nil},
		"idle hours":         {[]int{10, 0, 0, 10, 10, 0, 10}, read("alice", "SENSITIVE", 50, 0), &response.Firing{Measure: response.Objects, Count: 50, Limit: 50, Usual: 10}},
		"idle is no history": {[]int{0, 0, 0, 0, 10}, read("alice", "SENSITIVE", 1e6, 0), nil},
		"little":             {[]int{1, 1, 1, 1}, read("alice", "SENSITIVE", 19, 0), nil},
		"little, reached":    {[]int{1, 1, 1, 1}, read("alice", "SENSITIVE", 20, 0), &response.Firing{Measure: response.Objects, Count: 20, Limit: 20, Usual: 1}},
		"somebody else":      {[]int{10, 10, 10, 10}, read("bob", "SENSITIVE", 1e6, 1e9), nil},
		"another label":      {[]int{10, 10, 10, 10}, read("alice", "PUBLIC", 1e6, 1e9), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := response.New(rules(t, fiveTimes), 100)
			now := epoch
			for _, n := range row.history {
				if n > 0 && len(c.See(read("alice", "SENSITIVE", n, int64(10*n)), now)) > 0 {
					t.Fatal("fired in the history")
				}
				now = now.Add(time.Hour)
			}
			now = now.Add(30 * time.Minute) // the hours of the history are over
			fired := c.See(row.event, now)
			if row.want == nil {
				if len(fired) != 0 {
					t.Errorf("fired: %+v", fired)
				}
				return
			}
			if len(fired) != 1 {
				t.Fatal("did not fire")
			}
			f := fired[0]
			got := response.Firing{Measure: f.Measure, Count: f.Count, Limit: f.Limit, Usual: f.Usual}
			if diff := cmp.Diff(*row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// One day of theft does not make the next one usual.
func TestUnusualReadsStayUnusual(t *testing.T) {
	c := response.New(rules(t, fiveTimes), 100)
	now := epoch
	for range 20 {
		c.See(read("alice", "SENSITIVE", 100, 0), now)
		now = now.Add(time.Hour)
	}
	for n := range 3 {
		now = now.Add(2 * time.Hour)
		if fired := c.See(read("alice", "SENSITIVE", 1000, 0), now); len(fired) != 1 {
			t.Errorf("theft %d does not fire", n)
		}
	}
}

// Failed reads, and what was not read, count for nothing.
func TestReadsThatFail(t *testing.T) {
	c := response.New(rules(t, "responses:\n  - {name: r, when: {reads: {label: PUBLIC, times: 2, history: 1, least_objects: 1}, within: 10s}, do: [alert]}\n"), 100)
	c.See(read("alice", "PUBLIC", 1, 0), epoch)
	for _, edit := range []func(*audit.Event){
		func(e *audit.Event) { e.Response.Status = 404 },
		func(e *audit.Event) { e.Response = nil },
		func(e *audit.Event) { e.Kind = audit.KindDecision },
		func(e *audit.Event) { e.Request.Access = []string{"updates"} },
	} {
		e := read("alice", "PUBLIC", 1000, 0)
		edit(e)
		if fired := c.See(e, epoch.Add(time.Minute)); len(fired) != 0 {
			t.Errorf("%+v fired", e)
		}
	}
	if fired := c.See(read("alice", "PUBLIC", 1000, 0), epoch.Add(time.Minute)); len(fired) != 1 {
		t.Error("what succeeded did not fire")
	}
}

// Memory is bounded: what was not added to for longest goes first, and those who
// are active keep their counts however many others come.
func TestCountsAreBounded(t *testing.T) {
	const most = 50
	c := response.New(rules(t, threeViolations), most)
	now := epoch
	c.See(blocked("alice", "high"), now)
	for n := range 1000 {
		now = now.Add(time.Millisecond)
		c.See(blocked(fmt.Sprintf("stranger-%d", n), "high"), now)
		if n == 20 {
			c.See(blocked("alice", "high"), now)
		}
		if got := c.Held(); got > most {
			t.Fatalf("%d counts are held", got)
		}
		if n == 60 {
			if fired := c.See(blocked("alice", "high"), now); len(fired) != 1 {
				t.Error("alice's count was lost, though she was active")
			}
		}
	}
	if c.Held() != most {
		t.Errorf("%d counts are held", c.Held())
	}
	now = now.Add(time.Hour)
	for n := range 20 { // what has run out goes when others come
		c.See(blocked(fmt.Sprintf("newcomer-%d", n), "high"), now)
	}
	if c.Held() > 25 {
		t.Errorf("%d counts are held, though all but 20 have run out", c.Held())
	}
}

// Rules are told which events concern them by few looks, and remember nobody
// twice: an event costs no memory.
func TestSeeAllocatesNothing(t *testing.T) {
	c := response.New(rules(t, threeViolations+"  - {name: d, when: {deletes: 1000000000, within: 24h}, do: [alert]}\n"), 100)
	events := []*audit.Event{blocked("alice", "low"), deleted("alice", 3), read("alice", "PUBLIC", 1, 1)}
	now := epoch
	allocated := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Second)
		for _, e := range events {
			c.See(e, now)
		}
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func BenchmarkSee(b *testing.B) {
	text := `
responses:
  - {name: a, when: {violations: 1000000000, severity: medium, within: 10m}, do: [alert]}
  - {name: b, when: {deletes: 1000000000, within: 5m}, do: [alert]}
  - {name: c, when: {reads: {label: SENSITIVE, times: 1000000}, within: 1h}, do: [alert]}
`
	var people []string
	for n := range 10_000 {
		people = append(people, fmt.Sprintf("person-%d", n))
	}
	for name, make := range map[string]func(string) *audit.Event{
		"nothing-counts": func(s string) *audit.Event { return read(s, "PUBLIC", 1, 1) },
		"violation":      func(s string) *audit.Event { return blocked(s, "high") },
		"delete":         func(s string) *audit.Event { return deleted(s, 1) },
		"read":           func(s string) *audit.Event { return read(s, "SENSITIVE", 1, 1<<20) },
	} {
		b.Run(name, func(b *testing.B) {
			c := response.New(rules(b, text), response.Most)
			var events []*audit.Event
			for _, p := range people {
				events = append(events, make(p))
			}
			for _, e := range slices.Backward(events) {
				c.See(e, epoch)
			}
			now, n := epoch, 0
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Microsecond)
				c.See(events[n], now)
				if n++; n == len(events) {
					n = 0
				}
			}
		})
	}
}
