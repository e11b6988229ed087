package report

import (
	"maps"
	"time"
)

// maxSlots is how many slots of time there are at most.
const maxSlots = 96

// steps are the lengths that a slot can have, each a multiple of the one before.
var steps = [...]time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour, 364 * 24 * time.Hour, 50 * 364 * 24 * time.Hour,
}

// An axis divides the time in which there are events into slots, which become
// longer as that time does.
type axis struct {
	step        int // of steps
	first, last int64
	used        bool
}

func (a *axis) length() time.Duration { return steps[a.step] }

// slot is the number of the slot of a moment. coarser is by how much the slots had
// to become longer for it: what was counted by slot has to be put together.
func (a *axis) slot(at time.Time) (n, coarser int64) {
	seconds := max(at.Unix(), 0)
	n, coarser = seconds/int64(a.length().Seconds()), 1
	if !a.used {
		a.used, a.first, a.last = true, n, n
	}
	a.first, a.last = min(a.first, n), max(a.last, n)
	for a.last-a.first >= maxSlots && a.step < len(steps)-1 {
		by := int64(steps[a.step+1] / steps[a.step])
		a.step++
		coarser *= by
		a.first, a.last, n = a.first/by, a.last/by, n/by
	}
	return n, coarser
}

// start is when a slot begins.
func (a *axis) start(n int64) time.Time {
	return time.Unix(n*int64(a.length().Seconds()), 0).UTC()
}

// A count is what was counted.
type count struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"` // read and written
}

func (c count) plus(d count) count { return count{c.Requests + d.Requests, c.Bytes + d.Bytes} }

// A series is what was counted, by slot.
type series struct {
	count
	slots map[int64]count
}

func (s *series) add(slot int64, c count) {
	if s.slots == nil {
		s.slots = map[int64]count{}
	}
	s.count = s.plus(c)
	s.slots[slot] = s.slots[slot].plus(c)
}

// coarsen puts together what is in by slots each.
func (s *series) coarsen(by int64) {
	old := s.slots
	s.slots = make(map[int64]count, len(old))
	for n, c := range maps.All(old) {
		s.slots[n/by] = s.slots[n/by].plus(c)
	}
}
