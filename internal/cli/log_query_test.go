package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/cli"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// audited is a log with an allowed request, its outcome, and a blocked one that
// would like to be something else.
func audited(t *testing.T, start time.Time) string {
	t.Helper()
	alice := &audit.Principal{Issuer: "i", Subject: "1", Email: "alice@example.com", Groups: []string{"ops"}}
	get := audit.Event{
		ID: "A", Time: start, Kind: audit.KindDecision, Decision: audit.Allowed, Principal: alice,
		Request: &audit.Request{Operation: "GetObject", Bucket: "lake", Key: "a.parquet"}, Labels: []string{"CLICKS"},
	}
	end := get
	end.Kind, end.Decision, end.Labels = audit.KindOutcome, "", nil
	end.Response = &audit.Response{Status: 200, Bytes: 1_234_567, DurationMS: 12.4}
	no := audit.Event{
		ID: "B", Time: start.Add(time.Minute), Kind: audit.KindDecision, Decision: audit.Blocked, Principal: &audit.Principal{Issuer: "gimme", Subject: "service:etl", Service: "etl"},
		Request: &audit.Request{Operation: "DeleteObject", Bucket: "finance", Key: "x\n2026-03-02T09:00:00Z allowed\x1b[2J\u202etxt"}, Labels: []string{"MONEY"},
		Reasons:  []audit.Reason{{Policy: "money", Severity: "high", Text: "policy money has no rule that lets you delete MONEY data", Need: "membership of finance"}},
		Response: &audit.Response{Status: 403, Code: "AccessDenied"},
	}
	var b bytes.Buffer
	l := audit.NewLog(&b)
	for _, e := range []audit.Event{get, end, no} {
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestLogQuery(t *testing.T) {
	w := newWorld(t)
	text := audited(t, nine)
	w.write(t, "a.jsonl", text+"{torn")
	file := w.home + "/a.jsonl"
	r := w.does(t, "log", "query", file)
	want := `2026-03-02T09:00:00Z allowed     alice@example.com          GetObject          s3://lake/a.parquet                          CLICKS              200    1.2 MB    12 ms
2026-03-02T09:01:00Z blocked     service:etl                DeleteObject       s3://finance/x\u000a2026-03-02T09:00:00Z allowed\u001b[2J\u202etxt MONEY               403       0 B     0 ms
    policy money has no rule that lets you delete MONEY data; needed: membership of finance  event B
`
	if diff := cmp.Diff(want, r.stdout); diff != "" {
		t.Error(diff)
	}
	says(t, r.stderr, "1 line could not be read.")

	// What is printed as JSON is the log.
	if r := w.does(t, "log", "query", file, "--json"); r.stdout != text {
		t.Errorf("%s", r.stdout)
	}
	w.stdin = text
	if r := w.does(t, "log", "query", "-", "--json", "--decision", "allowed", "--label", "CLICKS"); strings.Count(r.stdout, "\n") != 2 || !strings.HasPrefix(text, r.stdout) {
		t.Errorf("the decision does not come with its outcome: %s", r.stdout)
	}
	if r := w.does(t, "log", "query", file, "--limit", "1"); strings.Count(r.stdout, "\n") != 1 || !strings.Contains(r.stderr, "These are the first 1 event; there may be more.") {
		t.Errorf("%+v", r)
	}
	r = w.does(t, "log", "query", file, "--user", "bob", "--since", "1h")
	says(t, r.stderr, "No event fits, of ")
	if r.stdout != "" {
		t.Error(r.stdout)
	}
	w.write(t, "new.jsonl", audited(t, time.Now().Add(-2*time.Minute)))
	if r := w.does(t, "log", "query", file, w.home+"/new.jsonl", "--since", "1h", "--decision", "blocked"); strings.Count(r.stdout, "blocked") != 1 {
		t.Errorf("%s", r.stdout)
	}
}

func TestLogCommandsThatDoNotRun(t *testing.T) {
	w := newWorld(t)
	w.write(t, "a.jsonl", audited(t, nine))
	file := w.home + "/a.jsonl"
	w.fails(t, t.Context(), 2, []string{"no FILE is named"}, "log", "query")
	w.fails(t, t.Context(), 2, []string{`--decision is "denied"; one of allowed, blocked, would-block is wanted`}, "log", "query", file, "--decision", "denied")
	w.fails(t, t.Context(), 2, []string{`--severity is "HIGH"`}, "log", "tail", file, "--severity", "HIGH")
	w.fails(t, t.Context(), 2, []string{`--since "today": hours or days are wanted`}, "log", "query", file, "--since", "today")
	w.fails(t, t.Context(), 2, []string{"--until 2d is not after --since 1d"}, "log", "query", file, "--since", "1d", "--until", "2d")
	w.fails(t, t.Context(), 2, []string{"--limit is -1"}, "log", "query", file, "--limit", "-1")
	w.fails(t, t.Context(), 2, []string{"--number is -1"}, "log", "tail", file, "-n", "-1")
	w.fails(t, t.Context(), 2, []string{"tail reads a file"}, "log", "tail", "-")
	w.fails(t, t.Context(), 1, []string{"nothing.jsonl", "hint: name the file"}, "log", "query", w.home+"/nothing.jsonl")
	w.fails(t, t.Context(), 1, []string{"nothing.jsonl", "hint: name the file"}, "log", "tail", w.home+"/nothing.jsonl")
	w.fails(t, t.Context(), 2, []string{"either --out or --json is wanted"}, "log", "report", file)
	w.fails(t, t.Context(), 2, []string{"either --out or --json is wanted"}, "log", "report", file, "--json", "--out", w.home+"/r.html")
	w.fails(t, t.Context(), 1, []string{"the log has no event of that period", "hint: name all files"}, "log", "report", file, "--since", "1h", "--out", w.home+"/r.html")
	w.fails(t, t.Context(), 1, []string{"write the report", "hint: name another place"}, "log", "report", file, "--out", w.home+"/no/such/folder.html")
	w.write(t, "cut.gz", "\x1f\x8b\x08")
	for _, args := range [][]string{{"query"}, {"tail"}, {"report", "--json"}} {
		w.fails(t, t.Context(), 1, []string{"read audit log", "cut.gz"}, append(append([]string{"log"}, args...), w.home+"/cut.gz")...)
	}
}

func TestLogTail(t *testing.T) {
	w := newWorld(t)
	w.write(t, "a.jsonl", strings.Repeat(audited(t, nine), 20))
	file := w.home + "/a.jsonl"
	if r := w.does(t, "log", "tail", file, "-n", "3"); strings.Count(r.stdout, "\n2026-")+1 != 3 || !strings.HasPrefix(r.stdout, "2026-03-02T09:01:00Z blocked") {
		t.Errorf("%s", r.stdout)
	}
	if r := w.does(t, "log", "tail", file, "--decision", "allowed", "--json"); strings.Count(r.stdout, "\n") != 20 {
		t.Errorf("%s", r.stdout)
	}
	if r := w.does(t, "log", "tail", file, "-n", "0"); r.stdout != "" {
		t.Errorf("%s", r.stdout)
	}

	// What is added comes, until it is interrupted.
	ctx, cancel := context.WithCancel(t.Context())
	stop := time.AfterFunc(20*time.Second, cancel)
	defer stop.Stop()
	go func() {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		time.Sleep(600 * time.Millisecond)
		if _, err := f.WriteString(strings.ReplaceAll(audited(t, nine.Add(time.Hour)), `"id":"A"`, `"id":"LATER"`)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		cancel()
	}()
	r := w.gimme(t, ctx, "log", "tail", "-f", file, "-n", "1", "--json")
	if lines := strings.Split(r.stdout, "\n"); r.code != 130 || len(lines) != 5 || !strings.Contains(lines[1], "LATER") || !strings.Contains(lines[2], `"kind":"outcome"`) || !strings.Contains(lines[3], "10:01:00Z") {
		t.Errorf("code %d: %s", r.code, r.stdout)
	}
}

func TestLogReport(t *testing.T) {
	w := newWorld(t)
	w.write(t, "a.jsonl", audited(t, nine))
	r := w.does(t, "log", "report", w.home+"/a.jsonl", "--out", w.home+"/r.html")
	says(t, r.stderr, "1 person and 1 service made 2 requests, read 1.2 MB and wrote 0 bytes; 1 (50 %) was blocked, most often service:etl (1).", "r.html: open it in a browser")
	if r.stdout != "" {
		t.Error(r.stdout)
	}
	if info, err := os.Stat(w.home + "/r.html"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	page := w.read(t, "r.html")
	says(t, page, "alice@example.com", "MONEY", "</html>")
	if r := w.does(t, "log", "report", w.home+"/a.jsonl", "--out", "-"); r.stdout != page {
		t.Error("stdout has another page")
	}
	var numbers struct {
		Totals struct{ Requests, Blocked, Services int }
		By     struct {
			Label []struct {
				Name            string
				Requests, Bytes int
			}
		}
	}
	if err := json.Unmarshal([]byte(w.does(t, "log", "report", w.home+"/a.jsonl", "--json").stdout), &numbers); err != nil || numbers.Totals.Requests != 2 || numbers.Totals.Blocked != 1 || len(numbers.By.Label) != 2 || numbers.By.Label[0].Bytes != 1_234_567 {
		t.Errorf("%v, %+v", err, numbers)
	}
}

// On a terminal the table keeps to its width, has colours, and shows nothing that
// the terminal would obey.
func TestEventTable(t *testing.T) {
	for _, width := range []int{40, 80, 100, 130, 160, 200} {
		plain := cli.EventTable(t.Context(), audited(t, nine), width, false)
		for line := range strings.Lines(plain) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > max(width, 70) && !strings.HasPrefix(line, "    ") {
				t.Errorf("%d columns of %d: %q", n, width, line)
			}
		}
		if strings.ContainsAny(plain, "\x1b\u202e") || strings.Count(plain, "\n") != 4 || !strings.HasPrefix(plain, "TIME ") {
			t.Errorf("%q", plain)
		}
		coloured := cli.EventTable(t.Context(), audited(t, nine), width, true)
		if strings.Contains(coloured, "[2J\u202e") || !strings.Contains(coloured, "\x1b[1;31mblocked\x1b[0m") || strings.Contains(coloured, "\x1b[2J") {
			t.Errorf("%q", coloured)
		}
	}
}
