package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

func (a App) policyCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check PATH...",
		Short: "Say everything that is wrong with data map, policies and tests",
		Long: `Reads data map, policies and tests, and prints on stdout every fault of every file, and
what is legal and probably not meant (warnings) or good to know (notes), each with file,
line and column. A set with a fault does not come into force in any sidecar.

With a sidecar's configuration among the PATHs, or with --config, groups that no role is
open to are warned of, too. In a job of GitHub Actions what is found is printed as
annotations of the files.

It ends with 1 when there is a fault, and with --strict also when there is a warning.`,
		Example: `  gimme policy check policies/
  gimme policy check datamap.yaml policies/customer-data.yaml --strict
  gimme policy check --config proxy.yaml --json`,
	}
	var book bookFlags
	var format formatFlags
	book.of(a, c)
	format.of(a, c, formatText, formatJSON, formatGitHub)
	strict := c.Flags().Bool("strict", false, "end with 1 when there is a warning, too")
	c.RunE = func(_ *cobra.Command, paths []string) error {
		b, err := rulebook.Read(paths, book.options())
		faults, ok := errors.AsType[strictyaml.Faults](err)
		if err != nil && !ok {
			return err
		}
		var all []finding
		add := func(severity string, list []strictyaml.Fault) {
			for _, f := range list {
				all = append(all, finding{f.File, f.Line, f.Column, severity, f.Text})
			}
		}
		add(severityFault, faults)
		warnings := 0
		if b != nil {
			warnings = len(b.Warnings)
			add(severityWarning, b.Warnings)
			add(severityNote, b.Notes)
		}
		if err := a.tellFindings(all, format.chosen(a)); err != nil {
			return err
		}
		return a.concludeCheck(b, len(faults), warnings, *strict)
	}
	return c
}

// concludeCheck sums up, and decides on the exit code.
func (a App) concludeCheck(b *rulebook.Book, faults, warnings int, strict bool) error {
	if b != nil {
		fmt.Fprintf(a.Stderr, "%s at %s, %s with %s, %s: %s.\n", counted(len(b.Set.Labels()), "label"), counted(len(b.Set.Locations()), "location"),
			counted(len(b.Policies), "policy"), counted(b.Rules(), "rule"), counted(len(b.Tests), "test"), counted(warnings, "warning"))
	}
	switch {
	case faults > 0:
		return &failure{exitFailed, errors.New(counted(faults, "fault")), "correct what is wrong; docs/policy.md says what may stand where"}
	case warnings > 0 && strict:
		return &failure{exitFailed, errors.New(counted(warnings, "warning") + ", and --strict wants none"), "correct what is not meant, or leave out --strict"}
	}
	return nil
}

const (
	severityFault   = "fault"
	severityWarning = "warning"
	severityNote    = "note"
)

// A finding is something about a place in a file.
type finding struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
}

// tellFindings prints findings on stdout.
func (a App) tellFindings(all []finding, format string) error {
	if format == formatJSON {
		if all == nil {
			all = []finding{}
		}
		return a.printJSON(all)
	}
	var b strings.Builder
	for _, f := range all {
		if format == formatGitHub {
			b.WriteString(a.annotation(f) + "\n")
			continue
		}
		text := f.Text
		if f.Severity != severityFault {
			text = f.Severity + ": " + text
		}
		b.WriteString(printable(strictyaml.Fault{File: f.File, Line: f.Line, Column: f.Column, Text: text}.String()) + "\n")
	}
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}

// annotation is a finding as a workflow command of GitHub Actions. Source:
// "Workflow commands for GitHub Actions", and toolkit's core/src/command.ts for
// what is escaped.
func (a App) annotation(f finding) string {
	level := map[string]string{severityFault: "error", severityWarning: "warning", severityNote: "notice"}[f.Severity]
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var at []string
	if f.File != "" {
		at = append(at, "file="+property.Replace(a.inRepository(f.File)))
	}
	if f.Line > 0 {
		at = append(at, fmt.Sprintf("line=%d", f.Line))
	}
	if f.Column > 0 {
		at = append(at, fmt.Sprintf("col=%d", f.Column))
	}
	if len(at) > 0 {
		level += " "
	}
	return "::" + level + strings.Join(at, ",") + "::" + data.Replace(printable(f.Text))
}

// inRepository is the name of a file in the repository of the job, which is how
// annotations name files, whatever folder the step runs in.
func (a App) inRepository(file string) string {
	root := a.Getenv("GITHUB_WORKSPACE")
	if root == "" {
		return file
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	if inside, err := filepath.Rel(root, whole); err == nil && filepath.IsLocal(inside) {
		return filepath.ToSlash(inside)
	}
	return file
}

// printJSON prints v on stdout.
func (a App) printJSON(v any) error {
	e := json.NewEncoder(a.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
