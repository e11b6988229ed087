package cli

import (
	"cmp"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/internal/awsfile"
	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/config"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
	"github.com/gimme-broker/gimme/internal/workload"
)

// A plan is a profile with all that was said about it.
type plan struct {
	name     string
	settings config.Profile
	file     *config.File
	files    awsfile.Files
	getenv   func(string) string
	chosen   string // the role that the person chose in this run; empty: nobody was asked
}

// profileFlag adds --profile.
func profileFlag(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.String("profile", "", "`NAME` of the profile (default: the only one)")
}

// settingFlags adds a flag for each setting.
func settingFlags(flags *pflag.FlagSet) {
	for _, s := range config.Settings() {
		flags.String(s.Flag(), "", s.Usage)
		group(flags, s.Group, s.Flag())
	}
}

// loginFlags adds the flags of a login.
func loginFlags(flags *pflag.FlagSet) {
	flags.Bool("no-browser", false, "print the address to open instead of opening a browser")
	flags.Duration("timeout", login.DefaultTimeout, "how long to wait for the login, `1s to 1h`")
	flags.Bool("force", false, "a wholly new login, whatever is at hand; the provider asks who it is")
	group(flags, config.GroupLogin, "no-browser", "timeout", "force")
}

// plan reads the configuration and resolves the profile's settings. Flags that
// a command does not have are as if they were not given.
func (a App) plan(flags *pflag.FlagSet) (*plan, error) {
	p, err := a.configured()
	if err != nil {
		return nil, err
	}
	if p.name, err = a.profileName(flags, p.file); err != nil {
		return nil, err
	}
	lookup := func(name string) (string, bool) {
		f := flags.Lookup(name)
		if f == nil {
			return "", false
		}
		return f.Value.String(), f.Changed
	}
	if p.settings, err = config.Resolve(lookup, a.Getenv, p.file, p.name); err != nil {
		return nil, usage("gimme s3 --help", "%w", err)
	}
	return p, nil
}

// settled is the plan of a profile by its name alone, which may be empty.
func (a App) settled(profile string) (*plan, error) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	profileFlag(flags)
	if profile != "" {
		if err := flags.Set("profile", profile); err != nil {
			return nil, err
		}
	}
	return a.plan(flags)
}

// configured is a plan of which only the files are known.
func (a App) configured() (*plan, error) {
	path, err := config.Path(a.Getenv)
	if err != nil {
		return nil, err
	}
	p := &plan{getenv: a.Getenv}
	if p.file, err = config.Load(path); err != nil {
		return nil, &failure{exitFailed, err, "correct the file " + path + "; nothing was changed"}
	}
	p.files, err = awsfile.Locate(a.Getenv)
	return p, err
}

func (p *plan) request() broker.Request {
	s := p.settings
	return broker.Request{
		Address: s.Address, Issuer: s.Issuer, ClientID: s.ClientID, STSEndpoint: s.STSEndpoint,
		Role: cmp.Or(s.Role, s.RoleARN), Region: s.Region, Scopes: s.Scopes, Duration: s.Duration,
		IDP: s.IDP, RedirectHost: s.RedirectHost, Ports: s.Ports, ClientSecret: secret.New(s.ClientSecret),
		Parameters: s.Parameters, LoginHint: s.LoginHint, Remember: s.Remember != "false",
		Workload: workload.Options{
			Getenv: p.getenv, Identity: s.Identity, Audience: s.Audience,
			File: s.TokenFile, Env: s.TokenEnv, Command: s.TokenCommand, URL: s.TokenURL,
		},
	}
}

// broker makes the broker for a plan. ask may be nil: nobody is asked.
func (a App) broker(p *plan, ask *broker.Ask) (*broker.Broker, error) {
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	folder, err := store.Path(a.Getenv)
	if err != nil {
		return nil, &failure{exitFailed, err, ""}
	}
	return &broker.Broker{
		HTTP: client, Ask: ask,
		Store: store.Open(folder, store.Options{Plain: p.settings.TokenStore == "file"}),
	}, nil
}

// ask says how the person at this command is asked to log in. t may be nil.
func (a App) ask(p *plan, flags *pflag.FlagSet, t *terminal, told *progress) (*broker.Ask, error) {
	timeout, err := a.timeout(flags)
	if err != nil {
		return nil, err
	}
	noBrowser, err := a.noBrowser(flags)
	if err != nil {
		return nil, err
	}
	force, _ := flags.GetBool("force")
	ask := &broker.Ask{Notify: told.login, Timeout: timeout, Fresh: force}
	if ask.Flow = login.Flow(p.settings.Flow); ask.Flow == "" || ask.Flow == "auto" {
		ask.Flow, _ = told.here.Choose()
		if noBrowser || a.OpenBrowser == nil {
			ask.Flow = login.Paste
		}
	}
	if !noBrowser && ask.Flow != login.Paste {
		ask.OpenBrowser = a.OpenBrowser
	}
	if t != nil && ask.Flow != login.Device {
		ask.Lines = t.lines
	}
	return ask, nil
}

// profileName is the one given, or the only one there is.
func (a App) profileName(flags *pflag.FlagSet, f *config.File) (string, error) {
	name := flags.Lookup("profile").Value.String()
	if !flags.Changed("profile") {
		name = a.Getenv("GIMME_PROFILE")
		if names := f.Names(); name == "" && len(names) == 1 {
			name = names[0]
		} else if name == "" && len(names) > 1 {
			return "", usage("name one: --profile "+names[0], "several profiles are configured: %s", strings.Join(names, ", "))
		} else if name == "" {
			return "", usage("gimme s3 --address https://s3.sidecar.example --profile sidecar", "no profile is named")
		}
	}
	if err := awsfile.CheckName(name); err != nil {
		return "", usage("gimme s3 --profile sidecar", "%w", err)
	}
	return name, nil
}

func (a App) timeout(flags *pflag.FlagSet) (time.Duration, error) {
	text := flags.Lookup("timeout").Value.String()
	if env := a.Getenv("GIMME_TIMEOUT"); env != "" && !flags.Changed("timeout") {
		text = env
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > time.Hour {
		return 0, usage("gimme s3 --timeout 5m", "timeout %q is not a time from 1s to 1h", text)
	}
	return d, nil
}

func (a App) noBrowser(flags *pflag.FlagSet) (bool, error) {
	text := a.Getenv("GIMME_NO_BROWSER")
	if flags.Changed("no-browser") || text == "" {
		return flags.GetBool("no-browser")
	}
	switch text {
	case "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	}
	return false, usage("GIMME_NO_BROWSER=true gimme s3", "GIMME_NO_BROWSER %q is neither true nor false", text)
}
