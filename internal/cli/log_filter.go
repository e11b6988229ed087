package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/eventlog"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// An eventFilter has the flags that say which events are asked for.
type eventFilter struct {
	query        eventlog.Query
	since, until string
	limited      []limitedFlag
}

// A limitedFlag takes a few words only.
type limitedFlag struct {
	name  string
	is    *[]string
	known []string
}

// of adds the flags to a command, whose Args are set.
func (f *eventFilter) of(a App, c *cobra.Command) {
	q, flags := &f.query, c.Flags()
	for _, x := range []struct {
		to         *[]string
		name, text string
	}{
		{&q.Users, "user", "`WHO` asked: e-mail address, subject, name or service"},
		{&q.Groups, "group", "`GROUP` of who asked"},
		{&q.Labels, "label", "`LABEL` of the data"},
		{&q.Decisions, "decision", "`ANSWER`: allowed, blocked or would-block"},
		{&q.Operations, "operation", "`NAME` of the S3 operation, such as DeleteObject"},
		{&q.Buckets, "bucket", "`BUCKET` that the request touches"},
		{&q.Keys, "key", "`PREFIX` of a key that the request touches"},
		{&q.Policies, "policy", "`POLICY` that is among the reasons"},
		{&q.Severities, "severity", "`SEVERITY` of a violation: low, medium or high"},
		{&q.Kinds, "kind", "`KIND` of event: " + strings.Join(kinds(), ", ")},
		{&q.IDs, "id", "`ID` of the request, as the error has it that a person saw"},
	} {
		flags.StringArrayVar(x.to, x.name, nil, x.text+"; may be repeated")
	}
	f.times(c)
	f.limited = []limitedFlag{
		{"decision", &q.Decisions, []string{string(audit.Allowed), string(audit.Blocked), string(audit.WouldBlock)}},
		{"severity", &q.Severities, []string{"low", "medium", "high"}},
		{"kind", &q.Kinds, kinds()},
	}
	for _, l := range f.limited {
		a.completeFlag(c, l.name, func() []cobra.Completion { return l.known })
	}
	arguments := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		for _, l := range f.limited {
			for _, value := range *l.is {
				if !slices.Contains(l.known, value) {
					return usage(c.CommandPath()+" --help", "--%s is %q; one of %s is wanted", l.name, value, strings.Join(l.known, ", "))
				}
			}
		}
		return arguments(c, args)
	}
}

// times adds the flags about the period.
func (f *eventFilter) times(c *cobra.Command) {
	c.Flags().StringVar(&f.since, "since", "", "`WHEN` the first event is that counts: hours or days ago, as in 1h or 7d, or a moment such as 2026-03-02T00:00:00Z")
	c.Flags().StringVar(&f.until, "until", "", "`WHEN` events do not count any more, likewise")
}

func kinds() []string {
	return []string{string(audit.KindDecision), string(audit.KindOutcome), string(audit.KindSession), string(audit.KindPolicy), string(audit.KindAdmin)}
}

// period reads the times that the flags give.
func (f *eventFilter) period(c *cobra.Command) error {
	now := time.Now()
	for _, x := range []struct {
		name, value string
		to          *time.Time
	}{{"since", f.since, &f.query.Since}, {"until", f.until, &f.query.Until}} {
		at, err := ago(x.value, now)
		if err != nil {
			return usage(c.CommandPath()+" --help", "--%s %q: %w", x.name, x.value, err)
		}
		*x.to = at
	}
	if q := f.query; !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return usage(c.CommandPath()+" --help", "--until %s is not after --since %s", f.until, f.since)
	}
	return nil
}

// searchLogs has s read the logs, until it has enough.
func (a App) searchLogs(ctx context.Context, s *eventlog.Search, names []string) error {
	for _, name := range names {
		in, err := a.openLog(name)
		if err != nil {
			return err
		}
		more, err := s.Read(ctx, in)
		in.Close()
		if err != nil {
			return fmt.Errorf("read audit log %q: %w", name, err)
		}
		if !more {
			return nil
		}
	}
	s.Flush()
	return nil
}
