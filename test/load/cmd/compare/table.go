package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A row is what one way did in one case: the medians of its rounds.
type row struct {
	place
	way                           string
	rate, volume, p50, p99, p999  float64
	cpuPerRequest, cpuPerGiB, ram float64
	workers                       int
}

// rows are those of the cases that are compared, in the order they were run.
func (c *comparison) rows() (list []row) {
	for _, s := range c.samples {
		p := place{s.Case, s.Connections, s.TLS, s.Upstream}
		if slices.ContainsFunc(list, func(r row) bool { return r.place == p && r.way == s.Way }) {
			continue
		}
		m := func(f figure) float64 { return median(c.figures(p, s.Way, f)) }
		list = append(list, row{
			place: p, way: s.Way, workers: s.Workers,
			rate: m(sample.rate), volume: m(sample.volume),
			p50: m(func(s sample) float64 { return s.P50 }), p99: m(func(s sample) float64 { return s.P99 }), p999: m(func(s sample) float64 { return s.P999 }),
			cpuPerRequest: m(sample.cpuPerRequest), cpuPerGiB: m(sample.cpuPerGiB), ram: m(func(s sample) float64 { return s.Peak }),
		})
	}
	return list
}

// table is everything that was measured, as Markdown.
func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| case | way | req/s | MiB/s | p50 ms | p99 ms | p99.9 ms | CPU µs/request | CPU s/GiB | peak MiB |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	var last place
	for _, r := range rows {
		name := ""
		if r.place != last {
			name, last = r.place.String(), r.place
		}
		way := r.way
		if r.workers > 0 {
			way = fmt.Sprintf("%s, %d workers", way, r.workers)
			if r.workers == 1 {
				way = r.way + ", 1 worker"
			}
		}
		if r.name == memoryGet || r.name == memoryPut { // who reads slowly says nothing of speed
			fmt.Fprintf(&b, "| %s | %s |  |  |  |  |  |  |  | %s |\n", name, way, number(r.ram))
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, way, number(r.rate), volume(r), number(r.p50), number(r.p99), number(r.p999),
			used(r, r.cpuPerRequest), perGiB(r), used(r, r.ram))
	}
	return b.String()
}

// volume is left out where no bodies move.
func volume(r row) string {
	if r.volume < 1 {
		return ""
	}
	return number(r.volume)
}

// used is left out where nothing stands in between.
func used(r row, v float64) string {
	if r.way == straight {
		return ""
	}
	return number(v)
}

// perGiB says something where requests are large.
func perGiB(r row) string {
	if r.way == straight || r.volume/r.rate < 0.5 {
		return ""
	}
	return number(r.cpuPerGiB)
}

// number writes v with about three digits.
func number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0): // nothing was done that it could be a share of
		return ""
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
