package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gimme-broker/gimme/test/load"
	"github.com/gimme-broker/gimme/test/load/rig"
)

// The names of what is measured for one budget alone.
const (
	memoryGet = "GET 64 MiB, slow readers"
	memoryPut = "PUT 64 MiB, all at once"
	flat      = "flatness"
	reloaded  = "reloads"
)

// streams is how many are open at once when memory is measured.
const streams = 256

// memory measures it in fresh processes, with all streams open at once.
func (c *comparison) memory(ctx context.Context) error {
	for _, m := range []struct {
		name, upstream string
		secure         bool
		plan           load.Plan
	}{
		// So slow that nobody is done before the time is over.
		{memoryGet, files, false, load.Plan{Operations: c.rig.Gets(rig.Large), ReadRate: 2 << 20}},
		{memoryGet, files, true, load.Plan{Operations: c.rig.Gets(rig.Large), ReadRate: 1 << 20}},
		{memoryPut, sink, false, load.Plan{Operations: c.rig.Puts(c.work.hashed)}},
	} {
		s := scene{upstream: m.upstream, secure: m.secure, ways: []string{nginx, goProxy, gimme}}
		u, err := c.startUpstream(s.upstream)
		if err != nil {
			return err
		}
		ways, err := c.startWays(s, u)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%6.0fs  memory: %s\n", time.Since(c.Began).Seconds(), caseName(m.name, s, streams))
		m.plan.Connections, m.plan.Duration = streams, 7*time.Second // from the first on: opening them is part of it
		for _, w := range ways {
			got, err := take(ctx, w[0], u, m.plan)
			if err != nil {
				return err
			}
			if got.Errors > 0 || m.name == memoryGet && got.Open != streams {
				return fmt.Errorf("%s, %s: %d of %d streams were open, %d errors: %q", m.name, w[0].Name, got.Open, streams, got.Errors, got.Faults)
			}
			got.Case, got.TLS = m.name, m.secure
			if err := c.keep(got); err != nil {
				return err
			}
		}
		if err := c.rig.Close(); err != nil {
			return err
		}
	}
	return nil
}

// flatness measures whether more entries, rules and sessions cost more.
func (c *comparison) flatness(ctx context.Context) error {
	u, err := c.rig.Files()
	if err != nil {
		return err
	}
	var ways []*rig.Way
	for _, s := range flatWays() {
		g, err := c.rig.Gimme(u, false, s)
		if err != nil {
			return err
		}
		ways = append(ways, g.Way)
	}
	plan := load.Plan{Operations: c.rig.Gets(rig.Small), Connections: 64, WarmUp: time.Duration(float64(c.duration) * warmUp), Duration: c.duration}
	rounds := 2 * c.rounds // ten per cent are little beside what one round differs from the next
	if c.short {
		rounds = c.rounds
	}
	return c.alternate(ctx, flat, rounds, ways, u, func(w *rig.Way) (sample, error) {
		got, err := take(ctx, w, u, plan)
		got.Case = flat
		return got, err
	})
}

// flatWays are sidecars that differ from the first in one number.
func flatWays() []rig.Sidecar {
	return []rig.Sidecar{
		{Name: "10 entries, 10 rules, 1 session", Entries: 10, Rules: 10, Sessions: 1},
		{Name: "1,000 entries", Entries: 1000, Rules: 10, Sessions: 1},
		{Name: "100,000 entries", Entries: 100_000, Rules: 10, Sessions: 1},
		{Name: "10,000 rules", Entries: 10, Rules: 10_000, Sessions: 1},
		{Name: "100,000 sessions", Entries: 10, Rules: 10, Sessions: 100_000},
	}
}

const (
	reloadRate    = 1000 // requests a second
	reloadEntries = 100_000
	reloadEvery   = 2 * time.Second
	reloadTimes   = 4 // a phase
)

// reload measures the slowest request with and without reloads, in turn.
func (c *comparison) reload(ctx context.Context) error {
	u, err := c.rig.Files()
	if err != nil {
		return err
	}
	g, err := c.rig.Gimme(u, false, rig.Sidecar{Entries: reloadEntries})
	if err != nil {
		return err
	}
	plan := load.Plan{Operations: c.rig.Gets(rig.Small), Connections: 64, Rate: reloadRate, WarmUp: time.Second, Duration: (reloadTimes + 1) * reloadEvery}
	rounds, generation := min(c.rounds, 3), 0
	if c.short {
		rounds = 1
	}
	for round := range rounds {
		for _, reloads := range []bool{false, true} {
			name := "none"
			if reloads {
				name = reloaded
			}
			fmt.Fprintf(os.Stderr, "%6.0fs  reload of %d entries: %s\n", time.Since(c.Began).Seconds(), reloadEntries, name)
			if reloads {
				for i := range reloadTimes {
					if err := g.Prepare(reloadEntries, generation+i+1); err != nil {
						return err
					}
				}
			}
			failed := make(chan error, 1)
			go func() { failed <- c.reloadSome(ctx, g, &generation, reloads) }()
			got, err := take(ctx, g.Way, u, plan)
			if err != nil {
				return err
			}
			if err := <-failed; err != nil {
				return err
			}
			got.Case, got.Way, got.Round = "reload", name, round
			if err := c.keep(got); err != nil {
				return err
			}
		}
	}
	done, refused, err := g.Reloads()
	if err == nil && (done != generation || refused != 0) {
		err = fmt.Errorf("of %d reloads, %d took effect and %d were refused", generation, done, refused)
	}
	return err
}

// reloadSome reloads a few times while the plan runs, if that is wanted.
func (c *comparison) reloadSome(ctx context.Context, g *rig.Gimme, generation *int, wanted bool) error {
	if !wanted {
		return nil
	}
	for range reloadTimes {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reloadEvery):
		}
		*generation++
		if err := g.Reload(*generation); err != nil {
			return err
		}
	}
	return nil
}
