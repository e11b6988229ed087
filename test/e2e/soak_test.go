package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// soakLasts is how long the load lasts where SOAK_FOR does not say.
const soakLasts = 2 * time.Minute

// A soak is mixed load on a sidecar whose surroundings misbehave.
type soak struct {
	t        *testing.T
	seed     uint64
	provider *provider
	upstream *upstream // its recorder is passed by
	weather  *weather  // between the sidecar and the upstream
	sidecar  *sidecar
	admin    string // URL of its metrics
	identity *identities
	journal  *journal
	stock    *inventory
	vitals   *vitals
	deeds    *tallies // disturbances, by kind
	loads    int      // how many there were
	renewed  int      // how often the policies were; the gate is open when it is even
	faults   atomic.Int64
}

// TestSoak loads a sidecar for a while, with people who do what people do, with
// clients that are slow, cut off or wrong, and while everything around it fails
// now and then. In the end nothing has leaked, every request is on record, and
// every object is what its writer was told that it is.
func TestSoak(t *testing.T) {
	lasts := soakLasts
	if text := os.Getenv("SOAK_FOR"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil || lasts < 30*time.Second {
			t.Fatalf("SOAK_FOR=%q: 30s or more is wanted, such as 10m", text)
		}
	}
	seed := rand.Uint64()
	if text := os.Getenv("SOAK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SOAK_SEED: %v", err)
		}
	}
	t.Logf("SOAK_SEED=%d, %v", seed, lasts)
	s := newSoak(t, seed)

	s.load(lasts / 12) // caches fill, pools grow
	before := s.settle()
	stop := s.vitals.watch(t, s)
	s.load(lasts - lasts/12)
	stop()
	s.settleTo(before)

	s.sidecar.signal(t, syscall.SIGTERM)
	if code := s.sidecar.wait(t); code != 0 {
		t.Errorf("the sidecar stopped with %d", code)
	}
	s.judgeMemory()
	s.judgeObjects()
	s.judgeRecord()
	s.summarize()
}

// load runs everything for a while, and returns when all of it has ended.
func (s *soak) load(lasts time.Duration) {
	s.loads++
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	s.weather.rough.Store(true)
	defer s.weather.rough.Store(false)
	var all sync.WaitGroup
	for n := range workers {
		all.Go(func() { s.newWorker(n).run(ctx) })
	}
	all.Go(func() { s.newWorker(workers).slowly(ctx) })
	all.Go(func() { s.newWorker(workers + 1).upload(ctx) })
	all.Go(func() { s.newWorker(workers + 2).breakOff(ctx) })
	all.Go(func() { s.newWorker(workers + 3).idle(ctx) })
	all.Go(func() { s.newWorker(workers + 4).disturb(ctx) })
	all.Go(func() { s.tell(ctx) })
	all.Wait()
}

// tell says how far it is, every ten seconds.
func (s *soak) tell(ctx context.Context) {
	began := time.Now()
	for wait(ctx, 10*time.Second) {
		line := fmt.Sprintf("soak: %4.0f s, %s, %d MiB resident, %s", time.Since(began).Seconds(), s.journal, s.vitals.resident(s)>>20, s.deeds)
		fmt.Fprintln(os.Stderr, line)
	}
}

// mostFaults bounds what is said of what went wrong.
const mostFaults = 20

// fault fails the test.
func (s *soak) fault(format string, args ...any) {
	switch n := s.faults.Add(1); {
	case n <= mostFaults:
		s.t.Errorf(format, args...)
	case n == mostFaults+1:
		s.t.Errorf("and so on: no more than %d faults are told", mostFaults)
	}
}

// wait says whether ctx has lasted for another while.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// summarize tells what was done.
func (s *soak) summarize() {
	s.t.Logf("requests:\n%s", s.journal.table())
	s.t.Logf("disturbances: %s; upstream: %s", s.deeds, s.weather.done)
	s.t.Logf("memory: %s", s.vitals)
}
