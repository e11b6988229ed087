package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

func (a App) policy() *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Check, test and question data map and policies before they come into force",
		Long: `Tells what a data map and policies do before a sidecar goes by them. No sidecar has to
run. A PATH is a folder, whose YAML files and folders are read, or a file: a data map, a
policy, tests, or a sidecar's configuration, which then says where the others are. What a
file is, is told by its keys. docs/policy.md specifies the files, docs/policy-tools.md the
commands.`,
		Example: `  gimme policy check policies/
  gimme policy test policies/
  gimme policy replay --log audit.jsonl policies/`,
		Args: noOtherCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.policyCheck(), a.policyTest(), a.policyReplay(), a.policyExplain(), a.policyWhoCan(), a.policyDiff(), a.policyIAM())
	return c
}

// A bookFlags has the flags of all commands that read policies.
type bookFlags struct{ config, unlabelled string }

// of adds the flags to a command. Paths are then its arguments, of which one is
// needed unless --config names the rest.
func (f *bookFlags) of(a App, c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "`FILE` with a sidecar's configuration: its unlabelled, mode, listing and roles count, and its data map and policies where no PATH has them")
	flags.StringVar(&f.unlabelled, "unlabelled", "", "`EFFECT` on data without a label, deny or allow; the configuration's if left out, otherwise deny")
	a.completeFlag(c, "unlabelled", func() []cobra.Completion { return []cobra.Completion{"deny", "allow"} })
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 && f.config == "" {
			return usage(c.CommandPath()+" policies/", "no PATH is named: the folder or the files with the data map and the policies")
		}
		if f.unlabelled != "" && f.unlabelled != "deny" && f.unlabelled != "allow" {
			return usage(c.CommandPath()+" --help", "--unlabelled is %q; deny or allow is wanted", f.unlabelled)
		}
		return nil
	}
}

func (f *bookFlags) options() rulebook.Options {
	return rulebook.Options{Config: f.config, Unlabelled: f.unlabelled}
}

// read reads the files at paths for a command that goes by what they say. What
// they may not mean is check's to tell.
func (f *bookFlags) read(paths []string) (*rulebook.Book, error) {
	b, err := rulebook.Read(paths, f.options())
	if faults, ok := errors.AsType[strictyaml.Faults](err); ok {
		return nil, &failure{exitFailed, fmt.Errorf("%s:\n%w", counted(len(faults), "fault"), err), "correct what is wrong, then: gimme policy check " + strings.Join(paths, " ")}
	}
	return b, err
}

// A formatFlags says how a command prints what it found.
type formatFlags struct {
	format string
	json   bool
	known  []string
}

const (
	formatText   = "text"
	formatJSON   = "json"
	formatGitHub = "github"
	formatJUnit  = "junit"
)

// of adds the flags to a command that knows these formats.
func (f *formatFlags) of(a App, c *cobra.Command, known ...string) {
	f.known = known
	c.Flags().BoolVar(&f.json, "json", false, "print JSON on stdout; the same as --format json")
	c.Flags().StringVar(&f.format, "format", "", "`FORMAT` of what is printed: "+strings.Join(known, ", ")+"; if left out, github in a job of GitHub Actions, otherwise text")
	a.completeFlag(c, "format", func() []cobra.Completion { return known })
	arguments := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if f.format != "" && !slices.Contains(known, f.format) {
			return usage(c.CommandPath()+" --help", "--format is %q; one of %s is wanted", f.format, strings.Join(known, ", "))
		}
		if f.json && f.format != "" && f.format != formatJSON {
			return usage(c.CommandPath()+" --help", "--json and --format %s are two formats", f.format)
		}
		return arguments(c, args)
	}
}

// chosen is the format to print in.
func (f *formatFlags) chosen(a App) string {
	switch {
	case f.json:
		return formatJSON
	case f.format != "":
		return f.format
	case a.Getenv("GITHUB_ACTIONS") == "true" && slices.Contains(f.known, formatGitHub):
		return formatGitHub
	}
	return formatText
}

// counted is a number of things, in words.
func counted(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(one, "y"))
	}
	return fmt.Sprintf("%d %ss", n, one)
}
