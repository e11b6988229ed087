// Package budget keeps count of what principals use of the data of labels, and
// says whether the limits that a policy puts on it leave room.
//
// Counts are held in memory, in windows that slide: each is divided into a
// fixed number of parts, and a part counts until the whole of it is older than
// the window. So in no window of that length is more used than its budget
// allows, and what was used comes free at most one part later than it might.
//
// It reads no clock and writes nothing; a restart forgets. The limits are those
// of package policy, whose decisions say which there are.
package budget

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// parts is into how many parts a window is divided.
const parts = 60

// Most is how many windows are counted at once, over all principals.
const Most = 1 << 16

// A Who is the identity of a principal.
type Who struct{ Issuer, Subject string }

// A Use is what one principal is about to use of the data of one label by one
// kind of access.
type Use struct {
	Label   string
	Access  policy.Access
	Objects int64
	Bytes   int64
}

// A Shortage is a limit that leaves no room.
type Shortage struct {
	Limit  policy.Limit
	Budget policy.Budget // the one of Limit that has room first
	// Wait is until when it does; Never says that it is too small for what is to
	// be used, however long one waits.
	Wait  time.Duration
	Never bool
	// Full says that the shortage is one of memory.
	Full bool
}

// Counts are what all principals have used. Make them with New; they are safe
// for concurrent use.
type Counts struct {
	most int

	mu      sync.Mutex // guards all below
	windows map[key]*window
	sweepAt int       // how many windows there are when those that have run out are thrown away
	swept   time.Time // when they last were
}

// A key names what is counted together: policies and rules that bound the same
// use in windows of the same length share the count.
type key struct {
	who    Who
	label  string
	access policy.Access
	bytes  bool // otherwise objects
	per    time.Duration
}

// largest bounds what is counted in one part, so that no sum overflows.
const largest = 1 << 56

// leastSwept is how few windows are not worth looking through.
const leastSwept = 1024

// New returns counts that hold at most so many windows.
func New(most int) *Counts {
	return &Counts{most: most, windows: map[key]*window{}, sweepAt: min(most, leastSwept)}
}

// Reserve takes what who is about to use, if all limits leave room for it, and
// nothing otherwise: it then returns the limit that has to be waited for
// longest. Of each limit one budget with room is enough. What is beyond a limit
// of a policy in monitor mode is taken nevertheless, and the limit noted. A
// limit on what is not used is met.
func (c *Counts) Reserve(who Who, uses []Use, limits []policy.Limit, now time.Time) (r *Reservation, noted []Shortage, short *Shortage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range limits {
		lacking := c.lacking(who, uses, l, now)
		switch {
		case lacking == nil:
		case l.Monitored:
			noted = append(noted, *lacking)
		case short == nil || short.before(lacking):
			short = lacking
		}
	}
	if short != nil {
		return nil, noted, short
	}
	r = &Reservation{counts: c}
	for _, t := range takings(who, uses, limits) {
		w := c.window(t.key, now)
		switch {
		case w != nil:
			r.taken = append(r.taken, taken{t.key, w.add(now, t.amount), t.amount})
		case !t.limit.Monitored:
			r.cancel()
			return nil, noted, &Shortage{Limit: t.limit, Wait: time.Second, Full: true}
		}
	}
	return r, noted, nil
}

// lacking is how l falls short, or nil when it leaves room.
func (c *Counts) lacking(who Who, uses []Use, l policy.Limit, now time.Time) *Shortage {
	i := useOf(uses, l)
	if i < 0 || len(l.Budgets) == 0 {
		return nil
	}
	var least *Shortage
	for _, b := range l.Budgets {
		s := &Shortage{Limit: l, Budget: b}
		for _, n := range needs(who, uses[i], b) {
			if n.amount > n.rate.Amount {
				s.Never = true
				continue
			}
			if w := c.windows[n.key]; w != nil {
				s.Wait = max(s.Wait, w.wait(now, n.rate.Amount-n.amount))
			}
		}
		if !s.Never && s.Wait == 0 {
			return nil
		}
		if least == nil || s.before(least) {
			least = s
		}
	}
	return least
}

// before says whether s has room earlier than o.
func (s *Shortage) before(o *Shortage) bool {
	if s.Never != o.Never {
		return o.Never
	}
	return s.Wait < o.Wait
}

// A need is what a budget must have room for.
type need struct {
	key    key
	rate   policy.Rate
	amount int64
}

// needs are of objects and of bytes, as far as b bounds them and u uses some.
func needs(who Who, u Use, b policy.Budget) []need {
	var list []need
	for _, n := range [...]need{
		{key{who, u.Label, u.Access, false, b.Objects.Per}, b.Objects, u.Objects},
		{key{who, u.Label, u.Access, true, b.Bytes.Per}, b.Bytes, u.Bytes},
	} {
		if n.rate != (policy.Rate{}) && n.amount > 0 {
			list = append(list, n)
		}
	}
	return list
}

// A taking is what is counted in one window.
type taking struct {
	key    key
	amount int64
	limit  policy.Limit // one for which it is counted, and not a monitored one if there is another
}

// takings counts each use once in every window that some limit has for it.
func takings(who Who, uses []Use, limits []policy.Limit) []taking {
	var list []taking
	for _, monitored := range [...]bool{false, true} {
		for _, l := range limits {
			i := useOf(uses, l)
			if i < 0 || l.Monitored != monitored {
				continue
			}
			for _, b := range l.Budgets {
				for _, n := range needs(who, uses[i], b) {
					if !slices.ContainsFunc(list, func(t taking) bool { return t.key == n.key }) {
						list = append(list, taking{n.key, min(n.amount, largest), l})
					}
				}
			}
		}
	}
	return list
}

// useOf is the place of the use that l bounds, or -1.
func useOf(uses []Use, l policy.Limit) int {
	return slices.IndexFunc(uses, func(u Use) bool { return u.Label == l.Label && u.Access == l.Access })
}

// window returns the window of that key, or nil when there is no memory for one
// more.
func (c *Counts) window(k key, now time.Time) *window {
	if w := c.windows[k]; w != nil {
		return w
	}
	if len(c.windows) >= c.sweepAt && now.Sub(c.swept) >= time.Second {
		for k, w := range c.windows {
			if w.empty(now) {
				delete(c.windows, k)
			}
		}
		c.swept, c.sweepAt = now, min(c.most, max(leastSwept, 2*len(c.windows)))
	}
	if len(c.windows) >= c.most {
		return nil
	}
	w := &window{part: (k.per + parts - 1) / parts}
	c.windows[k] = w
	return w
}

// A window is what was used in each of its parts that still counts, from the
// oldest to the youngest.
type window struct {
	part  time.Duration // the length of one
	spent []spending
}

// A spending is what was used in one part: the number of the part since 1970,
// and how much.
type spending struct {
	part   int64
	amount int64
}

// at is the part in which now lies. A clock that is set back stands still here.
func (w *window) at(now time.Time) int64 {
	p := now.UnixNano() / int64(w.part)
	if n := len(w.spent); n > 0 {
		p = max(p, w.spent[n-1].part)
	}
	return p
}

// counting are the spendings that count at now.
func (w *window) counting(now time.Time) []spending {
	first, _ := slices.BinarySearchFunc(w.spent, w.at(now)-parts, func(s spending, part int64) int { return cmp.Compare(s.part, part) })
	return w.spent[first:]
}

func (w *window) empty(now time.Time) bool { return len(w.counting(now)) == 0 }

// add counts amount, and returns the part in which it does.
func (w *window) add(now time.Time, amount int64) int64 {
	w.spent = append(w.spent[:0], w.counting(now)...) // at most parts+1
	part := w.at(now)
	if n := len(w.spent); n > 0 && w.spent[n-1].part == part {
		w.spent[n-1].amount = min(w.spent[n-1].amount+amount, largest)
	} else {
		w.spent = append(w.spent, spending{part, amount})
	}
	return part
}

// take takes amount back from what was counted in a part.
func (w *window) take(part, amount int64) {
	if i, ok := slices.BinarySearchFunc(w.spent, part, func(s spending, part int64) int { return cmp.Compare(s.part, part) }); ok {
		w.spent[i].amount = max(w.spent[i].amount-amount, 0)
	}
}

// wait is after how long no more than room is counted.
func (w *window) wait(now time.Time, room int64) time.Duration {
	counting := w.counting(now)
	var sum int64
	for _, s := range counting {
		sum += s.amount
	}
	var until int64
	for _, s := range counting {
		if sum <= room {
			break
		}
		sum -= s.amount
		until = s.part + parts + 1
	}
	if until == 0 {
		return 0
	}
	return time.Unix(0, until*int64(w.part)).Sub(now)
}
