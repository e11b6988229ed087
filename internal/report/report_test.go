package report_test

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/eventlog/eventlogtest"
	"github.com/gimme-broker/gimme/internal/report"
	"github.com/gimme-broker/gimme/pkg/audit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func person(name string) func(*audit.Event) {
	return func(e *audit.Event) {
		e.Principal = &audit.Principal{Issuer: "i", Subject: name, Email: name}
	}
}

func at(d time.Duration) func(*audit.Event) { return func(e *audit.Event) { e.Time = noon.Add(d) } }

// request is a decision, with the outcome if there is one.
func request(id string, change ...func(*audit.Event)) []audit.Event {
	e := audit.Event{
		ID: id, Time: noon, Kind: audit.KindDecision, Decision: audit.Allowed, Principal: &audit.Principal{Issuer: "i", Subject: "alice", Email: "alice"},
		Request: &audit.Request{Operation: "GetObject", Bucket: "lake", Key: "k"}, Labels: []string{"CLICKS"},
	}
	for _, f := range change {
		f(&e)
	}
	if e.Decision == audit.Blocked || e.Kind != audit.KindDecision {
		return []audit.Event{e}
	}
	end := e
	end.Kind, end.Decision, end.Labels, end.Reasons = audit.KindOutcome, "", nil, nil
	end.Response = &audit.Response{Status: 200, Bytes: 1000}
	return []audit.Event{e, end}
}

func answer(d audit.Decision, policy, severity string) func(*audit.Event) {
	return func(e *audit.Event) {
		e.Decision, e.Error = d, "AccessDenied: no"
		e.Reasons = []audit.Reason{{Policy: policy, Severity: severity, Text: "no rule of " + policy, Need: "another group"}}
	}
}

func log(t testing.TB, requests ...[]audit.Event) string {
	t.Helper()
	var b bytes.Buffer
	l := audit.NewLog(&b)
	for _, e := range slices.Concat(requests...) {
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func read(t testing.TB, r *report.Report, text string) *report.Numbers {
	t.Helper()
	if err := r.Read(t.Context(), strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return r.Numbers()
}

func TestNumbers(t *testing.T) {
	labels := func(l ...string) func(*audit.Event) { return func(e *audit.Event) { e.Labels = l } }
	upload := func(e *audit.Event) { e.Request.Operation, e.Request.Bytes = "PutObject", 500 }
	bucket := func(b string) func(*audit.Event) { return func(e *audit.Event) { e.Request.Bucket = b } }
	kind := func(k audit.Kind, operation string) func(*audit.Event) {
		return func(e *audit.Event) {
			e.Kind, e.Request, e.Labels = k, &audit.Request{Operation: operation}, nil
		}
	}
	ended := request("E", at(5*time.Hour))
	ended[1].Decision, ended[1].Reasons = audit.Blocked, []audit.Reason{{Policy: "clicks", Severity: "low", Text: "used up"}}
	text := log(t,
		request("0", at(-time.Hour)), request("1", at(-time.Hour), person("bob"), bucket("old")),
		request("A"), request("B", at(time.Hour), upload, labels("CLICKS", "MONEY")), request("C", person("bob"), labels(), bucket("old")), request("C2", person("bob"), labels(), bucket("new"), at(2*time.Hour)),
		request("D", person("bob"), answer(audit.Blocked, "money", "high")), request("D2", person("bob"), answer(audit.Blocked, "money", "high"), at(3*time.Hour)), request("D3", answer(audit.Blocked, "clicks", "low")),
		request("F", answer(audit.WouldBlock, "clicks", "medium")), ended,
		request("G", func(e *audit.Event) {
			e.Principal, e.Decision, e.Error, e.Labels = nil, audit.Blocked, "SignatureDoesNotMatch: of s3://secret/key", nil
		}),
		request("H", kind(audit.KindSession, "AssumeRoleWithWebIdentity")), request("I", kind(audit.KindSession, "AssumeRoleWithWebIdentity"), func(e *audit.Event) { e.Decision, e.Error = audit.Blocked, "AccessDenied: not your role" }),
		request("J", kind(audit.KindAdmin, "Revoke")), request("K", kind(audit.KindAdmin, "started")), request("L", kind(audit.KindPolicy, "")),
		request("Z", at(48*time.Hour)),
	) + "{torn\n"
	n := read(t, report.New(noon, noon.Add(24*time.Hour)), text)

	if diff := cmp.Diff(report.Totals{Requests: 10, Allowed: 5, WouldBlock: 1, Blocked: 4, Ended: 1, Read: 6000, Written: 500, People: 2, NewBuckets: 1, Sessions: 1, Refused: 1, Revocations: 1, Policies: 1, Starts: 1}, n.Totals); diff != "" {
		t.Error(diff)
	}
	if n.Log != (report.Log{Lines: 28, Unreadable: 1, Outside: 6, Events: 21}) {
		t.Errorf("%+v", n.Log)
	}
	if want := "2 people made 10 requests, read 6 kB and wrote 500 bytes; 4 (40 %) were blocked, most often bob (2). Policies in monitor mode would have blocked 1 more."; n.Summary != want {
		t.Errorf("%s", n.Summary)
	}
	sums := func(list []report.Series) (all []string) {
		for _, s := range list {
			var requests, moved int64
			for _, p := range s.Points {
				requests, moved = requests+p.Requests, moved+p.Bytes
			}
			if requests != s.Requests || moved != s.Bytes {
				t.Errorf("the points of %s do not add up to it: %d, %d", s.Name, requests, moved)
			}
			all = append(all, fmt.Sprint(s.Name, " ", s.Requests, " ", s.Bytes))
		}
		return all
	}
	for _, c := range []struct{ got, want []string }{
		{sums(n.By.Decision), []string{"allowed 5 5500", "would-block 1 1000", "blocked 4 0"}},
		{sums(n.By.Person), []string{"alice 5 4500", "bob 4 2000", "nobody known 1 0"}},
		{sums(n.By.Label), []string{"CLICKS 7 4500", "no label 3 2000", "MONEY 1 1500"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Error(diff)
		}
	}
	if n.Slot != 300 || len(n.By.Decision[0].Points) != 4 || !n.By.Decision[0].Points[3].Time.Equal(noon.Add(5*time.Hour)) {
		t.Errorf("slots of %d seconds: %+v", n.Slot, n.By.Decision[0])
	}
	var cases []string
	for _, b := range n.Blocked {
		cases = append(cases, fmt.Sprint(b.Count, b.Who, b.Policy, b.Severity, b.Why, b.Ended, b.Event))
	}
	if diff := cmp.Diff([]string{"2bobmoneyhighno rule of moneyfalseD2", "1aliceclickslowno rule of clicksfalseD3", "1aliceclickslowused uptrueE", "1nobody knownSignatureDoesNotMatchfalseG"}, cases); diff != "" {
		t.Error(diff)
	}
	if len(n.Buckets) != 1 || n.Buckets[0].Who != "bob" || n.Buckets[0].Bucket != "new" || !n.Buckets[0].First.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("%+v", n.Buckets)
	}
	if diff := cmp.Diff([]report.Severity{{Name: "high", Blocked: 2}, {Name: "medium", WouldBlock: 1}, {Name: "low", Blocked: 2}, {Blocked: 1}}, n.Severe); diff != "" {
		t.Error(diff)
	}
	if len(n.Monitor) != 1 || n.Monitor[0].Policy != "clicks" || n.Monitor[0].Who != "alice" || n.Monitor[0].Count != 1 || len(n.Refused) != 1 || n.Refused[0].Why != "alice: AccessDenied: not your role" {
		t.Errorf("%+v, %+v", n.Monitor, n.Refused)
	}
	if len(n.Notes) != 1 || !strings.Contains(n.Notes[0], "1 line of the log could not be read") {
		t.Errorf("%q", n.Notes)
	}
}

// What a log has of nothing but the end is counted, and said.
func TestNotes(t *testing.T) {
	n := read(t, report.New(time.Time{}, time.Time{}), log(t, request("A")[1:]))
	if n.By.Label[0].Name != "label unknown" || n.By.Label[0].Bytes != 1000 || !strings.Contains(strings.Join(n.Notes, " "), "whose label is unknown") {
		t.Errorf("%+v, %q", n.By.Label, n.Notes)
	}
	n = read(t, report.New(time.Time{}, time.Time{}), log(t, request("A")))
	if n.Totals.NewBuckets != 1 || !strings.Contains(strings.Join(n.Notes, " "), "nothing from before the period") {
		t.Errorf("%+v, %q", n.Totals, n.Notes)
	}
}

// Who asks seldom and takes much, or is refused much, is seen among many who ask
// often.
func TestTheSeldomAreSeen(t *testing.T) {
	var requests [][]audit.Event
	for i := range 100 {
		for j := range 3 {
			requests = append(requests, request(fmt.Sprint(i, j), person(fmt.Sprint("p", i))))
		}
	}
	taken := request("much", person("mallory"))
	taken[1].Response.Bytes = 1 << 40
	requests = append(requests, taken, request("no", person("trudy"), answer(audit.Blocked, "money", "high")), request("no", person("trudy"), answer(audit.Blocked, "money", "high")))
	n := read(t, report.New(time.Time{}, time.Time{}), log(t, requests...))
	if !slices.ContainsFunc(n.By.Person, func(s report.Series) bool { return s.Name == "mallory" && s.Bytes == 1<<40 }) || len(n.By.Person) != 8 {
		t.Errorf("%+v", n.By.Person)
	}
	for _, who := range []string{"mallory", "trudy"} {
		if len(n.People) != 25 || !slices.ContainsFunc(n.People, func(p report.Person) bool { return p.Who == who }) {
			t.Errorf("%s is not among %d people", who, len(n.People))
		}
	}
	if !strings.Contains(n.Summary, "most often trudy (2)") {
		t.Error(n.Summary)
	}
}

// Whatever the length of the period, there are few slots, and nothing is lost when
// they become longer.
func TestSlots(t *testing.T) {
	for _, c := range []struct {
		length time.Duration
		slot   int64
	}{{time.Minute, 60}, {time.Hour, 60}, {24 * time.Hour, 900}, {7 * 24 * time.Hour, 7200}, {90 * 24 * time.Hour, 86400}, {10 * 365 * 24 * time.Hour, 28 * 86400 * 13}} {
		var requests [][]audit.Event
		for i := range 500 {
			if c.length < 48*time.Hour {
				i = i * 7919 % 500 // in no order; in order, slots are put together more often
			}
			requests = append(requests, request(fmt.Sprint(i), at(c.length/500*time.Duration(i)), person(fmt.Sprint("p", i%12))))
		}
		n := read(t, report.New(time.Time{}, time.Time{}), log(t, requests...))
		if n.Slot != c.slot || len(n.By.Decision[0].Points) > 96 || len(n.By.Person) != 8 || n.By.Person[7].Name != report.Others {
			t.Errorf("%v: slots of %d seconds, %d of them, %d people", c.length, n.Slot, len(n.By.Decision[0].Points), len(n.By.Person))
		}
		for _, list := range [][]report.Series{n.By.Decision, n.By.Person, n.By.Label} {
			var sum int64
			for _, s := range list {
				for _, p := range s.Points {
					sum += p.Requests
				}
			}
			if sum != 500 {
				t.Errorf("%v: %d of 500 requests", c.length, sum)
			}
		}
	}
}

// A log with ever new people, buckets and refusals does not take ever more memory,
// and what is frequent in it is still found.
func TestManyOfAll(t *testing.T) {
	r := report.New(time.Time{}, time.Time{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for part := range 20 {
		var requests [][]audit.Event
		for i := range 3000 {
			name := fmt.Sprintf("part%d-person%d", part, i)
			requests = append(requests, request(name, person(name), answer(audit.Blocked, name, "low")), request(name+"x", person(name), func(e *audit.Event) { e.Request.Bucket = name }))
			if i%100 == 0 {
				requests = append(requests, request("m", person("mallory"), answer(audit.Blocked, "money", "high")))
			}
		}
		read(t, r, log(t, requests...))
	}
	n := r.Numbers()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d MB are held", grown>>20)
	}
	runtime.KeepAlive(r)
	if b := n.Blocked[0]; b.Who != "mallory" || b.Count != 600 || b.AtLeast || n.People[0].Who != "mallory" || n.Totals.Requests != 120_600 || n.Totals.Blocked != 60_600 {
		t.Errorf("%+v, %+v, %+v", b, n.People[0], n.Totals)
	}
	if notes := strings.Join(n.Notes, " "); !strings.Contains(notes, "more than 4,000 people") || !strings.Contains(notes, "at least") {
		t.Errorf("%q", notes)
	}
}

// Hostile names are text on the page, whatever they hold.
func TestHostileNames(t *testing.T) {
	var requests [][]audit.Event
	for i, s := range Hostile() {
		name := func(e *audit.Event) {
			e.ID, e.Principal = s, &audit.Principal{Issuer: s, Subject: s, Email: s}
			e.Request.Bucket, e.Request.Key, e.Labels, e.Request.Operation = s, s, []string{s}, s
		}
		requests = append(requests, request("", name), request("", name, answer(audit.Blocked, s, s)), request("", name, answer(audit.WouldBlock, s, "high")),
			request("", name, func(e *audit.Event) { e.Kind, e.Decision, e.Error = audit.KindSession, audit.Blocked, s }, at(time.Duration(i)*time.Hour)))
	}
	r := report.New(time.Time{}, time.Time{})
	read(t, r, log(t, requests...))
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if i := strings.IndexFunc(page, func(r rune) bool {
		return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff
	}); i >= 0 {
		t.Errorf("a hidden character: %q", page[max(0, i-40):i+10])
	}
	known := regexp.MustCompile(`^(!DOCTYPE|html|head|meta|title|style|body|header|h[123]|p|main|dl|div|dt|dd|section|svg|desc|g|line|rect|span|ul|li|i|b|bdi|details|summary|table|caption|thead|tbody|tr|th|td|footer|code)$`)
	attribute := regexp.MustCompile(` (on\w+|style|href|src|srcdoc|action)\s*=`)
	for _, tag := range regexp.MustCompile(`<[^/\s>]?[^>]*>`).FindAllString(page, -1) {
		name := strings.Trim(strings.Fields(tag)[0], "</>")
		if !known.MatchString(name) || attribute.MatchString(tag) {
			t.Errorf("a tag that is not ours: %q", tag)
		}
	}
	if len(page) > 400<<10 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

// Hostile are names that nobody should have.
func Hostile() []string {
	return []string{
		`<script>document.title='owned'</script>`, `"><img src=x onerror=alert(1)>`, `'onmouseover='alert(1)`, `</title></svg><script>alert(1)</script>`, `</style><script>alert(1)</script>`,
		"gnp.\u202etxt", "\u2066\u2069\u200b\ufeff", "a\x00\x1b[2J\r\nb\u0085\u2028", strings.Repeat("x", 10<<10), strings.Repeat("W ", 5<<10), `{{.N}}{{template "plot"}}`, `javascript:alert(1)`,
		`--><!--`, `]]>`, "\xff\xfe", strings.Repeat("\u0301", 500), "مرحبا بالعالم", strings.Repeat("漢字", 300), `&lt;script&gt;&amp;`, "",
	}
}

// The page's texts and plots can be told from what is behind them, in both schemes
// (WCAG 2.2: 4.5 to 1 for texts, 3 to 1 for what has to be seen).
func TestContrast(t *testing.T) {
	schemes := strings.SplitN(report.CSS(), "@media (prefers-color-scheme: dark)", 2)
	schemes[1], _, _ = strings.Cut(schemes[1], "\n}\n")
	for i, css := range schemes {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(css, -1) {
			if colours[m[1]] == "" {
				colours[m[1]] = m[2]
			}
		}
		if len(colours) < 20 {
			t.Fatalf("only %d colours", len(colours))
		}
		for _, c := range []struct {
			texts, behind string
			least         float64
		}{
			{"ink soft link bad-ink warn-ink", "card paper wash", 4.5}, {"bad-ink", "bad-wash", 4.5}, {"warn-ink", "warn-wash", 4.5},
			{"good warn bad s0 s1 s2 s3 s4 s5 s6 others", "card", 3},
		} {
			for text := range strings.FieldsSeq(c.texts) {
				for behind := range strings.FieldsSeq(c.behind) {
					if got := contrast(t, colours[text], colours[behind]); got < c.least {
						t.Errorf("scheme %d: %s on %s has a contrast of %.2f", i, text, behind, got)
					}
				}
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	var text bytes.Buffer
	if err := eventlogtest.Write(&text, eventlogtest.Options{Seed: 1, Start: noon, Length: 7 * 24 * time.Hour, Requests: 20_000}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		read(b, report.New(time.Time{}, time.Time{}), text.String())
	}
	b.ReportMetric(float64(bytes.Count(text.Bytes(), []byte("\n"))*b.N)/b.Elapsed().Seconds(), "events/s")
}
