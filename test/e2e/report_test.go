package e2e_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// looked is what report.mjs tells.
type looked struct {
	Title                     string
	Scripts                   int
	Faults, Requests, Misfits []string
	Views                     []struct {
		Background, Foreign        string
		Bars, Rows, Unnamed, Plots int
	}
}

// lookAt has a real browser read the report on a log.
func lookAt(t *testing.T, log []byte, screenshot string, args ...string) looked {
	t.Helper()
	chromium, node := need(t, browser), need(t, nodeParts)
	dir := t.TempDir()
	file, page := filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "report.html")
	writeFile(t, file, string(log))
	env := []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	finish(t, command{path: gimme, args: append([]string{"log", "report", file, "--out", page}, args...), env: env}).must(t)
	task, err := json.Marshal(map[string]string{"file": page, "screenshot": screenshot, "executable": chromium})
	if err != nil {
		t.Fatal(err)
	}
	drive := finish(t, command{path: "node", args: []string{filepath.Join(node, "report.mjs"), string(task)}, env: env, dir: node}).must(t)
	var l looked
	if err := json.Unmarshal([]byte(drive.out), &l); err != nil {
		t.Fatalf("%v: %s", err, drive.out)
	}
	return l
}

// check judges what holds for every report. The browser refuses the one style that
// the test itself brings, in each view, and must have nothing else to say.
func (l looked) check(t *testing.T) {
	t.Helper()
	refused := 0
	for _, fault := range l.Faults {
		if strings.Contains(fault, "Applying inline style violates") && strings.Contains(fault, "style-src 'sha256-") {
			refused++
			continue
		}
		t.Errorf("the browser complained: %s", fault)
	}
	if refused != len(l.Views) {
		t.Errorf("the browser refused %d foreign styles of %d", refused, len(l.Views))
	}
	if len(l.Requests) > 0 || l.Scripts > 0 {
		t.Errorf("the page asks for %q and has %d scripts", l.Requests, l.Scripts)
	}
	for _, what := range l.Misfits {
		t.Errorf("does not fit: %s", what)
	}
	if !strings.HasPrefix(l.Title, "Audit report, ") || len(l.Views) != 4 {
		t.Fatalf("%q, seen in %d ways", l.Title, len(l.Views))
	}
	for _, v := range l.Views {
		if v.Foreign != "1" || v.Unnamed > 0 || v.Bars == 0 || v.Rows == 0 || v.Plots < 6 {
			t.Errorf("%+v", v)
		}
	}
	if l.Views[0].Background == l.Views[2].Background {
		t.Errorf("the page has one scheme: %+v", l.Views)
	}
}

// TestReport looks at a week of a company that does not exist. docs/log-report.png
// is the picture that is left in artifacts/.
func TestReport(t *testing.T) {
	write := exec.Command("go", "run", "./internal/eventlog/eventlogtest/writelog")
	write.Dir = filepath.Join("..", "..")
	log, err := write.Output()
	if err != nil {
		t.Fatal(err)
	}
	artifacts, err := filepath.Abs(filepath.Join("..", "..", "artifacts"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		t.Fatal(err)
	}
	lookAt(t, log, filepath.Join(artifacts, "log-report.png"), "--since", "2026-11-20T09:00:00Z").check(t)
}

// TestReportOfHostileNames looks at a page on which everything that others choose
// would like to be something else.
func TestReportOfHostileNames(t *testing.T) {
	var log bytes.Buffer
	out := json.NewEncoder(&log)
	start := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	type object map[string]any
	for i, s := range []string{
		"<script>document.title='owned'</script>", `"><img src="http://127.0.0.1:9/x" onerror=alert(1)>`, "</title></svg><script>alert(1)</script>", "</style><style>body{opacity:.5}</style>",
		"gnp.\u202etxt", strings.Repeat("x", 10<<10), strings.Repeat("W", 200), strings.Repeat("漢字", 300), strings.Repeat("\u0301", 500), "{{.N}}", "a\x00\x1b[2J\r\nb",
	} {
		for j, decision := range []string{"allowed", "blocked", "would-block"} {
			e := object{
				"version": 1, "id": s, "time": start.Add(time.Duration(3*i+j) * time.Hour), "kind": "decision", "decision": decision,
				"principal": object{"issuer": s, "subject": s, "email": s}, "request": object{"operation": s, "bucket": s, "key": s, "bytes": 1 << 40},
				"labels": []string{s}, "reasons": []object{{"policy": s, "severity": "high", "text": s, "need": s}}, "error": s,
			}
			end, refused := maps.Clone(e), maps.Clone(e)
			end["kind"], end["decision"] = "outcome", ""
			refused["kind"], refused["decision"] = "session", "blocked"
			for _, e := range []object{e, end, refused} {
				if err := out.Encode(e); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	lookAt(t, log.Bytes(), "").check(t)
}

// TestLogOnTerminal has the table keep to a terminal's width, and colours only
// where they are wanted.
func TestLogOnTerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	key := strings.Repeat("long/", 60)
	writeFile(t, file, `{"version":1,"id":"A","time":"2026-11-20T09:00:00Z","kind":"decision","decision":"blocked","principal":{"issuer":"i","subject":"1","email":"alice@example.com"},"request":{"operation":"GetObject","bucket":"lake","key":"`+key+`"},"labels":["CLICKS"],"error":"AccessDenied: no"}`+"\n")
	query := command{path: gimme, args: []string{"log", "query", file}, env: []string{"HOME=" + t.TempDir()}}
	for _, c := range []struct {
		name    string
		env     string
		apart   bool
		colours bool
	}{{"a terminal", "LANG=C", false, true}, {"a terminal without colours", "NO_COLOR=1", false, false}, {"a pipe", "LANG=C", true, false}} {
		run := query
		run.env = append(query.env, c.env)
		x := startOnTerminal(t, run, c.apart)
		if code := x.wait(t); code != 0 {
			t.Fatalf("%s: exit code %d", c.name, code)
		}
		text := x.shown.String() + x.out.String()
		if strings.Contains(text, "\x1b[") != c.colours || !strings.Contains(text, "alice@example.com") {
			t.Errorf("%s: %q", c.name, text)
		}
		if strings.Contains(text, key) != c.apart || strings.Contains(text, "TIME") == c.apart {
			t.Errorf("%s: keys are cut, and columns named, on a terminal alone: %q", c.name, text)
		}
	}
}
