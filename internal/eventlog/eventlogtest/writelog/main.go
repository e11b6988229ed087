// Command writelog prints the log of a company that does not exist, for pictures,
// measurements and tests outside this module.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/gimme-broker/gimme/internal/eventlog/eventlogtest"
)

func main() {
	requests := flag.Int("requests", 30_000, "about so many; each has one event or two")
	seed := flag.Uint64("seed", 3, "another one gives another log")
	days := flag.Int("days", 7, "of the log")
	flag.Parse()
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	err := eventlogtest.Write(out, eventlogtest.Options{
		Seed: *seed, Requests: *requests,
		Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Length: time.Duration(*days) * 24 * time.Hour,
	})
	if err = errors.Join(err, out.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
