package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// A figure is one unit of one benchmark, before and now.
type figure struct {
	name, unit  string
	before, now float64 // medians
	change      float64 // of before; 0 where it may be noise, infinite where before was nothing
	spread      float64 // of the runs about their median, as a part of it; the larger of both
	said        string  // by benchstat of the change
}

// A comparison is of all that could be compared.
type comparison struct {
	figures []figure
	fresh   []string // benchmarks that the baseline does not have
}

// judge compares what was measured. It fails where something that is hot was
// not compared.
func (g *gate) judge(ctx context.Context, suites []suite, base, here samples) (*comparison, error) {
	c := &comparison{}
	var faults []error
	compared := 0
	for _, s := range suites {
		for _, name := range s.names {
			full := s.full(name)
			switch {
			case len(here[full]) == 0:
				faults = append(faults, fmt.Errorf("%s is not in this tree: bring it back, or take it from the list in test/regress/hot.go", full))
			case len(base[full]) == 0:
				c.fresh = append(c.fresh, full)
			default:
				compared++
			}
		}
	}
	if compared == 0 {
		faults = append(faults, errors.New("nothing was compared, because the baseline has none of these benchmarks: name a later commit in .ci/baseline"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	table, err := g.stat(ctx, base, here)
	if err != nil {
		return nil, err
	}
	figures, err := parse(table)
	if err != nil {
		return nil, fmt.Errorf("read what benchstat says: %w\n%s", err, table)
	}
	for _, s := range suites {
		for _, name := range s.names {
			if slices.Contains(c.fresh, s.full(name)) {
				continue
			}
			for _, unit := range s.units {
				i := slices.IndexFunc(figures, func(f figure) bool { return f.name == s.full(name) && f.unit == unit })
				if i < 0 {
					faults = append(faults, fmt.Errorf("%s was not compared in %s: both trees have to report it", s.full(name), unit))
					continue
				}
				c.figures = append(c.figures, figures[i])
			}
		}
	}
	return c, errors.Join(faults...)
}

// stat has benchstat compare.
func (g *gate) stat(ctx context.Context, base, here samples) ([]byte, error) {
	args := []string{"-format", "csv", "-table", ".config", "-row", "pkg,.fullname"}
	for name, s := range map[string]samples{"base": base, "here": here} {
		if err := os.WriteFile(filepath.Join(g.folder, name+".txt"), s.text(), 0o600); err != nil {
			return nil, err
		}
	}
	c := exec.CommandContext(ctx, g.benchstat, append(args, "base.txt", "here.txt")...)
	c.Dir = g.folder
	var said bytes.Buffer
	c.Stderr = &said
	table, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("benchstat: %w: %s", err, &said)
	}
	return table, nil
}

// text is what benchstat reads.
func (s samples) text() []byte {
	var b bytes.Buffer
	for _, full := range slices.Sorted(maps.Keys(s)) {
		pkg, name, _ := strings.Cut(full, ".")
		fmt.Fprintf(&b, "pkg: %s\n", pkg)
		for _, sample := range s[full] {
			fmt.Fprintf(&b, "Benchmark%s %s\n", name, sample)
		}
	}
	return b.Bytes()
}

// parse reads benchstat's CSV: for each unit a line that names it, then a line
// for each benchmark that both files have: its package and name, the median and
// the spread before and now, the change, and how sure that is.
func parse(table []byte) ([]figure, error) {
	r := csv.NewReader(bytes.NewReader(table))
	r.FieldsPerRecord = -1
	var all []figure
	unit := ""
	for {
		record, err := r.Read()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(record) >= 3 && record[0] == "" && record[2] == "CI" {
			unit = record[1]
			continue
		}
		pkg, name, ok := strings.Cut(record[0], " ")
		if len(record) != 7 || !ok || record[1] == "" || record[3] == "" {
			continue // a heading, a mean of all, a benchmark that one of the files has not
		}
		f := figure{name: pkg + "." + name, unit: unit, said: record[5]}
		var faults [5]error
		var was, is float64
		f.before, faults[0] = strconv.ParseFloat(record[1], 64)
		f.now, faults[1] = strconv.ParseFloat(record[3], 64)
		f.change, faults[2] = change(record[5])
		was, faults[3] = spread(record[2])
		is, faults[4] = spread(record[4])
		f.spread = max(was, is)
		if math.IsInf(f.change, 1) {
			f.said = "from nothing"
		}
		if err := errors.Join(faults[:]...); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
}

// spread reads benchstat's word for one: "3%", or "∞" where there were too few
// runs, and "?" where it reaches down to nothing.
func spread(said string) (float64, error) {
	if said == "∞" || said == "?" {
		return math.Inf(1), nil
	}
	return percent(said)
}

func percent(said string) (float64, error) {
	text, ok := strings.CutSuffix(said, "%")
	if !ok {
		return 0, fmt.Errorf("%q is no percentage", said)
	}
	n, err := strconv.ParseFloat(text, 64)
	return n / 100, err
}

// change reads benchstat's word for one: "+3.20%", "~" for what may be noise,
// and "?" where there was nothing before.
func change(said string) (float64, error) {
	switch said {
	case "~":
		return 0, nil
	case "?":
		return math.Inf(1), nil
	}
	return percent(said)
}

// someBytes is what an allocation has at least. A byte or two for each operation
// are what something else has allocated, once in a while.
const someBytes = 16

// lost are the figures that are worse by too much. An allocation of a few bytes
// is lost in allocs/op.
func (c *comparison) lost() []figure {
	var lost []figure
	for _, f := range c.figures {
		if f.change > most && (f.unit != "B/op" || f.now-f.before >= someBytes) {
			lost = append(lost, f)
		}
	}
	return lost
}

// vague counts the times in which a loss may hide.
func (c *comparison) vague() (n int) {
	for _, f := range c.figures {
		if f.spread > most && (f.unit == "sec/op" || f.unit == "times") {
			n++
		}
	}
	return n
}

// only is the part of suites that figures are of.
func only(suites []suite, figures []figure) []suite {
	var part []suite
	for _, s := range suites {
		s.names = slices.DeleteFunc(slices.Clone(s.names), func(name string) bool {
			return !slices.ContainsFunc(figures, func(f figure) bool { return f.name == s.full(name) })
		})
		if len(s.names) > 0 {
			part = append(part, s)
		}
	}
	return part
}

func sentence(lost []figure) string {
	var all []string
	for _, f := range lost {
		all = append(all, fmt.Sprintf("%s: %s from %s to %s (%s)", f.name, f.unit, f.text(f.before), f.text(f.now), f.said))
	}
	return "lost on hot paths: " + strings.Join(all, "; ")
}

// text is a value in the figure's unit.
func (f figure) text(v float64) string {
	if f.unit == "sec/op" {
		return time.Duration(v * float64(time.Second)).String()
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// print shows what was compared: all times, and what else has changed.
func (c *comparison) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range c.figures {
		if f.change != 0 || f.unit == "sec/op" || f.unit == "times" {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.name, f.unit, f.text(f.before), f.text(f.now), f.said)
		}
	}
	t.Flush()
	for _, name := range c.fresh {
		fmt.Fprintf(w, "%s is new: the baseline does not have it\n", name)
	}
	if n := c.vague(); n > 0 {
		fmt.Fprintf(w, "%d times vary by more than %.0f %% by themselves, so that a loss may hide in them: the machine is busy with other things\n", n, 100*most)
	}
	fmt.Fprintf(w, "regress: %d figures compared, %d worse by more than %.0f %%\n", len(c.figures), len(c.lost()), 100*most)
}
