package proxy

import (
	"sync"
	"time"
)

const (
	logoutsPerMinute = 6000  // of one client address: a provider may end everybody's sessions at once
	maxSources       = 10000 // that are told apart
)

// A perMinute counts calls by their source, a minute at a time.
type perMinute struct {
	mu     sync.Mutex // guards what follows
	minute time.Time
	counts map[string]int
}

// permits counts a call, and says whether its source has made no more than limit
// in this minute. When there are too many sources, further ones share a count.
func (t *perMinute) permits(source string, limit int, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if minute := now.Truncate(time.Minute); t.counts == nil || !minute.Equal(t.minute) {
		t.minute, t.counts = minute, map[string]int{}
	}
	if _, known := t.counts[source]; !known && len(t.counts) >= maxSources {
		source = ""
	}
	t.counts[source]++
	return t.counts[source] <= limit
}
