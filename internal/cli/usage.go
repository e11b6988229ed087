package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/internal/config"
)

const groupAnnotation = "gimme_group"

// group says under which heading the help shows flags; empty: the first.
func group(flags *pflag.FlagSet, name string, those ...string) {
	for _, f := range those {
		flags.SetAnnotation(f, groupAnnotation, []string{name}) // it fails only for flags that are not there
	}
}

// groupOf is where group has put a flag.
func groupOf(f *pflag.Flag) string { return strings.Join(f.Annotations[groupAnnotation], "") }

// flagGroups are the headings, in their order.
func flagGroups() [][2]string {
	return [][2]string{
		{"", "Flags"},
		{config.GroupLogin, "Flags about the login"},
		{config.GroupWorkload, "Flags for jobs and programs, which log in with an ID token of their own"},
	}
}

// runsItself says whether a command that has others below it does something by
// itself, too: then it has flags.
func runsItself(c *cobra.Command) bool {
	flags := 0
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			flags++
		}
	})
	return c.HasParent() && flags > 0
}

// explain is what the help has after a command's description. cobra's own shows
// thirty flags in one list.
func explain(c *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", c.CommandPath())
	}
	if !c.HasAvailableSubCommands() || runsItself(c) {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-20s%s\n", sub.Name(), sub.Short)
			}
		}
	}
	for _, g := range flagGroups() {
		some := pflag.NewFlagSet("", pflag.ContinueOnError)
		some.SortFlags = false
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if groupOf(f) == g[0] {
				some.AddFlag(f)
			}
		})
		if some.HasAvailableFlags() {
			fmt.Fprintf(&b, "\n%s:\n%s\n", g[1], strings.TrimRight(some.FlagUsages(), "\n"))
		}
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help explains a command.\n", c.CommandPath())
	}
	_, err := fmt.Fprint(c.OutOrStderr(), b.String())
	return err
}
