package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/durable"
	"github.com/gimme-broker/gimme/internal/report"
)

func (a App) logReport() *cobra.Command {
	c := &cobra.Command{
		Use:   "report FILE...",
		Short: "Write a page about an audit log, with plots",
		Long: `Writes one HTML page about the events of the log's files: requests and bytes by decision,
person and label over time, what was blocked most and why, violations by severity, what
policies in monitor mode would have blocked, buckets that are new to people, and sessions.

The page is one file. It has no script and asks for nothing over any network, so that it
can be kept, sent and opened anywhere. It names people: it is written for its owner alone.

Files may be compressed with gzip, - is stdin; none is held in memory. Events before --since
tell which buckets are new, so name files that reach further back.`,
		Example: `  gimme log report --since 7d --out report.html audit-*.jsonl.gz audit.jsonl
  gimme log report --since 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z --out march.html audit.jsonl
  gimme log report --since 24h --json audit.jsonl`,
		Args: someLogs,
	}
	var filter eventFilter
	filter.times(c)
	out := c.Flags().String("out", "", "`PATH` of the page, - is stdout")
	asJSON := c.Flags().Bool("json", false, "print the numbers on stdout, as one JSON object")
	c.RunE = func(c *cobra.Command, names []string) error {
		if (*out == "") != *asJSON {
			return usage("gimme log report --since 7d --out report.html audit.jsonl", "either --out or --json is wanted: where the page goes, or the numbers alone")
		}
		if err := filter.period(c); err != nil {
			return err
		}
		r := report.New(filter.query.Since, filter.query.Until)
		for _, name := range names {
			in, err := a.openLog(name)
			if err != nil {
				return err
			}
			err = r.Read(c.Context(), in)
			in.Close()
			if err != nil {
				return fmt.Errorf("read audit log %q: %w", name, err)
			}
		}
		return a.tellReport(r, *out)
	}
	return c
}

// tellReport writes the page to the path out, or else the numbers to stdout.
func (a App) tellReport(r *report.Report, out string) error {
	n := r.Numbers()
	if n.Log.Events == 0 {
		return &failure{exitFailed, errors.New("the log has no event of that period"), "name all files of the log, and look at --since and --until"}
	}
	if out == "" {
		text, err := json.MarshalIndent(n, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.Stdout, "%s\n", text)
		return err
	}
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		return err
	}
	if out == "-" {
		_, err := a.Stdout.Write(page.Bytes())
		return err
	}
	path, err := durable.Resolve(out)
	if err == nil {
		err = durable.Replace(path, page.Bytes(), 0o600)
	}
	if err != nil {
		return &failure{exitFailed, fmt.Errorf("write the report: %w", err), "name another place with --out"}
	}
	fmt.Fprintf(a.Stderr, "%s\nThe report is in %s: open it in a browser.\n", printable(n.Summary), printable(out))
	return nil
}
