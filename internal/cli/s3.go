package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/internal/awsfile"
	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/config"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/store"
)

func (a App) s3() *cobra.Command {
	c := &cobra.Command{
		Use:   "s3",
		Short: "Log in and write short-lived credentials for S3 into an AWS profile",
		Long: `Logs you in with your identity provider in the browser, gets short-lived
credentials for S3, and writes them into a profile of ~/.aws/credentials and
~/.aws/config, where the aws CLI and every SDK find them. Nothing else in these
files changes.

With a sidecar its address is all that is needed. Without one, name the identity
provider, the client id and the IAM role, and AWS's own STS issues the
credentials. What is given once is kept under the profile's name in
~/.config/gimme/config.yaml, so that the profile's name alone repeats it.

Every flag but --profile, --no-browser and --timeout can also be set there, and
all of them in the environment: GIMME_ADDRESS for --address, and so on. Flags
come before the environment, the environment before the file.

Nothing is printed on stdout.`,
		Example: `  gimme s3 --address https://s3.sidecar.example --profile sidecar
  gimme s3 --profile sidecar
  gimme s3 --profile sidecar --role data-engineering --no-browser
  gimme s3 --profile data --issuer https://idp.example --client-id gimme --role-arn arn:aws:iam::111122223333:role/data --region eu-west-1`,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.String("profile", "", "`NAME` of the AWS profile to write, and of gimme's own")
	for _, s := range config.Settings() {
		flags.String(s.Flag(), "", s.Usage)
	}
	flags.Bool("no-browser", false, "print the address to open instead of opening a browser")
	flags.Duration("timeout", login.DefaultTimeout, "how long to wait for the login, `1s to 1h`")
	c.RunE = func(c *cobra.Command, _ []string) error { return a.runS3(c.Context(), flags) }
	return c
}

// runS3 finds out all that could be wrong before anyone logs in.
func (a App) runS3(ctx context.Context, flags *pflag.FlagSet) error {
	p, err := a.plan(flags)
	if err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	folder, err := store.Path(a.Getenv)
	if err != nil {
		return &failure{exitFailed, err, ""}
	}
	b := broker.Broker{HTTP: client, Store: store.Open(folder, store.Options{}), Getenv: a.Getenv, Ask: &broker.Ask{Timeout: p.timeout, Notify: a.notify}}
	if !p.noBrowser {
		b.Ask.OpenBrowser = a.OpenBrowser
	}
	got, err := b.Credentials(ctx, p.request())
	if err != nil {
		return brokerFailure(err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// From here on it is done whole: it takes milliseconds.
	ctx = context.WithoutCancel(ctx)
	notices, err := p.files.Write(ctx, awsfile.Profile{
		Name: p.name, AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken,
		Expires: got.Expires, Region: got.Region, Endpoint: got.Endpoint,
	})
	for _, n := range notices {
		fmt.Fprintf(a.Stderr, "Note: %s.\n", printable(n))
	}
	if err != nil {
		return fileFailure(err)
	}
	saved, err := p.file.Save(ctx, p.name, p.settings)
	a.tell(p, got, saved && err == nil)
	if err != nil {
		return &failure{exitFailed, fmt.Errorf("the credentials are written, but not the settings: %w", err), "the next run needs the same flags again"}
	}
	return nil
}

// A plan is what a run will do.
type plan struct {
	name      string
	settings  config.Profile
	file      *config.File
	files     awsfile.Files
	noBrowser bool
	timeout   time.Duration
}

func (a App) plan(flags *pflag.FlagSet) (*plan, error) {
	path, err := config.Path(a.Getenv)
	if err != nil {
		return nil, err
	}
	p := new(plan)
	if p.file, err = config.Load(path); err != nil {
		return nil, &failure{exitFailed, err, "correct the file " + path + "; nothing was changed"}
	}
	if p.name, err = a.profileName(flags, p.file); err != nil {
		return nil, err
	}
	if p.timeout, err = a.timeout(flags); err != nil {
		return nil, err
	}
	if p.noBrowser, err = a.noBrowser(flags); err != nil {
		return nil, err
	}
	lookup := func(name string) (string, bool) {
		f := flags.Lookup(name)
		return f.Value.String(), f.Changed
	}
	if p.settings, err = config.Resolve(lookup, a.Getenv, p.file, p.name); err != nil {
		return nil, usage("gimme s3 --help", "%w", err)
	}
	if p.files, err = awsfile.Locate(a.Getenv); err != nil {
		return nil, err
	}
	if err := p.files.Check(awsfile.Profile{Name: p.name, Endpoint: p.settings.Address}); err != nil {
		return nil, fileFailure(err)
	}
	if err := p.file.Check(); err != nil {
		return nil, fileFailure(err)
	}
	return p, nil
}

func (p *plan) request() broker.Request {
	s := p.settings
	return broker.Request{
		Address: s.Address, Issuer: s.Issuer, ClientID: s.ClientID, STSEndpoint: s.STSEndpoint,
		Role: cmp.Or(s.Role, s.RoleARN), Region: s.Region, Scopes: s.Scopes, Duration: s.Duration,
	}
}

// profileName is the one given, or the only one there is.
func (a App) profileName(flags *pflag.FlagSet, f *config.File) (string, error) {
	name := flags.Lookup("profile").Value.String()
	if !flags.Changed("profile") {
		name = a.Getenv("GIMME_PROFILE")
		if names := f.Names(); name == "" && len(names) == 1 {
			name = names[0]
		} else if name == "" && len(names) > 1 {
			return "", usage("gimme s3 --profile "+names[0], "several profiles are configured: %s", strings.Join(names, ", "))
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

// tell says what was done.
func (a App) tell(p *plan, got *store.Credentials, saved bool) {
	who := got.Subject
	if got.Email != "" {
		who = got.Email
	}
	config := "[profile " + p.name + "]"
	if p.name == "default" {
		config = "[default]"
	}
	if got.Endpoint != "" {
		config += ", S3 at " + got.Endpoint
	}
	left := time.Until(got.Expires)
	if asked := p.settings.Duration; asked > left+time.Minute {
		fmt.Fprintf(a.Stderr, "Note: %s were asked for, and %s is the limit.\n", asked, left.Round(time.Minute))
	}
	rows := [][2]string{
		{"Signed in", who + ", at " + got.Issuer},
		{"Role", got.Role},
		{"Valid until", fmt.Sprintf("%s, for %s", got.Expires.Local().Format("Mon 2 Jan 15:04:05 MST"), left.Round(time.Minute))},
		{"Written", p.files.Credentials + ": [" + p.name + "]"},
		{"", p.files.Config + ": " + config},
	}
	if saved {
		rows = append(rows, [2]string{"Settings", p.file.Path() + ": profile " + p.name})
	}
	rows = append(rows, [2]string{"Try", "aws s3 ls --profile " + p.name})
	for _, r := range rows {
		fmt.Fprintf(a.Stderr, "%-13s%s\n", r[0], printable(r[1]))
	}
}
