package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/broker"
)

func (a App) whoami() *cobra.Command {
	c := &cobra.Command{
		Use:   "whoami",
		Short: "Show who the credentials at hand are for",
		Long: `Shows who the credentials at hand speak for, and for which role. With --check it
asks the sidecar, or AWS STS, whether they are accepted there.

It ends with 4 when there are none.`,
		Example: `  gimme whoami --profile sidecar
  gimme whoami --profile sidecar --check
  gimme whoami --profile sidecar --json`,
	}
	flags := c.Flags()
	profileFlag(flags)
	flags.Bool("check", false, "ask the sidecar, or AWS STS, whether they are accepted")
	flags.Bool("json", false, "print one JSON object on stdout")
	c.RunE = func(c *cobra.Command, _ []string) error {
		name, _ := flags.GetString("profile")
		p, err := a.settled(name)
		if err != nil {
			return err
		}
		b, err := a.broker(p, nil)
		if err != nil {
			return err
		}
		_, got, err := b.Known(p.request())
		if err != nil {
			return &failure{exitFailed, err, ""}
		}
		if broker.FreshnessOf(got, time.Now()) == broker.None {
			return &failure{exitLogin, fmt.Errorf("profile %q has no valid credentials", p.name), "gimme login --profile " + p.name}
		}
		caller := ""
		if check, _ := flags.GetBool("check"); check {
			if caller, err = b.Caller(c.Context(), p.request(), got); err != nil {
				return brokerFailure(err)
			}
		}
		if asJSON, _ := flags.GetBool("json"); asJSON {
			return json.NewEncoder(a.Stdout).Encode(struct {
				Issuer  string    `json:"issuer"`
				Subject string    `json:"subject"`
				Email   string    `json:"email,omitempty"`
				Role    string    `json:"role"`
				Caller  string    `json:"caller,omitempty"` // as the STS names them
				Expires time.Time `json:"expires"`
			}{got.Issuer, got.Subject, got.Email, got.Role, caller, got.Expires.UTC()})
		}
		fmt.Fprintf(a.Stdout, "%s\n", printable(cmp.Or(got.Email, got.Subject)))
		fmt.Fprintf(a.Stderr, "%-13s%s\n%-13s%s\n%-13s%s\n", "Issuer", got.Issuer, "Subject", printable(got.Subject), "Role", got.Role)
		if caller != "" {
			fmt.Fprintf(a.Stderr, "%-13s%s\n", "Accepted as", printable(caller))
		}
		return nil
	}
	return c
}
