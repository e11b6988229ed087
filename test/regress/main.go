// Command regress fails when this tree does on a hot path what a baseline does,
// and takes more than 15 % longer for it or allocates more than 15 % more.
//
// It builds the benchmarks of both, runs them in turn on the same machine, and
// lets benchstat say what is a difference and what is noise. What is lost is
// looked at a second time, for longer, before it fails. It fails as well where
// it could not compare: a benchmark that is gone, nothing that both have.
//
// Usage, in the folder of the module:
//
//	go run ./test/regress [-base COMMIT]
//
// Without -base it is the commit that .ci/baseline names.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	g := gate{root: ".", hot: hot, processes: true, rounds: 8, out: os.Stdout}
	flag.StringVar(&g.base, "base", "", "`COMMIT` to compare with; otherwise that of .ci/baseline")
	flag.IntVar(&g.rounds, "rounds", g.rounds, "`NUMBER` of runs of each benchmark, at least 6")
	flag.StringVar(&g.benchstat, "benchstat", "bin/benchstat", "`PATH` of benchstat")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := g.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "regress:", err)
		os.Exit(1)
	}
}

// most is how much more a hot path may take than it did.
const most = 0.15

// A gate compares two trees.
type gate struct {
	root      string // of the module
	base      string
	benchstat string
	hot       []suite
	processes bool // whole ones, too
	rounds    int
	out       io.Writer

	folder string // temporary
}

func (g *gate) run(ctx context.Context) (err error) {
	if g.rounds < 6 {
		return fmt.Errorf("-rounds %d: with fewer than 6 runs benchstat tells no difference from noise", g.rounds)
	}
	if err := g.absolute(); err != nil {
		return err
	}
	commit, err := g.baseline(ctx)
	if err != nil {
		return err
	}
	if g.folder, err = os.MkdirTemp("", "gimme-regress-"); err != nil {
		return err
	}
	defer os.RemoveAll(g.folder)
	base, here, err := g.trees(ctx, commit)
	if err != nil {
		return err
	}
	suites := g.hot
	if g.processes {
		suites = append(suites[:len(suites):len(suites)], cached)
	}
	fmt.Fprintf(g.out, "regress: this tree and %.12s, in turn, %d runs each\n", commit, g.rounds)
	found, err := g.compare(ctx, suites, base, here, g.rounds, 1)
	if err != nil {
		return err
	}
	found.print(g.out)
	if len(found.lost()) == 0 {
		return nil
	}
	again := only(suites, found.lost())
	fmt.Fprintf(g.out, "\nregress: again, for longer, what lost more than %.0f %%\n", 100*most)
	if found, err = g.compare(ctx, again, base, here, g.rounds+4, 3); err != nil {
		return err
	}
	found.print(g.out)
	if lost := found.lost(); len(lost) > 0 {
		return fmt.Errorf("%s; a profile shows where: go test -run '^$' -bench NAME -cpuprofile cpu.out ./PACKAGE. A loss that is worth it is taken by naming a later commit in .ci/baseline", sentence(lost))
	}
	fmt.Fprintln(g.out, "regress: it was noise")
	return nil
}

func (g *gate) absolute() (err error) {
	if g.root, err = filepath.Abs(g.root); err != nil {
		return err
	}
	if g.benchstat, err = filepath.Abs(g.benchstat); err != nil {
		return err
	}
	if _, err = os.Stat(g.benchstat); err != nil {
		return fmt.Errorf("benchstat: %w; make regress builds it", err)
	}
	return nil
}

// baseline is the commit to compare with, whole.
func (g *gate) baseline(ctx context.Context) (string, error) {
	name, from := g.base, "BASE"
	if name == "" {
		from = ".ci/baseline"
		data, err := os.ReadFile(filepath.Join(g.root, from))
		if err != nil {
			return "", fmt.Errorf("read the commit to compare with: %w; -base names one", err)
		}
		if name = strings.TrimSpace(string(data)); name == "" {
			return "", fmt.Errorf("%s is empty; it holds the commit to compare with: git rev-parse HEAD >%s", from, from)
		}
	}
	if strings.HasPrefix(name, "-") {
		return "", fmt.Errorf("%s: %q is no commit", from, name)
	}
	c := exec.CommandContext(ctx, "git", "-C", g.root, "rev-parse", "--verify", "--quiet", name+"^{commit}")
	commit, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: the commit %q is not in this clone: git fetch --unshallow, or git fetch origin %s, gets it; BASE=COMMIT names another one", from, name, name)
	}
	return strings.TrimSpace(string(commit)), nil
}
