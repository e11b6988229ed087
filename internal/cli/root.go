package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a App) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "gimme",
		Short: "Short-lived S3 credentials for people, from the company's identity provider",
		Long: `gimme logs you in with your company's identity provider and gives the aws CLI
and every SDK on this machine short-lived credentials for S3.

` + exitHelp,
		Example: `  gimme s3 --address https://s3.sidecar.example --profile sidecar
  gimme s3 --profile sidecar
  gimme demo`,
		Version:           a.Version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.unknown(c, args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(c.CommandPath()+" --help", "%w%s", err, meant(err.Error(), flagNames(c)))
	})
	root.SetUsageFunc(explain)
	root.SetHelpCommand(a.help())
	root.AddCommand(a.commands()...)
	for _, c := range root.Commands() {
		if c.Args == nil {
			c.Args = noArguments
		}
		a.complete(c)
		c.Long = strings.TrimSpace(c.Long) + "\n\n" + exitHelp
	}
	return root
}

// help replaces cobra's own, which ends well for commands that are not there.
func (a App) help() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if found, _, err := c.Root().Find(args); err == nil && (found != c.Root() || len(args) == 0) {
				return found.Help()
			}
			return a.unknown(c, args[0])
		},
	}
}

func (a App) unknown(c *cobra.Command, name string) error {
	var names []string
	for _, sub := range c.Root().Commands() {
		names = append(names, sub.Name())
	}
	return usage("gimme --help", "unknown command %q%s", name, meant(name, names))
}

// flagNames are those that a command has, with their dashes.
func flagNames(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return names
}

// meant suggests what was meant by the last word of what was written.
func meant(written string, names []string) string {
	words := strings.Fields(written)
	if len(words) == 0 {
		return ""
	}
	word, best := words[len(words)-1], 3
	suggestion := ""
	for _, name := range names {
		if d := distance(word, name); d < best {
			suggestion, best = "; did you mean "+name+"?", d
		}
	}
	return suggestion
}

// distance counts the letters to put in, take out, change or swap with their
// neighbours to make b of a.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// commands is all that gimme can do.
func (a App) commands() []*cobra.Command {
	return []*cobra.Command{
		a.init(),
		a.s3(),
		a.login(),
		a.logout(),
		a.status(),
		a.whoami(),
		a.exec(),
		a.env(),
		a.doctor(),
		a.credentialProcess(),
		a.proxy(),
		a.demo(),
		a.dev(),
		a.completion(),
		a.man(),
		a.version(),
	}
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(c.CommandPath()+" --help", "%s takes no arguments, but %q is one", c.CommandPath(), args[0])
	}
	return nil
}

func (a App) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Prints the version of gimme, on stdout.",
		Example: "  gimme version",
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "gimme %s\n", a.Version)
			return err
		},
	}
}
