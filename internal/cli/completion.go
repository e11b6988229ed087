package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/idp"
)

func (a App) completion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	c := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print what makes a shell complete gimme's commands",
		Long: `Prints, on stdout, what makes a shell complete gimme's commands, flags, profiles, and
roles that were taken before.`,
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

// complete has shells complete what flags can be: profiles, roles that were
// taken before, and words of which there are few.
func (a App) complete(c *cobra.Command) {
	words := map[string][]cobra.Completion{
		"flow": {"auto", "browser", "device", "paste"}, "token-store": {"auto", "file"}, "remember": {"true", "false"},
		"redirect-host": {"127.0.0.1", "localhost", "[::1]"}, "idp": names(idp.All()), "format": formats(),
	}
	for name, those := range words {
		if _, own := c.GetFlagCompletionFunc(name); !own && c.Flags().Lookup(name) != nil {
			a.completeFlag(c, name, func() []cobra.Completion { return those })
		}
	}
	if c.Flags().Lookup("profile") != nil {
		a.completeFlag(c, "profile", func() []cobra.Completion {
			p, err := a.configured()
			if err != nil {
				return nil
			}
			return p.file.Names()
		})
	}
	if c.Flags().Lookup("role") != nil {
		a.completeFlag(c, "role", a.knownRoles)
	}
}

// completeFlag fails only for a flag that is not there.
func (a App) completeFlag(c *cobra.Command, name string, words func() []cobra.Completion) {
	c.RegisterFlagCompletionFunc(name, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return words(), cobra.ShellCompDirectiveNoFileComp
	})
}

// knownRoles are those that profiles name or have credentials for. Nobody is
// asked over the network for them.
func (a App) knownRoles() []cobra.Completion {
	all, err := a.configured()
	if err != nil {
		return nil
	}
	var roles []cobra.Completion
	for _, name := range all.file.Names() {
		p, err := a.settled(name)
		if err != nil {
			continue
		}
		roles = append(roles, p.settings.Role)
		if b, err := a.broker(p, nil); err == nil {
			if _, c, err := b.Known(p.request()); err == nil && c != nil {
				roles = append(roles, c.Role)
			}
		}
	}
	slices.Sort(roles)
	return slices.DeleteFunc(slices.Compact(roles), func(r string) bool { return r == "" })
}

func names(presets []idp.Preset) []cobra.Completion {
	var all []cobra.Completion
	for _, p := range presets {
		all = append(all, p.Name)
	}
	return all
}
