package broker

import (
	"time"

	"github.com/gimme-broker/gimme/internal/store"
)

// A Freshness says what credentials at hand are good for.
type Freshness int

const (
	None  Freshness = iota // there are none, or they are not to be used
	Last                   // only if no newer ones can be had
	Due                    // to be renewed, by whoever gets to it
	Fresh                  // to be given as they are
)

const (
	renewBefore = 20 * time.Minute // of the end: SDKs refresh at 15 and 10
	mustBefore  = 15 * time.Minute
	uselessFor  = time.Minute     // too short to be given to anybody
	clockJump   = 5 * time.Minute // by which clocks do not differ, but are set
)

// FreshnessOf judges credentials; nil are None. They are renewed when less than
// 20 minutes are left, and not given with less than 15 when newer ones can be
// had; of short lives it is a third and a quarter.
func FreshnessOf(c *store.Credentials, now time.Time) Freshness {
	if c == nil {
		return None
	}
	left, life := c.Expires.Sub(now), c.Expires.Sub(c.Issued)
	switch {
	case left < uselessFor:
		return None
	case c.Issued.Sub(now) > clockJump:
		return Last // a clock was set back, and how long they last is anybody's guess
	case left < min(mustBefore, life/4):
		return Last
	case left < min(renewBefore, life/3):
		return Due
	}
	return Fresh
}

// FreshBetween is the time in which FreshnessOf finds c Fresh: from the first
// time on, and before the second.
func FreshBetween(c *store.Credentials) (from, until time.Time) {
	life := c.Expires.Sub(c.Issued)
	return c.Issued.Add(-clockJump), c.Expires.Add(-max(min(renewBefore, life/3), uselessFor))
}
