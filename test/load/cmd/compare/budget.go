package main

import (
	"fmt"
	"slices"
	"strings"
)

// A budget is a promise, and what was measured of it.
type budget struct {
	name, promise, measured string
	met                     bool
}

// A figure is a number read off a sample.
type figure func(sample) float64

// A place is where a budget is measured.
type place struct {
	name        string
	connections int
	secure      bool
	upstream    string
}

func (p place) String() string {
	return caseName(p.name, scene{upstream: p.upstream, secure: p.secure}, p.connections)
}

// figures are those of one way at that place, in the order of rounds.
func (c *comparison) figures(p place, way string, f figure) (all []float64) {
	for _, s := range c.samples {
		if s.Case == p.name && s.Connections == p.connections && s.TLS == p.secure && s.Upstream == p.upstream && s.Way == way {
			all = append(all, f(s))
		}
	}
	return all
}

// against is the median, over the rounds, of what compare makes of both ways'
// figures of one round; ok is false if they were not measured.
func (c *comparison) against(p place, a, b string, f figure, compare func(a, b float64) float64) (float64, bool) {
	left, right := c.figures(p, a, f), c.figures(p, b, f)
	if len(left) == 0 || len(left) != len(right) {
		return 0, false
	}
	var all []float64
	for i := range left {
		all = append(all, compare(left[i], right[i]))
	}
	return median(all), true
}

func ratio(a, b float64) float64      { return a / b }
func difference(a, b float64) float64 { return a - b }

// all is every budget that this run has measured.
func (c *comparison) all() (list []budget) {
	list = append(list, c.ratioBudgets()...)
	one := place{getSmall, 1, false, files}
	if d, ok := c.against(one, gimme, straight, func(s sample) float64 { return s.P50 }, difference); ok {
		list = append(list, budget{one.String() + ": median over straight", "at most 0.2 ms", fmt.Sprintf("%.2f ms", d), d <= 0.2})
	}
	list = append(list, c.memoryBudgets()...)
	list = append(list, c.flatBudgets()...)
	return append(list, c.reloadBudgets()...)
}

// ratioBudgets are those that say how many times another's figure is allowed,
// or wanted.
func (c *comparison) ratioBudgets() (list []budget) {
	requests, cpu := figure(sample.rate), figure(sample.cpuPerGiB)
	small := []place{{getSmall, 8, false, files}, {getSmall, 64, false, files}, {headSmall, 64, false, files}, {getSmall, 64, true, files}}
	for _, b := range []struct {
		places []place
		other  string
		what   string
		f      figure
		want   float64
		most   bool // want is the most, not the least
	}{
		{small, goProxy, "requests a second", requests, 0.95, false},
		{small, nginx, "requests a second", requests, 0.7, false},
		{small, versitygw, "requests a second", requests, 2, false},
		{small, rclone, "requests a second", requests, 2, false},
		{[]place{{getLarge, 1, false, files}, {getLarge, 4, false, files}}, nginx, "throughput", requests, 0.9, false},
		{[]place{{getLarge, 1, false, files}, {getLarge, 4, false, files}}, nginx, "CPU per GiB", cpu, 1.3, true},
		{[]place{{putHashed, 1, false, sink}, {putHashed, 4, false, sink}, {putCRC32, 4, false, sink}, {putCRC64, 4, false, sink}}, goProxy, "throughput", requests, 0.9, false},
	} {
		for _, p := range b.places {
			if p.name == headSmall && b.other == rclone {
				continue // it answers from what it remembers of a listing, and asks nobody
			}
			got, ok := c.against(p, gimme, b.other, b.f, ratio)
			if !ok {
				continue
			}
			word, met := "at least", got >= b.want
			if b.most {
				word, met = "at most", got <= b.want
			}
			list = append(list, budget{fmt.Sprintf("%s: %s, over %s", p, b.what, b.other), fmt.Sprintf("%s %.2f", word, b.want), fmt.Sprintf("%.2f", got) + c.hashed(p), met})
		}
	}
	return list
}

// hashed says what SHA-256 takes of an upload whose digest is signed, which is
// to be computed by whoever verifies it and by nobody else.
func (c *comparison) hashed(p place) string {
	if p.name != putHashed || c.Machine.SHA256 == 0 {
		return ""
	}
	return fmt.Sprintf("; of %.2f CPU s/GiB, SHA-256 takes %.2f", median(c.figures(p, gimme, sample.cpuPerGiB)), 1024/c.Machine.SHA256)
}

// memoryLimit is in MiB.
const memoryLimit = 64

func (c *comparison) memoryBudgets() (list []budget) {
	for _, p := range []place{{memoryGet, streams, false, files}, {memoryGet, streams, true, files}, {memoryPut, streams, false, sink}} {
		peaks := c.figures(p, gimme, func(s sample) float64 { return s.Peak })
		if len(peaks) == 0 {
			continue
		}
		list = append(list, budget{p.String() + ": most memory", fmt.Sprintf("at most %d MiB", memoryLimit), fmt.Sprintf("%.0f MiB", slices.Max(peaks)), slices.Max(peaks) <= memoryLimit})
	}
	return list
}

func (c *comparison) flatBudgets() (list []budget) {
	p := place{flat, 64, false, files}
	base := flatWays()[0].Name
	for _, w := range flatWays()[1:] {
		if got, ok := c.against(p, w.Name, base, sample.rate, ratio); ok {
			list = append(list, budget{w.Name + ": requests a second, over " + base, "at least 0.90", fmt.Sprintf("%.2f", got), got >= 0.9})
		}
	}
	return list
}

// reloadLimit is in milliseconds.
const reloadLimit = 50

func (c *comparison) reloadBudgets() []budget {
	p := place{"reload", 64, false, files}
	slowest := func(s sample) float64 { return s.Slowest }
	without, with := c.figures(p, "none", slowest), c.figures(p, reloaded, slowest)
	if len(with) == 0 {
		return nil
	}
	worst, usual := slices.Max(with), slices.Max(without)
	return []budget{{
		fmt.Sprintf("reload of 100,000 entries, %d times at %d requests a second: slowest request", reloadTimes*len(with), reloadRate),
		fmt.Sprintf("at most %d ms, or what it is without", reloadLimit),
		fmt.Sprintf("%.0f ms (median of rounds %.0f), without reloads %.0f ms", worst, median(with), usual), worst <= max(reloadLimit, usual),
	}}
}

// budgetTable is what is promised, and what is so.
func budgetTable(list []budget) string {
	var b strings.Builder
	b.WriteString("| budget | promised | measured | met |\n|---|---|---|---|\n")
	for _, v := range list {
		met := "yes"
		if !v.met {
			met = "**no**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", v.name, v.promise, v.measured, met)
	}
	return b.String()
}
