package delivery

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// A testLog is an audit log that the sidecar might have written.
type testLog struct {
	t    testing.TB
	path string

	mu   sync.Mutex // guards what follows
	name string
	seq  uint64
	prev string
	when time.Time // of the next event; zero: now
	file *os.File
}

func newLog(t testing.TB) *testLog {
	l := &testLog{t: t, path: filepath.Join(t.TempDir(), "audit.jsonl")}
	l.begin()
	return l
}

// begin begins a log of a new name in the growing file.
func (l *testLog) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name, l.seq = rand.Text()[:16], 0
	l.prev = fmt.Sprintf("%x", sha256.Sum256([]byte("gimme audit log "+l.name)))
}

// add appends n events of every kind of text.
func (l *testLog) add(n int) {
	l.t.Helper()
	for range n {
		e := audit.Event{
			ID: rand.Text(), Kind: audit.KindDecision, Decision: audit.Allowed, Principal: &audit.Principal{Issuer: "https://idp.example", Subject: "248289761001", Email: "zoë@example.com"},
			Request: &audit.Request{Operation: "GetObject", Bucket: "acme-lake", Key: "customers/\u202e2026 \"x\".csv 😀", Method: "GET"},
			Client:  &audit.Client{IP: "10.1.2.3", UserAgent: "aws-cli/2.36.7\x1b[31m"},
		}
		if l.seq%3 == 1 {
			e.Kind, e.Decision, e.Error = audit.KindDecision, audit.Blocked, "AccessDenied: no."
		}
		if l.seq%3 == 2 {
			e.Kind, e.Decision, e.Response = audit.KindOutcome, "", &audit.Response{Status: 200, Bytes: 5}
		}
		l.write(e)
	}
}

func (l *testLog) write(e audit.Event) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Time = l.when
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	line, err := e.Line()
	if err != nil {
		l.t.Fatal(err)
	}
	l.seq++
	line = fmt.Appendf(line[:len(line)-2], `,"log":%q,"seq":%d,"prev":%q}`, l.name, l.seq, l.prev)
	l.prev = fmt.Sprintf("%x", sha256.Sum256(line))
	l.raw(append(line, '\n'))
}

// raw appends to the growing file.
func (l *testLog) raw(data []byte) {
	l.t.Helper()
	if l.file == nil {
		f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { f.Close() })
		l.file = f
	}
	if _, err := l.file.Write(data); err != nil {
		l.t.Fatal(err)
	}
}

// rotate closes the growing file, and returns the name that it gets.
func (l *testLog) rotate() string {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	closed := fmt.Sprintf("%s-%s-%012d.jsonl", strings.TrimSuffix(l.path, ".jsonl"), l.name, l.seq)
	next := l.path + ".next"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { f.Close() })
	for _, step := range [][2]string{{l.path, closed}, {next, l.path}} {
		if err := os.Rename(step[0], step[1]); err != nil {
			l.t.Fatal(err)
		}
	}
	l.file = f
	return closed
}

// compress does to a closed file what the sidecar does.
func (l *testLog) compress(path string) {
	l.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil || z.Close() != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path+".tmp", out.Bytes(), 0o600); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path+".gz"); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		l.t.Fatal(err)
	}
}

func (l *testLog) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// seqOf is the number of a delivered event, 0 if it is none.
func seqOf(line []byte) uint64 {
	var e struct {
		Version int
		Seq     uint64
	}
	if json.Unmarshal(line, &e) != nil || e.Version != audit.Version {
		return 0
	}
	return e.Seq
}
