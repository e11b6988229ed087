//go:build linux

package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sys/unix"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// A mortal is a sidecar that is a process of its own, `gimme proxy`, so that it
// can be killed.
type mortal struct {
	*sidecar // for its provider, store and files; no server runs in it
	binary   string
	address  string
	cmd      *exec.Cmd
	output   *syncBuffer
	keys     aws.Credentials
}

// buildGimme builds the program, and returns its path.
func buildGimme(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "gimme")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/gimme").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// newMortal lays out the files of a sidecar, with these settings of its log. The
// upstream answers every request.
func newMortal(t *testing.T, binary, log string) *mortal {
	t.Helper()
	m := &mortal{sidecar: &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}, binary: binary, output: &syncBuffer{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	m.files(strings.NewReplacer("127.0.0.1:0", m.address, "{file: audit.jsonl}", log).Replace(m.config()))
	m.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // a client that was killed sends half of it
		return true
	})
	return m
}

// run starts the process, and returns when it serves.
func (m *mortal) run() {
	m.t.Helper()
	m.cmd = exec.Command(m.binary, "proxy", "--config", filepath.Join(m.folder, "proxy.yaml"))
	m.cmd.Stderr = m.output
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(m.kill)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", m.address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("the sidecar does not come up: %v\n%s", err, m.output)
		}
	}
}

// kill is kill -9.
func (m *mortal) kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill() // it may have ended by itself
		_ = m.cmd.Wait()         // with an error, because it was killed
		m.cmd = nil
	}
}

// end stops the process as an operator does.
func (m *mortal) end() {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Wait(); err != nil {
		m.t.Fatalf("%v\n%s", err, m.output)
	}
	m.cmd = nil
}

func (m *mortal) url() string { return "http://" + m.address }

// login gives the client a session, which outlives the sidecar.
func (m *mortal) login() {
	m.t.Helper()
	token := m.provider.token(m.t, nil)
	out, err := sts.New(sts.Options{BaseEndpoint: aws.String(m.url()), Region: region, RetryMaxAttempts: 1}).AssumeRoleWithWebIdentity(m.t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(roleEveryone), RoleSessionName: aws.String("alice"), WebIdentityToken: &token,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	k := out.Credentials
	m.keys = aws.Credentials{AccessKeyID: *k.AccessKeyId, SecretAccessKey: *k.SecretAccessKey, SessionToken: *k.SessionToken}
}

// client is one that does not try again, so that each of its requests is one.
func (m *mortal) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(m.url()), Region: region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.StaticCredentialsProvider{Value: m.keys},
		HTTPClient:  &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second},
	})
}

// load has n clients ask for objects, each for one that nobody else asks for,
// until stop is called.
func (m *mortal) load(n int) (stop func()) {
	ctx, cancel := context.WithCancel(m.t.Context())
	var clients sync.WaitGroup
	var number atomic.Int64
	for range n {
		clients.Go(func() {
			client := m.client()
			for ctx.Err() == nil {
				key := fmt.Sprintf("customers/%06d", number.Add(1))
				var err error
				if rand.N(4) == 0 {
					_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: strings.NewReader("text")})
				} else {
					var out *s3.GetObjectOutput
					if out, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key}); err == nil {
						out.Body.Close()
					}
				}
				if err != nil { // nobody is there just now
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

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
	for _, a := range asked {
		request, _, _ := strings.Cut(a, "?")
		if decided[request] != 1 {
			m.t.Errorf("the upstream did %q, and the log has %d decisions of it", request, decided[request])
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
