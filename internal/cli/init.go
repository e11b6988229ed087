package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/awsfile"
	"github.com/gimme-broker/gimme/internal/config"
	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idp"
)

func (a App) init() *cobra.Command {
	c := &cobra.Command{
		Use:   "init ADDRESS",
		Short: "Set up a profile for a sidecar",
		Long: `Asks the sidecar at ADDRESS how to log in, shows what it says and what would be
written, and writes the profile into gimme's configuration once you agree. Nobody
logs in yet, and the AWS files stay as they are.`,
		Example: `  gimme init https://s3.sidecar.example
  gimme init https://s3.sidecar.example --profile lake --yes`,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.String("profile", "sidecar", "`NAME` of the profile")
	flags.Bool("yes", false, "write it without asking")
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("gimme init https://s3.sidecar.example", "one address is wanted, and %d are given", len(args))
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		name, _ := flags.GetString("profile")
		yes, _ := flags.GetBool("yes")
		return a.runInit(c.Context(), strings.TrimSuffix(args[0], "/"), name, yes)
	}
	return c
}

func (a App) runInit(ctx context.Context, address, name string, yes bool) error {
	if err := awsfile.CheckName(name); err != nil {
		return usage("gimme init "+address+" --profile sidecar", "%w", err)
	}
	if err := discovery.CheckAddress(address); err != nil {
		return usage("gimme init https://s3.sidecar.example", "%w", err)
	}
	p, err := a.configured()
	if err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	d, err := discovery.Fetch(ctx, client, address)
	if err != nil {
		return &failure{exitFailed, err, "check the address with whoever runs the sidecar"}
	}
	settings, known := p.file.Profile(name)
	if known && settings.Address == "" {
		return &failure{exitFailed, fmt.Errorf("profile %q is there already, without a sidecar", name), "choose another name: --profile NAME"}
	}
	settings.Address = address
	provider := idp.Guess(d.Issuer)
	if preset, ok := idp.Find(d.IDP); ok {
		provider = preset
	}
	for _, row := range [][2]string{
		{"Sidecar", address},
		{"Log in at", d.Issuer + " (" + provider.Title + ")"},
		{"As client", d.ClientID},
		{"Scopes", strings.Join(d.Scopes, " ")},
		{"Region", d.Region},
		{"Writes", p.file.Path() + ": profile " + name},
	} {
		fmt.Fprintf(a.Stderr, "%-13s%s\n", row[0], printable(row[1]))
	}
	if !yes {
		if err := a.confirm(ctx, "Write it?", "gimme init "+address+" --yes"); err != nil {
			return err
		}
	}
	return a.saveInit(ctx, p.file, name, settings)
}

func (a App) saveInit(ctx context.Context, file *config.File, name string, settings config.Profile) error {
	saved, err := file.Save(context.WithoutCancel(ctx), name, settings)
	if err != nil {
		return fileFailure(err)
	}
	done := "Written"
	if !saved {
		done = "As it was"
	}
	fmt.Fprintf(a.Stderr, "%-13s%s\n%-13sgimme s3 --profile %s --refresh\n", done, file.Path(), "Next", name)
	return nil
}

// confirm asks a question at the terminal. instead is the command that asks
// nothing.
func (a App) confirm(ctx context.Context, question, instead string) error {
	t := a.terminal()
	if t == nil {
		return usage(instead, "there is no terminal to ask at")
	}
	defer t.close()
	fmt.Fprintf(t, "%s [y/N] ", question)
	line, err := t.lines(ctx)
	if err != nil {
		fmt.Fprintln(t)
		return cmp.Or(ctx.Err(), context.Canceled)
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return &failure{exitFailed, fmt.Errorf("nothing was written"), ""}
	}
	return nil
}
