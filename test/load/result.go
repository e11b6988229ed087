package load

import (
	"slices"
	"time"
)

// A Result is what a plan has come to, in its measured time.
type Result struct {
	Requests  int // that were answered as they ought to be
	Errors    int // all others
	Late      int // that an open loop was to start and that had no answer when the time ended
	Open      int // answers that had begun and not ended when the time ended
	Bytes     int64
	Elapsed   time.Duration
	Latencies []time.Duration // of Requests, and of Late as if they had been answered at the end, in ascending order
	Faults    []string        // some of the errors, each once
}

// PerSecond is the number of requests in a second.
func (r Result) PerSecond() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// BytesPerSecond counts the bodies of requests and of answers.
func (r Result) BytesPerSecond() float64 { return float64(r.Bytes) / r.Elapsed.Seconds() }

// Quantile is the time in which the share q of the requests was done. It is 0
// when there are none.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	return r.Latencies[min(int(q*float64(len(r.Latencies))), len(r.Latencies)-1)]
}

// Slowest is the longest that a request took.
func (r Result) Slowest() time.Duration { return r.Quantile(1) }

// A tally is what one connection has counted.
type tally struct {
	latencies []time.Duration
	bytes     int64
	errors    int
	unmet     int
	faults    []string
}

func (t *tally) add(latency time.Duration, bytes int64, err error) {
	if err == nil {
		t.latencies = append(t.latencies, latency)
		t.bytes += bytes
		return
	}
	t.errors++
	if text := err.Error(); len(t.faults) < faultsKept && !slices.Contains(t.faults, text) {
		t.faults = append(t.faults, text)
	}
}

// late counts a request that had no answer when the time ended. To leave it out
// would make a server look the better the longer it hangs.
func (t *tally) late(latency time.Duration) {
	t.latencies = append(t.latencies, latency)
	t.unmet++
}

func sum(tallies []tally, elapsed time.Duration) Result {
	r := Result{Elapsed: elapsed}
	for _, t := range tallies {
		r.Latencies = append(r.Latencies, t.latencies...)
		r.Bytes += t.bytes
		r.Errors += t.errors
		r.Late += t.unmet
		for _, f := range t.faults {
			if len(r.Faults) < faultsKept && !slices.Contains(r.Faults, f) {
				r.Faults = append(r.Faults, f)
			}
		}
	}
	r.Requests = len(r.Latencies) - r.Late
	slices.Sort(r.Latencies)
	return r
}
