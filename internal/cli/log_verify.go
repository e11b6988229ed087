package cli

import (
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

// verifyFlags are those of gimme log verify.
type verifyFlags struct {
	checkpoints []string
	key         string
	part, json  bool
}

func (a App) logVerify() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Find out whether a log is as it was written",
		Long: `Finds records that were changed, dropped, moved, doubled, inserted or cut, a tail that was
cut off, and a log that was forked, and names each with its file, line, number and id.
FILEs are the log's files in any order, compressed or not; of several logs, if need be.

Checkpoints are looked for beside each FILE. They are what finds a cut tail, and a chain
that somebody made anew. Whoever can change the log can change the key beside it, too:
keep what "gimme log key" prints elsewhere, and give it with --key.`,
		Example: `  gimme log verify audit*.jsonl*
  gimme log verify audit*.jsonl* --key audit.vkey --json
  gimme log verify archive/*.gz --checkpoints audit.jsonl.checkpoints --key audit.vkey --part`,
		Args: someLogs,
	}
	var f verifyFlags
	flags := c.Flags()
	flags.StringArrayVar(&f.checkpoints, "checkpoints", nil, "`FILE` with checkpoints; otherwise those beside the log, if there are any")
	flags.StringVar(&f.key, "key", "", "`KEY` that verifies checkpoints, or a file with it; otherwise the key beside the log")
	flags.BoolVar(&f.part, "part", false, "the files are a part of the log: what comes before and after is not missed")
	flags.BoolVar(&f.json, "json", false, "print JSON on stdout")
	c.RunE = func(_ *cobra.Command, args []string) error { return a.runVerify(args, f) }
	return c
}

func (a App) runVerify(args []string, f verifyFlags) error {
	logs, o, notes, err := f.plan(args)
	if err != nil {
		return err
	}
	report, err := audit.Verify(logs, o)
	if err != nil {
		return err
	}
	report.Notes = append(report.Notes, notes...)
	if f.json {
		err = json.NewEncoder(a.Stdout).Encode(struct {
			OK bool `json:"ok"`
			*audit.Report
		}{len(report.Faults) == 0, report})
	} else {
		err = a.printReport(report)
	}
	if n := len(report.Faults); err == nil && n > 0 {
		text := "one fault was found"
		if n > 1 {
			text = fmt.Sprintf("%d faults were found", n)
		}
		return &failure{exitFailed, errors.New("the log is not as it was written: " + text), "keep the files as they are, and compare them with copies elsewhere"}
	}
	return err
}

// plan sorts out which files are logs, and what they are verified against.
func (f verifyFlags) plan(args []string) (logs []string, o audit.Verification, notes []string, err error) {
	o = audit.Verification{Checkpoints: slices.Clone(f.checkpoints), Part: f.part}
	var live []string // the files that grow, of which there may be checkpoints and a key
	for _, path := range args {
		switch { // what a shell's pattern finds beside a log
		case strings.HasSuffix(path, ".checkpoints"):
			o.Checkpoints = append(o.Checkpoints, path)
			continue
		case strings.HasSuffix(path, ".key"), strings.HasSuffix(path, ".tree"), strings.HasSuffix(path, ".lock"), strings.HasSuffix(path, ".part"), strings.Contains(path, ".sink-"):
			continue
		}
		logs = append(logs, path)
		if l := audit.LivePath(path); !slices.Contains(live, l) {
			live = append(live, l)
		}
	}
	if len(logs) == 0 {
		return nil, o, nil, usage("gimme log verify audit.jsonl", "none of the files is a log")
	}
	if len(o.Checkpoints) == 0 {
		for _, l := range live {
			if _, err := os.Stat(audit.CheckpointsFile(l)); err == nil {
				o.Checkpoints = append(o.Checkpoints, audit.CheckpointsFile(l))
			}
		}
	}
	slices.Sort(o.Checkpoints)
	o.Checkpoints = slices.Compact(o.Checkpoints)
	switch {
	case len(o.Checkpoints) == 0:
		notes = append(notes, "there are no checkpoints: a tail that was cut off, or a chain that was made anew, cannot be found")
	case f.key != "":
		o.Key, err = readKeyFlag(f.key)
	default:
		var path string
		o.Key, path, err = keyBeside(append(live, trimCheckpoints(o.Checkpoints)...))
		notes = append(notes, fmt.Sprintf("the key is that of %s; whoever can change the log can change it too, so keep the one that \"gimme log key\" prints elsewhere and give it with --key", path))
	}
	return logs, o, notes, err
}

func trimCheckpoints(files []string) []string {
	var logs []string
	for _, path := range files {
		logs = append(logs, strings.TrimSuffix(path, ".checkpoints"))
	}
	return logs
}

// keyBeside is the verifier key of the first log that has a key.
func keyBeside(logs []string) (key, path string, err error) {
	for _, l := range logs {
		path = audit.KeyFile(l)
		if key, err = audit.VerifierKey(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return "", "", &failure{exitUsage, fmt.Errorf("checkpoints cannot be verified without the key that signed them: %w", err), "give what \"gimme log key\" printed with --key"}
	}
	return key, path, nil
}

// printReport says what was found: faults on stdout, the rest on stderr.
func (a App) printReport(r *audit.Report) error {
	for _, l := range r.Logs {
		text := fmt.Sprintf("log %s: records %d to %d", l.Log, l.First, l.Last)
		switch {
		case l.Checkpoints == 1:
			text += fmt.Sprintf(", one checkpoint holds, up to record %d", l.Signed)
		case l.Checkpoints > 1:
			text += fmt.Sprintf(", %d checkpoints hold, the last up to record %d", l.Checkpoints, l.Signed)
		}
		fmt.Fprintln(a.Stderr, text)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(a.Stderr, "note: "+n)
	}
	for _, f := range r.Faults {
		if _, err := fmt.Fprintln(a.Stdout, f); err != nil {
			return err
		}
	}
	if len(r.Faults) == 0 {
		fmt.Fprintln(a.Stderr, "The log is as it was written.")
	}
	return nil
}
