package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/pkg/audit"
)

func (a App) log() *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "Verify and read the sidecar's audit log",
		Long: `Reads the files of an audit log. No sidecar has to run. docs/audit.md specifies the log,
and what can be relied on.`,
		Example: `  gimme log query /var/log/gimme/audit.jsonl --decision blocked
  gimme log verify /var/log/gimme/audit*.jsonl*
  gimme log key /var/log/gimme/audit.jsonl
  gimme log export --format ocsf /var/log/gimme/audit.jsonl`,
		Args: noOtherCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.logTail(), a.logQuery(), a.logReport(), a.logVerify(), a.logKey(), a.logExport())
	return c
}

func (a App) logKey() *cobra.Command {
	return &cobra.Command{
		Use:   "key FILE",
		Short: "Print the key that verifies a log's checkpoints",
		Long: `Prints the verifier key of the log FILE, which belongs where whoever could change the log
cannot change it. With it "gimme log verify --key" finds out whether checkpoints are the
sidecar's. It signs nothing. Run it as the user that the sidecar runs as; the sidecar
makes the key at its first start.`,
		Example: "  gimme log key /var/log/gimme/audit.jsonl > audit.vkey",
		Args:    oneLog,
		RunE: func(_ *cobra.Command, args []string) error {
			path := audit.KeyFile(audit.LivePath(args[0]))
			key, err := audit.VerifierKey(path)
			if errors.Is(err, fs.ErrNotExist) {
				return &failure{exitFailed, fmt.Errorf("there is no key beside the log: %w", err), "start the sidecar once: it makes the key"}
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.Stdout, key)
			return err
		},
	}
}

func oneLog(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(c.CommandPath()+" --help", "%s takes one FILE, the log; got %d", c.CommandPath(), len(args))
	}
	return nil
}

func someLogs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(c.CommandPath()+" audit.jsonl", "no FILE is named: the log, or its files")
	}
	return nil
}

func (a App) logExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export FILE...",
		Short: "Print a log in the form that another system reads",
		Long: `Prints the events of the log's files on stdout, one JSON object a line: as OCSF's class API
Activity, or with the field names of Cyral's activity log. The log itself stays as it
is. Files may be compressed; they are read in the order in which they are named.`,
		Example: `  gimme log export --format ocsf /var/log/gimme/audit.jsonl
  gimme log export --format cyral audit-*.jsonl.gz audit.jsonl`,
		Args: someLogs,
	}
	format := c.Flags().String("format", "", "`FORMAT` of the events: ocsf, cyral or gimme; required")
	a.completeFlag(c, "format", func() []cobra.Completion { return []cobra.Completion{"ocsf", "cyral", "gimme"} })
	c.RunE = func(_ *cobra.Command, args []string) error {
		f := audit.Format(*format)
		if !slices.Contains(audit.Formats(), f) {
			return usage("gimme log export --format ocsf FILE", "--format is %q; ocsf, cyral or gimme is wanted", *format)
		}
		out := bufio.NewWriter(a.Stdout)
		for _, path := range args {
			if err := exportLog(out, f, path); err != nil {
				return errors.Join(err, out.Flush())
			}
		}
		return out.Flush()
	}
	return c
}

func exportLog(out *bufio.Writer, f audit.Format, path string) error {
	number := 0
	for line, err := range audit.Lines(path) {
		number++
		if err != nil {
			return err
		}
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s:%d is no event: %w", path, number, err)
		}
		text, err := f.Line(e)
		if err != nil {
			return err
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// readKeyFlag is the verifier key that a flag gives: the key, or a file with it.
func readKeyFlag(value string) (string, error) {
	if strings.Count(value, "+") >= 2 && !strings.ContainsAny(value, "\n") {
		if _, err := os.Stat(value); err != nil {
			return value, nil
		}
	}
	data, err := os.ReadFile(value)
	if err != nil {
		return "", &failure{exitUsage, fmt.Errorf("--key is neither a verifier key nor a file with one: %w", err), "gimme log key FILE"}
	}
	return strings.TrimSpace(string(data)), nil
}
