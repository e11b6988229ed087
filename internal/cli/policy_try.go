package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/trial"
)

// exampleTest shows how to write a test.
const exampleTest = `write one beside the policies, and see docs/policy-tools.md:
tests:
  - name: engineers read reports
    as: {groups: [data-engineering]}
    do: GetObject
    on: s3://finance/reports/q1.csv
    expect: allowed`

func (a App) policyTest() *cobra.Command {
	c := &cobra.Command{
		Use:   "test PATH...",
		Short: "Run the tests that stand beside the policies",
		Long: `Decides the requests of the tests as the sidecar would, and compares the decisions, and
what they rest on, with what the tests expect. stdout has each test that failed, and the
labels, rules and grants that no test reaches: a label that nothing with it is asked for,
a rule or a grant that nothing is allowed by. docs/policy-tools.md says how tests are
written.

It ends with 1 when a test fails, when there is none, or when less than --coverage of the
grants is reached.`,
		Example: `  gimme policy test policies/
  gimme policy test policies/ --coverage 90
  gimme policy test new-tests.yaml --config proxy.yaml --json
  gimme policy test policies/ --format junit > report.xml`,
	}
	var book bookFlags
	var format formatFlags
	book.of(a, c)
	format.of(a, c, formatText, formatJSON, formatGitHub, formatJUnit)
	least := c.Flags().Int("coverage", 0, "end with 1 when less than `PERCENT` of the grants is reached")
	c.RunE = func(c *cobra.Command, paths []string) error {
		if *least < 0 || *least > 100 {
			return usage(c.CommandPath()+" --help", "--coverage is %d; a number from 0 to 100 is wanted", *least)
		}
		b, err := book.read(paths)
		if err != nil {
			return err
		}
		if len(b.Tests) == 0 {
			return &failure{exitFailed, errors.New("there are no tests"), exampleTest}
		}
		r := trial.Run(b, time.Now())
		if err := a.tellTrial(r, format.chosen(a)); err != nil {
			return err
		}
		return a.concludeTrial(r, *least)
	}
	return c
}

// concludeTrial sums up, and decides on the exit code.
func (a App) concludeTrial(r *trial.Report, least int) error {
	failed, cover := r.Failed(), r.Coverage
	fmt.Fprintf(a.Stderr, "%s with %s: %d passed, %d failed. Reached: %d of %s, %d of %s, %d of %s (%d %%).\n",
		counted(len(r.Tests), "test"), counted(r.Requests(), "request"), len(r.Tests)-failed, failed,
		cover.Labels.Reached, counted(cover.Labels.All, "label"), cover.Rules.Reached, counted(cover.Rules.All, "rule"),
		cover.Grants.Reached, counted(cover.Grants.All, "grant"), cover.Grants.Percent())
	switch {
	case failed > 0:
		return &failure{exitFailed, errors.New(counted(failed, "test") + " failed"), "correct the policies, or what the tests expect"}
	case cover.Grants.Percent() < least:
		return &failure{exitFailed, fmt.Errorf("the tests reach %d %% of the grants, and --coverage wants %d %%", cover.Grants.Percent(), least), "write tests of what is not reached"}
	}
	return nil
}

// tellTrial prints what came of the tests.
func (a App) tellTrial(r *trial.Report, format string) error {
	switch format {
	case formatJSON:
		return a.printJSON(trialJSON(r))
	case formatJUnit:
		return a.printJUnit(r)
	case formatGitHub:
		return a.tellFindings(append(failures(r), unreached(r.Coverage)...), format)
	}
	var b strings.Builder
	for _, f := range failures(r) {
		fmt.Fprintf(&b, "%s:%d:%d: %s\n", f.File, f.Line, f.Column, f.Text)
	}
	for _, f := range unreached(r.Coverage) {
		if f.File != "" {
			fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Column)
		}
		fmt.Fprintf(&b, "%s: %s\n", f.Severity, f.Text)
	}
	_, err := fmt.Fprint(a.Stdout, printable(b.String()))
	return err
}

// failures are the cases that failed, each where its test stands.
func failures(r *trial.Report) []finding {
	var all []finding
	for _, f := range r.Faults() {
		all = append(all, finding{f.File, f.Line, f.Column, severityFault, f.Text})
	}
	return all
}

// unreached are what no test reaches, as notes. Of a rule that is not reached, its
// grants are not told one by one.
func unreached(cover trial.Coverage) []finding {
	var all []finding
	note := func(at rulebook.Place, format string, args ...any) {
		all = append(all, finding{at.File, at.Line, at.Column, severityNote, fmt.Sprintf(format, args...)})
	}
	for _, l := range cover.Labels.Missed {
		note(rulebook.Place{}, "no test asks for data with label %s", l)
	}
	whole := map[trial.Rule]bool{}
	for _, r := range cover.Rules.Missed {
		whole[r] = true
		note(r.Place, "no test is allowed anything by %s of policy %s", r.Rule, r.Policy)
	}
	for _, g := range cover.Grants.Missed {
		if !whole[g.Rule] {
			note(g.Place, "no test is allowed what %s of policy %s grants: %s of %s", g.Rule.Rule, g.Policy, g.Access, g.Label)
		}
	}
	return all
}
