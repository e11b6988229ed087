package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login"
)

func (a App) logout() *cobra.Command {
	c := &cobra.Command{
		Use:   "logout",
		Short: "Forget a login, its credentials and what was written into the AWS files",
		Long: `Has the identity provider forget the refresh token (RFC 7009), drops it and the
credentials of the profile, and takes out of the AWS files what gimme wrote
there, and nothing else. Where the provider offers it, the address is shown at
which its own session ends.

Credentials that programs already hold stay valid until they expire. The
profile's settings stay too, unless --forget is given.`,
		Example: `  gimme logout --profile sidecar
  gimme logout --profile sidecar --dry-run
  gimme logout --profile sidecar --forget`,
	}
	flags := c.Flags()
	profileFlag(flags)
	flags.Bool("forget", false, "take the profile's settings out of gimme's configuration as well")
	flags.Bool("no-browser", false, "do not open the address at which the provider's session ends")
	flags.Bool("dry-run", false, "print on stdout what would change in the AWS files, and do nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		name, _ := flags.GetString("profile")
		p, err := a.settled(name)
		if err != nil {
			return a.leftover(c.Context(), name, flags, err)
		}
		if dry, _ := flags.GetBool("dry-run"); dry {
			return a.showRemoval(p)
		}
		forget, _ := flags.GetBool("forget")
		noBrowser, err := a.noBrowser(flags)
		if err != nil {
			return err
		}
		return a.runLogout(c.Context(), p, forget, noBrowser)
	}
	return c
}

// leftover takes out of the AWS files what gimme wrote for a profile of which it
// has no settings any more. Where there is nothing of that, why is the error.
func (a App) leftover(ctx context.Context, name string, flags *pflag.FlagSet, why error) error {
	p, err := a.configured()
	if err != nil || name == "" {
		return why
	}
	p.name = name
	if _, ok := p.file.Profile(name); ok {
		return why
	}
	if found, err := p.files.Find(name); err != nil || !found.Ours {
		return why
	}
	if dry, _ := flags.GetBool("dry-run"); dry {
		return a.showRemoval(p)
	}
	fmt.Fprintf(a.Stderr, "Note: gimme has no settings of profile %s, so that nothing is known of its login.\n", name)
	return a.takeOut(ctx, p)
}

func (a App) showRemoval(p *plan) error {
	diff, err := p.files.DiffRemove(p.name)
	if err != nil {
		return fileFailure(err)
	}
	if diff == "" {
		fmt.Fprintln(a.Stderr, "Nothing would change in the AWS files.")
		return nil
	}
	_, err = fmt.Fprint(a.Stdout, diff)
	return err
}

// runLogout takes leave of the provider first: that is what must not wait for
// files that cannot be written.
func (a App) runLogout(ctx context.Context, p *plan, forget, noBrowser bool) error {
	b, err := a.broker(p, nil)
	if err != nil {
		return err
	}
	told := a.progress()
	defer told.end()
	b.Notify = told.broker
	sharing := a.sharing(b, p)
	farewell, err := b.Logout(ctx, p.request())
	if err != nil {
		return brokerFailure(err)
	}
	a.tellFarewell(ctx, p, farewell, noBrowser)
	if len(sharing) > 0 {
		fmt.Fprintf(a.Stderr, "Note: the login was also that of profile %s: what is at hand there lasts until it expires, and then somebody has to log in.\n", strings.Join(sharing, ", "))
	}
	ctx = context.WithoutCancel(ctx)
	if err := a.takeOut(ctx, p); err != nil || !forget {
		return err
	}
	if err := p.file.Remove(ctx, p.name); err != nil {
		return &failure{exitFailed, fmt.Errorf("take profile %q out of %s: %w", p.name, p.file.Path(), err), "take it out with an editor"}
	}
	fmt.Fprintf(a.Stderr, "%-13s%s: profile %s\n", "Forgotten", p.file.Path(), p.name)
	return nil
}

// takeOut takes out of the AWS files what gimme wrote there.
func (a App) takeOut(ctx context.Context, p *plan) error {
	found, err := p.files.Find(p.name)
	if err != nil {
		return fileFailure(err)
	}
	notices, err := p.files.Remove(ctx, p.name)
	for _, n := range notices {
		fmt.Fprintf(a.Stderr, "Note: %s.\n", printable(n))
	}
	if err != nil {
		return fileFailure(err)
	}
	if found.Ours {
		fmt.Fprintf(a.Stderr, "%-13sprofile %s, out of the AWS files\n", "Taken out", p.name)
	}
	return nil
}

// sharing are the other profiles whose login is the same.
func (a App) sharing(b *broker.Broker, p *plan) (names []string) {
	mine, _, err := b.Known(p.request())
	if err != nil || mine == nil {
		return nil
	}
	for _, name := range p.file.Names() {
		other, err := a.settled(name)
		if err != nil || name == p.name || other.settings.LoginHint != p.settings.LoginHint {
			continue
		}
		theirs, _, err := b.Known(other.request())
		if err == nil && theirs != nil && theirs.Issuer == mine.Issuer && theirs.ClientID == mine.ClientID {
			names = append(names, name)
		}
	}
	return names
}

func (a App) tellFarewell(ctx context.Context, p *plan, f *broker.Farewell, noBrowser bool) {
	if f.Login == nil && !f.Credentials && !f.Token {
		fmt.Fprintf(a.Stderr, "Nobody was logged in for profile %s.\n", p.name)
		return
	}
	fmt.Fprintf(a.Stderr, "%-13sprofile %s\n", "Logged out", p.name)
	switch {
	case f.Revoked:
		fmt.Fprintf(a.Stderr, "%-13sthe provider has forgotten the refresh token\n", "Revoked")
	case f.Token && errors.Is(f.Why, login.ErrNotOffered):
		fmt.Fprintf(a.Stderr, "Note: the refresh token is deleted here, but the provider offers no way to revoke it.\n")
	case f.Token:
		fmt.Fprintf(a.Stderr, "Note: the refresh token is deleted here, but could not be revoked: %s.\n", printable(f.Why.Error()))
	}
	if f.EndSession == "" {
		return
	}
	fmt.Fprintf(a.Stderr, "The provider's own session in the browser ends at this address:\n\n  %s\n\n", printable(f.EndSession))
	if machineFlow, _ := login.Look(a.Getenv).Choose(); !noBrowser && a.OpenBrowser != nil && machineFlow == login.Browser {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := a.OpenBrowser(ctx, f.EndSession); err != nil {
			fmt.Fprintf(a.Stderr, "Note: no browser could be opened (%s).\n", printable(err.Error()))
		}
	}
}
