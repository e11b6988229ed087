package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a App) login() *cobra.Command {
	c := &cobra.Command{
		Use:   "login",
		Short: "Log in, and keep the credentials at hand",
		Long: `Logs you in with your identity provider, and keeps the credentials of the
profile's role at hand for gimme's other commands and for the programs that ask
it. The AWS files stay as they are: gimme s3 writes those. What is given once is
kept under the profile's name, as with gimme s3.

With credentials at hand that last, nothing is done; --force logs in anew.`,
		Example: `  gimme login --profile sidecar
  gimme login --profile sidecar --force
  gimme login --profile sidecar --flow device`,
	}
	flags := c.Flags()
	profileFlag(flags)
	settingFlags(flags)
	loginFlags(flags)
	c.RunE = func(c *cobra.Command, _ []string) error { return a.runLogin(c.Context(), flags) }
	return c
}

func (a App) runLogin(ctx context.Context, flags *pflag.FlagSet) error {
	p, err := a.plan(flags)
	if err != nil {
		return err
	}
	if err := p.file.Check(); err != nil {
		return fileFailure(err)
	}
	got, err := a.obtain(ctx, p, flags)
	if err != nil {
		return err
	}
	saved, err := p.file.Save(context.WithoutCancel(ctx), p.name, p.settings)
	if err != nil {
		return &failure{exitFailed, fmt.Errorf("somebody is logged in, but the settings could not be kept: %w", err), "the next run needs the same flags again"}
	}
	row := func(name, format string, args ...any) {
		fmt.Fprintf(a.Stderr, "%-13s%s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	if got.atHand {
		fmt.Fprintln(a.Stderr, "The credentials at hand still last, so that nobody had to log in; --force logs in anew.")
	}
	row("Signed in", "%s, at %s", cmp.Or(got.Email, got.Subject), got.Issuer)
	row("Role", "%s, valid for %s", got.Role, time.Until(got.Expires).Round(time.Minute))
	if saved {
		row("Settings", "%s: profile %s", p.file.Path(), p.name)
	}
	if found, err := p.files.Find(p.name); err == nil && !found.Ours {
		row("Next", "gimme s3 --profile %s --refresh, so that programs use it", p.name)
	}
	return nil
}
