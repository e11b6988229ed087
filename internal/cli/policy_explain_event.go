package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/replay"
	"github.com/gimme-broker/gimme/internal/rulebook"
)

// An eventFlags names an event that is to be explained.
type eventFlags struct {
	event string
	logs  []string
}

func (f *eventFlags) of(c *cobra.Command) {
	c.Flags().StringVar(&f.event, "event", "", "`ID` of an event, as the blocked person sees it: its request is explained, instead of one that other flags describe")
	c.Flags().StringArrayVar(&f.logs, "log", nil, "`FILE` with the event, - is stdin; may be repeated")
}

func (f *eventFlags) asked() bool { return f.event != "" || len(f.logs) > 0 }

// check finds command lines on which an event is not all that is described.
func (f *eventFlags) check(c *cobra.Command, args []string) error {
	const hint = "gimme policy explain --event ID --log audit.jsonl policies/"
	if f.event == "" || len(f.logs) == 0 {
		return usage(hint, "--event and --log go together: the event's id, and the audit log that has it")
	}
	if resources, _ := divideArguments(args); len(resources) > 0 {
		return usage(hint, "--event names the request, and so does %s", resources[0])
	}
	for _, name := range []string{"user", "group", "service", "operation", "source", "header", "source-ip", "at", "tls", "login-age", "amr", "auth-method", "presigned-age", "object-tag"} {
		if c.Flags().Changed(name) {
			return usage(hint, "--event has all that is known of the request; leave out --%s", name)
		}
	}
	return nil
}

// An explainedEvent is what b says of a decision that was logged.
type explainedEvent struct {
	*explained
	Event    string          `json:"event"`
	Time     time.Time       `json:"time"`
	Recorded rulebook.Answer `json:"recorded"` // what was decided then
	SameSet  bool            `json:"same_policies"`
	Tagged   bool            `json:"tags_unknown,omitempty"` // of the upload
}

// explainEvent explains the decisions of an event.
func (a App) explainEvent(ctx context.Context, b *rulebook.Book, f eventFlags, all, asJSON bool) error {
	found := []explainedEvent{}
	for _, name := range f.logs {
		in, err := a.openLog(name)
		if err != nil {
			return err
		}
		logged, err := replay.Find(ctx, in, f.event)
		in.Close()
		if err != nil {
			return fmt.Errorf("read audit log %q: %w", name, err)
		}
		for _, l := range logged {
			found = append(found, explainedEvent{explainMatter(b.Set, l.Principal, l.Facts, l.Request), l.Event, l.Time.UTC(), l.Answer, l.PolicyDigest == b.Set.Digest(), l.Tagged})
		}
	}
	if len(found) == 0 {
		return &failure{exitFailed, fmt.Errorf("no decision with the id %q is in the log", f.event), "look at the id, and name all files of the log, older ones too"}
	}
	if asJSON {
		return a.printJSON(found)
	}
	for _, e := range found {
		which := "by other policies"
		if e.SameSet {
			which = "by these very policies"
		}
		fmt.Fprintf(a.Stdout, "Event %s of %s was decided %s: %s.\n", printable(e.Event), e.Time.Format(time.RFC3339), which, e.Recorded)
		if e.Tagged {
			fmt.Fprintln(a.Stdout, "The request brought tags, which no log holds; conditions on them do not hold here.")
		}
		if _, err := fmt.Fprintln(a.Stdout, printable(e.text(all))); err != nil {
			return err
		}
	}
	return nil
}
