package e2e_test

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything that has to happen may take on a busy machine.
const patience = 60 * time.Second

// A command is a program to run.
type command struct {
	path  string
	args  []string
	env   []string // complete
	dir   string
	stdin *os.File
}

// A process is a program that runs. It is killed when the test ends.
type process struct {
	cmd      *exec.Cmd
	out, err *output
	ended    chan struct{}
}

// start starts a program. What it printed is shown if the test fails.
func start(t *testing.T, c command) *process {
	t.Helper()
	p := &process{cmd: exec.Command(c.path, c.args...), out: new(output), err: new(output), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir = c.env, c.dir
	if c.stdin != nil {
		p.cmd.Stdin = c.stdin
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", c.path, err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // ProcessState tells
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s %s\nprinted:\n%s%s", c.path, strings.Join(c.args, " "), clip(p.out.String()), clip(p.err.String()))
		}
		if strings.Contains(p.err.String(), "DATA RACE") {
			t.Errorf("%s raced:\n%s", c.path, p.err)
		}
	})
	return p
}

func clip(s string) string {
	const most = 16 << 10
	if len(s) > most {
		return "[…]" + s[len(s)-most:]
	}
	return s
}

// wait returns the exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%s does not end; it printed:\n%s%s", p.cmd.Path, p.out, p.err)
		return -1
	}
}

// signal sends a signal.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %s: %v", p.cmd.Path, err)
	}
}

// A result is what came of a program that has ended.
type result struct {
	out, err string
	code     int
}

// finish runs a program to its end.
func finish(t *testing.T, c command) result {
	t.Helper()
	p := start(t, c)
	code := p.wait(t)
	return result{p.out.String(), p.err.String(), code}
}

// must fails the test unless the program ended well.
func (r result) must(t *testing.T) result {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit code %d, printed:\n%s%s", r.code, r.out, r.err)
	}
	return r
}

// output gathers what a program prints, while it runs.
type output struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String()
}

// eventually waits until done says so.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

// ready waits until p answers at url.
func (p *process) ready(t *testing.T, c *http.Client, url string) {
	t.Helper()
	eventually(t, url+" answers", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("%s ended with %d before it answered:\n%s%s", p.cmd.Path, p.cmd.ProcessState.ExitCode(), p.out, p.err)
		default:
		}
		response, err := c.Get(url)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// freeAddress is an address on loopback where nothing listens just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// environment is next to nothing of the test's own, so that no job, no session
// and no setting of whoever runs the test has a say, with home and settings.
func environment(home string, settings ...string) []string {
	var env []string
	for _, name := range []string{"PATH", "TMPDIR", "TZ", "USER", "LOGNAME", "TERM", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	// A race is told when it is found; nobody waits a second for more of them.
	env = append(env, "GORACE=atexit_sleep_ms=10", "HOME="+home, "LANG=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=")
	return append(env, settings...)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
