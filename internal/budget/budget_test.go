package budget

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
)

var (
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	alice = Who{"https://idp.example", "alice"}
	bob   = Who{"https://idp.example", "bob"}
)

// objects is a limit on SENSITIVE reads, with a budget of objects for each rate.
func objects(rates ...policy.Rate) policy.Limit {
	l := policy.Limit{Policy: "p", Label: "SENSITIVE", Access: policy.Reads}
	for i, r := range rates {
		l.Budgets = append(l.Budgets, policy.Budget{Rule: fmt.Sprintf("rule %d", i+1), Objects: r})
	}
	return l
}

func rate(amount int64, per time.Duration) policy.Rate { return policy.Rate{Amount: amount, Per: per} }

func reads(objects, bytes int64) []Use {
	return []Use{{Label: "SENSITIVE", Access: policy.Reads, Objects: objects, Bytes: bytes}}
}

// take reserves, and returns how long one has to wait: 0 when there was room,
// -1 when there never is.
func take(c *Counts, who Who, uses []Use, now time.Time, limits ...policy.Limit) time.Duration {
	_, _, short := c.Reserve(who, uses, limits, now)
	switch {
	case short == nil:
		return 0
	case short.Never:
		return -1
	}
	return short.Wait
}

func TestTheWaitIsExact(t *testing.T) {
	limit := objects(rate(3, time.Hour))
	c := New(Most)
	for i := range 3 {
		if wait := take(c, alice, reads(1, 0), noon.Add(time.Duration(i)*10*time.Minute+time.Second), limit); wait != 0 {
			t.Fatalf("object %d has to wait %v", i, wait)
		}
	}
	now := noon.Add(30 * time.Minute)
	wait := take(c, alice, reads(1, 0), now, limit)
	if want := 31 * time.Minute; wait != want { // the part of 12:00 counts until 13:01
		t.Fatalf("wait is %v, want %v", wait, want)
	}
	if two := take(c, alice, reads(2, 0), now, limit); two != wait+10*time.Minute {
		t.Errorf("two have to wait %v", two)
	}
	if early := take(c, alice, reads(1, 0), now.Add(wait-1), limit); early != 1 {
		t.Errorf("a nanosecond before its time it has to wait %v", early)
	}
	if wait := take(c, alice, reads(1, 0), now.Add(wait), limit); wait != 0 {
		t.Errorf("at its time it has to wait %v", wait)
	}
	if wait := take(c, bob, reads(3, 0), now, limit); wait != 0 {
		t.Errorf("somebody else has to wait %v", wait)
	}
}

// In no window is more used than allowed, and what is refused has to wait, and
// then has room: over random times and amounts, against a list of all that was
// used.
func TestNoWindowHoldsMore(t *testing.T) {
	type used struct {
		at time.Time
		n  int64
	}
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		amount, per := 1+random.Int64N(50), time.Second+time.Duration(random.Int64N(int64(time.Hour)))
		limit := objects(rate(amount, per))
		c, now := New(Most), noon
		var all []used
		for range 1000 {
			now = now.Add(time.Duration(random.Int64N(int64(per) / 20)))
			n := 1 + random.Int64N(min(amount, 5))
			wait := take(c, alice, reads(n, 0), now, limit)
			if wait > 0 {
				if wait > per+per/parts+time.Millisecond {
					t.Fatalf("seed %d: wait %v for a window of %v", seed, wait, per)
				}
				now = now.Add(wait)
				if again := take(c, alice, reads(n, 0), now, limit); again != 0 {
					t.Fatalf("seed %d: after the wait %v more", seed, again)
				}
			}
			all = append(all, used{now, n})
			var sum int64
			for _, u := range all {
				if now.Sub(u.at) < per {
					sum += u.n
				}
			}
			if sum > amount {
				t.Fatalf("seed %d: %d in one window of %d", seed, sum, amount)
			}
		}
	}
}

func TestLimitsTogether(t *testing.T) {
	hour, day := rate(2, time.Hour), rate(3, 24*time.Hour)
	for name, test := range map[string]struct {
		limits []policy.Limit
		uses   []Use
		room   int // how often there is room for uses
		never  bool
	}{
		"one budget with room is enough":       {[]policy.Limit{objects(hour, day)}, reads(1, 0), 3, false},
		"each limit must have room":            {[]policy.Limit{objects(day), objects(hour)}, reads(1, 0), 2, false},
		"limits alike count once":              {[]policy.Limit{objects(hour), objects(hour)}, reads(1, 0), 2, false},
		"limits of one window count once":      {[]policy.Limit{objects(rate(5, time.Hour)), objects(hour)}, reads(1, 0), 2, false},
		"no budget is no bound":                {[]policy.Limit{objects()}, reads(1, 0), 100, false},
		"what is not used is not bounded":      {[]policy.Limit{objects(hour)}, reads(0, 1<<40), 100, false},
		"another label is not bounded":         {[]policy.Limit{objects(hour)}, []Use{{Label: "PUBLIC", Access: policy.Reads, Objects: 1}}, 100, false},
		"another access is not bounded":        {[]policy.Limit{objects(hour)}, []Use{{Label: "SENSITIVE", Access: policy.Updates, Objects: 1}}, 100, false},
		"more than the budget":                 {[]policy.Limit{objects(hour)}, reads(3, 0), 0, true},
		"more than one budget, not the other":  {[]policy.Limit{objects(hour, day)}, reads(3, 0), 1, false},
		"monitored":                            {[]policy.Limit{{Label: "SENSITIVE", Access: policy.Reads, Monitored: true, Budgets: []policy.Budget{{Objects: hour}}}}, reads(1, 0), 100, false},
		"objects and bytes of one budget":      {[]policy.Limit{{Label: "SENSITIVE", Access: policy.Reads, Budgets: []policy.Budget{{Objects: rate(9, time.Hour), Bytes: rate(25, time.Hour)}}}}, reads(1, 10), 2, false},
		"a budget of objects and one of bytes": {[]policy.Limit{{Label: "SENSITIVE", Access: policy.Reads, Budgets: []policy.Budget{{Objects: hour}, {Bytes: rate(50, time.Hour)}}}}, reads(1, 10), 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Most)
			for i := range 100 {
				_, noted, short := c.Reserve(alice, test.uses, test.limits, noon)
				if short != nil {
					if i != test.room || short.Never != test.never || len(noted) > 0 {
						t.Errorf("after %d: %+v, noted %v", i, short, noted)
					}
					return
				}
				if want := name == "monitored" && i >= 2; (len(noted) > 0) != want {
					t.Errorf("use %d: noted %v", i, noted)
				}
			}
			if test.room != 100 {
				t.Errorf("there is room for ever")
			}
		})
	}
}

// What is refused is not counted; what is given back is not either.
func TestGivingBack(t *testing.T) {
	limit := policy.Limit{Label: "SENSITIVE", Access: policy.Reads, Budgets: []policy.Budget{{Objects: rate(10, time.Hour), Bytes: rate(100, time.Hour)}}}
	c := New(Most)
	r, _, short := c.Reserve(alice, reads(1, 80), []policy.Limit{limit}, noon)
	if short != nil {
		t.Fatal(short)
	}
	if wait := take(c, alice, reads(1, 30), noon, limit); wait <= 0 {
		t.Fatal("there is room")
	}
	r.ReturnBytes(30)
	if wait := take(c, alice, reads(1, 50), noon, limit); wait != 0 {
		t.Errorf("the bytes given back have to wait %v", wait)
	}
	r.ReturnBytes(1000) // no more than was taken
	if wait := take(c, alice, reads(0, 51), noon, limit); wait <= 0 {
		t.Error("more was given back than was taken")
	}
	if wait := take(c, alice, reads(0, 50), noon, limit); wait != 0 {
		t.Errorf("what was given back has to wait %v", wait)
	}
	if wait := take(c, alice, reads(9, 0), noon, limit); wait <= 0 {
		t.Error("giving bytes back has given objects back")
	}
	r.Cancel()
	if wait := take(c, alice, reads(9, 0), noon, limit); wait != 0 {
		t.Errorf("the cancelled object has to wait %v", wait)
	}
	late, _, _ := c.Reserve(bob, reads(1, 80), []policy.Limit{limit}, noon)
	if wait := take(c, bob, reads(1, 80), noon.Add(2*time.Hour), limit); wait != 0 {
		t.Fatalf("after two hours one has to wait %v", wait)
	}
	late.ReturnBytes(80) // of a window that is over
	if wait := take(c, bob, reads(1, 30), noon.Add(2*time.Hour), limit); wait <= 0 {
		t.Error("what was given back came out of another window")
	}
	(*Reservation)(nil).ReturnBytes(1)
	(*Reservation)(nil).Cancel()
}

func TestMemoryIsBounded(t *testing.T) {
	limit := objects(rate(1, time.Minute))
	c := New(2000)
	who := func(i int) Who { return Who{"https://idp.example", fmt.Sprint(i)} }
	for i := range 2000 {
		if wait := take(c, who(i), reads(1, 0), noon, limit); wait != 0 {
			t.Fatalf("%d has to wait %v", i, wait)
		}
	}
	_, _, short := c.Reserve(who(2000), reads(1, 0), []policy.Limit{limit}, noon.Add(2*time.Second))
	if short == nil || !short.Full || short.Never || short.Wait != time.Second {
		t.Errorf("got %+v", short)
	}
	if wait := take(c, who(0), reads(1, 0), noon.Add(2*time.Second), limit); wait < 50*time.Second {
		t.Errorf("who was there first was forgotten: %v", wait)
	}
	monitored := limit
	monitored.Monitored = true
	if _, _, short := c.Reserve(who(2000), reads(1, 0), []policy.Limit{monitored}, noon.Add(2*time.Second)); short != nil {
		t.Errorf("what is only monitored is refused: %+v", short)
	}
	if wait := take(c, who(2000), reads(1, 0), noon.Add(2*time.Minute), limit); wait != 0 || len(c.windows) != 1 {
		t.Errorf("what has run out is still there: %v, %d windows", wait, len(c.windows))
	}
}

// A clock that is set back gives nobody more, and amounts that nobody has do not
// overflow.
func TestClocksAndAmounts(t *testing.T) {
	c, limit := New(Most), objects(rate(2, time.Hour))
	if take(c, alice, reads(1, 0), noon, limit) != 0 || take(c, alice, reads(1, 0), noon.Add(-time.Hour), limit) != 0 {
		t.Fatal("there is no room")
	}
	if wait := take(c, alice, reads(1, 0), noon.Add(-2*time.Hour), limit); wait <= 0 {
		t.Error("a clock that is set back gives more")
	}
	if wait := take(c, alice, reads(1, 0), noon.Add(59*time.Minute), limit); wait <= 0 {
		t.Error("the window has ended early")
	}
	watched := policy.Limit{Label: "SENSITIVE", Access: policy.Reads, Monitored: true, Budgets: []policy.Budget{{Bytes: rate(5, time.Hour)}}}
	enforced := watched
	enforced.Monitored = false
	for i := range 200 {
		if wait := take(c, bob, reads(0, math.MaxInt64), noon.Add(time.Duration(i)*time.Minute/2), watched); wait != 0 {
			t.Fatalf("the monitored has to wait %v", wait)
		}
	}
	if wait := take(c, bob, reads(0, 1), noon.Add(100*time.Minute), enforced); wait <= 0 {
		t.Error("the sum has overflowed")
	}
}

func TestConcurrentUse(t *testing.T) {
	c, limit := New(Most), objects(rate(500, time.Hour))
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for range 8 {
		wg.Go(func() {
			for range 200 {
				r, _, short := c.Reserve(alice, reads(1, 0), []policy.Limit{limit}, noon)
				if short != nil {
					continue
				}
				if mu.Lock(); got%3 == 0 {
					r.ReturnBytes(1)
				}
				got++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got != 500 {
		t.Errorf("%d were let through, want 500", got)
	}
}

func BenchmarkReserve(b *testing.B) {
	c, limits := New(Most), []policy.Limit{objects(rate(math.MaxInt64, time.Hour))}
	for b.Loop() {
		c.Reserve(alice, reads(1, 0), limits, noon)
	}
}
