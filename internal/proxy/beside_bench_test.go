package proxy_test

import (
	"testing"
	"time"
)

// BenchmarkGetBeside is how many times longer a GET of 4 KiB takes through the
// sidecar than through a plain reverse proxy, in turn and on one connection
// each: a ratio that stays while the machine is busy with other things.
func BenchmarkGetBeside(b *testing.B) {
	_, reverse, address, keys := small(b)
	var beside, sidecar time.Duration
	for b.Loop() {
		for range 10 {
			began := time.Now()
			get(b, reverse, keys, smallSize)
			turn := time.Now()
			get(b, address, keys, smallSize)
			beside, sidecar = beside+turn.Sub(began), sidecar+time.Since(turn)
		}
	}
	b.ReportMetric(float64(sidecar)/float64(beside), "times")
}
