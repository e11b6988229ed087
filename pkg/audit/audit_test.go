package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/audit"
)

func event() audit.Event {
	return audit.Event{
		ID: "7Q", Time: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("x", 3600)), Kind: audit.KindDecision,
		Decision:  audit.Blocked,
		Principal: &audit.Principal{Issuer: "https://idp.example", Subject: "a", Groups: []string{"g"}},
		Request:   &audit.Request{Operation: "DeleteObject", Bucket: "b", Key: "k", Access: []string{"deletes"}},
		Reasons:   []audit.Reason{{Policy: "p", Label: "L", Text: "no"}},
	}
}

func TestLineIsTheDocumentedForm(t *testing.T) {
	got, err := event().Line()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"id":"7Q","time":"2026-01-02T02:04:05.006Z","kind":"decision","decision":"blocked",` +
		`"principal":{"issuer":"https://idp.example","subject":"a","groups":["g"]},` +
		`"request":{"operation":"DeleteObject","access":["deletes"],"bucket":"b","key":"k"},` +
		`"reasons":[{"policy":"p","label":"L","text":"no"}]}` + "\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestLineDeceivesNobody(t *testing.T) {
	for name, key := range map[string]string{
		"newlines":       "a\r\nb\u2028c\u2029d\u0085e",
		"terminal":       "\x1b[31mred\x7f\u009b",
		"direction":      "invoice\u202efdp.exe\u2066\u2069\u200f",
		"invalid UTF-8":  "a\xff\xfe",
		"JSON":           `","decision":"allowed","x":"`,
		"byte order":     "\ufeffkey",
		"null character": "a\x00b",
	} {
		t.Run(name, func(t *testing.T) {
			e := event()
			e.Request.Key = key
			line, err := e.Line()
			if err != nil {
				t.Fatal(err)
			}
			if i := bytes.IndexFunc(line[:len(line)-1], func(r rune) bool {
				return r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200f || r == 0xfeff
			}); i >= 0 {
				t.Errorf("a bare control character at %d: %q", i, line)
			}
			var back audit.Event
			if err := json.Unmarshal(line, &back); err != nil {
				t.Fatal(err)
			}
			if want := strings.ToValidUTF8(strings.ReplaceAll(key, "\xff\xfe", "\ufffd\ufffd"), "\ufffd"); back.Request.Key != want {
				t.Errorf("key %q came back as %q", want, back.Request.Key)
			}
			if back.Decision != audit.Blocked {
				t.Error("the key changed the decision")
			}
		})
	}
}

func TestLineCutsLongTextsAndLeavesTheEventAlone(t *testing.T) {
	e := event()
	long := strings.Repeat("ä", audit.MaxText)
	e.Request.Keys = []string{"short", long}
	e.Client = &audit.Client{UserAgent: long}
	line, err := e.Line()
	if err != nil {
		t.Fatal(err)
	}
	if len(line) > 3*audit.MaxText {
		t.Errorf("the line has %d bytes", len(line))
	}
	var back audit.Event
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	if back.Request.Keys[0] != "short" || !strings.Contains(back.Request.Keys[1], "(4096 bytes, sha256 ") {
		t.Errorf("keys came out as %q", back.Request.Keys)
	}
	if e.Request.Keys[1] != long || e.Client.UserAgent != long {
		t.Error("the caller's event was changed")
	}
}

func TestOpenAppendsAndEndsATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for range 2 {
		l, err := audit.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Write(event()); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Write(event()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(got), "\n"), "\n")
	if len(lines) != 3 || json.Valid([]byte(lines[1])) || !json.Valid([]byte(lines[0])) || !json.Valid([]byte(lines[2])) {
		t.Errorf("want whole, torn, whole; got %q", lines)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// flaky fails its first writes after having taken part of them.
type flaky struct {
	bytes.Buffer
	failures int
}

func (f *flaky) Write(p []byte) (int, error) {
	if f.failures > 0 {
		f.failures--
		n, _ := f.Buffer.Write(p[:len(p)/2])
		return n, errors.New("no space left on device")
	}
	return f.Buffer.Write(p)
}

func TestAFailedWriteIsAnErrorAndSpoilsNoOtherLine(t *testing.T) {
	f := &flaky{failures: 2}
	l := audit.NewLog(f)
	for range 2 {
		if err := l.Write(event()); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Fatalf("got %v", err)
		}
	}
	if err := l.Write(event()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(f.String(), "\n"), "\n")
	if len(lines) != 3 || !json.Valid([]byte(lines[2])) {
		t.Errorf("got %q", lines)
	}
}

func TestConcurrentWritersTearNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := audit.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				if err := l.Write(event()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(got, []byte("\n")), []byte("\n"))
	if len(lines) != 1000 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if !json.Valid(line) {
			t.Fatalf("torn: %q", line)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("k", "agent")
	f.Add("a\xffb\n", "\u202e")
	f.Fuzz(func(t *testing.T, key, agent string) {
		e := event()
		e.Request.Key, e.Client = key, &audit.Client{UserAgent: agent}
		line, err := e.Line()
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(line) || bytes.Count(line, []byte("\n")) != 1 {
			t.Errorf("not one line of JSON: %q", line)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	l, err := audit.Open(filepath.Join(b.TempDir(), "audit.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	e := event()
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Write(e); err != nil {
			b.Fatal(err)
		}
	}
}
