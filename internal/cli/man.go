package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a App) man() *cobra.Command {
	c := &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "Print a manual page, or write all of them into a folder",
		Long: `Prints the manual page of gimme, or of one of its commands, on stdout, in the form
that man reads; with --dir writes the pages of all commands into a folder.`,
		Example: `  gimme man s3 | man -l -
  gimme man --dir ~/.local/share/man/man1`,
	}
	c.Flags().String("dir", "", "`FOLDER` to write all pages into")
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("gimme man s3", "one command is wanted, and %d are given", len(args))
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if dir, _ := c.Flags().GetString("dir"); dir != "" {
			return writePages(c.Root(), dir)
		}
		page := c.Root()
		if len(args) == 1 {
			found, _, err := c.Root().Find(args)
			if err != nil || found == c.Root() {
				return a.unknown(c, args[0])
			}
			page = found
		}
		_, err := io.WriteString(a.Stdout, manual(page))
		return err
	}
	return c
}

func writePages(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &failure{exitFailed, err, "name a folder that can be written to"}
	}
	for _, c := range append(root.Commands(), root) {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(manual(c)), 0o644); err != nil {
			return &failure{exitFailed, err, "name a folder that can be written to"}
		}
	}
	return nil
}

// manual is the page of a command, as roff with the man macros.
func manual(c *cobra.Command) string {
	var b strings.Builder
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(name)), roff(name), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.SH DESCRIPTION\n%s", roff(c.UseLine()), paragraphs(c.Long))
	if c.HasSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			if !sub.Hidden && sub.Name() != "help" {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.CommandPath()), roff(sub.Short))
			}
		}
	}
	if c.LocalFlags().HasAvailableFlags() {
		b.WriteString(".SH OPTIONS\n")
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			value, text := pflag.UnquoteUsage(f)
			fmt.Fprintf(&b, ".TP\n.B \\-\\-%s", roff(f.Name))
			if value != "" {
				fmt.Fprintf(&b, " \\fI%s\\fR", roff(value))
			}
			fmt.Fprintf(&b, "\n%s\n", roff(text))
		})
	}
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	return b.String()
}

// paragraphs sets a text; lines that are indented stay as they are.
func paragraphs(text string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.Contains(part, "\n  ") {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roff(part))
		} else {
			fmt.Fprintf(&b, ".PP\n%s\n", roff(part))
		}
	}
	return b.String()
}

// roff escapes a text: backslashes, hyphens, and what would be a request at the
// beginning of a line.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			b.WriteString(`\&`)
		}
		b.WriteString(line)
	}
	return b.String()
}
