package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/test/load"
	"github.com/gimme-broker/gimme/test/load/rig"
)

// A comparison is one run of everything.
type comparison struct {
	settings
	head
	rig     *rig.Rig
	work    *workload
	raw     *raw
	samples []sample
}

// warmUp is the share of the measured time that is thrown away before it.
const warmUp = 0.3

func (c *comparison) run(ctx context.Context) error {
	var err error
	if c.work, err = newWorkload(c.rig); err != nil {
		return err
	}
	for _, s := range scenes() {
		if err := c.play(ctx, s); err != nil {
			return err
		}
	}
	for _, special := range []struct {
		name string
		run  func(context.Context) error
	}{{"memory", c.memory}, {"flatness", c.flatness}, {"reload", c.reload}} {
		if c.cases != nil && !c.cases.MatchString(special.name) {
			continue
		}
		if err := special.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", special.name, err)
		}
		if err := c.rig.Close(); err != nil {
			return err
		}
	}
	return nil
}

// caseName is how a case is chosen and told of.
func caseName(name string, s scene, connections int) string {
	text := fmt.Sprintf("%s, %d connections", name, connections)
	if connections == 1 {
		text = name + ", 1 connection"
	}
	if s.secure {
		text += ", TLS"
	}
	return text + ", upstream " + s.upstream
}

// play runs the cases of one scene that are wanted.
func (c *comparison) play(ctx context.Context, s scene) error {
	for i, m := range s.cases {
		if c.short {
			m.connections = m.brief
		}
		s.cases[i].connections = slices.DeleteFunc(m.connections, func(n int) bool {
			return c.cases != nil && !c.cases.MatchString(caseName(m.name, s, n))
		})
	}
	s.cases = slices.DeleteFunc(s.cases, func(m measure) bool { return len(m.connections) == 0 })
	if len(s.cases) == 0 {
		return nil
	}
	u, err := c.startUpstream(s.upstream)
	if err != nil {
		return err
	}
	ways, err := c.startWays(s, u)
	if err != nil {
		return err
	}
	for _, m := range s.cases {
		for _, n := range m.connections {
			if err := c.measure(ctx, s, m, n, u, ways); err != nil {
				return fmt.Errorf("%s: %w", caseName(m.name, s, n), err)
			}
		}
	}
	return c.rig.Close()
}

func (c *comparison) startUpstream(name string) (*rig.Upstream, error) {
	switch name {
	case files:
		return c.rig.Files()
	case sink:
		return c.rig.Sink()
	default:
		return c.rig.Versitygw()
	}
}

// startWays starts the ways of the scene that are wanted. There are two of
// nginx, with one worker and with two.
func (c *comparison) startWays(s scene, u *rig.Upstream) (ways [][]*rig.Way, err error) {
	add := func(alternatives ...*rig.Way) { ways = append(ways, alternatives) }
	for _, name := range s.ways {
		if c.ways != nil && !c.ways.MatchString(name) {
			continue
		}
		var w *rig.Way
		switch name {
		case straight:
			w, err = c.rig.Straight(u, s.secure)
		case nginx:
			var other *rig.Way
			if other, err = c.rig.NginxProxy(u, s.secure, 2); err == nil {
				if w, err = c.rig.NginxProxy(u, s.secure, 1); err == nil {
					add(w, other)
				}
			}
		case goProxy:
			w, err = c.rig.GoProxy(u, s.secure)
		case gimme:
			var g *rig.Gimme
			if g, err = c.rig.Gimme(u, s.secure, rig.Sidecar{}); err == nil {
				w = g.Way
			}
		case versitygw:
			w, err = c.rig.VersitygwProxy(u, s.secure)
		case rclone:
			w, err = c.rig.RcloneProxy(u, s.secure)
		}
		if err != nil {
			return nil, err
		}
		if name != nginx {
			add(w)
		}
	}
	for name, program := range c.others {
		g, err := c.rig.Gimme(u, s.secure, rig.Sidecar{Name: name, Program: program})
		if err != nil {
			return nil, err
		}
		add(g.Way)
	}
	return ways, nil
}

// measure runs one case: every way in turn, forth and back, round by round.
func (c *comparison) measure(ctx context.Context, s scene, m measure, connections int, u *rig.Upstream, ways [][]*rig.Way) error {
	duration := c.duration * time.Duration(max(m.stretch, 1))
	plan := load.Plan{Operations: m.operations(c.work), Connections: connections, WarmUp: time.Duration(float64(c.duration) * warmUp), Duration: duration}
	turns := make([]*rig.Way, 0, len(ways))
	for _, alternatives := range ways {
		best, err := better(ctx, alternatives, u, plan)
		if err != nil {
			return err
		}
		turns = append(turns, best)
	}
	return c.alternate(ctx, caseName(m.name, s, connections), c.rounds, turns, u, func(w *rig.Way) (sample, error) {
		got, err := take(ctx, w, u, plan)
		got.Case, got.TLS = m.name, s.secure
		return got, err
	})
}

// alternate measures each way once a round, in the order of the one before
// turned round, and keeps the samples.
func (c *comparison) alternate(ctx context.Context, name string, rounds int, ways []*rig.Way, u *rig.Upstream, f func(*rig.Way) (sample, error)) error {
	fmt.Fprintf(os.Stderr, "%6.0fs  %s\n", time.Since(c.Began).Seconds(), name)
	turns := slices.Clone(ways)
	for round := range rounds {
		for _, w := range turns {
			got, err := f(w)
			if err != nil {
				return err
			}
			got.Round = round
			if got.Errors > 0 || got.Requests == 0 && got.Open == 0 {
				return fmt.Errorf("%s: %d requests and %d errors: %q", w.Name, got.Requests, got.Errors, got.Faults)
			}
			if err := c.keep(got); err != nil {
				return err
			}
		}
		slices.Reverse(turns)
	}
	return ctx.Err()
}

func (c *comparison) keep(s sample) error {
	c.samples = append(c.samples, s)
	return c.raw.Write(s)
}

// better is the fastest of the ways, by a short trial.
func better(ctx context.Context, ways []*rig.Way, u *rig.Upstream, p load.Plan) (best *rig.Way, err error) {
	if len(ways) == 1 {
		return ways[0], nil
	}
	fastest := -1
	for _, w := range ways {
		got, err := take(ctx, w, u, p)
		if err != nil {
			return nil, err
		}
		if got.Requests > fastest {
			best, fastest = w, got.Requests
		}
	}
	return best, nil
}
