package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// wantChain asserts that lines are one log from its first event, and returns
// its events.
func wantChain(t testing.TB, lines []string) []audit.Event {
	t.Helper()
	var all []audit.Event
	prev := ""
	for i, line := range lines {
		line, ok := strings.CutSuffix(line, "\n")
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || !ok {
			t.Fatalf("line %d is torn: %q", i+1, line)
		}
		if i == 0 {
			prev = fmt.Sprintf("%x", sha256.Sum256([]byte("gimme audit log "+e.Log)))
		}
		if e.Seq != uint64(i+1) || e.Prev != prev || e.Log == "" || i > 0 && e.Log != all[i-1].Log {
			t.Fatalf("line %d is %s/%d after %s, want prev %s", i+1, e.Log, e.Seq, e.Prev, prev)
		}
		prev = fmt.Sprintf("%x", sha256.Sum256([]byte(line)))
		all = append(all, e)
	}
	return all
}

func sumOfLine(line string) [32]byte { return sha256.Sum256([]byte(strings.TrimSuffix(line, "\n"))) }

func linesOf(data string) []string { return slices.Collect(strings.Lines(data)) }

func write(t testing.TB, l *audit.Log, ids ...string) {
	t.Helper()
	for _, id := range ids {
		e := event()
		e.ID = id
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
	}
}

func idsOf(events []audit.Event) []string {
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func open(t testing.TB, o audit.Options, path string) *audit.Log {
	t.Helper()
	l, err := o.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func closeLog(t testing.TB, l *audit.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEachStartOfAStreamIsALogOfItsOwn(t *testing.T) {
	var a, b bytes.Buffer
	for _, out := range []*bytes.Buffer{&a, &b} {
		l := audit.NewLog(out)
		write(t, l, "1", "2")
		closeLog(t, l)
	}
	first, second := wantChain(t, linesOf(a.String())), wantChain(t, linesOf(b.String()))
	if first[0].Log == second[0].Log {
		t.Error("both have one name")
	}
}

// A caller cannot give its event a place.
func TestThePlaceOfAnEventIsTheLogs(t *testing.T) {
	var out bytes.Buffer
	l := audit.NewLog(&out)
	e := event()
	e.Log, e.Seq, e.Prev = "AAAAAAAAAAAAAAAA", 77, strings.Repeat("0", 64)
	if err := l.Write(e); err != nil {
		t.Fatal(err)
	}
	wantChain(t, linesOf(out.String()))
	if strings.Count(out.String(), `"seq":`) != 1 {
		t.Errorf("got %s", out.String())
	}
}

func TestAFileGoesOnWhereItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for i := range 4 {
		l := open(t, audit.Options{}, path)
		write(t, l, fmt.Sprint(i))
		closeLog(t, l)
	}
	if got := idsOf(wantChain(t, linesOf(string(readFile(t, path))))); !slices.Equal(got, []string{"0", "1", "2", "3"}) {
		t.Errorf("got %v", got)
	}
}

// A log from before there were chains is begun anew, in the same file.
func TestAnOldLogGetsAChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	old, err := event().Line()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, audit.Options{}, path)
	write(t, l, "new")
	closeLog(t, l)
	lines := linesOf(string(readFile(t, path)))
	if lines[0] != string(old) {
		t.Error("the old line was changed")
	}
	if got := wantChain(t, lines[1:]); got[0].Request.Operation != "log-begun" || got[1].ID != "new" {
		t.Errorf("got %v", got)
	}
	r, err := audit.Verify([]string{path}, audit.Verification{})
	if err != nil || len(r.Faults) != 0 || len(r.Notes) != 1 || r.Logs[0].Last != 2 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// slowDevice counts what is handed over, and syncs when it is told to.
type slowDevice struct {
	mu    sync.Mutex
	gate  chan struct{}
	calls int
	bytes.Buffer
}

func (s *slowDevice) Write(p []byte) (int, error) {
	<-s.gate
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.Buffer.Write(p)
}

func (s *slowDevice) state() (int, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.String()
}

// What comes while the device is at work is handed over together.
func TestConcurrentWritersShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDevice{gate: make(chan struct{})}
		l := audit.NewLog(d)
		var writers sync.WaitGroup
		for i := range 100 {
			writers.Go(func() { write(t, l, fmt.Sprint(i)) })
		}
		synctest.Wait()
		close(d.gate)
		writers.Wait()
		calls, text := d.state()
		if len(wantChain(t, linesOf(text))) != 100 || calls > 3 {
			t.Errorf("%d events in %d calls", len(linesOf(text)), calls)
		}
		closeLog(t, l)
	})
}

func TestADeviceThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDevice{gate: make(chan struct{})}
		l := audit.Options{Timeout: 5 * time.Second}.NewLog(d)
		if err := l.Healthy(); err != nil {
			t.Errorf("healthy: %v", err)
		}
		began := time.Now()
		var writers sync.WaitGroup
		for i := range 3 {
			writers.Go(func() {
				e := event()
				e.ID = fmt.Sprint("hangs-", i)
				if err := l.Write(e); err == nil {
					t.Error("it was written")
				}
			})
			synctest.Wait() // the first is with the device when the others come
		}
		writers.Wait()
		if waited := time.Since(began); waited != 5*time.Second {
			t.Errorf("they waited %v", waited)
		}
		time.Sleep(time.Second)
		began = time.Now()
		if l.Write(event()) == nil || time.Since(began) != 0 {
			t.Error("who comes later has to wait, too")
		}
		if l.Healthy() == nil {
			t.Error("it counts as healthy")
		}
		close(d.gate)
		time.Sleep(3 * time.Second)
		if err := l.Healthy(); err != nil {
			t.Errorf("healthy: %v", err)
		}
		write(t, l, "after")
		closeLog(t, l)
		_, text := d.state()
		events := wantChain(t, linesOf(text))
		told := slices.IndexFunc(events, func(e audit.Event) bool { return e.Kind == audit.KindAdmin })
		if told < 0 || events[told].Request.Operation != "log-recovered" || !strings.HasPrefix(events[told].Error, "4 events ") {
			t.Errorf("got %s", text)
		}
		if strings.Contains(text, "hangs-1") || strings.Contains(text, "hangs-2") {
			t.Errorf("events that nobody waits for are in the log: %s", text)
		}
	})
}

// Each is given up at its own time, and not with who came before.
func TestWhoComesLaterIsGivenUpLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDevice{gate: make(chan struct{})}
		l := audit.Options{Timeout: 5 * time.Second}.NewLog(d)
		began := time.Now()
		var waited [4]time.Duration
		var failed [4]bool
		var writers sync.WaitGroup
		for i := range waited { // one is with the device, the others come each 2s later
			writers.Go(func() {
				time.Sleep(time.Duration(i) * 2 * time.Second)
				e := event()
				e.ID = fmt.Sprint("event-", i)
				failed[i] = l.Write(e) != nil
				waited[i] = time.Since(began)
			})
		}
		time.Sleep(8 * time.Second)
		close(d.gate)
		writers.Wait()
		closeLog(t, l)
		// The last one came when the device was known to hang.
		want := [4]time.Duration{5 * time.Second, 7 * time.Second, 8 * time.Second, 6 * time.Second}
		if waited != want || failed != [4]bool{true, true, false, true} {
			t.Errorf("answered after %v, failed %v", waited, failed)
		}
		if _, text := d.state(); strings.Contains(text, "event-1") || !strings.Contains(text, "event-2") || strings.Contains(text, "event-3") {
			t.Errorf("got %s", text)
		}
	})
}

// lazyDevice takes longer than anybody waits, now and then.
type lazyDevice struct {
	calls int
	bytes.Buffer
}

func (l *lazyDevice) Write(p []byte) (int, error) {
	half := len(p) / 2
	l.Buffer.Write(p[:half])
	if l.calls++; l.calls%3 == 0 {
		time.Sleep(7 * time.Second)
	}
	l.Buffer.Write(p[half:])
	return len(p), nil
}

// Who was told that an event is written finds it, and what was given up spoils
// nothing, although the device may still have it.
func TestADeviceThatHangsNowAndThenSpoilsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d lazyDevice
		l := audit.Options{Timeout: 5 * time.Second}.NewLog(&d)
		var writers sync.WaitGroup
		var mu sync.Mutex
		told, refused := map[string]bool{}, 0
		for i := range 8 {
			writers.Go(func() {
				for n := range 50 {
					e := event()
					e.ID = fmt.Sprintf("event-%d-%d", i, n)
					e.Request.Key = strings.Repeat("k", 10*n)
					err := l.Write(e)
					mu.Lock()
					if err == nil {
						told[e.ID] = true
					} else {
						refused++
					}
					mu.Unlock()
					time.Sleep(time.Duration(i+1) * 500 * time.Millisecond)
				}
			})
		}
		writers.Wait()
		closeLog(t, l)
		for _, e := range wantChain(t, linesOf(d.String())) {
			delete(told, e.ID)
		}
		if len(told) > 0 || refused == 0 {
			t.Errorf("%d were refused; these were said to be written: %v", refused, told)
		}
	})
}

func TestALogThatCannotBeWrittenSaysSoAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{failures: 3}
		l := audit.NewLog(f)
		for range 2 {
			if err := l.Write(event()); err == nil {
				t.Fatal("it was written")
			}
		}
		if err := l.Healthy(); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("healthy: %v", err)
		}
		time.Sleep(2500 * time.Millisecond) // one attempt fails, the next does not
		if err := l.Healthy(); err != nil {
			t.Errorf("healthy: %v", err)
		}
		closeLog(t, l)
		lines := linesOf(f.String())
		events := wantChain(t, lines[len(lines)-1:])
		if !strings.HasPrefix(events[0].Error, "2 events could not be written") {
			t.Errorf("got %+v", events[0])
		}
	})
}

func TestNothingIsWrittenAfterClose(t *testing.T) {
	var out bytes.Buffer
	l := audit.NewLog(&out)
	closeLog(t, l)
	closeLog(t, l)
	if l.Write(event()) == nil || l.Healthy() == nil || out.Len() > 0 {
		t.Errorf("got %q", out.String())
	}
}

var errBroken = errors.New("broken")

// A stream that failed in the middle of a line goes on with a whole one.
func TestAStreamThatTearsALine(t *testing.T) {
	r, w := io.Pipe()
	l := audit.NewLog(w)
	go func() {
		half := make([]byte, 10)
		_, _ = io.ReadFull(r, half)
		_ = r.CloseWithError(errBroken)
	}()
	if err := l.Write(event()); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
