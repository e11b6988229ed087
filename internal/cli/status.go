package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/store"
)

// A profileStatus is what is known of a profile, from files alone. Its JSON
// form is for programs: names stay.
type profileStatus struct {
	Profile  string     `json:"profile"`
	Address  string     `json:"address,omitempty"`
	Issuer   string     `json:"issuer,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	Email    string     `json:"email,omitempty"`
	Role     string     `json:"role,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Valid    bool       `json:"valid"`
	Silent   bool       `json:"silent"` // whether it can be renewed without asking
	Rests    string     `json:"refresh_token_at,omitempty"`
	Written  string     `json:"written,omitempty"` // "keys", "credential_process" or ""
	Shadowed bool       `json:"shadowed,omitempty"`
	Fault    string     `json:"fault,omitempty"`
}

// A status is that of all profiles.
type status struct {
	Profiles    []profileStatus `json:"profiles"`
	Credentials string          `json:"credentials_in"`        // folder of the credentials at hand
	Tokens      string          `json:"refresh_tokens_in"`     // where a refresh token goes
	Why         string          `json:"not_keyring,omitempty"` // why that is not the keyring
	Settings    string          `json:"settings_in"`
}

func (a App) status() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show who is logged in, for which role, until when, and where secrets rest",
		Long: `Shows each profile: who is logged in, for which role and until when, whether the
credentials can be renewed without asking, and what stands in the AWS files; and
where secrets rest. It asks nobody over the network.

With --profile it ends with 4 when that profile has no valid credentials and
somebody has to log in for new ones; otherwise with 0, whoever is logged in.`,
		Example: `  gimme status
  gimme status --profile sidecar
  gimme status --json`,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.String("profile", "", "`NAME` of the profile (default: all)")
	flags.Bool("json", false, "print one JSON object on stdout")
	c.RunE = func(c *cobra.Command, _ []string) error {
		name, _ := flags.GetString("profile")
		asJSON, _ := flags.GetBool("json")
		return a.runStatus(c.Context(), name, asJSON)
	}
	return c
}

func (a App) runStatus(ctx context.Context, name string, asJSON bool) error {
	all, err := a.configured()
	if err != nil {
		return err
	}
	names := all.file.Names()
	if name != "" {
		names = []string{name}
	}
	shown := status{Profiles: []profileStatus{}, Settings: all.file.Path()}
	folder, err := store.Path(a.Getenv)
	if err != nil {
		return &failure{exitFailed, err, ""}
	}
	// The keyring is asked once: one that hangs costs seconds.
	usual := store.Open(folder, store.Options{})
	places := usual.Where(ctx)
	shown.Credentials, shown.Tokens, shown.Why = places.Folder, places.Tokens.Place, places.Tokens.Why
	for _, n := range names {
		p, err := a.settled(n)
		if err != nil {
			if name != "" {
				return err
			}
			shown.Profiles = append(shown.Profiles, profileStatus{Profile: n, Fault: err.Error()})
			continue
		}
		s, err := a.profileStatus(ctx, p, usual, places)
		if err != nil {
			return err
		}
		shown.Profiles = append(shown.Profiles, s)
	}
	if asJSON {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		err = e.Encode(shown)
	} else {
		a.tellStatus(shown)
	}
	if err == nil && name != "" && !shown.Profiles[0].Valid && !shown.Profiles[0].Silent {
		return &failure{exitLogin, fmt.Errorf("profile %q has no valid credentials", name), "gimme login --profile " + name}
	}
	return err
}

func (a App) profileStatus(ctx context.Context, p *plan, usual *store.Store, places store.Places) (s profileStatus, err error) {
	b, err := a.broker(p, nil)
	if err != nil {
		return s, err
	}
	if p.settings.TokenStore != "file" {
		b.Store = usual
	} else {
		places = b.Store.Where(ctx)
	}
	s = profileStatus{Profile: p.name, Address: p.settings.Address}
	who, got, err := b.Known(p.request())
	if err != nil {
		return s, &failure{exitFailed, err, ""}
	}
	if who != nil {
		s.Issuer, s.Subject, s.Email = who.Issuer, who.Subject, who.Email
	}
	if got != nil {
		s.Issuer, s.Subject, s.Email, s.Role = got.Issuer, got.Subject, cmp.Or(got.Email, s.Email), got.Role
		s.Expires, s.Valid = new(got.Expires.UTC()), broker.FreshnessOf(got, time.Now()) != broker.None
	}
	if s.Silent = b.Silent(ctx, p.request()); s.Silent {
		s.Rests = places.Tokens.Place
	}
	found, err := p.files.Find(p.name)
	switch {
	case err != nil:
		s.Fault = err.Error()
	case found.Process != "" && found.Ours:
		s.Written, s.Shadowed = "credential_process", found.Shadowed
	case found.Ours:
		s.Written = "keys"
	}
	return s, nil
}

func (a App) tellStatus(all status) {
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(a.Stdout, "%-14s%s\n", name, printable(text))
		}
	}
	if len(all.Profiles) == 0 {
		fmt.Fprintln(a.Stderr, "There is no profile. Begin with: gimme s3 --address https://s3.sidecar.example --profile sidecar")
	}
	for _, s := range all.Profiles {
		row("Profile", s.Profile)
		row("Address", s.Address)
		row("Fault", s.Fault)
		who := cmp.Or(s.Email, s.Subject)
		if who != "" {
			who += ", at " + s.Issuer
		}
		row("Logged in", cmp.Or(who, "nobody"))
		row("Role", s.Role)
		row("Valid until", s.until())
		if s.Silent {
			row("Renewal", "without asking; the refresh token rests in "+s.Rests)
		} else if s.Fault == "" {
			row("Renewal", "by a login: gimme login --profile "+s.Profile)
		}
		switch {
		case s.Shadowed:
			row("AWS files", "a credential_process, and static keys that come before it: gimme s3 --profile "+s.Profile+" --refresh")
		case s.Written != "":
			row("AWS files", s.Written)
		default:
			row("AWS files", "nothing of gimme's")
		}
		fmt.Fprintln(a.Stdout)
	}
	row("Credentials", all.Credentials)
	row("Tokens", all.Tokens)
	row("", all.Why)
	row("Settings", all.Settings)
}

func (s profileStatus) until() string {
	switch {
	case s.Expires == nil:
		return ""
	case !s.Valid:
		return "expired at " + s.Expires.Local().Format(time.DateTime)
	}
	return fmt.Sprintf("%s, for %s", s.Expires.Local().Format("Mon 2 Jan 15:04:05 MST"), time.Until(*s.Expires).Round(time.Minute))
}
