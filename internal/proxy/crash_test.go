//go:build linux

package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// wantComplete asserts that the log has the decision of each request that the
// upstream was asked, that no event is torn or doubled, and that the log
// verifies.
func (m *mortal) wantComplete(asked []string) {
	m.t.Helper()
	files, err := audit.Files(filepath.Join(m.folder, "audit.jsonl"))
	if err != nil {
		m.t.Fatal(err)
	}
	decided, ids := map[string]int{}, map[string]bool{}
	note := func(line []byte) {
		wantValid(m.t, string(line))
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil {
			m.t.Fatalf("torn: %q: %v", line, err)
		}
		if e.Kind != audit.KindDecision && e.Kind != audit.KindOutcome {
			return
		}
		if id := e.ID + string(e.Kind); ids[id] {
			m.t.Errorf("%s of %s stands twice", e.Kind, e.ID)
		} else {
			ids[id] = true
		}
		if e.Kind == audit.KindDecision && e.Decision == audit.Allowed {
			decided[e.Request.Method+" /"+e.Request.Bucket+"/"+e.Request.Key]++
		}
	}
	for _, file := range files {
		for line, err := range audit.Lines(file) {
			if err != nil {
				m.t.Fatal(err)
			}
			note(line)
		}
	}
	did := map[string]int{}
	for _, a := range asked {
		request, _, _ := strings.Cut(a, "?")
		did[request]++ // more than once where a client sends again what was cut
	}
	for request, times := range did {
		if decided[request] < times {
			m.t.Errorf("the upstream did %q %d times, and the log has %d decisions of it", request, times, decided[request])
		}
	}
}

func (m *mortal) wantVerified() *audit.Report {
	m.t.Helper()
	path := filepath.Join(m.folder, "audit.jsonl")
	files, err := audit.Files(path)
	if err != nil {
		m.t.Fatal(err)
	}
	key, err := audit.VerifierKey(audit.KeyFile(path))
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := audit.Verify(files, audit.Verification{Checkpoints: []string{audit.CheckpointsFile(path)}, Key: key})
	if err != nil {
		m.t.Fatal(err)
	}
	if len(r.Faults) > 0 || len(r.Logs) != 1 {
		m.t.Fatalf("want one log without faults, got %+v", r)
	}
	return r
}

// What docs/audit.md promises, of a sidecar that is a process of its own.
func TestTheLogOutlivesTheSidecar(t *testing.T) {
	binary := buildGimme(t)
	for name, story := range map[string]func(*testing.T, string, string){
		"killed":    killed,
		"torn line": tornLine,
		"full disk": fullDisk,
	} {
		t.Run(name, func(t *testing.T) {
			for _, durability := range []string{"write", "fsync"} {
				t.Run(durability, func(t *testing.T) {
					t.Parallel()
					story(t, binary, durability)
				})
			}
		})
	}
	t.Run("a device that hangs", func(t *testing.T) { hangingDevice(t, binary) })
}

// Killed under load, again and again: what the upstream did is in the log.
func killed(t *testing.T, binary, durability string) {
	m := newMortal(t, binary, "{file: audit.jsonl, durability: "+durability+", rotate: {size: 64KiB, compress: true}, checkpoints: {every: 1s}}")
	m.run()
	m.login()
	stop := m.load(6)
	for range 50 { // in each durability
		time.Sleep(time.Duration(20+rand.N(80)) * time.Millisecond)
		m.kill()
		m.run()
	}
	stop()
	m.end()
	asked := m.store.seen()
	if len(asked) < 50 {
		t.Errorf("only %d requests reached the upstream", len(asked))
	}
	m.wantComplete(asked)
	r := m.wantVerified()
	t.Logf("%d requests upstream, %+v", len(asked), r.Logs)
}

// A line that was torn goes, an event says so, and the chain goes on.
func tornLine(t *testing.T, binary, durability string) {
	m := newMortal(t, binary, "{file: audit.jsonl, durability: "+durability+"}")
	m.run()
	m.login()
	stop := m.load(3)
	time.Sleep(200 * time.Millisecond)
	m.kill()
	stop()
	path := filepath.Join(m.folder, "audit.jsonl")
	data := must(os.ReadFile(path))
	whole := strings.LastIndexByte(strings.TrimSuffix(string(data), "\n"), '\n') + 1
	if err := os.Truncate(path, int64(whole+(len(data)-whole)/2)); err != nil {
		t.Fatal(err)
	}
	m.run()
	m.end()
	m.wantComplete(nil)
	m.wantVerified()
	if text := m.rawEvents(); strings.Count(text, `"operation":"log-repaired"`) != 1 || !strings.HasPrefix(text, string(data[:whole])) {
		t.Errorf("want what was whole, and one event of the repair; got %s", text[whole:])
	}
}

func (m *mortal) get(client *s3.Client, key string) error {
	out, err := client.GetObject(m.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key})
	if err == nil {
		err = out.Body.Close()
	}
	return err
}

// A file that cannot grow any more: requests are refused, nothing goes upstream,
// and when there is room again all is as it was.
func fullDisk(t *testing.T, binary, durability string) {
	m := newMortal(t, binary, "{file: audit.jsonl, durability: "+durability+"}")
	m.run()
	m.login()
	client := m.client()
	if err := m.get(client, "customers/before"); err != nil {
		t.Fatal(err)
	}
	if seen := m.store.seen(); len(seen) != 1 {
		t.Fatalf("the upstream was asked %q", seen)
	}
	var room unix.Rlimit
	if err := unix.Prlimit(m.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &room); err != nil {
		t.Fatal(err)
	}
	none := room
	none.Cur = uint64(len(m.rawEvents()) + 100) // so that a line is torn
	if err := unix.Prlimit(m.cmd.Process.Pid, unix.RLIMIT_FSIZE, &none, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		err := m.get(client, fmt.Sprintf("customers/full-%d", i))
		if err == nil || !strings.Contains(err.Error(), "ServiceUnavailable") {
			t.Errorf("want ServiceUnavailable, got %v", err)
		}
	}
	m.wantNothingUpstream()
	if err := unix.Prlimit(m.cmd.Process.Pid, unix.RLIMIT_FSIZE, &room, nil); err != nil {
		t.Fatal(err)
	}
	if err := m.get(client, "customers/after"); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(m.rawEvents(), "log-recovered") && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	m.end()
	m.wantComplete(m.store.seen())
	m.wantVerified()
	if text := m.rawEvents(); strings.Contains(text, "full-") || strings.Count(text, "log-recovered") != 1 || !strings.Contains(text, "customers/after") {
		t.Errorf("want nothing of what was refused, and one event of the recovery; got %s", text)
	}
}

// A device that does not answer: as with a full disk. What the device had
// taken up may still come out of it.
func hangingDevice(t *testing.T, binary string) {
	m := newMortal(t, binary, "{file: fifo, timeout: 1s}")
	path := filepath.Join(m.folder, "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	m.run()
	m.login()
	client := m.client()
	refused := 0
	for i := 0; refused < 3; i++ {
		if i > 500 {
			t.Fatal("the pipe takes everything")
		}
		key := fmt.Sprintf("customers/%06d", i)
		m.store.seen()
		if err := m.get(client, key); err != nil {
			if !strings.Contains(err.Error(), "ServiceUnavailable") {
				t.Fatal(err)
			}
			m.wantNothingUpstream()
			refused++
		}
	}
	pipe, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	drained := make(chan string)
	go func() {
		data, _ := io.ReadAll(pipe) // until the sidecar ends
		drained <- string(data)
	}()
	for deadline := time.Now().Add(10 * time.Second); m.get(client, "customers/after") != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not recover")
		}
	}
	time.Sleep(1500 * time.Millisecond) // until it has told
	m.end()
	text := <-drained
	copied := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := audit.Verify([]string{copied}, audit.Verification{}); err != nil || len(r.Faults) > 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	if strings.Count(text, "log-recovered") != 1 || !strings.Contains(text, "customers/after") {
		t.Errorf("want one event of the recovery; got %s", text)
	}
}
