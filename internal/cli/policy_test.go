package cli_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// policies writes a data map and a policy without a fault, and what is given
// besides, by file.
func (w *world) policies(t *testing.T, more map[string]string) string {
	t.Helper()
	files := map[string]string{
		"rules/map.yaml": "SENSITIVE:\n  - repo: S3\n    attributes: [finance/reports/]\nPUBLIC:\n  - repo: S3\n    attributes: [website]\n",
		"rules/customers.yaml": `name: customers
data: [SENSITIVE]
rules:
  - identities: {groups: [engineers]}
    reads: [{data: any}]
    updates: [{data: any}]
  - identities: {users: [dora@example.com]}
    deletes: [{data: any, severity: high}]
`,
		"rules/site.yaml": "name: site\ndata: [PUBLIC]\nrules:\n  - reads: [{data: any}]\n",
	}
	maps.Copy(files, more)
	for name, content := range files {
		w.write(t, name, content)
	}
	return w.home + "/rules"
}

// without is text without the folder of the world in it.
func (w *world) without(text string) string { return strings.ReplaceAll(text, w.home+"/", "") }

const (
	unknownLabel = "name: more\ndata: [SENSITVE]\nrules:\n  - reads: [{data: any}]\n    raeds: 1\n"
	idleRule     = "name: more\ndata: [PUBLIC]\nrules:\n  - reads: [{data: any}]\n  - identities: {groups: [a]}\n    reads: [{data: any}]\n"
)

func TestPolicyCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		more   map[string]string
		args   []string
		env    map[string]string
		code   int
		stdout string
		stderr []string
	}{
		{"all is well", nil, nil, nil, 0, "", []string{"2 labels at 2 locations, 2 policies with 3 rules, 0 tests: 0 warnings."}},
		{"every fault", map[string]string{"rules/more.yaml": unknownLabel, "rules/t.yaml": "tests: []\n"}, nil, nil, 1,
			"rules/more.yaml:2:8: unknown label \"SENSITVE\", did you mean \"SENSITIVE\"?\nrules/more.yaml:5:5: unknown key \"raeds\", did you mean \"reads\"?\nrules/t.yaml:1:8: the list of tests is empty\n",
			[]string{"gimme: error: 3 faults", "hint: correct what is wrong"}},
		{"a warning", map[string]string{"rules/more.yaml": idleRule}, nil, nil, 0, "rules/more.yaml:5:5: warning: rule 2 grants nothing that the other rules of policy \"more\" do not grant already\n", []string{"1 warning."}},
		{"a strict warning", map[string]string{"rules/more.yaml": idleRule}, []string{"--strict"}, nil, 1, "rules/more.yaml:5:5: warning: rule 2 grants nothing that the other rules of policy \"more\" do not grant already\n", []string{"1 warning, and --strict wants none"}},
		{"a note", map[string]string{"rules/more.yaml": "name: more\nmode: monitor\ndata: [PUBLIC]\nrules:\n  - reads: [{data: any}]\n"}, []string{"--strict"}, nil, 0, "rules/more.yaml:2:7: note: policy \"more\" only monitors: what it would block is let through\n", []string{"0 warnings."}},
		{"for GitHub", map[string]string{"rules/a,b:c%.yaml": unknownLabel}, []string{"--format", "github"}, nil, 1,
			"::error file=rules/a%2Cb%3Ac%25.yaml,line=2,col=8::unknown label \"SENSITVE\", did you mean \"SENSITIVE\"?\n::error file=rules/a%2Cb%3Ac%25.yaml,line=5,col=5::unknown key \"raeds\", did you mean \"reads\"?\n", nil},
		{"in GitHub's job", map[string]string{"rules/more.yaml": idleRule}, nil, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "HOME"}, 0,
			"::warning file=rules/more.yaml,line=5,col=5::rule 2 grants nothing that the other rules of policy \"more\" do not grant already\n", nil},
		{"in GitHub's job as text", map[string]string{"rules/more.yaml": idleRule}, []string{"--format", "text"}, map[string]string{"GITHUB_ACTIONS": "true"}, 0,
			"rules/more.yaml:5:5: warning: rule 2 grants nothing that the other rules of policy \"more\" do not grant already\n", nil},
		{"groups that no role maps", map[string]string{"proxy.yaml": "policy: {data_map: rules/map.yaml, policies: [rules]}\nroles: [{arn: a, groups: [engineer]}]\n"}, []string{"--config", "HOME/proxy.yaml"}, nil, 0,
			"rules/customers.yaml:4:27: warning: no role in proxy.yaml is open to group \"engineers\", so its members get no session, did you mean \"engineer\"?\n", []string{"1 warning."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			args := []string{"policy", "check", w.policies(t, c.more)}
			for _, a := range c.args {
				args = append(args, strings.ReplaceAll(a, "HOME", w.home))
			}
			for name, value := range c.env {
				w.env[name] = strings.ReplaceAll(value, "HOME", w.home)
			}
			r := w.gimme(t, t.Context(), args...)
			if diff := cmp.Diff(c.stdout, w.without(r.stdout)); diff != "" || r.code != c.code {
				t.Errorf("code %d\n%s", r.code, diff)
			}
			says(t, w.without(r.stderr), c.stderr...)
		})
	}
}

func TestPolicyCheckJSON(t *testing.T) {
	w := newWorld(t)
	dir := w.policies(t, map[string]string{"rules/more.yaml": unknownLabel})
	r := w.gimme(t, t.Context(), "policy", "check", dir, "--json")
	var found []struct {
		File, Severity, Text string
		Line, Column         int
	}
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil || r.code != 1 || len(found) != 2 {
		t.Fatalf("%v, %+v", err, r)
	}
	if f := found[1]; f.File != dir+"/more.yaml" || f.Line != 5 || f.Column != 5 || f.Severity != "fault" || !strings.Contains(f.Text, "raeds") {
		t.Errorf("%+v", f)
	}
	w.policies(t, map[string]string{"rules/more.yaml": "name: more\ndata: [PUBLIC]\nrules: [{reads: [{data: any}]}]\n"})
	if r := w.does(t, "policy", "check", dir, "--json"); r.stdout != "[]\n" {
		t.Errorf("%q", r.stdout)
	}
}

// A wrong command line is told from what is wrong with the files.
func TestPolicyUsage(t *testing.T) {
	w := newWorld(t)
	dir := w.policies(t, nil)
	for _, c := range []struct {
		args  []string
		words string
	}{
		{[]string{"policy", "check"}, "no PATH is named"},
		{[]string{"policy", "check", dir, "--unlabelled", "no"}, `--unlabelled is "no"; deny or allow is wanted`},
		{[]string{"policy", "check", dir, "--format", "xml"}, `--format is "xml"; one of text, json, github is wanted`},
		{[]string{"policy", "check", dir, "--format", "text", "--json"}, "are two formats"},
		{[]string{"policy", "chekc"}, `gimme policy has no command "chekc", did you mean "check"?`},
	} {
		w.fails(t, t.Context(), 2, []string{c.words}, c.args...)
	}
	says(t, w.does(t, "policy").stdout, "gimme policy COMMAND", "check ")
	for line, want := range map[string]string{"policy ": "check", "policy check --format ": "github", "policy check --unlabelled ": "deny"} {
		if got := w.does(t, append([]string{"__complete"}, strings.Split(line, " ")...)...).stdout; !strings.Contains("\n"+got, "\n"+want) {
			t.Errorf("%q completes to\n%s", line, got)
		}
	}
}
