package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/proxy"
)

func (a App) proxyServiceKey() *cobra.Command {
	c := &cobra.Command{
		Use:   "service-key",
		Short: "Make key pairs for programs that can hold only a static pair",
		Long: `Makes key pairs for programs that cannot log in and can hold only a static pair of
keys. Each speaks for one service and one role, from given networks, until a given
moment, and works only while its entry stands in the sidecar's configuration.
docs/revocation.md tells how they end.`,
		Example: `  gimme proxy service-key new --config /etc/gimme/proxy.yaml --service backup --role arn:aws:iam::111122223333:role/lake --from 10.20.0.0/16 --expires 90d`,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.proxyServiceKeyNew())
	return c
}

func (a App) proxyServiceKeyNew() *cobra.Command {
	c := &cobra.Command{
		Use:   "new",
		Short: "Make a key pair, and print the entry for the configuration",
		Long: `Makes a key pair for a service and prints, on stdout, the entry to put under
service_keys in the sidecar's configuration, and the two keys for the program. The
secret is shown this once: it is derived from the keys of sessions.key_file and
stands nowhere. Nothing is written, but a key file that does not exist yet is made,
as the sidecar would. The pair works once the entry stands in the configuration and
the sidecar has been started anew.`,
		Example: `  gimme proxy service-key new --config /etc/gimme/proxy.yaml --service backup --role arn:aws:iam::111122223333:role/lake --from 10.20.0.0/16 --expires 90d
  gimme proxy service-key new --config /etc/gimme/proxy.yaml --service etl --role arn:aws:iam::111122223333:role/lake --from 10.20.0.0/16 --from 192.0.2.7/32 --expires 2027-06-30T00:00:00Z --json`,
	}
	flags := c.Flags()
	file := flags.String("config", "", "`FILE` with the sidecar's configuration; required")
	service := flags.String("service", "", "`NAME` under which policies know who signs with the pair; required")
	role := flags.String("role", "", "`ARN` of the role that its requests are made with, one of roles; required")
	from := flags.StringArray("from", nil, "`NETWORK` that it may be used from, such as 10.20.0.0/16; may be repeated; required")
	expires := flags.String("expires", "", "`WHEN` it ends: days or hours from now, as in 90d or 12h, or a moment such as 2027-06-30T00:00:00Z; required")
	asJSON := flags.Bool("json", false, "print one JSON object on stdout")
	c.RunE = func(c *cobra.Command, _ []string) error {
		hint := "gimme proxy service-key new --help"
		for _, name := range []string{"config", "service", "role", "from", "expires"} {
			if !flags.Changed(name) {
				return usage(hint, "--%s is missing", name)
			}
		}
		until, err := expiry(*expires, time.Now())
		if err != nil {
			return usage(hint, "--expires %q: %w", *expires, err)
		}
		config, err := proxy.Load(*file)
		if err != nil {
			return configFailure(*file, err)
		}
		made, err := config.MakeServiceKey(*service, *role, *from, until)
		if err != nil {
			return &failure{exitFailed, err, hint}
		}
		if *asJSON {
			return json.NewEncoder(a.Stdout).Encode(made)
		}
		return a.tellServiceKey(made, *file)
	}
	return c
}

// tellServiceKey prints the entry as it can be put into the configuration, and
// the pair as programs are given it.
func (a App) tellServiceKey(k proxy.NewServiceKey, file string) error {
	networks := make([]string, len(k.From))
	for i, n := range k.From {
		networks[i] = strconv.Quote(n)
	}
	_, err := fmt.Fprintf(a.Stdout, `# For %s:
service_keys:
  - access_key_id: %s
    service: %q
    role: %q
    from: [%s]
    expires: %s

# For the program. The secret is not shown again.
AWS_ACCESS_KEY_ID=%s
AWS_SECRET_ACCESS_KEY=%s
`, printable(file), k.AccessKeyID, k.Service, k.Role, strings.Join(networks, ", "), k.Expires.Format(time.RFC3339), k.AccessKeyID, k.SecretAccessKey)
	fmt.Fprintf(a.Stderr, "Put the entry under service_keys in %s, then start the sidecar anew.\n", printable(file))
	return err
}

// expiry reads a moment, or a number of days or hours from now.
func expiry(s string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		if !at.After(now) {
			return at, fmt.Errorf("that is over")
		}
		return at, nil
	}
	unit := time.Hour
	number, isDays := strings.CutSuffix(s, "d")
	if isDays {
		unit = 24 * time.Hour
	} else if number, isDays = strings.CutSuffix(s, "h"); !isDays {
		number = ""
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 {
		return time.Time{}, fmt.Errorf("days or hours from now are wanted, as in 90d or 12h, or a moment such as 2027-06-30T00:00:00Z")
	}
	return now.Add(time.Duration(n) * unit), nil
}
