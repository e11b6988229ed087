package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/internal/awsfile"
	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/secret"
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

What is said there can also stand in the environment: GIMME_ADDRESS for
--address, and so on. Flags come before the environment, the environment before
the file.

Credentials that are at hand and last are written again without a login. With
--refresh the profile gets a credential_process in place of keys: programs then
always have credentials that last, and long ones need no new start.

Nothing is printed on stdout, but for what --dry-run would change.`,
		Example: `  gimme s3 --address https://s3.sidecar.example --profile sidecar
  gimme s3 --profile sidecar
  gimme s3 --profile sidecar --refresh
  gimme s3 --profile sidecar --role data-engineering --no-browser
  gimme s3 --profile sidecar --dry-run
  gimme s3 --profile data --issuer https://idp.example --client-id gimme --role-arn arn:aws:iam::111122223333:role/data --region eu-west-1`,
	}
	flags := c.Flags()
	profileFlag(flags)
	settingFlags(flags)
	loginFlags(flags)
	flags.Bool("refresh", false, "write a credential_process in place of keys, so that programs renew them by themselves")
	flags.Bool("dry-run", false, "print on stdout what would change in the AWS files, and change nothing")
	c.RunE = func(c *cobra.Command, _ []string) error { return a.runS3(c.Context(), flags) }
	return c
}

// runS3 finds out all that could be wrong before anyone logs in.
func (a App) runS3(ctx context.Context, flags *pflag.FlagSet) error {
	p, err := a.plan(flags)
	if err != nil {
		return err
	}
	refresh, _ := flags.GetBool("refresh")
	profile, err := a.awsProfile(p, refresh)
	if err != nil {
		return err
	}
	if dry, _ := flags.GetBool("dry-run"); dry {
		return a.showDiff(p, profile)
	}
	if err := p.files.Check(profile); err != nil {
		return fileFailure(err)
	}
	if err := p.file.Check(); err != nil {
		return fileFailure(err)
	}
	got, err := a.obtain(ctx, p, flags)
	if err != nil {
		return err
	}
	profile.Region, profile.Endpoint = got.Region, got.Endpoint
	if !refresh {
		profile.AccessKeyID, profile.SecretAccessKey, profile.SessionToken, profile.Expires = got.AccessKeyID, got.SecretAccessKey, got.SessionToken, got.Expires
	}
	// From here on it is done whole: it takes milliseconds.
	ctx = context.WithoutCancel(ctx)
	notices, err := p.files.Write(ctx, profile)
	for _, n := range notices {
		fmt.Fprintf(a.Stderr, "Note: %s.\n", printable(n))
	}
	if err != nil {
		return fileFailure(err)
	}
	saved, err := p.file.Save(ctx, p.name, p.settings)
	a.tell(p, got, refresh, saved && err == nil)
	if err != nil {
		return &failure{exitFailed, fmt.Errorf("the credentials are written, but not the settings: %w", err), "the next run needs the same flags again"}
	}
	return nil
}

// awsProfile is what will be written, but for the credentials.
func (a App) awsProfile(p *plan, refresh bool) (awsfile.Profile, error) {
	profile := awsfile.Profile{Name: p.name, Region: p.settings.Region, Endpoint: p.settings.Address}
	if refresh {
		profile.Process = []string{a.Executable, "credential-process", "--profile", p.name}
		if err := awsfile.CheckProcess(profile.Process); err != nil {
			return profile, &failure{exitFailed, err, "put gimme in a folder with a plain name, or write keys: gimme s3 without --refresh"}
		}
	}
	return profile, nil
}

// showDiff prints what would change. Of the credentials nothing is known yet, and
// of a sidecar's region only what it said the last time.
func (a App) showDiff(p *plan, profile awsfile.Profile) error {
	if b, err := a.broker(p, nil); err == nil && profile.Region == "" {
		if _, c, err := b.Known(p.request()); err == nil && c != nil {
			profile.Region = c.Region
		}
	}
	if profile.Region == "" && profile.Endpoint != "" {
		fmt.Fprintln(a.Stderr, "Note: the sidecar may name another region; it was not asked.")
	}
	profile.Region = cmp.Or(profile.Region, broker.DefaultRegion)
	if profile.Process == nil {
		profile.AccessKeyID, profile.SecretAccessKey, profile.SessionToken = "ACCESS-KEY-ID", secret.New("SECRET"), secret.New("TOKEN")
		profile.Expires = time.Now().Add(time.Hour)
	}
	diff, err := p.files.Diff(profile)
	if err != nil {
		return fileFailure(err)
	}
	if diff == "" {
		fmt.Fprintln(a.Stderr, "Nothing would change.")
		return nil
	}
	_, err = fmt.Fprint(a.Stdout, diff)
	return err
}

// tell says what was done.
func (a App) tell(p *plan, got obtained, refresh, saved bool) {
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
	if got.atHand {
		fmt.Fprintln(a.Stderr, "The credentials at hand still last, so that nobody had to log in; --force logs in anew.")
	}
	left := time.Until(got.Expires)
	if asked := p.settings.Duration; asked > left+time.Minute && !got.atHand {
		fmt.Fprintf(a.Stderr, "Note: %s were asked for, and %s is the limit.\n", asked, left.Round(time.Minute))
	}
	rows := [][2]string{
		{"Signed in", who + ", at " + got.Issuer},
		{"Role", got.Role},
		{"Valid until", fmt.Sprintf("%s, for %s", got.Expires.Local().Format("Mon 2 Jan 15:04:05 MST"), left.Round(time.Minute))},
	}
	if refresh {
		rows = append(rows, [][2]string{
			{"Written", p.files.Config + ": " + config},
			{"", "programs ask gimme for credentials there, and renew them by themselves"},
		}...)
	} else {
		rows = append(rows, [][2]string{
			{"Written", p.files.Credentials + ": [" + p.name + "]"},
			{"", p.files.Config + ": " + config},
		}...)
	}
	if saved {
		rows = append(rows, [2]string{"Settings", p.file.Path() + ": profile " + p.name})
	}
	rows = append(rows, [2]string{"Try", "aws s3 ls --profile " + p.name})
	for _, r := range rows {
		fmt.Fprintf(a.Stderr, "%-13s%s\n", r[0], printable(r[1]))
	}
}
