package response

import "time"

// parts is into how many parts a window is divided. A part counts until the whole
// of it is older than the window, so nothing within the window is missed, and at
// most a sixteenth of it too much is counted.
const parts = 16

// A window is what was counted in each of its parts, and the part under way.
type window struct {
	part int64 // the number of the youngest part since 1970
	sum  amount
	in   [parts + 1]amount
}

// add counts a at now, and returns the sum of the window. A clock that is set
// back stands still here.
func (w *window) add(now time.Time, within time.Duration, a amount) amount {
	w.advance(now.UnixNano() / int64(partOf(within)))
	slot := &w.in[w.part%int64(len(w.in))]
	slot.n, slot.bytes = slot.n+a.n, slot.bytes+a.bytes
	w.sum.n, w.sum.bytes = w.sum.n+a.n, w.sum.bytes+a.bytes
	return w.sum
}

func partOf(within time.Duration) time.Duration { return (within + parts - 1) / parts }

// advance lets what is older than the window fall out of it.
func (w *window) advance(part int64) {
	for n := min(part-w.part, int64(len(w.in))); n > 0; n-- {
		slot := &w.in[(part-n+1)%int64(len(w.in))]
		w.sum.n, w.sum.bytes = w.sum.n-slot.n, w.sum.bytes-slot.bytes
		*slot = amount{}
	}
	w.part = max(w.part, part)
}

// empty forgets what was counted.
func (w *window) empty() { *w = window{part: w.part} }

// A usual is what a principal reads in a window: an exponentially weighted
// average of those windows in which it has read anything. Idle ones do not count,
// so that nights and holidays make nobody's mornings unusual.
type usual struct {
	number  int64 // of the window under way, since 1970
	current amount
	windows int // that have come to their end
	n       float64
	bytes   float64
}

// weight is that of the newest window. Until there are as many as make it so,
// all count the same.
const weight = 0.1

// add counts a at now.
func (u *usual) add(now time.Time, r *Rule, a amount) {
	if number := now.UnixNano() / int64(r.Within); number > u.number {
		if u.current != (amount{}) {
			u.fold(r)
		}
		u.number, u.current = number, amount{}
	}
	u.current.n, u.current.bytes = u.current.n+a.n, u.current.bytes+a.bytes
}

// fold takes the window that has ended into the average. One that is unusual
// counts as much as is just not so: otherwise it would make the next one usual.
func (u *usual) fold(r *Rule) {
	n, bytes := float64(u.current.n), float64(u.current.bytes)
	if u.windows >= r.history {
		n = min(n, max(r.times*u.n, float64(r.least.n)))
		bytes = min(bytes, max(r.times*u.bytes, float64(r.least.bytes)))
	}
	u.windows++
	share := max(weight, 1/float64(u.windows))
	u.n += share * (n - u.n)
	u.bytes += share * (bytes - u.bytes)
}
