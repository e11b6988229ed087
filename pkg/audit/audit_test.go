package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

func TestOpenAppendsAndTakesATornLineAway(t *testing.T) {
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
	events := wantChain(t, linesOf(string(got)))
	if len(events) != 3 || events[0].ID != "7Q" || events[1].Request.Operation != "log-repaired" || events[2].ID != "7Q" {
		t.Errorf("want whole, repaired, whole; got %v", idsOf(events))
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
	f.Add(`","log":"AAAAAAAAAAAAAAAA","seq":1,"prev":"`+strings.Repeat("0", 64)+`"}`, "")
	f.Fuzz(func(t *testing.T, key, agent string) {
		var out bytes.Buffer
		l := audit.NewLog(&out)
		e := event()
		e.Request.Key, e.Client = key, &audit.Client{UserAgent: agent}
		for range 2 {
			if err := l.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if !json.Valid(bytes.SplitAfter(out.Bytes(), []byte("\n"))[0]) || bytes.Count(out.Bytes(), []byte("\n")) != 2 {
			t.Errorf("not two lines of JSON: %q", out.Bytes())
		}
		wantChain(t, linesOf(out.String()))
	})
}

// realistic is an event of some 550 bytes.
func realistic() audit.Event {
	at := time.Date(2026, 3, 2, 9, 10, 0, 0, time.UTC)
	e := event()
	e.ID, e.Role = "C5UTGYOSCVMPLBGRYMRCLXS5XL", "arn:aws:iam::111122223333:role/lake"
	e.Session = &audit.Session{ID: "pJ0mXr2q4kOYb8cV1nT7-w", Issued: at, Expires: at.Add(time.Hour)}
	e.Client = &audit.Client{IP: "10.1.2.3", UserAgent: "aws-cli/2.36.7"}
	e.Labels, e.PolicyDigest = []string{"SENSITIVE"}, "sha256:"+strings.Repeat("9f", 32)
	return e
}

// BenchmarkLine is what it takes to encode one event.
func BenchmarkLine(b *testing.B) {
	e := realistic()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Line(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite is what one event costs: to a bare file, as an appended line
// without a chain (what the chain is compared with), and to a log.
func BenchmarkWrite(b *testing.B) {
	path := func(b *testing.B) string { return filepath.Join(b.TempDir(), "audit.jsonl") }
	b.Run("bare", func(b *testing.B) {
		f, err := os.OpenFile(path(b), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		var mu sync.Mutex
		benchmark(b, 1, func(e audit.Event) error {
			line, err := e.Line()
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			_, err = f.Write(line)
			return err
		})
	})
	for _, writers := range []int{1, 8, 128} {
		for _, durability := range []audit.Durability{audit.DurableWrite, audit.DurableFsync} {
			b.Run(fmt.Sprintf("%s/writers=%d", durability, writers), func(b *testing.B) {
				l, err := audit.Options{Durability: durability, Checkpoints: 10 * time.Second}.Open(path(b))
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				benchmark(b, writers, l.Write)
			})
		}
	}
}

func benchmark(b *testing.B, writers int, write func(audit.Event) error) {
	e := realistic()
	b.ReportAllocs()
	if writers == 1 {
		for b.Loop() {
			if err := write(e); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := write(e); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkVerify is what it takes to verify one event, with checkpoints.
func BenchmarkVerify(b *testing.B) {
	path := filepath.Join(b.TempDir(), "audit.jsonl")
	l, err := audit.Options{Checkpoints: time.Second, Rotate: audit.Rotation{Size: 16 << 20}}.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	const n = 100_000
	var writers sync.WaitGroup
	for range 50 {
		writers.Go(func() {
			for range n / 50 {
				if err := l.Write(realistic()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	w := readLog(b, path)
	files, err := audit.Files(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := audit.Verify(files, w.full())
		if err != nil || len(r.Faults) > 0 || r.Logs[0].Last != n {
			b.Fatalf("%+v, %v", r, err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
}
