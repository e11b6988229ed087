package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
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
		return usage(c.CommandPath()+" --help", "%w%s", err, strictyaml.Meant(lastWord(err.Error()), flagNames(c)))
	})
	root.SetUsageFunc(explain)
	root.SetHelpCommand(a.help())
	root.AddCommand(a.commands()...)
	for _, c := range root.Commands() {
		a.finish(c)
	}
	return root
}

// finish gives a command, and those below it, what all have.
func (a App) finish(c *cobra.Command) {
	if c.Args == nil {
		c.Args = noArguments
	}
	a.complete(c)
	c.Long = strings.TrimSpace(c.Long) + "\n\n" + exitHelp
	for _, sub := range c.Commands() {
		a.finish(sub)
	}
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
	return usage("gimme --help", "unknown command %q%s", name, strictyaml.Meant(name, names))
}

// flagNames are those that a command has, with their dashes.
func flagNames(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return names
}

// lastWord of what pflag says of an unknown flag is the flag.
func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }

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
		a.policy(),
		a.log(),
		a.demo(),
		a.dev(),
		a.completion(),
		a.man(),
		a.version(),
	}
}

// noOtherCommand is for commands that only have others below them.
func noOtherCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return usage(c.CommandPath()+" --help", "%s has no command %q%s", c.CommandPath(), args[0], strictyaml.Meant(args[0], names))
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
