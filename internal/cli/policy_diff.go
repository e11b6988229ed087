package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/pkg/policy"
)

func (a App) policyDiff() *cobra.Command {
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say who gains and who loses what by a change of data map and policies",
		Long: `Compares two sets of data map and policies, each a folder or a file as in gimme policy
--help, and prints on stdout who may do what to which data only by the new one (+), and
only by the old one (-). A way that is narrowed or widened stands under both signs. It is
what policies mean that is compared, not how they are written: rules may move, and labels
be renamed.

It ends with 0 whether there is a difference or not, and with --fail-on-change with 1 when
there is one.`,
		Example: `  gimme policy diff main/policies policies
  gimme policy diff old/proxy.yaml new/proxy.yaml --json
  gimme policy diff main/policies policies --fail-on-change`,
	}
	var book bookFlags
	book.of(a, c)
	asJSON := c.Flags().Bool("json", false, "print JSON on stdout")
	strict := c.Flags().Bool("fail-on-change", false, "end with 1 when something changes for somebody")
	at := c.Flags().String("at", "", "`TIME` by which policies are in force, such as 2026-03-02T09:00:00Z; now if left out")
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 2 {
			return usage("gimme policy diff main/policies policies", "two sets are wanted, the old one and the new one")
		}
		return nil
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		now, err := momentFlag("--at", *at)
		if err != nil {
			return err
		}
		old, err := book.read(args[:1])
		if err != nil {
			return err
		}
		fresh, err := book.read(args[1:])
		if err != nil {
			return err
		}
		return a.tellDifferences(policy.Diff(old.Set, fresh.Set, now), *asJSON, *strict)
	}
	return c
}

func (a App) tellDifferences(all []policy.Difference, asJSON, strict bool) error {
	if asJSON {
		if all == nil {
			all = []policy.Difference{}
		}
		if err := a.printJSON(all); err != nil {
			return err
		}
	} else {
		var b strings.Builder
		for _, d := range all {
			tellDifference(&b, d)
		}
		if _, err := fmt.Fprint(a.Stdout, printable(b.String())); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		fmt.Fprintln(a.Stderr, "Nothing changes for anybody.")
		return nil
	}
	if strict {
		return &failure{exitFailed, fmt.Errorf("%s of access", counted(len(all), "change")), "look at them, and leave out --fail-on-change if they are meant"}
	}
	return nil
}

// fewPlaces is how many places a line names.
const fewPlaces = 4

func tellDifference(b *strings.Builder, d policy.Difference) {
	places := d.Places
	if len(places) > fewPlaces {
		places = append(places[:fewPlaces:fewPlaces], fmt.Sprintf("and %d more", len(places)-fewPlaces))
	}
	fmt.Fprintf(b, "%s of %s", d.Access, strings.Join(places, ", "))
	if was, is := strings.Join(d.OldLabels, ", "), strings.Join(d.NewLabels, ", "); was != is {
		fmt.Fprintf(b, " (%s, before %s)", orNone(is), orNone(was))
	}
	b.WriteString(":\n")
	for _, w := range d.Gains {
		fmt.Fprintf(b, "  + %s\n", w)
	}
	for _, w := range d.Loses {
		fmt.Fprintf(b, "  - %s\n", w)
	}
	if !d.Complete {
		b.WriteString("  … there are more ways than can be compared\n")
	}
}

func orNone(labels string) string {
	if labels == "" {
		return "no label"
	}
	return labels
}
