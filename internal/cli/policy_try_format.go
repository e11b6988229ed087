package cli

import (
	"encoding/xml"
	"fmt"

	"github.com/gimme-broker/gimme/internal/trial"
	"github.com/gimme-broker/gimme/pkg/policy"
)

// A triedTest is what JSON says of one test.
type triedTest struct {
	Name   string      `json:"name"`
	File   string      `json:"file"`
	Line   int         `json:"line"`
	Passed bool        `json:"passed"`
	Cases  []triedCase `json:"cases"`
}

type triedCase struct {
	As        string         `json:"as"`
	Do        string         `json:"do"`
	On        string         `json:"on"`
	Expected  string         `json:"expected"`
	Got       string         `json:"got"`
	Passed    bool           `json:"passed"`
	Missing   []string       `json:"missing_grounds,omitempty"`
	Reasons   []reasonOutput `json:"reasons"`
	WantsTags []string       `json:"wants_tags,omitempty"`
}

// A reasonOutput is a reason in JSON, with the words that events have.
type reasonOutput struct {
	Policy   string `json:"policy,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Label    string `json:"label,omitempty"`
	Access   string `json:"access,omitempty"`
	Path     string `json:"path,omitempty"`
	Severity string `json:"severity,omitempty"`
	Text     string `json:"text"`
	Need     string `json:"need,omitempty"`
}

func reasonsOutput(reasons []policy.Reason) []reasonOutput {
	all := make([]reasonOutput, len(reasons))
	for i, r := range reasons {
		all[i] = reasonOutput{r.Policy, r.Rule, r.Label, string(r.Access), r.Path, string(r.Severity), r.Text, r.Need}
	}
	return all
}

// trialJSON is a report as JSON has it.
func trialJSON(r *trial.Report) any {
	tests := []triedTest{}
	for _, t := range r.Tests {
		out := triedTest{Name: t.Name, File: t.File, Line: t.Line, Passed: t.Passed(), Cases: []triedCase{}}
		for _, c := range t.Cases {
			one := triedCase{As: c.As.String(), Do: c.Request.Operation, On: c.Request.Resource, Expected: string(t.Expect), Got: string(c.Got), Passed: c.Passed,
				Reasons: reasonsOutput(c.Reasons), WantsTags: c.WantsTags}
			for _, g := range c.Missing {
				one.Missing = append(one.Missing, g.String())
			}
			out.Cases = append(out.Cases, one)
		}
		tests = append(tests, out)
	}
	type coverage struct {
		Labels trial.Share[string]      `json:"labels"`
		Rules  trial.Share[trial.Rule]  `json:"rules"`
		Grants trial.Share[trial.Grant] `json:"grants"`
	}
	return struct {
		Passed   int         `json:"passed"`
		Failed   int         `json:"failed"`
		Tests    []triedTest `json:"tests"`
		Coverage coverage    `json:"coverage"`
	}{len(r.Tests) - r.Failed(), r.Failed(), tests, coverage(r.Coverage)}
}

// The elements of JUnit's report that CI systems read.
type junitSuites struct {
	XMLName  xml.Name      `xml:"testsuites"`
	Tests    int           `xml:"tests,attr"`
	Failures int           `xml:"failures,attr"`
	Suites   []*junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// printJUnit prints a report as JUnit's XML: a suite a file, a case a request.
func (a App) printJUnit(r *trial.Report) error {
	all := junitSuites{}
	suites := map[string]*junitSuite{}
	for _, t := range r.Tests {
		s := suites[t.File]
		if s == nil {
			s = &junitSuite{Name: t.File}
			suites[t.File] = s
			all.Suites = append(all.Suites, s)
		}
		for _, c := range t.Cases {
			one := junitCase{Class: t.Name, Name: c.String(), File: t.File, Line: t.Line}
			all.Tests, s.Tests = all.Tests+1, s.Tests+1
			if !c.Passed {
				all.Failures, s.Failures = all.Failures+1, s.Failures+1
				one.Failure = &junitFailure{fmt.Sprintf("%s is expected, and it is %s", t.Expect, c.Got), printable(t.Why(c))}
			}
			s.Cases = append(s.Cases, one)
		}
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Stdout, "%s%s\n", xml.Header, out)
	return err
}
