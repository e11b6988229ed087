package rulebook_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

const (
	dataMap  = "SENSITIVE:\n  - repo: S3\n    attributes: [finance/reports/]\n"
	policyA  = "name: a\ndata: [SENSITIVE]\nrules:\n  - identities: {groups: [engineers]}\n    reads: [{data: any}]\n  - identities: {groups: [auditors, engineers]}\n    updates: [{data: any}]\n"
	policyB  = "name: b\ndata: [SENSITIVE]\nrules:\n  - reads: [{data: any}]\n"
	tests    = "tests:\n  - {name: t, as: {}, do: GetObject, on: s3://finance/x, expect: blocked}\n"
	auditors = `policies/a.yaml:6:27: no role in proxy.yaml is open to group "auditors", so its members get no session; add it to roles[].groups, if that is how it is spelled` + "\n"
	config   = "listen: 127.0.0.1:0\nroles:\n  - {arn: a, groups: [engineers]}\npolicy:\n  data_map: map.yaml\n  policies: [policies, extra.yaml]\n"
)

// folder writes files into a fresh folder. A text that begins with "->" is a link.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, ok := strings.CutPrefix(content, "->"); ok {
			err = os.Symlink(to, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// paths puts names below dir.
func paths(dir string, names ...string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = filepath.Join(dir, n)
	}
	return all
}

// short is a list of faults without the folder in front of each.
func short(dir string, list []strictyaml.Fault) string {
	var b strings.Builder
	for _, f := range list {
		fmt.Fprintln(&b, strings.ReplaceAll(f.String(), dir+"/", ""))
	}
	return b.String()
}

func TestRead(t *testing.T) {
	everything := map[string]string{"proxy.yaml": config, "map.yaml": dataMap, "policies/a.yaml": policyA, "policies/deep/b.yml": policyB,
		"policies/a_test.yaml": tests, "extra.yaml": strings.ReplaceAll(policyB, "name: b", "name: c"), "notes.txt": "no matter", "policies/.hidden/x.yaml": "- 1\n", "policies/.y.yaml": "- 1\n"}
	for _, c := range []struct {
		name     string
		files    map[string]string
		paths    []string
		config   string
		policies string // names of their files
		tests    int
		warnings string
	}{
		{"a folder with everything", everything, []string{"."}, "", "extra.yaml policies/a.yaml policies/deep/b.yml", 1, auditors},
		{"files one by one", everything, []string{"policies/a.yaml", "map.yaml"}, "", "policies/a.yaml", 0, ""},
		{"one file twice", everything, []string{"policies", "map.yaml", "policies/a.yaml"}, "", "policies/a.yaml policies/deep/b.yml", 1, ""},
		{"a configuration", everything, []string{"proxy.yaml"}, "", "policies/a.yaml policies/deep/b.yml extra.yaml", 1, auditors},
		{"only --config", everything, nil, "proxy.yaml", "policies/a.yaml policies/deep/b.yml extra.yaml", 1, auditors},
		{"tests alone with --config", everything, []string{"policies/a_test.yaml"}, "proxy.yaml", "policies/a.yaml policies/deep/b.yml extra.yaml", 1, auditors},
		{"other policies with --config", everything, []string{"extra.yaml"}, "proxy.yaml", "extra.yaml", 0, ""},
		{"a mounted folder", map[string]string{"..2026/map.yaml": dataMap, "..2026/b.yaml": policyB, "map.yaml": "->..2026/map.yaml", "b.yaml": "->..2026/b.yaml", "..data": "->..2026"}, []string{"."}, "", "b.yaml", 0, ""},
		{"a role for everyone", map[string]string{"p.yaml": "policy: {data_map: map.yaml, policies: [a.yaml]}\nroles: [{arn: a, groups: [x]}, {arn: b, everyone: true}]\n", "map.yaml": dataMap, "a.yaml": policyA}, []string{"p.yaml"}, "", "a.yaml", 0, ""},
		{"labels that are called as settings", map[string]string{"m.yaml": "roles: [{repo: S3, attributes: [finance]}]\naudit: [{repo: S3, attributes: [lake]}]\ntests: [{repo: S3, attributes: [website]}]\n", "p.yaml": "name: p\ndata: [roles]\nrules: [{reads: [{data: any}]}]\n"}, []string{"p.yaml", "m.yaml"}, "", "p.yaml", 0,
			"m.yaml:2:1: no policy governs label \"audit\", so what carries it is blocked for everyone\nm.yaml:3:1: no policy governs label \"tests\", so what carries it is blocked for everyone\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, c.files)
			o := rulebook.Options{}
			if c.config != "" {
				o.Config = filepath.Join(dir, c.config)
			}
			b, err := rulebook.Read(paths(dir, c.paths...), o)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range b.Policies {
				names = append(names, strings.TrimPrefix(p.Name, dir+"/"))
			}
			if got := strings.Join(names, " "); got != c.policies {
				t.Errorf("policies %q, want %q", got, c.policies)
			}
			if len(b.Tests) != c.tests || b.Set.Digest() == "" || len(b.DataMap.Data) == 0 {
				t.Errorf("%+v", b)
			}
			if diff := cmp.Diff(c.warnings, short(dir, b.Warnings)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every fault of every file is told at once, with the way out.
func TestReadFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  map[string]string
		paths  []string
		config string
		want   string
	}{
		{"nothing named", nil, nil, "", ".: no file is named; name the folder or the files with the data map and the policies, or a sidecar's configuration with --config FILE\n"},
		{"nothing there", nil, []string{"x.yaml"}, "", "x.yaml: no such file or directory\n"},
		{"an empty folder", map[string]string{"x/y.txt": ""}, []string{"x"}, "", "x: folder \"x\" holds no *.yaml file\n"},
		{"no data map", map[string]string{"a.yaml": policyA}, []string{"a.yaml"}, "", `a.yaml: no data map is in "a.yaml"; name its file too, or a sidecar's configuration with --config FILE` + "\n"},
		{"no policy", map[string]string{"m.yaml": dataMap}, []string{"m.yaml"}, "", `m.yaml: no policy is in "m.yaml"; name the files or the folder with the policies too, or a sidecar's configuration with --config FILE` + "\n"},
		{"two data maps", map[string]string{"m.yaml": dataMap, "n.yaml": dataMap, "a.yaml": policyA}, []string{"."}, "", `n.yaml: this is a data map, and so is "m.yaml"; name one of them, and what else is meant` + "\n"},
		{"two configurations", map[string]string{"p.yaml": config, "q.yaml": config, "map.yaml": dataMap, "policies/a.yaml": policyA, "extra.yaml": policyB}, []string{"p.yaml"}, "q.yaml", `q.yaml: this is a sidecar's configuration, and so is "p.yaml"; name one of them` + "\n"},
		{"not a configuration", map[string]string{"m.yaml": dataMap, "a.yaml": policyA}, []string{"a.yaml"}, "m.yaml", "m.yaml: this is no sidecar's configuration: it has no policy.data_map\n"},
		{"nothing of these", map[string]string{"m.yaml": dataMap, "a.yaml": policyA, "x.yaml": "services: {web: {image: x}}\n", "y.yaml": "- 1\n"}, []string{"."}, "",
			"x.yaml: this is neither a data map (labels, each with a list of repo and attributes), nor a policy (name, data, rules), nor tests (tests), nor a sidecar's configuration (policy.data_map); move it to another folder, or name the files instead of the folder\n" +
				"y.yaml: this is neither a data map (labels, each with a list of repo and attributes), nor a policy (name, data, rules), nor tests (tests), nor a sidecar's configuration (policy.data_map); move it to another folder, or name the files instead of the folder\n"},
		{"faults everywhere", map[string]string{"m.yaml": dataMap + "X: [{repo: S3, attributes: [/x]}]\n", "a.yaml": policyA + "nonsense: 1\n", "b.yaml": "name: [x\n", "t.yaml": "tests: []\n"}, []string{"."}, "",
			"a.yaml:8:1: unknown key \"nonsense\"\nb.yaml:2:1: did not find expected ',' or ']'\nm.yaml:4:29: attribute \"/x\": a location begins with its container, not with \"/\"\nt.yaml:1:8: the list of tests is empty\n"},
		{"policies without their data map", map[string]string{"a.yaml": policyA + "nonsense: 1\n"}, []string{"a.yaml", "m.yaml"}, "", "a.yaml:8:1: unknown key \"nonsense\"\nm.yaml: no such file or directory\n"},
		{"what a configuration names", map[string]string{"p.yaml": "policy:\n  data_map: m.yaml\n  policies: [a.yaml, b]\n"}, []string{"p.yaml"}, "", "p.yaml:2:13: stat m.yaml: no such file or directory\np.yaml:3:14: stat a.yaml: no such file or directory\np.yaml:3:22: stat b: no such file or directory\n"},
		{"a configuration with faults", map[string]string{"p.yaml": "issuers: 1\nroles: 1\npolicy:\n  unlabeled: allow\n  mode: monitoring\n  unlabelled: [x]\n"}, []string{"p.yaml"}, "",
			"p.yaml:4:3: unknown key \"unlabeled\", did you mean \"unlabelled\"?\np.yaml:4:3: policy.data_map is missing: the file that says where which data lives\np.yaml:4:3: policy.policies is missing: the files or folders with policies\np.yaml:5:9: policy.mode is \"monitoring\"; write enforce or monitor\np.yaml:6:15: policy.unlabelled is \"\"; write deny or allow\n"},
		{"a link to a folder", map[string]string{"in/a.yaml": policyA, "in/more": "->../out", "out/b.yaml": policyB}, []string{"in"}, "", "in: \"in/more\" is a link to a folder and is not followed; name what it leads to\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, c.files)
			o := rulebook.Options{}
			if c.config != "" {
				o.Config = filepath.Join(dir, c.config)
			}
			b, err := rulebook.Read(paths(dir, c.paths...), o)
			faults, ok := err.(strictyaml.Faults)
			if !ok || b != nil {
				t.Fatalf("%+v, %v", b, err)
			}
			if diff := cmp.Diff(c.want, short(dir, faults)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What the sidecar reads by its configuration is what the tools read by it.
func TestConfigRead(t *testing.T) {
	dir := folder(t, map[string]string{"proxy.yaml": config, "map.yaml": dataMap, "policies/a.yaml": policyA, "policies/map.yaml": "->../map.yaml", "policies/t.yaml": tests, "extra.yaml": policyB})
	value := func(s string) strictyaml.Value[string] { return strictyaml.Value[string]{V: s, Line: 1, Column: 1} }
	c := &rulebook.Config{File: filepath.Join(dir, "proxy.yaml"), DataMap: value("map.yaml"), Policies: []strictyaml.Value[string]{value("policies"), value(filepath.Join(dir, "extra.yaml"))}}
	b, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	tools, err := rulebook.Read([]string{filepath.Join(dir, "proxy.yaml")}, rulebook.Options{})
	if err != nil || tools.Set.Digest() != b.Set.Digest() || len(b.Policies) != 2 || len(b.Tests) != 1 {
		t.Errorf("%v, %+v", err, b)
	}
	want := paths(dir, "map.yaml", "policies/a.yaml", "policies/map.yaml", "policies/t.yaml", "extra.yaml")
	if diff := cmp.Diff(want, c.Files()); diff != "" {
		t.Error(diff)
	}
	c.Policies = append(c.Policies, value("later.yaml"))
	if diff := cmp.Diff(append(want, filepath.Join(dir, "later.yaml")), c.Files()); diff != "" {
		t.Error(diff)
	}
}

// Everything may lie in one folder, which the configuration names.
func TestConfigAmongItsPolicies(t *testing.T) {
	dir := folder(t, map[string]string{"proxy.yaml": "policy: {data_map: map.yaml, policies: [.]}\n", "map.yaml": dataMap, "a.yaml": policyA, "t.yaml": tests})
	c := &rulebook.Config{File: filepath.Join(dir, "proxy.yaml"), DataMap: strictyaml.Value[string]{V: "map.yaml"}, Policies: []strictyaml.Value[string]{{V: "."}}}
	sidecar, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	tools, err := rulebook.Read([]string{filepath.Join(dir, "proxy.yaml")}, rulebook.Options{})
	if err != nil || tools.Set.Digest() != sidecar.Set.Digest() || len(sidecar.Policies) != 1 || len(tools.Tests) != 1 {
		t.Errorf("%v, %+v", err, tools)
	}
}

func TestUnlabelled(t *testing.T) {
	dir := folder(t, map[string]string{"proxy.yaml": config + "  unlabelled: allow\n", "map.yaml": dataMap, "policies/a.yaml": policyB, "extra.yaml": strings.ReplaceAll(policyB, "name: b", "name: c")})
	for _, c := range []struct {
		config, flag string
		want         policy.Effect
	}{{"", "", policy.Deny}, {"", "allow", policy.Allow}, {"proxy.yaml", "", policy.Allow}, {"proxy.yaml", "deny", policy.Deny}} {
		o := rulebook.Options{Unlabelled: c.flag}
		if c.config != "" {
			o.Config = filepath.Join(dir, c.config)
		}
		b, err := rulebook.Read(paths(dir, "map.yaml", "policies"), o)
		if err != nil {
			t.Fatal(err)
		}
		d := b.Set.Decide(&policy.Principal{}, nil, policy.Question{Access: policy.Reads, Path: "lake/x", Scope: policy.Exact})
		if b.Options.Unlabelled != c.want || d.Allowed != (c.want == policy.Allow) {
			t.Errorf("%+v: %+v", c, b.Options)
		}
		if notes := short(dir, b.Notes); (notes != "") != (c.config != "" && c.flag == "") {
			t.Errorf("%+v: notes %q", c, notes)
		}
	}
}

// A configuration's mode holds for all that is read, and zones are known.
func TestModeAndZones(t *testing.T) {
	berlin := "name: b\ndata: [SENSITIVE]\nvalid_until: 2020-01-01T00:00:00Z\nrules:\n  - reads: [{data: any}]\n    when: {time: {hours: [\"08:00-18:00\"], tz: Europe/Berlin}}\n"
	dir := folder(t, map[string]string{"proxy.yaml": "policy: {data_map: map.yaml, policies: [b.yaml], mode: monitor}\n", "map.yaml": dataMap, "b.yaml": berlin})
	b, err := rulebook.Read([]string{filepath.Join(dir, "proxy.yaml")}, rulebook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := b.Set.Decide(&policy.Principal{}, nil, policy.Question{Access: policy.Deletes, Path: "finance/reports/x", Scope: policy.Exact}); !d.Allowed || !d.WouldBlock {
		t.Errorf("%+v", d)
	}
	if diff := cmp.Diff("proxy.yaml:1:56: the sidecar only monitors: what any policy would block is let through\n", short(dir, b.Notes)); diff != "" {
		t.Error(diff)
	}
	if warnings := short(dir, b.Warnings); !strings.Contains(warnings, "b.yaml:3:") {
		t.Errorf("nothing is said of a policy that is over: %q", warnings)
	}
}

func TestPlace(t *testing.T) {
	dir := folder(t, map[string]string{"map.yaml": dataMap, "a.yaml": policyA})
	b, err := rulebook.Read([]string{dir}, rulebook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a.yaml")
	for _, c := range []struct {
		policy, rule string
		want         rulebook.Place
	}{
		{"a", "rule 1", rulebook.Place{File: file, Line: 4, Column: 5}}, {"a", "rule 2", rulebook.Place{File: file, Line: 6, Column: 5}},
		{"a", "", rulebook.Place{File: file, Line: 1, Column: 7}}, {"a", "rule 3", rulebook.Place{File: file, Line: 1, Column: 7}}, {"b", "rule 1", rulebook.Place{}},
	} {
		if got := b.Place(c.policy, c.rule); got != c.want {
			t.Errorf("%s %s: %+v", c.policy, c.rule, got)
		}
	}
}
