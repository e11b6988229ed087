package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/devstack"
)

func (a App) dev() *cobra.Command {
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run an identity provider, an S3 server and the sidecar on this machine",
		Long: `Starts what gimme demo starts and stays, until Ctrl-C. It prints the address, the
people who can log in, the files that decide, and what to type in another
terminal. Edit the data map or the policy and see them reload. The sidecar's log
goes to stderr.`,
		Example: `  gimme dev`,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		return devstack.Dev(c.Context(), devstack.Options{Gimme: a.again, Out: a.Stdout, OpenBrowser: a.OpenBrowser, Log: slog.New(slog.NewTextHandler(a.Stderr, nil))})
	}
	return c
}
