package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func (a App) login() *cobra.Command {
	c := &cobra.Command{
		Use:   "login",
		Short: "Log in, and keep the credentials at hand",
		Long: `Logs you in with your identity provider, and keeps the credentials of the
profile's role at hand for gimme's other commands and for the programs that ask
it. What is given is kept under the profile's name, as by gimme s3; the AWS files
stay as they are.

With credentials at hand that last, nothing is done; --force logs in anew.`,
		Example: `  gimme login --profile sidecar
  gimme login --profile sidecar --force
  gimme login --profile sidecar --flow device`,
	}
	flags := c.Flags()
	profileFlag(flags)
	settingFlags(flags)
	loginFlags(flags)
	c.RunE = func(c *cobra.Command, _ []string) error {
		p, err := a.plan(flags)
		if err != nil {
			return err
		}
		if err := p.file.Check(); err != nil {
			return fileFailure(err)
		}
		got, err := a.obtain(c.Context(), p, flags)
		if err != nil {
			return err
		}
		if _, err := p.file.Save(context.WithoutCancel(c.Context()), p.name, p.settings); err != nil {
			return fileFailure(err)
		}
		fmt.Fprintf(a.Stderr, "%-13s%s, at %s\n", "Signed in", printable(cmp.Or(got.Email, got.Subject)), got.Issuer)
		fmt.Fprintf(a.Stderr, "%-13s%s, valid for %s\n", "Role", got.Role, time.Until(got.Expires).Round(time.Minute))
		if found, err := p.files.Find(p.name); err == nil && !found.Ours {
			fmt.Fprintf(a.Stderr, "%-13sgimme s3 --profile %s --refresh, so that programs use it\n", "Next", p.name)
		}
		return nil
	}
	return c
}
