package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

func (a App) policyWhoCan() *cobra.Command {
	c := &cobra.Command{
		Use:   "who-can ACCESS LABEL|s3://BUCKET/KEY [PATH...]",
		Short: "Say who may read, update, delete or manage some data",
		Long: `Prints on stdout, exactly and from the policies alone, every combination of names and
conditions that suffices for one kind of access (reads, updates, deletes or manages) to the
data of a label, or to one object or bucket: one line each, none of which is part of
another. Where several policies govern the data, each of them must be satisfied, so that
names add up: "group audit and group ops" is somebody who is in both.

What only a policy in monitor mode would block is open to everybody, and stderr says so.`,
		Example: `  gimme policy who-can reads SENSITIVE policies/
  gimme policy who-can deletes s3://finance/payroll.csv policies/
  gimme policy who-can reads SENSITIVE --config proxy.yaml --json`,
	}
	var book bookFlags
	book.of(a, c)
	asJSON := c.Flags().Bool("json", false, "print JSON on stdout")
	at := c.Flags().String("at", "", "`TIME` by which policies are in force, such as 2026-03-02T09:00:00Z; now if left out")
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) < 2 || !slices.Contains(ruling.Accesses(), args[0]) {
			return usage("gimme policy who-can reads SENSITIVE policies/", "a kind of access (%s) and a label or s3://BUCKET/KEY are wanted", strings.Join(ruling.Accesses(), ", "))
		}
		return nil
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		now, err := momentFlag("--at", *at)
		if err != nil {
			return err
		}
		b, err := book.read(orHere(args[2:], book.config))
		if err != nil {
			return err
		}
		answer, err := whoCan(b.Set, now, policy.Access(args[0]), args[1])
		if err != nil {
			return err
		}
		return a.tellWhoCan(answer, args[0], args[1], *asJSON)
	}
	return c
}

// momentFlag reads a time; now when there is none.
func momentFlag(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usage("write it as in "+flag+" 2026-03-02T09:00:00Z", "%s %q is no moment with its zone", flag, text)
	}
	return t, nil
}

func whoCan(s *policy.Set, now time.Time, access policy.Access, target string) (policy.Answer, error) {
	if path, ok := strings.CutPrefix(target, "s3://"); ok {
		if strings.HasPrefix(path, "/") || path == "" {
			return policy.Answer{}, usage("gimme policy who-can reads s3://finance/plan.csv", "%q names no bucket", target)
		}
		return s.WhoCanAt(now, access, strings.TrimSuffix(path, "/")), nil
	}
	if !slices.Contains(s.Labels(), target) {
		return policy.Answer{}, usage("gimme policy who-can "+string(access)+" s3://BUCKET/KEY for one object", "the data map has no label %q%s", target, strictyaml.Meant(target, s.Labels()))
	}
	return s.WhoCan(now, access, target), nil
}

func (a App) tellWhoCan(answer policy.Answer, access, target string, asJSON bool) error {
	if asJSON {
		if answer.Ways == nil {
			answer.Ways = []policy.Way{}
		}
		return a.printJSON(answer)
	}
	for _, w := range answer.Ways {
		text := w.String()
		if len(w.Rules) > 0 {
			text += "  (" + strings.Join(w.Rules, ", ") + ")"
		}
		if _, err := fmt.Fprintln(a.Stdout, printable(text)); err != nil {
			return err
		}
	}
	switch {
	case len(answer.Closed) > 0:
		fmt.Fprintf(a.Stderr, "Nobody %s %s: %s.\n", access, target, strings.Join(answer.Closed, "; "))
	case len(answer.Ways) == 0:
		fmt.Fprintf(a.Stderr, "Nobody %s %s: no rule grants it.\n", access, target)
	case !answer.Complete:
		fmt.Fprintf(a.Stderr, "These are the first %d ways; there are more.\n", policy.MaxWays)
	}
	if len(answer.Monitored) > 0 {
		fmt.Fprintf(a.Stderr, "In monitor mode, and so narrowing nothing: %s.\n", strings.Join(answer.Monitored, ", "))
	}
	return nil
}
