package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/shellenv"
	"github.com/gimme-broker/gimme/internal/store"
	"github.com/gimme-broker/gimme/internal/workload"
)

func (a App) env() *cobra.Command {
	formats := formats()
	c := &cobra.Command{
		Use:   "env",
		Short: "Print credentials as variables for a shell, a program or a CI job",
		Long: `Prints the credentials of a profile as variables of the environment: keys,
region, expiry and, with a sidecar, the endpoint of S3. They last until they
expire and are not renewed: where a profile can be used, it is better.

Formats: shell (POSIX), fish, powershell, dotenv, github (appends to the file that
GITHUB_ENV names), gitlab (a dotenv report) and json. In CI systems that mask
values at run time, the secrets are masked first.`,
		Example: `  eval "$(gimme env --profile sidecar)"
  gimme env --profile sidecar --format fish | source
  gimme env --profile sidecar --format dotenv > .env
  gimme env --profile ci --address https://s3.sidecar.example --format github`,
	}
	flags := c.Flags()
	profileFlag(flags)
	flags.String("format", string(shellenv.Shell), "one of `"+strings.Join(formats, ", ")+"`")
	settingFlags(flags)
	loginFlags(flags)
	c.RunE = func(c *cobra.Command, _ []string) error {
		format, _ := flags.GetString("format")
		if !slices.Contains(formats, format) {
			return usage("gimme env --format shell", "format %q is not one of %s", format, strings.Join(formats, ", "))
		}
		file := a.Getenv("GITHUB_ENV")
		if format == string(shellenv.GitHub) && file == "" {
			return usage("gimme env --format shell", "format github appends to the file that GITHUB_ENV names, and it names none")
		}
		p, err := a.plan(flags)
		if err != nil {
			return err
		}
		got, err := a.obtain(c.Context(), p, flags)
		if err != nil {
			return err
		}
		a.keepRole(c.Context(), p)
		vars := variables(got.Credentials)
		masks := io.Writer(a.Stderr) // stdout is evaluated
		if format == string(shellenv.GitHub) {
			masks = a.Stdout
		}
		var values []string
		for _, v := range vars {
			if v.Secret {
				values = append(values, v.Value)
			}
		}
		if err := workload.Mask(workload.Platform(a.Getenv)).Apply(c.Context(), masks, values...); err != nil {
			return &failure{exitFailed, fmt.Errorf("mask the credentials in the job's log: %w", err), "nothing was printed"}
		}
		if format == string(shellenv.GitHub) {
			return shellenv.Append(file, shellenv.GitHub, vars)
		}
		return shellenv.Write(a.Stdout, shellenv.Format(format), vars)
	}
	return c
}

func formats() []string {
	var all []string
	for _, f := range shellenv.Formats() {
		all = append(all, string(f))
	}
	return all
}

// variables are those that AWS clients read.
func variables(c *store.Credentials) []shellenv.Var {
	region := cmp.Or(c.Region, "us-east-1")
	vars := []shellenv.Var{
		{Name: "AWS_ACCESS_KEY_ID", Value: c.AccessKeyID},
		{Name: "AWS_SECRET_ACCESS_KEY", Value: c.SecretAccessKey.Reveal(), Secret: true},
		{Name: "AWS_SESSION_TOKEN", Value: c.SessionToken.Reveal(), Secret: true},
		{Name: "AWS_CREDENTIAL_EXPIRATION", Value: c.Expires.UTC().Format(time.RFC3339)},
		{Name: "AWS_REGION", Value: region},
		{Name: "AWS_DEFAULT_REGION", Value: region},
	}
	if c.Endpoint != "" {
		vars = append(vars, shellenv.Var{Name: "AWS_ENDPOINT_URL_S3", Value: c.Endpoint})
	}
	return vars
}
