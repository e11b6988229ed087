package proxy

import (
	"fmt"
	"testing"
	"time"
)

func TestLogoutsAreLimited(t *testing.T) {
	var calls perMinute
	now := time.Unix(1700000000, 0).Truncate(time.Minute)
	for i := range 3 {
		if got := calls.permits("192.0.2.1", 2, now); got != (i < 2) {
			t.Errorf("call %d: %v", i, got)
		}
	}
	if !calls.permits("192.0.2.2", 2, now) {
		t.Error("another source is refused")
	}
	if !calls.permits("192.0.2.1", 2, now.Add(time.Minute)) {
		t.Error("the next minute is refused")
	}
	for i := range 2 * maxSources {
		calls.permits(fmt.Sprint(i), 2, now)
	}
	if len(calls.counts) > maxSources+1 {
		t.Errorf("%d sources are kept", len(calls.counts))
	}
	if calls.permits("one more", 2, now) {
		t.Error("with too many sources further ones are not limited")
	}
}
