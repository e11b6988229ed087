// Command compare measures gimme proxy beside other ways to the same upstream,
// on one machine, in alternating order, and holds it against its budgets.
//
// It writes every figure of every round to a file of JSON lines, and from them
// a page of tables and plots. A budget that is missed does not fail the run.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/gimme-broker/gimme/test/load/rig"
)

// settings are what the flags say.
type settings struct {
	root, out, page string
	short           bool
	rounds          int
	duration        time.Duration
	cases, ways     *regexp.Regexp
	from            []string          // files of figures, of which a page is made anew
	others          map[string]string // further programs of gimme, by the name of their way
}

func main() {
	s, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	debug.SetGCPercent(400) // the generator has memory enough, and no time to spare
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "compare: error:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	s := settings{others: make(map[string]string)}
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.StringVar(&s.root, "root", "../..", "`folder` of the source tree")
	f.StringVar(&s.out, "out", "../../artifacts/load", "`folder` for the figures of this run")
	f.StringVar(&s.page, "page", "", "`file` whose figures are renewed, such as ../../docs/performance.md; its plots go into a folder beside it")
	f.BoolVar(&s.short, "short", false, "a few minutes: fewer cases, rounds and seconds")
	f.IntVar(&s.rounds, "rounds", 0, "`number` of rounds (5; 3 with -short)")
	f.DurationVar(&s.duration, "duration", time.Second, "measured `time` of each round and way; twice that where requests are large")
	f.Func("from", "measure nothing, and read the figures of this `file`; may be given several times", func(v string) error {
		s.from = append(s.from, v)
		return nil
	})
	f.Func("cases", "only those whose name matches the `expression`", expression(&s.cases))
	f.Func("ways", "only those whose name matches the `expression`", expression(&s.ways))
	f.Func("gimme", "`NAME=PROGRAM`: a further gimme to measure, such as one that was built before a change", func(v string) error {
		name, program, ok := strings.Cut(v, "=")
		if !ok {
			return fmt.Errorf("want NAME=PROGRAM")
		}
		path, err := filepath.Abs(program)
		s.others[name] = path
		return err
	})
	if err := f.Parse(args); err != nil {
		return settings{}, err
	}
	if s.rounds == 0 && s.short {
		s.rounds = 3
	}
	s.rounds = cmp.Or(s.rounds, 5)
	return s, nil
}

func expression(to **regexp.Regexp) func(string) error {
	return func(v string) (err error) {
		*to, err = regexp.Compile(v)
		return err
	}
}

// compare runs everything that is asked for, and writes what came of it.
func compare(ctx context.Context, s settings) (err error) {
	c := &comparison{settings: s}
	if len(s.from) > 0 {
		if c.head, c.samples, err = readRaw(s.from); err != nil {
			return err
		}
		return c.write()
	}
	c.head = head{thisMachine(), time.Now(), s.rounds, s.duration}
	folder, err := os.MkdirTemp("", "gimme-load-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if c.rig, err = rig.New(ctx, s.root, folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.rig.Close()) }()
	if c.raw, err = newRaw(s.out, c.head); err != nil {
		return err
	}
	if err := errors.Join(c.run(ctx), c.raw.Close()); err != nil {
		return err
	}
	return c.write()
}
