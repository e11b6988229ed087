package proxy

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestHowOftenAClientMayLogIn(t *testing.T) {
	l := newLimiter(60)
	now := time.Unix(1772442600, 0)
	attempts := func(address string, n int) (taken int) {
		for range n {
			if l.take(address, now) <= 0 {
				taken++
			}
		}
		return taken
	}
	for _, step := range []struct {
		after   time.Duration
		address string
		n, want int
	}{
		{0, "192.0.2.1", 100, 60},
		{0, "192.0.2.1", 5, 0},
		{0, "::ffff:192.0.2.1", 5, 0}, // the same one
		{0, "192.0.2.2", 10, 10},
		{time.Second, "192.0.2.1", 5, 1},
		{10 * time.Second, "192.0.2.1", 50, 10},
		{59 * time.Second, "192.0.2.1", 100, 59}, // in the second generation, and still known
		{2 * time.Minute, "192.0.2.1", 100, 60},
		{0, "2001:db8::1", 60, 60},
		{0, "2001:db8::ffff:1", 5, 0}, // of the same network
		{0, "2001:db8:0:1::1", 5, 5},
		{0, "", 100, 60},
		{0, "no address", 5, 0},
	} {
		now = now.Add(step.after)
		if got := attempts(step.address, step.n); got != step.want {
			t.Errorf("%s after %v: %d of %d, want %d", step.address, step.after, got, step.n, step.want)
		}
	}
	attempts("192.0.2.3", 60)
	if wait := l.take("192.0.2.3", now); wait <= 0 || wait > time.Second {
		t.Errorf("it is to wait for %v", wait)
	}
}

// However many clients there are, the memory of them is bounded, and one that
// goes on is not forgotten as long as the others are fewer than that.
func TestALimiterIsBounded(t *testing.T) {
	l := newLimiter(2)
	l.most = 100
	now := time.Unix(1772442600, 0)
	for i := range 100_000 {
		now = now.Add(time.Duration(rand.N(100)) * time.Microsecond)
		l.take(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
		if n := len(l.young) + len(l.old); n > 200 {
			t.Fatalf("%d clients are remembered", n)
		}
	}
	for range 2 {
		l.take("192.0.2.1", now)
	}
	for i := range 99 {
		l.take(fmt.Sprintf("198.51.100.%d", i), now)
		if l.take("192.0.2.1", now) <= 0 {
			t.Fatalf("it is forgotten after %d others", i)
		}
	}
	l.take("198.51.100.200", now.Add(5*time.Minute))
	l.take("198.51.100.200", now.Add(10*time.Minute))
	if n := len(l.young) + len(l.old); n != 1 {
		t.Errorf("%d clients are remembered after ten minutes, want one", n)
	}
}

// Property: in any minute no client takes more than twice what a minute allows.
func TestLimiterProperty(t *testing.T) {
	for range 50 {
		perMinute := 1 + rand.N(50)
		l := newLimiter(perMinute)
		now := time.Unix(1772442600, 0)
		var taken []time.Time
		for range 2000 {
			now = now.Add(rand.N(500 * time.Millisecond))
			if l.take("192.0.2.1", now) <= 0 {
				taken = append(taken, now)
			}
			l.take(fmt.Sprintf("198.51.100.%d", rand.N(255)), now)
		}
		from := 0
		for i, at := range taken {
			for taken[from].Before(at.Add(-time.Minute)) {
				from++
			}
			if n := i - from + 1; n > 2*perMinute+1 {
				t.Fatalf("%d in a minute, of %d", n, perMinute)
			}
		}
	}
}
