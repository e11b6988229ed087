package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/test/load/rig"
)

func newComparison(t *testing.T) *comparison {
	t.Helper()
	c := &comparison{settings: settings{out: t.TempDir(), rounds: 3, duration: time.Second}}
	c.head = head{machine{"Some CPU", 2, "6.1", "go1.26", 2048}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), c.rounds, c.duration}
	var err error
	if c.raw, err = newRaw(c.out, c.head); err != nil {
		t.Fatal(err)
	}
	return c
}

// measured adds a sample a round of what a way did at a place.
func (c *comparison) measured(p place, way string, change func(*sample), requests ...int) {
	for round, n := range requests {
		s := sample{Case: p.name, Connections: p.connections, TLS: p.secure, Upstream: p.upstream, Way: way, Round: round, Requests: n, Seconds: 1, P50: 1, P99: 2, P999: 3, CPU: 1, Peak: 50}
		if change != nil {
			change(&s)
		}
		c.samples = append(c.samples, s)
	}
}

// TestAlternate wants the order turned round each time, every sample on disk,
// and no figure of a way that failed.
func TestAlternate(t *testing.T) {
	c := newComparison(t)
	var order []string
	ways := []*rig.Way{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	ask := func(w *rig.Way) (sample, error) {
		order = append(order, w.Name)
		return sample{Case: "case", Way: w.Name, Requests: 1, Seconds: 1}, nil
	}
	if err := c.alternate(t.Context(), "case", 3, ways, nil, ask); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abccbaabc" {
		t.Errorf("the order was %s", got)
	}
	if err := c.raw.Close(); err != nil {
		t.Fatal(err)
	}
	h, kept, err := readRaw([]string{c.raw.f.Name()})
	if err != nil || h != c.head {
		t.Errorf("%+v, %v; want %+v", h, err, c.head)
	}
	if diff := cmp.Diff(c.samples, kept); diff != "" || len(kept) != 9 || kept[8].Round != 2 {
		t.Errorf("%d samples are kept: %s", len(kept), diff)
	}
	for name, s := range map[string]sample{"errors": {Requests: 9, Errors: 1, Faults: []string{"the fault"}}, "nothing": {}} {
		c := newComparison(t)
		err := c.alternate(t.Context(), "case", 1, ways, nil, func(*rig.Way) (sample, error) { return s, nil })
		if err == nil || len(c.samples) != 0 || len(s.Faults) > 0 && !strings.Contains(err.Error(), s.Faults[0]) {
			t.Errorf("%s: %v, %d samples", name, err, len(c.samples))
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newComparison(t).alternate(ended, "case", 1, nil, nil, ask); err == nil {
		t.Error("an ended context: there is no error")
	}
}

// TestBudgets wants each to hold at its limit, and not beyond.
func TestBudgets(t *testing.T) {
	small, large := place{getSmall, 64, false, files}, place{getLarge, 4, false, files}
	for _, c := range []struct {
		name string
		fill func(*comparison)
		want []bool // met, of all that were measured
	}{
		{"nothing measured", func(*comparison) {}, nil},
		{"one way alone", func(c *comparison) { c.measured(small, gimme, nil, 1, 2, 3) }, nil},
		{"rounds that do not match", func(c *comparison) { c.measured(small, gimme, nil, 1, 2, 3); c.measured(small, goProxy, nil, 1, 2) }, nil},
		{"the median of ratios, not the ratio of medians", func(c *comparison) {
			c.measured(small, gimme, nil, 95, 100, 100) // ratios 0.95, 1, 0.33
			c.measured(small, goProxy, nil, 100, 100, 300)
		}, []bool{true}},
		{"too slow", func(c *comparison) {
			c.measured(small, gimme, nil, 94, 94, 94)
			c.measured(small, goProxy, nil, 100, 100, 100)
		}, []bool{false}},
		{"CPU is the less the better", func(c *comparison) {
			gib := func(cpu float64) func(*sample) { return func(s *sample) { s.CPU, s.Bytes = cpu, 1<<30 } }
			c.measured(large, gimme, gib(1.29), 90, 90, 90)
			c.measured(large, nginx, gib(1), 100, 100, 100)
		}, []bool{true, true}},
		{"too much CPU", func(c *comparison) {
			gib := func(cpu float64) func(*sample) { return func(s *sample) { s.CPU, s.Bytes = cpu, 1<<30 } }
			c.measured(large, gimme, gib(1.31), 89, 89, 89)
			c.measured(large, nginx, gib(1), 100, 100, 100)
		}, []bool{false, false}},
		{"uploads", func(c *comparison) {
			p := place{putHashed, 4, false, sink}
			c.measured(p, gimme, func(s *sample) { s.Bytes = 1 << 30 }, 80, 80, 80)
			c.measured(p, goProxy, nil, 100, 100, 100)
		}, []bool{false}},
		{"one connection", func(c *comparison) {
			p := place{getSmall, 1, false, files}
			c.measured(p, straight, func(s *sample) { s.P50 = 0.1 }, 1, 1, 1)
			c.measured(p, gimme, func(s *sample) { s.P50 = 0.31 }, 1, 1, 1)
		}, []bool{false}},
		{"memory", func(c *comparison) {
			c.measured(place{memoryGet, streams, false, files}, gimme, func(s *sample) { s.Peak = 64 }, 0)
			c.measured(place{memoryPut, streams, false, sink}, gimme, func(s *sample) { s.Peak = 65 }, 0)
		}, []bool{true, false}},
		{"flatness", func(c *comparison) {
			p := place{flat, 64, false, files}
			c.measured(p, flatWays()[0].Name, nil, 100, 100)
			c.measured(p, flatWays()[1].Name, nil, 91, 91)
			c.measured(p, flatWays()[4].Name, nil, 89, 89)
		}, []bool{true, false}},
		{"reloads", func(c *comparison) {
			p := place{"reload", 64, false, files}
			c.measured(p, "none", func(s *sample) { s.Slowest = 9 }, 1, 1)
			c.measured(p, reloaded, func(s *sample) { s.Slowest = 51 }, 1, 1)
		}, []bool{false}},
		{"reloads no worse than none", func(c *comparison) {
			p := place{"reload", 64, false, files}
			c.measured(p, "none", func(s *sample) { s.Slowest = 60 }, 1, 1)
			c.measured(p, reloaded, func(s *sample) { s.Slowest = 55 }, 1, 1)
		}, []bool{true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := newComparison(t)
			c.fill(run)
			var met []bool
			list := run.all()
			for _, b := range list {
				met = append(met, b.met)
			}
			if diff := cmp.Diff(c.want, met); diff != "" {
				t.Errorf("%s\n%s", diff, budgetTable(list))
			}
		})
	}
}

// TestEveryBudgetIsMeasured runs all cases with equal figures, and wants every
// budget of the scenes to be there.
func TestEveryBudgetIsMeasured(t *testing.T) {
	c := newComparison(t)
	names := make(map[string]bool)
	for _, s := range scenes() {
		for _, m := range s.cases {
			for _, n := range m.brief {
				if !slices.Contains(m.connections, n) {
					t.Errorf("%s with %d connections is measured with -short alone", m.name, n)
				}
			}
			for _, n := range m.connections {
				p := place{m.name, n, s.secure, s.upstream}
				if names[p.String()] {
					t.Errorf("%s stands twice", p)
				}
				names[p.String()] = true
				for _, way := range s.ways {
					c.measured(p, way, func(s *sample) { s.Bytes = 1 << 30 }, 100, 100, 100)
				}
			}
		}
	}
	// 4 small places for each of 4 others, but HEAD for rclone; 2 large for 2
	// figures; 4 uploads; 1 for one connection.
	if got := len(c.all()); got != 4*4-1+2*2+4+1 {
		t.Errorf("%d budgets are measured:\n%s", got, budgetTable(c.all()))
	}
}

// TestWrite wants machine, budgets, table and plots, in the page too, and the
// rest of the page as it was.
func TestWrite(t *testing.T) {
	c := newComparison(t)
	for _, way := range peers {
		c.measured(place{getSmall, 64, false, files}, way, func(s *sample) { s.Bytes = 4096 * 100; s.Workers = map[string]int{nginx: 1}[way] }, 100, 110, 120)
	}
	c.measured(place{memoryGet, streams, true, files}, gimme, nil, 0)
	c.page = filepath.Join(t.TempDir(), "performance.md")
	if err := c.write(); err == nil {
		t.Error("there is no page, and no error")
	}
	before, after := "# Performance\n\n", "\n## After\n"
	if err := os.WriteFile(c.page, []byte(before+opening+"old figures\n"+closing+after), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.write(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(c.page)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	if !strings.HasPrefix(page, before+opening) || !strings.HasSuffix(page, closing+after) || strings.Contains(page, "old figures") {
		t.Errorf("the page is now\n%s", page)
	}
	for _, want := range []string{
		"Some CPU", "Linux 6.1", "go1.26", "2 January 2026",
		"| GET 4 KiB, 64 connections, upstream nginx | straight | 110 |", "|  | nginx, 1 worker | 110 |", "| at least 0.95 | 1.00 | yes |", "| at least 2.00 | 1.00 | **no** |",
		"| GET 64 MiB, slow readers, 256 connections, TLS, upstream nginx | gimme |  |  |  |  |  |  |  | 50.0 |", "](performance/p99.svg)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	for _, folder := range []string{filepath.Join(filepath.Dir(c.page), "performance"), filepath.Join(c.out, "2026-01-02T030405")} {
		for _, p := range pictures() {
			for _, kind := range []string{".svg", ".png"} {
				if info, err := os.Stat(filepath.Join(folder, p.file+kind)); err != nil || info.Size() < 1000 {
					t.Errorf("%s%s: %v, %v", p.file, kind, info, err)
				}
			}
		}
	}
}

// TestFromFiles makes a page of two earlier runs, and refuses what is none.
func TestFromFiles(t *testing.T) {
	var s settings
	for _, way := range []string{gimme, goProxy} {
		c := newComparison(t)
		if err := c.keep(sample{Case: putHashed, Connections: 4, Upstream: sink, Way: way, Requests: 10, Seconds: 1, Bytes: 1 << 30, CPU: 1}); err != nil {
			t.Fatal(err)
		}
		if err := c.raw.Close(); err != nil {
			t.Fatal(err)
		}
		s.from = append(s.from, c.raw.f.Name())
	}
	s.out = t.TempDir()
	if err := compare(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(s.out, "2026-01-02T030405.md"))
	if want := "over go | at least 0.90 | 1.00; of 1.00 CPU s/GiB, SHA-256 takes 0.50 | yes |"; err != nil || !strings.Contains(string(page), want) {
		t.Errorf("no %q: %v\n%s", want, err, page)
	}
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	for _, text := range []string{"", "{}", "no JSON", `{"began":"2026-01-02T03:04:05Z"}` + "\nno JSON"} {
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := compare(t.Context(), settings{from: []string{bad}, out: t.TempDir()}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}} {
		if got := median(c.of); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.of, got, c.want)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-cases", "("}, {"-gimme", "noprogram"}, {"-nothing"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q: there is no error", args)
		}
	}
	s, err := parse([]string{"-short", "-ways", "^go$", "-gimme", "old=/bin/true"})
	if err != nil || s.rounds != 3 || s.duration != time.Second || !s.ways.MatchString(goProxy) || s.ways.MatchString("gogo") || s.others["old"] != "/bin/true" {
		t.Errorf("%+v, %v", s, err)
	}
}
