package delivery

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A target is what a sink delivers to in the suite: a server that takes what
// the documents of its kind say, and nothing else.
type target struct {
	keys   string               // of the sink, as YAML in flow style, without name
	taken  func() []uint64      // the numbers of the events that it has, in the order in which they came
	faults *faults              // what it does wrong
	stdout func([]byte)         // is given what the deliverer writes to standard output
	env    []string             // of the deliverer
	broken func() (text string) // what the deliverer did against the rules
}

// faults are drawn by servers, one for each request.
type faults struct {
	mu    sync.Mutex
	draw  *rand.Rand
	left  int
	kinds []string
	seen  map[string]int
}

func newFaults(t testing.TB, n int, kinds ...string) *faults {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("GIMME_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("faults drawn with GIMME_SEED=%d", seed)
	return &faults{draw: rand.New(rand.NewPCG(seed, 1)), left: n, kinds: kinds, seen: map[string]int{}}
}

// next is what goes wrong with this request; empty for nothing.
func (f *faults) next() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 || f.draw.IntN(3) == 0 {
		return ""
	}
	f.left--
	kind := f.kinds[f.draw.IntN(len(f.kinds))]
	f.seen[kind]++
	return kind
}

func (f *faults) number(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.draw.IntN(n)
}

func (f *faults) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left == 0
}

// The suite: events are written, files are rotated and compressed, the sink does
// everything wrong that it can 200 times, and the deliverer is killed ten times.
// Every event arrives, in order, at least once.
func TestSuite(t *testing.T) {
	const wrong, kills = 200, 10
	for _, row := range []struct {
		name  string
		start func(t *testing.T, faults int) target
	}{
		{"file", fileTarget}, {"stdout", stdoutTarget},
		{"syslog over tcp", syslogTCPTarget}, {"syslog over tls", syslogTLSTarget}, {"syslog over a unix socket", syslogUnixTarget},
		{"cloudwatch", cloudWatchTarget}, {"splunk", splunkTarget}, {"splunk with acknowledgements", splunkAckTarget},
		{"elasticsearch", elasticTarget}, {"sumologic", sumoTarget}, {"datadog", datadogTarget}, {"otlp", otlpTarget},
		{"kafka", kafkaTarget}, {"webhook", webhookTarget}, {"webhook of lines", webhookLinesTarget},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			x := row.start(t, wrong)
			l := newLog(t)
			writeWhile(t, l, x, kills)
			if !x.faults.over() {
				t.Errorf("the suite ended before all faults were drawn: %v", x.faults.seen)
			}
			t.Logf("%d events, %d deliveries, faults %v", l.last(), len(x.taken()), x.faults.seen)
			inOrder(t, x.taken(), l.last())
			if x.broken != nil && x.broken() != "" {
				t.Errorf("against the rules: %s", x.broken())
			}
		})
	}
}

// writeWhile writes events, rotates, and kills the deliverer, until the target
// has done everything wrong, and then until it has every event.
func writeWhile(t *testing.T, l *testLog, x target, kills int) {
	t.Helper()
	draw := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	deadline := time.Now().Add(4 * time.Minute)
	var child *deliverProcess
	for round := 0; round < kills || !x.faults.over(); round++ {
		if time.Now().After(deadline) {
			t.Fatalf("faults are left after four minutes: %d; %d events delivered", x.faults.left, len(x.taken()))
		}
		if child == nil {
			child = startChild(t, l.path, x)
		}
		for range 20 {
			l.add(1 + draw.IntN(8))
			time.Sleep(time.Duration(draw.IntN(8)) * time.Millisecond)
		}
		if round%3 == 1 {
			if closed := l.rotate(); draw.IntN(2) == 0 {
				l.compress(closed)
			}
		}
		if kills > 0 {
			kills--
			child.kill()
			child = nil
		}
	}
	if child == nil {
		child = startChild(t, l.path, x)
	}
	want := l.last()
	for len(x.taken()) == 0 || slices.Max(x.taken()) < want {
		if time.Now().After(deadline) {
			child.cmd.Process.Signal(syscall.SIGQUIT) // to say where it stands
			child.pipes.Wait()
			t.Fatalf("of %d events those up to %d are delivered after four minutes", want, slices.Max(append(x.taken(), 0)))
		}
		time.Sleep(20 * time.Millisecond)
	}
	child.stop()
}

// inOrder checks that got has every number up to last, and none for the first
// time before a smaller one.
func inOrder(t *testing.T, got []uint64, last uint64) {
	t.Helper()
	next := uint64(1)
	for i, n := range got {
		switch {
		case n == next:
			next++
		case n > next:
			t.Fatalf("delivery %d is event %d, before event %d was there", i, n, next)
		}
	}
	if next != last+1 {
		t.Errorf("the events after %d are missing; there are %d", next-1, last)
	}
}

// A deliverProcess delivers in a process of its own, so that it can be killed.
type deliverProcess struct {
	t     *testing.T
	cmd   *exec.Cmd
	pipes sync.WaitGroup
}

func startChild(t *testing.T, path string, x target) *deliverProcess {
	t.Helper()
	config := filepath.Join(t.TempDir(), "sinks.yaml")
	if err := os.WriteFile(config, []byte("sinks: [{name: it, "+x.keys+"}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &deliverProcess{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), append(x.env, "GIMME_DELIVER="+config, "GIMME_LOG="+path)...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	p.pipes.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := out.Read(buf)
			if x.stdout != nil {
				x.stdout(buf[:n])
			}
			if err != nil {
				return
			}
		}
	})
	p.pipes.Go(func() {
		for in := bufio.NewScanner(said); in.Scan(); {
			if in.Text() == "fault" {
				x.faults.next()
			} else {
				t.Log(in.Text())
			}
		}
	})
	return p
}

func (p *deliverProcess) kill() {
	p.cmd.Process.Kill()
	p.pipes.Wait()
	p.cmd.Wait()
}

func (p *deliverProcess) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.pipes.Wait()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the deliverer ended with %v", err)
	}
}

func TestMain(m *testing.M) {
	if config := os.Getenv("GIMME_DELIVER"); config != "" {
		if err := deliverForTest(config, os.Getenv("GIMME_LOG")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// deliverForTest is the process that is killed.
func deliverForTest(config, path string) error {
	sinks, err := decode(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(testContext(), syscall.SIGTERM)
	defer stop()
	d, err := New(sinks, Options{
		Path: path, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Stdout: flaky{os.Stdout}, Lost: func(string, uint64, uint64) { fmt.Fprintln(os.Stderr, "LOST") },
	})
	if err != nil {
		return err
	}
	d.hurry()
	return d.Run(ctx)
}

// decode reads sinks as the sidecar does.
func decode(config string) ([]Sink, error) {
	data, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	var c struct {
		Sinks []Sink `yaml:"sinks"`
	}
	if err := strictyaml.Decode(config, data, &c); err != nil {
		return nil, err
	}
	return c.Sinks, Check(config, filepath.Dir(config), c.Sinks).Err()
}

// hurry makes everything that takes seconds take milliseconds.
func (d *Delivery) hurry() {
	for _, x := range d.all {
		x.times = times{
			poll: 5 * time.Millisecond, send: 2 * time.Second, firstPause: time.Millisecond, longPause: 20 * time.Millisecond,
			longAsked: 20 * time.Millisecond, save: 50 * time.Millisecond, farewell: 2 * time.Second, remind: time.Hour,
		}
		x.limits.events = min(x.limits.events, 50)
		if s, ok := x.sink.(*splunkSink); ok {
			s.wait, s.look = 100*time.Millisecond, 2*time.Millisecond
		}
	}
}

// flaky is a standard output that takes nothing, or a part, every other time.
type flaky struct{ out io.Writer }

func (f flaky) Write(p []byte) (int, error) {
	switch rand.IntN(4) {
	case 0:
		fmt.Fprintln(os.Stderr, "fault")
		return 0, errors.New("no space left on device")
	case 1:
		fmt.Fprintln(os.Stderr, "fault")
		n, _ := f.out.Write(p[:len(p)/2])
		return n, io.ErrShortWrite
	}
	return f.out.Write(p)
}

// A ledger is what a server has taken.
type ledger struct {
	mu    sync.Mutex
	seqs  []uint64
	wrong string // the first thing that was against the rules
}

// take takes lines, all of which must be events.
func (l *ledger) take(lines ...[]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range lines {
		if n := seqOf(line); n != 0 {
			l.seqs = append(l.seqs, n)
		} else if l.wrong == "" {
			l.wrong = fmt.Sprintf("not an event: %.100q", line)
		}
	}
}

func (l *ledger) against(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong == "" {
		l.wrong = fmt.Sprintf(format, args...)
	}
}

func (l *ledger) taken() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seqs)
}

func (l *ledger) broken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// strictly decodes JSON that may have no other members.
func strictly(data []byte, v any) error {
	in := json.NewDecoder(bytesReader(data))
	in.DisallowUnknownFields()
	if err := in.Decode(v); err != nil {
		return err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}
