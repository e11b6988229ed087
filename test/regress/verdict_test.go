package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// benchstat builds the program that make regress runs.
func benchstat(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "benchstat")
	c := exec.Command("go", "build", "-o", out, "golang.org/x/perf/cmd/benchstat")
	c.Dir, c.Env = "../../.ci/tools", append(os.Environ(), "GOFLAGS=")
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build benchstat: %v\n%s", err, said)
	}
	return out
}

// measured are n samples of a benchmark that takes some nanoseconds, give or
// take a part of that, and allocates so often.
func measured(n int, ns, spread float64, allocs int) []string {
	random := rand.New(rand.NewPCG(1, uint64(ns)))
	var all []string
	for range n {
		all = append(all, fmt.Sprintf("1000 %.1f ns/op 64 B/op %d allocs/op", ns*(1+spread*(2*random.Float64()-1)), allocs))
	}
	return all
}

// bytesOf are samples of a benchmark that allocates so many bytes.
func bytesOf(all ...int) []string {
	var lines []string
	for _, n := range all {
		lines = append(lines, fmt.Sprintf("1000 100 ns/op %d B/op 0 allocs/op", n))
	}
	return lines
}

func TestVerdict(t *testing.T) {
	bench := []suite{{"pkg/a", []string{"Hot/of=1"}, timeAndMemory, short}}
	one := func(lines []string) samples { return samples{"pkg/a.Hot/of=1": lines} }
	g := gate{benchstat: benchstat(t)}
	for name, row := range map[string]struct {
		base, here samples
		lost       []string // units
		vague      int
		err        string
	}{
		"the same":                    {one(measured(8, 1000, 0.02, 2)), one(measured(8, 1001, 0.02, 2)), nil, 0, ""},
		"faster":                      {one(measured(8, 1000, 0.02, 2)), one(measured(8, 500, 0.02, 2)), nil, 0, ""},
		"a loss of 30 %":              {one(measured(8, 1000, 0.02, 2)), one(measured(8, 1300, 0.02, 2)), []string{"sec/op"}, 0, ""},
		"a loss of 10 %":              {one(measured(8, 1000, 0.02, 2)), one(measured(8, 1100, 0.02, 2)), nil, 0, ""},
		"noise of 60 %":               {one(measured(8, 1000, 0.6, 2)), one(measured(8, 1200, 0.6, 2)), nil, 1, ""},
		"a loss of 30 % in noise":     {one(measured(8, 1000, 0.1, 2)), one(measured(8, 1300, 0.1, 2)), []string{"sec/op"}, 0, ""},
		"one more allocation":         {one(measured(8, 1000, 0.02, 2)), one(measured(8, 1000, 0.02, 3)), []string{"allocs/op"}, 0, ""},
		"the first allocation":        {one(measured(8, 1000, 0.02, 0)), one(measured(8, 1000, 0.02, 1)), []string{"allocs/op"}, 0, ""},
		"too few runs to tell":        {one(measured(3, 1000, 0.02, 2)), one(measured(3, 1300, 0.02, 2)), nil, 1, ""},
		"a byte once in a while":      {one(bytesOf(0, 0, 0, 0, 0, 0, 0, 0)), one(bytesOf(0, 1, 0, 1, 0, 1, 0, 1)), nil, 0, ""},
		"one byte":                    {one(bytesOf(0, 0, 0, 0, 0, 0, 0, 0)), one(bytesOf(1, 1, 1, 1, 1, 1, 1, 1)), nil, 0, ""},
		"16 bytes":                    {one(bytesOf(0, 0, 0, 0, 0, 0, 0, 0)), one(bytesOf(16, 16, 16, 16, 16, 16, 16, 16)), []string{"B/op"}, 0, ""},
		"gone":                        {one(measured(8, 1000, 0.02, 2)), nil, nil, 0, "pkg/a.Hot/of=1 is not in this tree"},
		"nothing to compare with":     {nil, one(measured(8, 1000, 0.02, 2)), nil, 0, "nothing was compared"},
		"neither":                     {nil, nil, nil, 0, "is not in this tree"},
		"a unit that is not reported": {one([]string{"1 5 ns/op"}), one([]string{"1 5 ns/op"}), nil, 0, "pkg/a.Hot/of=1 was not compared in B/op"},
	} {
		t.Run(name, func(t *testing.T) {
			g := g
			g.folder = t.TempDir()
			c, err := g.judge(t.Context(), bench, row.base, row.here)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Fatalf("got %v, want %q", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var lost []string
			for _, f := range c.lost() {
				lost = append(lost, f.unit)
			}
			var shown bytes.Buffer
			c.print(&shown)
			if diff := cmp.Diff(row.lost, lost); diff != "" {
				t.Errorf("%s\n%s", diff, &shown)
			}
			if want := fmt.Sprintf("3 figures compared, %d worse", len(row.lost)); !strings.Contains(shown.String(), want) {
				t.Errorf("it does not say %q:\n%s", want, &shown)
			}
			if said := strings.Contains(shown.String(), "a loss may hide"); c.vague() != row.vague || said != (row.vague > 0) {
				t.Errorf("%d figures are vague, want %d:\n%s", c.vague(), row.vague, &shown)
			}
		})
	}
}

// One benchmark that only this tree has is said, and the others are compared.
func TestWhatIsNewIsSaid(t *testing.T) {
	g := gate{benchstat: benchstat(t), folder: t.TempDir()}
	suites := []suite{{"pkg/a", []string{"Old", "New"}, onlyTime, short}}
	lines := measured(8, 1000, 0.02, 2)
	c, err := g.judge(t.Context(), suites, samples{"pkg/a.Old": lines}, samples{"pkg/a.Old": lines, "pkg/a.New": lines})
	if err != nil || len(c.figures) != 1 || !cmp.Equal(c.fresh, []string{"pkg/a.New"}) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestChange(t *testing.T) {
	for said, want := range map[string]float64{"~": 0, "0.00%": 0, "+3.50%": 0.035, "-50.00%": -0.5, "?": math.Inf(1)} {
		if got, err := change(said); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("%q: got %v, %v, want %v", said, got, err, want)
		}
	}
	for _, said := range []string{"", "3", "a%"} {
		if got, err := change(said); err == nil {
			t.Errorf("%q is read as %v", said, got)
		}
	}
}

func TestReadsWhatBenchmarksPrint(t *testing.T) {
	s := suite{"pkg/a", []string{"Hot/x=1", "Other"}, onlyTime, short}
	got := samples{}
	s.read("goos: linux\nBenchmarkHot/x=1-16  \t 100\t 5.5 ns/op\t 0 B/op\nBenchmarkHot/x=12-16 \t 100\t 6 ns/op\nBenchmarkOther \t 3\t 7 ns/op\nPASS\n", got)
	want := samples{"pkg/a.Hot/x=1": {"100\t 5.5 ns/op\t 0 B/op"}, "pkg/a.Other": {"3\t 7 ns/op"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, want := s.pattern(), `^BenchmarkHot$/^x=1$|^BenchmarkOther$`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOnlyTakesWhatIsLost(t *testing.T) {
	suites := []suite{{"pkg/a", []string{"X", "Y"}, onlyTime, short}, {"pkg/b", []string{"X"}, onlyTime, short}}
	want := []suite{{"pkg/a", []string{"Y"}, onlyTime, short}}
	got := only(suites, []figure{{name: "pkg/a.Y"}})
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(suite{})); diff != "" {
		t.Error(diff)
	}
	if len(suites[0].names) != 2 || suites[0].names[0] != "X" {
		t.Errorf("the list is now %v", suites)
	}
}
