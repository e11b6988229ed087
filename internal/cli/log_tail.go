package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/eventlog"
)

func (a App) logTail() *cobra.Command {
	c := &cobra.Command{
		Use:   "tail FILE",
		Short: "Show the last events of an audit log, and those that come",
		Long: `Prints the last events of the log's file that fit all flags, in the form of "gimme log
query". With --follow it goes on with those that are added, until it is interrupted, also
when the file is renamed and another one takes its place.`,
		Example: `  gimme log tail /var/log/gimme/audit.jsonl
  gimme log tail -f /var/log/gimme/audit.jsonl --decision blocked --decision would-block
  gimme log tail -f -n 0 /var/log/gimme/audit.jsonl --label SENSITIVE --json`,
		Args: oneLog,
	}
	var filter eventFilter
	filter.of(a, c)
	number := c.Flags().IntP("number", "n", 10, "`N` events are shown that are there")
	follow := c.Flags().BoolP("follow", "f", false, "go on with the events that are added")
	asJSON := c.Flags().Bool("json", false, "print the lines of the log on stdout, as they are")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := filter.period(c); err != nil {
			return err
		}
		if *number < 0 {
			return usage(c.CommandPath()+" --help", "--number is %d; 0 or more is wanted", *number)
		}
		if args[0] == "-" {
			return usage(c.CommandPath()+" audit.jsonl", "tail reads a file; of stdin, gimme log query - prints all")
		}
		t, err := eventlog.OpenTail(args[0])
		if err != nil {
			return logFailure(err)
		}
		defer t.Close()
		out := a.eventPrinter(*asJSON)
		if err := lastEvents(c.Context(), t, &filter.query, *number, out); err != nil {
			return fmt.Errorf("read audit log %q: %w", args[0], err)
		}
		if !*follow {
			return out.flush()
		}
		return followEvents(c.Context(), t, &filter.query, out)
	}
	return c
}

// lastEvents prints the last n events that are there and fit.
func lastEvents(ctx context.Context, t *eventlog.Tail, q *eventlog.Query, n int, out eventPrinter) error {
	var last []eventlog.Found
	err := t.Last(func(read io.Reader) (bool, error) {
		last = last[:0]
		s := eventlog.NewSearch(q, func(f eventlog.Found) bool {
			if last = append(last, f); len(last) > 2*n {
				last = append(last[:0], last[len(last)-n:]...)
			}
			return true
		})
		_, err := s.Read(ctx, read)
		s.Flush()
		return len(last) >= n, err
	})
	for _, f := range last[max(0, len(last)-n):] {
		out.print(f)
	}
	return errors.Join(err, out.flush())
}

// followEvents prints what is added, until ctx ends.
func followEvents(ctx context.Context, t *eventlog.Tail, q *eventlog.Query, out eventPrinter) error {
	s := eventlog.NewSearch(q, func(f eventlog.Found) bool {
		out.print(f)
		return true
	})
	var failed error
	err := t.Follow(ctx, func(lines []byte) bool {
		if len(lines) > 0 {
			s.Add(lines)
		} else {
			s.Flush()
		}
		failed = out.flush()
		return failed == nil
	})
	return errors.Join(failed, err)
}
