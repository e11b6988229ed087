package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/gimme-broker/gimme/test/load"
	"github.com/gimme-broker/gimme/test/load/rig"
)

// A sample is what one way did in one round of one case.
type sample struct {
	Case        string   `json:"case"`
	Upstream    string   `json:"upstream"`
	TLS         bool     `json:"tls"`
	Connections int      `json:"connections"`
	Way         string   `json:"way"`
	Round       int      `json:"round"`
	Requests    int      `json:"requests"`
	Errors      int      `json:"errors"`
	Late        int      `json:"late"`
	Open        int      `json:"open"`
	Faults      []string `json:"faults,omitempty"`
	Bytes       int64    `json:"bytes"`
	Seconds     float64  `json:"seconds"`
	P50         float64  `json:"p50_ms"`
	P99         float64  `json:"p99_ms"`
	P999        float64  `json:"p99.9_ms"`
	Slowest     float64  `json:"slowest_ms"`
	CPU         float64  `json:"cpu_seconds"` // of the way
	UpstreamCPU float64  `json:"upstream_cpu_seconds"`
	ClientCPU   float64  `json:"client_cpu_seconds"`
	RSS         float64  `json:"rss_mib"` // of the way: the mean of what was seen
	Peak        float64  `json:"peak_mib"`
	Workers     int      `json:"workers,omitempty"` // of nginx
}

// rate is requests a second.
func (s sample) rate() float64 { return float64(s.Requests) / s.Seconds }

// volume is MiB a second.
func (s sample) volume() float64 { return float64(s.Bytes) / (1 << 20) / s.Seconds }

// cpuPerRequest is in microseconds, cpuPerGiB in seconds.
func (s sample) cpuPerRequest() float64 { return s.CPU / float64(s.Requests) * 1e6 }
func (s sample) cpuPerGiB() float64     { return s.CPU / (float64(s.Bytes) / (1 << 30)) }

// looks is how often memory is looked at.
const looks = 200 * time.Millisecond

// take measures one way under the plan, which says nothing of its target.
func take(ctx context.Context, w *rig.Way, u *rig.Upstream, p load.Plan) (sample, error) {
	p.Target = w.Target()
	var before, after [3]float64
	var peak rig.Usage
	var resident []int64
	var errs []error
	looking, stop := context.WithCancel(ctx)
	defer stop()
	looked := make(chan struct{})
	p.Begin = func() {
		if w.Part != nil {
			errs = append(errs, w.Part.ResetPeak())
		}
		before = processors(w, u, &errs)
		go func() {
			defer close(looked)
			resident = watch(looking, w)
		}()
	}
	p.End = func() {
		after = processors(w, u, &errs)
		if w.Part != nil {
			var err error
			peak, err = w.Part.Usage()
			errs = append(errs, err)
		}
		stop()
		<-looked
	}
	got, err := load.Run(ctx, p)
	if err := errors.Join(append(errs, err)...); err != nil {
		return sample{}, fmt.Errorf("%s: %w", w.Name, err)
	}
	s := sample{
		Upstream: u.Name, Way: w.Name, Workers: w.Workers, Connections: p.Connections,
		Requests: got.Requests, Errors: got.Errors, Late: got.Late, Open: got.Open, Faults: got.Faults, Bytes: got.Bytes, Seconds: got.Elapsed.Seconds(),
		P50: milliseconds(got.Quantile(0.5)), P99: milliseconds(got.Quantile(0.99)), P999: milliseconds(got.Quantile(0.999)), Slowest: milliseconds(got.Slowest()),
		CPU: after[0] - before[0], UpstreamCPU: after[1] - before[1], ClientCPU: after[2] - before[2],
		Peak: float64(peak.Peak) / (1 << 20),
	}
	for _, v := range resident {
		s.RSS += float64(v) / (1 << 20) / float64(len(resident))
	}
	return s, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// processors is what the way, the upstream and this process have used so far.
func processors(w *rig.Way, u *rig.Upstream, errs *[]error) (used [3]float64) {
	for i, p := range []*rig.Part{w.Part, u.Part} {
		if p == nil {
			continue
		}
		usage, err := p.Usage()
		*errs = append(*errs, err)
		used[i] = usage.CPU.Seconds()
	}
	var self syscall.Rusage
	*errs = append(*errs, os.NewSyscallError("getrusage", syscall.Getrusage(syscall.RUSAGE_SELF, &self)))
	used[2] = time.Duration(self.Utime.Nano() + self.Stime.Nano()).Seconds()
	return used
}

// watch looks at the memory of the way until ctx ends.
func watch(ctx context.Context, w *rig.Way) (resident []int64) {
	if w.Part == nil {
		return nil
	}
	for {
		if u, err := w.Part.Usage(); err == nil {
			resident = append(resident, u.RSS)
		}
		select {
		case <-ctx.Done():
			return resident
		case <-time.After(looks):
		}
	}
}

// median is the middle one; of an even number, the mean of the middle two. It
// is 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
