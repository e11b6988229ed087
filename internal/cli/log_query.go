package cli

import (
	"bufio"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/eventlog"
)

func (a App) logQuery() *cobra.Command {
	c := &cobra.Command{
		Use:   "query FILE...",
		Short: "Find events in an audit log",
		Long: `Prints the events of the log's files that fit all flags; of a flag that is repeated, one
value has to fit. A decision is shown together with its outcome, and below a request that
was blocked it says why, and the event's id.

Files may be compressed with gzip, - is stdin; they are read in the order in which they
are named, and none is held in memory. With --json the lines of the log are printed as they
are, the outcome after its decision, so that what is printed is a log again.`,
		Example: `  gimme log query audit.jsonl --decision blocked --since 1h
  gimme log query audit.jsonl --user alice@example.com --label SENSITIVE --operation DeleteObject
  gimme log query audit.jsonl --bucket acme-lake --key customers/ --since 7d --json
  gimme log query audit-*.jsonl.gz audit.jsonl --id C5UTGYOSCVMPLBGRYMRCLXS5XL`,
		Args: someLogs,
	}
	var filter eventFilter
	filter.of(a, c)
	limit := c.Flags().Int("limit", 0, "end after the first `N` events; 0 is all")
	asJSON := c.Flags().Bool("json", false, "print the lines of the log on stdout, as they are")
	c.RunE = func(c *cobra.Command, names []string) error {
		if err := filter.period(c); err != nil {
			return err
		}
		if *limit < 0 {
			return usage(c.CommandPath()+" --help", "--limit is %d; a number above 0 is wanted", *limit)
		}
		out := a.eventPrinter(*asJSON)
		found := 0
		s := eventlog.NewSearch(&filter.query, func(f eventlog.Found) bool {
			out.print(f)
			found++
			return found != *limit
		})
		if err := a.searchLogs(c.Context(), s, names); err != nil {
			out.flush()
			return err
		}
		if err := out.flush(); err != nil {
			return err
		}
		a.concludeSearch(s, found, *limit)
		return nil
	}
	return c
}

// concludeSearch tells the person what the events do not say.
func (a App) concludeSearch(s *eventlog.Search, found, limit int) {
	if s.Torn > 0 {
		fmt.Fprintf(a.Stderr, "%s could not be read.\n", counted(s.Torn, "line"))
	}
	switch {
	case found == 0:
		fmt.Fprintf(a.Stderr, "No event fits, of %s.\n", counted(s.Lines, "line"))
	case found == limit:
		fmt.Fprintf(a.Stderr, "These are the first %s; there may be more.\n", counted(found, "event"))
	}
}

// An eventPrinter prints events as they are found.
type eventPrinter interface {
	print(eventlog.Found)
	flush() error
}

func (a App) eventPrinter(asJSON bool) eventPrinter {
	if asJSON {
		return &eventLines{bufio.NewWriterSize(a.Stdout, 64<<10)}
	}
	return a.eventTable()
}

// eventLines prints the lines of the log.
type eventLines struct{ out *bufio.Writer }

func (l *eventLines) print(f eventlog.Found) {
	for _, line := range [][]byte{f.Line, f.OutcomeLine} {
		if line != nil {
			l.out.Write(eventlog.VisibleJSON(line))
			l.out.WriteByte('\n')
		}
	}
}

func (l *eventLines) flush() error { return l.out.Flush() }
