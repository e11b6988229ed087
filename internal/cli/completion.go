package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/config"
)

func (a App) completion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	c := &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print what makes a shell complete gimme's commands",
		Long:      `Prints, on stdout, what makes a shell complete gimme's commands, flags and profiles.`,
		ValidArgs: shells,
		Example: `  source <(gimme completion bash)
  gimme completion zsh > "${fpath[1]}/_gimme"
  gimme completion fish > ~/.config/fish/completions/gimme.fish`,
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || !slices.Contains(shells, args[0]) {
			return usage("gimme completion bash", "one of %s is wanted", strings.Join(shells, ", "))
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		root := c.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.Stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.Stdout)
		case "fish":
			return root.GenFishCompletion(a.Stdout, true)
		}
		return root.GenPowerShellCompletionWithDesc(a.Stdout)
	}
	return c
}

// complete has shells complete the names of profiles wherever one can stand.
func (a App) complete(c *cobra.Command) {
	if c.Flags().Lookup("profile") == nil {
		return
	}
	// It fails only for a flag that is not there.
	c.RegisterFlagCompletionFunc("profile", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		path, err := config.Path(a.Getenv)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		file, err := config.Load(path)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return file.Names(), cobra.ShellCompDirectiveNoFileComp
	})
}
