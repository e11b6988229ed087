package budget

import "slices"

// A Reservation is what was taken from budgets at once. A nil one holds nothing.
type Reservation struct {
	counts *Counts
	taken  []taken
}

// A taken amount is what can be given back.
type taken struct {
	key    key
	part   int64
	amount int64
}

// ReturnBytes gives back n of the bytes that were taken, because they were not
// moved. What has run out meanwhile is not missed.
func (r *Reservation) ReturnBytes(n int64) {
	if r == nil || n <= 0 {
		return
	}
	r.counts.mu.Lock()
	defer r.counts.mu.Unlock()
	for i := range r.taken {
		if t := &r.taken[i]; t.key.bytes {
			r.giveBack(t, min(n, t.amount))
		}
	}
}

// Cancel gives everything back.
func (r *Reservation) Cancel() {
	if r == nil {
		return
	}
	r.counts.mu.Lock()
	defer r.counts.mu.Unlock()
	r.cancel()
}

func (r *Reservation) cancel() {
	for i := range r.taken {
		r.giveBack(&r.taken[i], r.taken[i].amount)
	}
}

// giveBack is called with the mutex held.
func (r *Reservation) giveBack(t *taken, n int64) {
	t.amount -= n
	w := r.counts.windows[t.key]
	if w == nil {
		return
	}
	w.take(t.part, n)
	w.spent = slices.DeleteFunc(w.spent, func(s spending) bool { return s.amount == 0 })
}
