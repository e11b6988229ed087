package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/replay"
)

func (a App) policyReplay() *cobra.Command {
	c := &cobra.Command{
		Use:   "replay --log FILE PATH...",
		Short: "Decide the requests of an audit log again, and say what comes out differently",
		Long: `Reads the decisions in a sidecar's audit log, decides each again by the data map and the
policies at PATH, and prints on stdout what comes out differently (flips): from what to
what, for whom, of which operation, on which labels and by which policies, how often, and
the first of each. stderr says how many decisions could not be repeated, and why.

Logs may be compressed with gzip and are read in their order; none is held in memory.
Lines that a crash has torn are passed over and counted. With --old the decisions by
other data map and policies are compared, instead of those that the log records.

It ends with 1 when no decision could be repeated, and with --fail-on-flips when one comes
out differently.`,
		Example: `  gimme policy replay --log audit.jsonl policies/
  gimme policy replay --log audit.jsonl.1.gz --log audit.jsonl --since 24h --config proxy.yaml policies/
  gimme policy replay --log - --old main/policies policies/ --json --fail-on-flips`,
	}
	var book bookFlags
	book.of(a, c)
	flags := c.Flags()
	logs := flags.StringArray("log", nil, "`FILE` with events, - is stdin; may be repeated; required")
	old := flags.StringArray("old", nil, "`PATH` of what to compare with, instead of what the log says; may be repeated")
	since := flags.String("since", "", "`WHEN` the first event is that counts: hours or days ago, as in 24h or 7d, or a moment such as 2026-03-02T00:00:00Z")
	fail := flags.Bool("fail-on-flips", false, "end with 1 when a decision comes out differently")
	asJSON := flags.Bool("json", false, "print one JSON object on stdout")
	c.RunE = func(c *cobra.Command, paths []string) error {
		if len(*logs) == 0 {
			return usage("gimme policy replay --log audit.jsonl policies/", "--log is missing: the audit log whose requests are decided again")
		}
		r, err := book.replay(paths, *old)
		if err != nil {
			return err
		}
		if r.Since, err = ago(*since, time.Now()); err != nil {
			return usage(c.CommandPath()+" --help", "--since %q: %w", *since, err)
		}
		for _, name := range *logs {
			if err := a.replayLog(c.Context(), r, name); err != nil {
				return err
			}
		}
		tell := a.tellReplay
		if *asJSON {
			tell = a.printReplay
		}
		if err := tell(r); err != nil {
			return err
		}
		return a.concludeReplay(r, *fail)
	}
	return c
}

// replay reads the new set, and the old one if there is one.
func (f *bookFlags) replay(paths, old []string) (*replay.Replay, error) {
	b, err := f.read(paths)
	if err != nil {
		return nil, err
	}
	r := &replay.Replay{New: b.Set}
	if len(old) > 0 {
		before, err := f.read(old)
		if err != nil {
			return nil, err
		}
		r.Old = before.Set
	}
	return r, nil
}

// ago reads a moment, or how long ago it was; "" is the zero time.
func ago(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	length, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		length = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || length <= 0 {
		return time.Time{}, errors.New("hours or days are wanted, as in 24h or 7d, or a moment such as 2026-03-02T00:00:00Z")
	}
	return now.Add(-length), nil
}

func (a App) replayLog(ctx context.Context, r *replay.Replay, name string) error {
	in, err := a.openLog(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := r.Read(ctx, in); err != nil {
		return fmt.Errorf("read audit log %q: %w", name, err)
	}
	return nil
}

// openLog opens a log; - is stdin.
func (a App) openLog(name string) (io.ReadCloser, error) {
	if name == "-" && a.Stdin != nil {
		return io.NopCloser(a.Stdin), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, logFailure(err)
	}
	return f, nil
}

// logFailure says what to do about a log that cannot be opened.
func logFailure(err error) error {
	return &failure{exitFailed, fmt.Errorf("open audit log: %w", err), "name the file that audit.file of the sidecar's configuration names, or - for stdin"}
}

// concludeReplay sums up, and decides on the exit code.
func (a App) concludeReplay(r *replay.Replay, fail bool) error {
	fmt.Fprintf(a.Stderr, "%s: %d decided again, %d would come out differently, %d could not be repeated.\n",
		counted(r.Decided+r.NotRepeated(), "decision"), r.Decided, r.Flipped, r.NotRepeated())
	if !r.First.IsZero() {
		fmt.Fprintf(a.Stderr, "They are from %s to %s. ", r.First.UTC().Format(time.RFC3339), r.Last.UTC().Format(time.RFC3339))
		fmt.Fprintf(a.Stderr, "%d of them were decided by these very policies (%s).\n", r.Same, r.New.Digest())
	}
	for _, c := range causes(r) {
		fmt.Fprintf(a.Stderr, "Not repeated: %d %s.\n", r.Causes[c], c)
	}
	if r.Listings > 0 {
		fmt.Fprintf(a.Stderr, "%s may still be had; whether they show the same is not known.\n", counted(r.Listings, "listing"))
	}
	if r.Torn > 0 {
		fmt.Fprintf(a.Stderr, "%s could not be read, of %d.\n", counted(r.Torn, "line"), r.Lines)
	}
	switch {
	case r.Decided == 0:
		return &failure{exitFailed, errors.New("no decision could be repeated"), "name a log that has decisions, and look at --since"}
	case fail && r.Flipped > 0:
		return &failure{exitFailed, fmt.Errorf("%s would come out differently", counted(r.Flipped, "decision")), "look at the list; without --fail-on-flips it is no failure"}
	}
	return nil
}

// causes are those for which decisions could not be repeated, the most frequent
// first.
func causes(r *replay.Replay) []replay.Cause {
	return slices.SortedFunc(maps.Keys(r.Causes), func(a, b replay.Cause) int {
		return cmp.Or(cmp.Compare(r.Causes[b], r.Causes[a]), cmp.Compare(a, b))
	})
}

// toldFlips is how many kinds of flips people are told.
const toldFlips = 50

func (a App) tellReplay(r *replay.Replay) error {
	var b strings.Builder
	all := r.Flips()
	for i, f := range all {
		if i == toldFlips {
			fmt.Fprintf(&b, "%s more, which --json has\n", counted(len(all)-i, "kind"))
			break
		}
		fmt.Fprintf(&b, "%d × %s → %s: %s %s, %s\n", f.Count, f.From, f.To, f.Who, f.Operation, ground(f.Kind))
		fmt.Fprintf(&b, "    %s", f.Example.Text)
		if f.Example.Need != "" {
			b.WriteString("; needed: " + f.Example.Need)
		}
		fmt.Fprintf(&b, "\n    such as %s in event %s of %s\n", f.Example.Resource, f.Example.Event, f.Example.Time.UTC().Format(time.RFC3339))
	}
	if r.Untold > 0 {
		fmt.Fprintf(&b, "%d more of kinds that are not told apart\n", r.Untold)
	}
	_, err := fmt.Fprint(a.Stdout, printable(b.String()))
	return err
}

// ground is what a kind of flip is about.
func ground(k replay.Kind) string {
	text := "no label"
	if k.Labels != "" {
		text = k.Labels
	}
	if k.Policies != "" {
		text += ", by " + k.Policies
	}
	return text
}

func (a App) printReplay(r *replay.Replay) error {
	type cause struct {
		Cause replay.Cause `json:"cause"`
		Count int          `json:"count"`
	}
	not := []cause{}
	for _, c := range causes(r) {
		not = append(not, cause{c, r.Causes[c]})
	}
	return a.printJSON(struct {
		Lines       int           `json:"lines"`
		Unreadable  int           `json:"unreadable_lines"`
		Events      int           `json:"decision_events"`
		Before      int           `json:"events_before_since"`
		Decided     int           `json:"decided_again"`
		SamePolicy  int           `json:"decided_by_these_policies"`
		Listings    int           `json:"listings"`
		Flipped     int           `json:"flipped"`
		Untold      int           `json:"flipped_beyond_kinds"`
		Flips       []replay.Flip `json:"flips"`
		NotRepeated []cause       `json:"not_repeated"`
		From        time.Time     `json:"from,omitzero"`
		To          time.Time     `json:"to,omitzero"`
		Digest      string        `json:"policy_digest"`
	}{r.Lines, r.Torn, r.Events, r.Before, r.Decided, r.Same, r.Listings, r.Flipped, r.Untold, r.Flips(), not, r.First, r.Last, r.New.Digest()})
}
