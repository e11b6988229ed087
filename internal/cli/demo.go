package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/devstack"
)

func (a App) demo() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "Tell the whole story on this machine, without accounts",
		Long: `Starts an identity provider, an S3 server and the sidecar on loopback, lets two
people log in and work, and checks that each step comes out as it should. It
touches nothing outside a temporary folder, and leaves nothing behind. The story
goes to stdout.`,
		Example: `  gimme demo
  gimme demo --browser`,
	}
	browser := c.Flags().Bool("browser", false, "log in by hand in the real browser")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *browser && a.OpenBrowser == nil {
			return usage("gimme demo", "there is no browser here")
		}
		return devstack.Demo(c.Context(), devstack.Options{Gimme: a.again, Out: a.Stdout, Browser: *browser, OpenBrowser: a.OpenBrowser})
	}
	return c
}

// again runs another gimme inside this process, in a world of its own.
func (a App) again(ctx context.Context, g devstack.Invocation) int {
	return App{
		Stdout: g.Stdout, Stderr: g.Stderr, OpenBrowser: g.OpenBrowser, Version: a.Version,
		Getenv: func(name string) string { return g.Env[name] },
	}.Run(ctx, g.Args)
}
