package eventlog_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/eventlog"
	"github.com/gimme-broker/gimme/pkg/audit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func event(id string, change ...func(*audit.Event)) audit.Event {
	e := audit.Event{
		ID: id, Time: noon, Kind: audit.KindDecision, Decision: audit.Allowed,
		Principal: &audit.Principal{Issuer: "https://idp.example", Subject: "1", Email: "alice@example.com", Name: "Alice", Groups: []string{"engineers"}},
		Request:   &audit.Request{Operation: "GetObject", Bucket: "finance", Key: "reports/a"},
		Labels:    []string{"SENSITIVE"},
		Reasons:   []audit.Reason{{Policy: "customers", Severity: "high", Text: "x"}},
	}
	for _, f := range change {
		f(&e)
	}
	return e
}

// outcome is what the sidecar writes of a request that has ended.
func outcome(e *audit.Event) {
	e.Kind, e.Decision, e.Labels, e.Reasons = audit.KindOutcome, "", nil, nil
	e.Time = e.Time.Add(time.Second)
	e.Response = &audit.Response{Status: 200, Bytes: 7}
}

func blocked(e *audit.Event) { e.Decision = audit.Blocked }

func log(t testing.TB, events ...audit.Event) string {
	t.Helper()
	var b bytes.Buffer
	l := audit.NewLog(&b)
	for _, e := range events {
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// found are the ids that a search finds, with + where the outcome is there too and
// ! where the outcome came by itself.
func found(t *testing.T, q *eventlog.Query, logs ...string) (ids []string, s *eventlog.Search) {
	t.Helper()
	s = eventlog.NewSearch(q, func(f eventlog.Found) bool {
		id := f.Event.ID
		switch {
		case f.Outcome != nil:
			id += "+"
		case f.Event.Kind == audit.KindOutcome:
			id += "!"
		}
		ids = append(ids, id)
		return true
	})
	for _, l := range logs {
		if _, err := s.Read(t.Context(), strings.NewReader(l)); err != nil {
			t.Fatal(err)
		}
	}
	s.Flush()
	return ids, s
}

func TestQuery(t *testing.T) {
	text := log(t,
		event("A"), event("A", outcome),
		event("B", blocked, func(e *audit.Event) {
			e.Principal = &audit.Principal{Issuer: "gimme", Subject: "service:etl", Service: "etl"}
			e.Request = &audit.Request{Operation: "DeleteObjects", Bucket: "lake", Keys: []string{"tmp/1", "customers/2"}}
			e.Labels, e.Reasons, e.Time = nil, []audit.Reason{{Policy: "lake", Severity: "low"}}, noon.Add(time.Hour)
		}),
		event("C", func(e *audit.Event) {
			e.Kind, e.Request, e.Principal, e.Labels, e.Reasons = audit.KindAdmin, &audit.Request{Operation: "started"}, nil, nil, nil
			e.Decision, e.Time = "", noon.Add(2*time.Hour)
		}),
		event("D", func(e *audit.Event) {
			e.Request = &audit.Request{Operation: "CopyObject", Bucket: "lake", Key: "copy", Source: "finance/reports/a"}
			e.Time = noon.Add(3 * time.Hour)
		}),
	)
	for name, c := range map[string]struct {
		query eventlog.Query
		want  string
	}{
		"all":                          {eventlog.Query{}, "A+ B C D"},
		"an e-mail in another case":    {eventlog.Query{Users: []string{"ALICE@example.com"}}, "A+ D"},
		"a name":                       {eventlog.Query{Users: []string{"Alice"}}, "A+ D"},
		"a service, or a person":       {eventlog.Query{Users: []string{"etl", "nobody"}}, "B"},
		"nobody":                       {eventlog.Query{Users: []string{""}}, ""},
		"a group":                      {eventlog.Query{Groups: []string{"engineers"}}, "A+ D"},
		"a label":                      {eventlog.Query{Labels: []string{"SENSITIVE"}}, "A+ D"},
		"a part of a label":            {eventlog.Query{Labels: []string{"SENS"}}, ""},
		"allowed":                      {eventlog.Query{Decisions: []string{"allowed"}}, "A+ D"},
		"blocked":                      {eventlog.Query{Decisions: []string{"blocked"}}, "B"},
		"an operation in another case": {eventlog.Query{Operations: []string{"deleteobjects"}}, "B"},
		"a bucket and a copy's source": {eventlog.Query{Buckets: []string{"finance"}}, "A+ D"},
		"a key of a batch":             {eventlog.Query{Keys: []string{"customers/"}}, "B"},
		"bucket and key of one thing":  {eventlog.Query{Buckets: []string{"lake"}, Keys: []string{"reports/"}}, ""},
		"bucket and key of a source":   {eventlog.Query{Buckets: []string{"finance"}, Keys: []string{"reports/"}}, "A+ D"},
		"a policy":                     {eventlog.Query{Policies: []string{"lake"}}, "B"},
		"policy and severity":          {eventlog.Query{Policies: []string{"lake"}, Severities: []string{"high"}}, ""},
		"a severity":                   {eventlog.Query{Severities: []string{"high"}}, "A+ D"},
		"a kind":                       {eventlog.Query{Kinds: []string{"admin"}}, "C"},
		"outcomes alone":               {eventlog.Query{Kinds: []string{"outcome"}}, "A!"},
		"an id":                        {eventlog.Query{IDs: []string{"A", "C"}}, "A+ C"},
		"since":                        {eventlog.Query{Since: noon.Add(2 * time.Hour)}, "C D"},
		"until":                        {eventlog.Query{Until: noon.Add(time.Hour)}, "A+"},
		"the outcome comes too late":   {eventlog.Query{Until: noon.Add(time.Millisecond)}, "A+"},
		"the outcome alone":            {eventlog.Query{Since: noon.Add(time.Millisecond), Until: noon.Add(time.Minute)}, "A!"},
	} {
		t.Run(name, func(t *testing.T) {
			if ids, _ := found(t, &c.query, text); strings.Join(ids, " ") != c.want {
				t.Errorf("found %q, want %q", ids, c.want)
			}
		})
	}
}

// What the quick look at a line passes over is never what is asked for, whatever
// JSON makes of it.
func TestSieveLosesNothing(t *testing.T) {
	for _, name := range []string{`a"b`, "a/b", "ä", "a\\b", "<&>", "a\nb", "\u202e", " ", "plain"} {
		e := event("A", func(e *audit.Event) {
			e.Request.Bucket, e.Labels, e.Principal.Groups, e.Reasons[0].Policy = name, []string{name}, []string{name}, name
		})
		for _, q := range []eventlog.Query{{Buckets: []string{name}}, {Labels: []string{name}}, {Groups: []string{name}}, {Policies: []string{name}}} {
			if ids, _ := found(t, &q, log(t, e)); len(ids) != 1 {
				t.Errorf("%q is not found by %+v", name, q)
			}
		}
	}
}

// Outcomes find their decisions across files, in the order of the decisions; one
// that comes too late stands by itself.
func TestOutcomes(t *testing.T) {
	if ids, _ := found(t, &eventlog.Query{}, log(t, event("A"), event("B"), event("B", outcome)), log(t, event("A", outcome), event("C"))); strings.Join(ids, " ") != "A+ B+ C" {
		t.Error(ids)
	}
	events := []audit.Event{event("slow")}
	for i := range 5000 {
		events = append(events, event(fmt.Sprint(i), blocked))
	}
	events = append(events, event("slow", outcome))
	q := &eventlog.Query{Labels: []string{"SENSITIVE"}} // which outcomes do not have
	ids, _ := found(t, q, log(t, events...))
	if len(ids) != 5002 || ids[0] != "slow" || ids[5001] != "slow!" {
		t.Errorf("%d: %q … %q", len(ids), ids[0], ids[len(ids)-1])
	}
	// An outcome that a budget has ended is asked for by its own decision.
	ended := event("A", outcome, blocked)
	if ids, _ := found(t, &eventlog.Query{Decisions: []string{"blocked"}}, log(t, event("A"), ended)); strings.Join(ids, " ") != "A!" {
		t.Error(ids)
	}
}

// Logs come torn, compressed in parts, and with lines that are no events.
func TestRead(t *testing.T) {
	plain := log(t, event("A"), event("B", blocked))
	var packed bytes.Buffer
	for range 2 {
		z := gzip.NewWriter(&packed)
		io.WriteString(z, plain)
		z.Close()
	}
	long := `{"version":1,"x":"` + strings.Repeat("x", 20<<20) + "\"}\n"
	ids, s := found(t, &eventlog.Query{}, packed.String(), "{torn\n\n"+plain[:50]+"\n"+strings.Replace(plain, `"version":1`, `"version":2`, 1)+plain[:40], long+plain, "")
	if want := "A B A B B A B"; strings.Join(ids, " ") != want || s.Torn != 5 || s.Lines != 12 {
		t.Errorf("%v, %d of %d lines torn", ids, s.Torn, s.Lines)
	}
	search := eventlog.NewSearch(&eventlog.Query{}, func(eventlog.Found) bool { return true })
	if _, err := search.Read(t.Context(), bytes.NewReader(packed.Bytes()[:packed.Len()-20])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a log that is cut: %v", err)
	}
	if _, err := search.Read(t.Context(), strings.NewReader("\x1f\x8b no gzip")); err == nil {
		t.Error("what is no gzip is read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := search.Read(ctx, endless{[]byte(plain)}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	n := 0
	search = eventlog.NewSearch(&eventlog.Query{Decisions: []string{"blocked"}}, func(eventlog.Found) bool { n++; return n < 3 })
	if more, err := search.Read(t.Context(), endless{[]byte(plain)}); more || err != nil || n != 3 {
		t.Errorf("reading does not end after 3 events but %d: %v, %v", n, more, err)
	}
}

type endless struct{ text []byte }

func (e endless) Read(p []byte) (int, error) { return copy(p, e.text), nil }

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 日本": "plain ä 日本", "a\x1b[31m\nb": `a\u001b[31m\u000ab`, "x\u202efdp.exe": `x\u202efdp.exe`, "\u200b\ufeff\u2028": `\u200b\ufeff\u2028`,
		"a\xffb": "a\ufffdb", "\U000e0041": `\U000e0041`, "\u009b": `\u009b`, "\u3164": `\u3164`,
	} {
		if got := eventlog.Visible(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		if eventlog.Visible(want) != want {
			t.Errorf("%q does not stay as it is", want)
		}
		line, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		raw := append(append([]byte("{\t\"a\":"), bytes.ReplaceAll(line, []byte(`\u2028`), []byte("\u2028"))...), '}')
		var was, is map[string]string
		shown := eventlog.VisibleJSON(raw)
		if err := errors.Join(json.Unmarshal(raw, &was), json.Unmarshal(shown, &is)); err != nil {
			t.Fatalf("%s: %v", shown, err)
		}
		if diff := cmp.Diff(was, is); diff != "" || eventlog.Visible(string(shown)) != string(shown) {
			t.Errorf("%q became %q: %s", raw, shown, diff)
		}
	}
	for _, c := range []struct{ in, want string }{{"short", "short"}, {"0123456789abcdef", "012345…def"}, {strings.Repeat("\u202e", 1<<20), `\u202e…02e`}} {
		if got := eventlog.Clip(c.in, 10); got != c.want {
			t.Errorf("%.20q became %q, want %q", c.in, got, c.want)
		}
	}
}

// A tail shows the end of a file of any size, and nothing twice.
func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var events []audit.Event
	for i := range 3000 {
		events = append(events, event(fmt.Sprint(i), blocked))
	}
	text := log(t, events...)
	write(t, path, text+text[:100])
	for _, n := range []int{0, 1, 10, 2999, 3000, 4000} {
		tail, err := eventlog.OpenTail(path)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		looks := 0
		err = tail.Last(func(read io.Reader) (bool, error) {
			looks++
			ids = nil
			all, err := io.ReadAll(read)
			s := eventlog.NewSearch(&eventlog.Query{}, func(f eventlog.Found) bool { ids = append(ids, f.Event.ID); return true })
			s.Add(all)
			if s.Torn > 0 {
				t.Errorf("a line is cut")
			}
			return len(ids) >= n, err
		})
		if err != nil || len(ids) < min(n, 3000) || ids[len(ids)-1] != "2999" || n <= 10 && looks > 1 {
			t.Errorf("%d: %d events in %d looks, %v", n, len(ids), looks, err)
		}
		tail.Close()
	}
}

// Following goes through a torn line, rotation, and a file that is emptied.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	line := func(id string) string { return log(t, event(id, blocked)) }
	write(t, path, line("old")+line("A")[:30])
	tail, err := eventlog.OpenTail(path)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	if err := tail.Last(func(io.Reader) (bool, error) { return true, nil }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ids := make(chan string, 100)
	s := eventlog.NewSearch(&eventlog.Query{}, func(f eventlog.Found) bool { ids <- f.Event.ID; return true })
	done := make(chan error)
	go func() { done <- tail.Follow(ctx, func(lines []byte) bool { return s.Add(lines) }) }()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-ids:
			if got != want {
				t.Errorf("%s comes, not %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s does not come", want)
		}
	}
	add(t, path, line("A")[30:])
	expect("A")
	add(t, path, line("B"))
	if err := os.Rename(path, filepath.Join(dir, "audit-1.jsonl")); err != nil {
		t.Fatal(err)
	}
	add(t, filepath.Join(dir, "audit-1.jsonl"), line("C"))
	write(t, path, line("D"))
	expect("B")
	expect("C")
	expect("D")
	// Files come and go between two looks.
	for i, id := range []string{"D2", "D3", "D4"} {
		time.Sleep(10 * time.Millisecond) // times of files are not finer everywhere
		if err := os.Rename(path, filepath.Join(dir, fmt.Sprintf("audit-%d.jsonl", i+2))); err != nil {
			t.Fatal(err)
		}
		write(t, path, line(id))
	}
	expect("D2")
	expect("D3")
	expect("D4")
	write(t, path, "")
	time.Sleep(500 * time.Millisecond) // it has to be seen empty
	add(t, path, line("E"))
	expect("E")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(ids) > 0 {
		t.Errorf("%s comes, too", <-ids)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestWhat(t *testing.T) {
	for _, c := range []struct {
		event audit.Event
		want  string
	}{
		{audit.Event{Request: &audit.Request{Bucket: "b"}}, "s3://b"},
		{audit.Event{Request: &audit.Request{Bucket: "b", Key: "folder/"}}, "s3://b/folder/"},
		{audit.Event{Request: &audit.Request{Bucket: "b", Key: "k", Source: "c/d"}}, "s3://c/d → s3://b/k"},
		{audit.Event{Request: &audit.Request{Bucket: "b", Keys: []string{"x", "y"}}}, "s3://b (2 keys, the first is x)"},
		{audit.Event{Request: &audit.Request{Bucket: "b", Targets: []audit.Target{{Path: "b/p/"}}}}, "s3://b/p/"},
		{audit.Event{Kind: audit.KindSession, Role: "arn", Request: &audit.Request{Operation: "x"}}, "arn"},
		{audit.Event{Kind: audit.KindAdmin, Revocation: &audit.Revocation{Order: "O", Reason: "lost"}}, "order O: lost"},
		{audit.Event{Kind: audit.KindPolicy, PolicyDigest: "sha256:9"}, "sha256:9"},
		{audit.Event{}, ""},
	} {
		if got := eventlog.What(&c.event); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
