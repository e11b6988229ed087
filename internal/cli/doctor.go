package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/doctor"
	"github.com/gimme-broker/gimme/internal/idp"
)

func (a App) doctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find out why credentials do not come or do not work",
		Long: `Examines everything that has to work for a profile: the clock, names, connections
and certificates, the sidecar's discovery document, the identity provider's
metadata and keys, whether it knows gimme and sends the browser back, ports for
the login, variables and lines that come before the profile, and whether each
AWS client on this machine really sends its requests to the sidecar.

Each finding comes with its remedy. Nothing is changed, nobody is asked to log
in, and no secret is sent: clients are tried with keys that are nobody's, which
the sidecar refuses and records.

With --idp it prints instead what an administrator has to register at the
identity provider, and examines nothing.

It ends with 1 when something is at fault.`,
		Example: `  gimme doctor --profile sidecar
  gimme doctor --profile sidecar --json
  gimme doctor --idp --profile sidecar
  gimme doctor --idp=okta`,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.String("profile", "", "`NAME` of the profile to examine")
	flags.Bool("json", false, "print one JSON object a finding, on stdout")
	flags.String("idp", "", "print what to register at a `PROVIDER`: "+providerNames()+"; without a value: the profile's")
	flags.Lookup("idp").NoOptDefVal = profilesOwn
	c.RunE = func(c *cobra.Command, _ []string) error {
		profile, _ := flags.GetString("profile")
		if flags.Changed("idp") {
			name, _ := flags.GetString("idp")
			return a.registration(c.Context(), profile, name)
		}
		asJSON, _ := flags.GetBool("json")
		return a.runDoctor(c.Context(), profile, asJSON)
	}
	return c
}

// profilesOwn is the value of --idp without one.
const profilesOwn = "the profile's"

func providerNames() string {
	var names []string
	for _, p := range idp.All() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

func (a App) runDoctor(ctx context.Context, profile string, asJSON bool) error {
	p, err := a.settled(profile)
	if err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	s := p.settings
	faults := doctor.Run(ctx, doctor.Options{
		HTTP: client, Getenv: a.Getenv, Address: s.Address, Issuer: s.Issuer, ClientID: s.ClientID, Region: s.Region,
		IDP: s.IDP, RedirectHost: s.RedirectHost, Ports: s.Ports, Profile: p.name, Files: p.files,
		Run: runProgram, Environ: a.environ(),
	}, func(f doctor.Finding) { a.tellFinding(f, asJSON) })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case faults == 1:
		return &failure{exitFailed, fmt.Errorf("one thing is at fault with profile %q", p.name), "see the remedy above"}
	case faults > 1:
		return &failure{exitFailed, fmt.Errorf("%d things are at fault with profile %q", faults, p.name), "see the remedies above, and begin with the first"}
	}
	return nil
}

func (a App) tellFinding(f doctor.Finding, asJSON bool) {
	if asJSON {
		json.NewEncoder(a.Stdout).Encode(f)
		return
	}
	fmt.Fprintf(a.Stdout, "%-8s%-20s%s\n", f.State, f.Check, printable(strings.ReplaceAll(f.Text, "\n", " ")))
	if f.Remedy != "" {
		fmt.Fprintf(a.Stdout, "%-28s%s\n", "", "→ "+printable(f.Remedy))
	}
}

// runProgram runs an AWS client for the doctor.
func runProgram(ctx context.Context, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env, c.WaitDelay = env, time.Second
	out, err := c.CombinedOutput()
	return string(out), err
}

// registration prints what has to be registered at a provider. It asks the
// sidecar where people log in, if the profile has one.
func (a App) registration(ctx context.Context, profile, name string) error {
	preset, found := idp.Find(name)
	if name != profilesOwn && !found {
		return usage("gimme doctor --idp=okta", "identity provider %q is not one of %s", name, providerNames())
	}
	d, err := a.registered(ctx, profile, name == profilesOwn)
	if err != nil {
		return err
	}
	if name == profilesOwn {
		if preset, found = idp.Find(d.IDP); !found {
			preset = idp.Guess(d.Issuer)
		}
	}
	preset.RedirectHost = cmp.Or(d.RedirectHost, preset.RedirectHost)
	_, err = fmt.Fprint(a.Stdout, preset.Registration(cmp.Or(d.ClientID, "CLIENT-ID"), cmp.Or(d.Issuer, "https://ISSUER"), d.Ports))
	return err
}

// registered is what is known of a profile's registration, from its settings and
// from the sidecar; without a profile that is nothing, if that may be.
func (a App) registered(ctx context.Context, profile string, needed bool) (d discovery.Document, err error) {
	p, err := a.settled(profile)
	if err != nil {
		if profile == "" && !needed {
			return d, nil
		}
		return d, err
	}
	s := p.settings
	d.Issuer, d.ClientID = s.Issuer, s.ClientID
	if s.Address != "" {
		client, err := a.client()
		if err != nil {
			return d, err
		}
		if d, err = discovery.Fetch(ctx, client, s.Address); err != nil {
			return d, &failure{exitFailed, err, "gimme doctor --profile " + p.name}
		}
	}
	d.IDP, d.RedirectHost = cmp.Or(s.IDP, d.IDP), cmp.Or(s.RedirectHost, d.RedirectHost)
	if len(s.Ports) > 0 {
		d.Ports = s.Ports
	}
	return d, nil
}
