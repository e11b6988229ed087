package e2e_test

import (
	"bufio"
	"cmp"
	"debug/buildinfo"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// vitals are what the sidecar uses of its machine.
type vitals struct {
	memory, heap course
	peak         int64    // bytes resident
	rest         [2]usage // before and after
}

// A course is how much memory there was, once a second of the load, in bytes.
type course []int64

// fewest samples say anything.
const fewest = 20

// ends are what there was after the first third and after the last, each the
// median of a tenth of the time, which no single burst moves.
func (c course) ends() (first, last int64) {
	if len(c) < fewest {
		return 0, 0
	}
	median := func(part []int64) int64 {
		part = slices.Sorted(slices.Values(part))
		return part[len(part)/2]
	}
	n := len(c)
	return median(c[n/3-n/10 : n/3]), median(c[n-n/10:])
}

func (c course) String() string {
	first, last := c.ends()
	return fmt.Sprintf("%.1f MiB after the first third, %.1f after the last", mib(first), mib(last))
}

// usage is what a sidecar has open that has nothing to do.
type usage struct{ goroutines, descriptors int }

// growth is how much more memory there may be after the last third of the load
// than after the first. The collector lets the heap grow to twice of what lives
// before it runs, and about 10 MiB live, of which buffers of streams and
// compressors come and go; so as much is noise. What leaks with every request
// shows through it: two minutes leave less than 4 KiB a request, an hour less
// than 200 bytes.
const growth = 16 << 20

func (v *vitals) String() string {
	return fmt.Sprintf("resident %s, peak %.1f; heap and stacks %s; goroutines %d before, %d after; descriptors %d before, %d after",
		v.memory, mib(v.peak), v.heap, v.rest[0].goroutines, v.rest[1].goroutines, v.rest[0].descriptors, v.rest[1].descriptors)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// resident is the memory of the sidecar now.
func (v *vitals) resident(s *soak) int64 {
	return statusOf(s.sidecar.cmd.Process.Pid, "VmRSS:")
}

// statusOf reads a line of /proc/PID/status, in bytes. 0: it is not there.
func statusOf(pid int, line string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), line)
	var n int64
	_, _ = fmt.Sscanf(rest, "%d", &n)
	return n << 10
}

// watch looks at the memory once a second until it is stopped.
func (v *vitals) watch(t *testing.T, s *soak) (stop func()) {
	t.Helper()
	end := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(time.Second):
				v.memory = append(v.memory, v.resident(s))
				is := v.metrics(s)
				v.heap = append(v.heap, int64(is["go_memstats_heap_inuse_bytes"]+is["go_memstats_stack_inuse_bytes"]))
			}
		}
	})
	return func() {
		close(end)
		watching.Wait()
		v.peak = statusOf(s.sidecar.cmd.Process.Pid, "VmHWM:")
	}
}

// judgeMemory compares the ends of the first third and of the last. The race
// detector keeps books of its own, which grow; then the heap alone counts.
func (s *soak) judgeMemory() {
	v := s.vitals
	if len(v.memory) < fewest {
		s.fault("memory was looked at %d times, which says nothing", len(v.memory))
		return
	}
	judge := func(what string, c course) {
		if first, last := c.ends(); last-first > growth {
			s.fault("%s is not flat: %s", what, c)
		}
	}
	judge("the heap", v.heap)
	if !withRaceDetector(s.t) {
		judge("resident memory", v.memory)
	}
}

// withRaceDetector says how gimme was built.
func withRaceDetector(t *testing.T) bool {
	t.Helper()
	built, err := buildinfo.ReadFile(gimme)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(built.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// metrics reads the admin listener.
func (v *vitals) metrics(s *soak) map[string]float64 {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(s.admin + "/metrics")
	if err != nil {
		s.fault("read the metrics: %v", err)
		return nil
	}
	defer response.Body.Close()
	all := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = n
		}
	}
	return all
}

func (v *vitals) metric(s *soak, name string) float64 { return v.metrics(s)[name] }

// use is what is open now.
func (v *vitals) use(s *soak) usage {
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.sidecar.cmd.Process.Pid))
	if err != nil {
		s.fault("%v", err)
	}
	return usage{int(v.metric(s, "go_goroutines")), len(names)}
}

// settle waits until a sidecar without clients has put down what it used for
// them, and returns what is left.
func (s *soak) settle() usage {
	var is usage
	least := usage{1 << 30, 1 << 30}
	for still := 0; still < 20; { // for two seconds nothing has become less
		s.weather.rest()
		is = s.vitals.use(s)
		next := usage{min(least.goroutines, is.goroutines), min(least.descriptors, is.descriptors)}
		still++
		if next != least {
			still = 0
		}
		least = next
		time.Sleep(100 * time.Millisecond)
	}
	s.vitals.rest[0] = least
	return least
}

// settleTo waits until nothing is open that was not before, as long as the time
// limits of idle connections take.
func (s *soak) settleTo(before usage) {
	var is usage
	back := eventuallyTrue(3*patience, func() bool {
		s.weather.rest()
		is = s.vitals.use(s)
		return is.goroutines <= before.goroutines && is.descriptors <= before.descriptors
	})
	s.vitals.rest[1] = is
	if !back {
		s.fault("something has leaked: %d goroutines and %d descriptors before, %d and %d after:\n%s",
			before.goroutines, before.descriptors, is.goroutines, is.descriptors, s.vitals.open(s))
	}
}

// open names what is open, by kind.
func (v *vitals) open(s *soak) string {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.sidecar.cmd.Process.Pid)) // the pattern is well formed
	kinds := newTallies()
	for _, name := range names {
		to, _ := os.Readlink(name) // it may be gone
		kind, _, _ := strings.Cut(cmp.Or(to, "gone"), ":")
		kinds.add(kind)
	}
	return kinds.String()
}
