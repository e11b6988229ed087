package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/test/process"
)

// A samples holds lines as benchmarks print them, by the benchmark's full name:
// its package, a dot, and its name.
type samples map[string][]string

// compare runs suites in both trees and says what is different. Each benchmark
// takes longer times its usual time.
func (g *gate) compare(ctx context.Context, suites []suite, base, here *tree, rounds, longer int) (*comparison, error) {
	of := map[*tree]samples{base: {}, here: {}}
	for i := range rounds {
		for j, s := range suites {
			order := []*tree{base, here}
			if (i+j)%2 == 1 {
				order = []*tree{here, base}
			}
			if s.pkg == cached.pkg {
				if err := asked(order, of, 15*longer); err != nil {
					return nil, err
				}
				continue
			}
			for _, t := range order {
				if err := t.bench(ctx, s, longer, of[t]); err != nil {
					return nil, err
				}
			}
		}
	}
	return g.judge(ctx, suites, of[base], of[here])
}

// asked times gimme processes of both, one of each in turn.
func asked(order []*tree, of map[*tree]samples, n int) error {
	times, err := process.InTurn(n, order[0].gimme, order[1].gimme)
	if err != nil {
		return err
	}
	for i, t := range order {
		name := cached.full(cached.names[0])
		of[t][name] = append(of[t][name], fmt.Sprintf("%d %d ns/op", n, process.Median(times[i])))
	}
	return nil
}

// bench runs the benchmarks of a suite once, and adds what they printed.
func (t *tree) bench(ctx context.Context, s suite, longer int, to samples) error {
	binary, ok := t.binary(s.pkg)
	if !ok {
		return nil
	}
	each, err := time.ParseDuration(s.time)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.bench="+s.pattern(), "-test.benchmem",
		"-test.benchtime="+(each*time.Duration(longer)).String(), "-test.timeout=5m")
	c.Dir, c.Env = filepath.Join(t.folder, s.pkg), os.Environ()
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		return fmt.Errorf("benchmarks of %s in %s: %w\n%s%s", s.pkg, t.folder, err, &out, &said)
	}
	s.read(out.String(), to)
	return nil
}

// line is one that a benchmark prints: its name, the number of processors, and
// what it measured.
var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+(\d+\s.*)$`)

// read adds what the suite's benchmarks printed.
func (s suite) read(out string, to samples) {
	for text := range strings.Lines(out) {
		m := line.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			continue
		}
		for _, name := range s.names {
			if name == m[1] {
				to[s.full(name)] = append(to[s.full(name)], m[2])
			}
		}
	}
}

// full is the name of a benchmark among all.
func (s suite) full(name string) string { return s.pkg + "." + name }

// pattern matches the suite's benchmarks, and others perhaps.
func (s suite) pattern() string {
	var all []string
	for _, name := range s.names {
		parts := strings.Split("Benchmark"+name, "/")
		for i, p := range parts {
			parts[i] = "^" + regexp.QuoteMeta(p) + "$"
		}
		all = append(all, strings.Join(parts, "/"))
	}
	return strings.Join(all, "|")
}
