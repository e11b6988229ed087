package cli_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodTests = `tests:
  - {name: engineers, as: {groups: [engineers]}, do: [GetObject, PutObject], on: "s3://finance/reports/a", expect: allowed}
  - {name: the site, as: {}, do: GetObject, on: "s3://website/a", expect: allowed}
  - {name: dora, as: {users: [DORA@example.com]}, do: deletes, on: "s3://finance/reports/a", expect: allowed, because: [{policy: customers, rule: 2}]}
`

const badTests = `tests:
  - name: strangers & others
    as: {}
    do: GetObject
    on: s3://finance/reports/a
    expect: allowed
  - {name: dora, as: {users: [dora@example.com]}, do: DeleteObject, on: "s3://finance/reports/a", expect: allowed, because: [{rule: 1}]}
`

func TestPolicyTest(t *testing.T) {
	const missed = `rules/t.yaml:2:5: strangers & others: somebody GetObject s3://finance/reports/a: allowed is expected, and it is blocked
    policy customers has no rule that lets you read SENSITIVE data; needed: membership of engineers
rules/t.yaml:7:5: dora: dora@example.com DeleteObject s3://finance/reports/a: allowed is expected, and it is allowed, but not because of {rule: rule 1}
    policy customers lets you delete SENSITIVE data, by rule 2
note: no test asks for data with label PUBLIC
rules/customers.yaml:4:5: note: no test is allowed anything by rule 1 of policy customers
rules/site.yaml:4:5: note: no test is allowed anything by rule 1 of policy site
`
	for _, c := range []struct {
		name, tests string
		args        []string
		env         map[string]string
		code        int
		stdout      string
		stderr      []string
	}{
		{"all pass", goodTests, nil, nil, 0, "", []string{"3 tests with 4 requests: 3 passed, 0 failed. Reached: 2 of 2 labels, 3 of 3 rules, 4 of 4 grants (100 %)."}},
		{"some fail", badTests, nil, nil, 1, missed, []string{"2 tests with 2 requests: 0 passed, 2 failed. Reached: 1 of 2 labels, 1 of 3 rules, 1 of 4 grants (25 %).", "gimme: error: 2 tests failed"}},
		{"for GitHub", badTests[:strings.Index(badTests, "  - {")], []string{"--format", "github"}, map[string]string{"GITHUB_WORKSPACE": "HOME"}, 1,
			`::error file=rules/t.yaml,line=2,col=5::strangers & others: somebody GetObject s3://finance/reports/a: allowed is expected, and it is blocked%0A    policy customers has no rule that lets you read SENSITIVE data; needed: membership of engineers
::notice::no test asks for data with label PUBLIC
::notice file=rules/customers.yaml,line=4,col=5::no test is allowed anything by rule 1 of policy customers
::notice file=rules/customers.yaml,line=7,col=5::no test is allowed anything by rule 2 of policy customers
::notice file=rules/site.yaml,line=4,col=5::no test is allowed anything by rule 1 of policy site
`, nil},
		{"one grant of a rule", strings.Replace(goodTests, "[GetObject, PutObject]", "GetObject", 1), []string{"--coverage", "75"}, nil, 0, "rules/customers.yaml:4:5: note: no test is allowed what rule 1 of policy customers grants: updates of SENSITIVE\n", []string{"3 of 4 grants (75 %)"}},
		{"too little is reached", strings.Replace(goodTests, "[GetObject, PutObject]", "GetObject", 1), []string{"--coverage", "76"}, nil, 1, "rules/customers.yaml:4:5: note: no test is allowed what rule 1 of policy customers grants: updates of SENSITIVE\n",
			[]string{"the tests reach 75 % of the grants, and --coverage wants 76 %"}},
		{"unlabelled data", "tests: [{name: u, as: {}, do: GetObject, on: 's3://lake/x', expect: allowed}]\n", []string{"--unlabelled", "allow"}, nil, 0, "note: no test asks for data with label PUBLIC\n", []string{"1 passed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			dir := w.policies(t, map[string]string{"rules/t.yaml": c.tests})
			for name, value := range c.env {
				w.env[name] = strings.ReplaceAll(value, "HOME", w.home)
			}
			r := w.gimme(t, t.Context(), append([]string{"policy", "test", dir}, c.args...)...)
			got := w.without(r.stdout)
			if c.name == "unlabelled data" {
				got, _, _ = strings.Cut(strings.TrimPrefix(got, "note: no test asks for data with label SENSITIVE\n"), "rules/")
			}
			if diff := cmp.Diff(c.stdout, got); diff != "" || r.code != c.code {
				t.Errorf("code %d\n%s", r.code, diff)
			}
			says(t, w.without(r.stderr), c.stderr...)
		})
	}
}

func TestPolicyTestForMachines(t *testing.T) {
	w := newWorld(t)
	dir := w.policies(t, map[string]string{"rules/t.yaml": badTests})
	var report struct {
		Passed, Failed int
		Tests          []struct {
			Name, File string
			Line       int
			Passed     bool
			Cases      []struct {
				As, Do, On, Expected, Got string
				Passed                    bool
				Missing                   []string `json:"missing_grounds"`
				Reasons                   []struct{ Policy, Rule, Label, Access, Severity, Text, Need string }
			}
		}
		Coverage struct {
			Labels struct {
				Reached, All int
				Missed       []string
			}
			Rules, Grants struct {
				Reached, All int
				Missed       []struct{ Policy, Rule, Access, Label string }
			}
		}
	}
	r := w.gimme(t, t.Context(), "policy", "test", dir, "--json")
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || r.code != 1 {
		t.Fatalf("%v, %+v", err, r)
	}
	if report.Failed != 2 || len(report.Tests) != 2 || report.Tests[0].Name != "strangers & others" || report.Tests[0].Line != 2 || report.Tests[0].Passed {
		t.Errorf("%+v", report.Tests)
	}
	if c := report.Tests[0].Cases[0]; c.As != "somebody" || c.Do != "GetObject" || c.Expected != "allowed" || c.Got != "blocked" || c.Reasons[0].Need != "membership of engineers" || c.Reasons[0].Severity != "low" {
		t.Errorf("%+v", c)
	}
	if c := report.Tests[1].Cases[0]; c.Got != "allowed" || c.Passed || len(c.Missing) != 1 {
		t.Errorf("%+v", c)
	}
	if c := report.Coverage; c.Labels.Missed[0] != "PUBLIC" || c.Grants.All != 4 || len(c.Grants.Missed) != 3 || c.Grants.Missed[0].Access != "reads" || c.Grants.Missed[0].Rule != "rule 1" {
		t.Errorf("%+v", c)
	}

	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Class   string `xml:"classname,attr"`
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	w.policies(t, map[string]string{"rules/good.yaml": goodTests})
	r = w.gimme(t, t.Context(), "policy", "test", dir, "--format", "junit")
	if err := xml.Unmarshal([]byte(r.stdout), &suites); err != nil || r.code != 1 || suites.Tests != 6 || suites.Failures != 2 || len(suites.Suites) != 2 {
		t.Fatalf("%v, %s", err, r.stdout)
	}
	if c := suites.Suites[1].Cases[0]; c.Class != "strangers & others" || c.Failure == nil || c.Failure.Message != "allowed is expected, and it is blocked" || !strings.Contains(c.Failure.Text, "no rule that lets you read") {
		t.Errorf("%+v", c)
	}
	if c := suites.Suites[0].Cases[0]; c.Failure != nil || c.Name != "somebody in engineers GetObject s3://finance/reports/a" {
		t.Errorf("%+v", c)
	}
}

// No tests, faulty policies and a wrong number are told apart from tests that
// fail.
func TestPolicyTestDoesNotRun(t *testing.T) {
	w := newWorld(t)
	dir := w.policies(t, nil)
	w.fails(t, t.Context(), 1, []string{"there are no tests", "hint: write one beside the policies", "expect: allowed"}, "policy", "test", dir)
	w.fails(t, t.Context(), 2, []string{"--coverage is 101"}, "policy", "test", dir, "--coverage", "101")
	w.policies(t, map[string]string{"rules/t.yaml": goodTests, "rules/more.yaml": unknownLabel})
	w.fails(t, t.Context(), 1, []string{"2 faults:\n", "more.yaml:2:8: unknown label", "hint: correct what is wrong, then: gimme policy check"}, "policy", "test", dir)
}
