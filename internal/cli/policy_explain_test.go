package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPolicyExplain(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stdout []string // in this order
		not    string
		stderr string
	}{
		{"allowed", []string{"--group", "engineers", "--operation", "GetObject", "s3://finance/reports/q1.csv"}, 0,
			[]string{"allowed: somebody in engineers may GetObject s3://finance/reports/q1.csv.\n", "allowed: s3://finance/reports/q1.csv (reads)\n",
				"label SENSITIVE, by finance/reports/*\n", "policy customers allows\n", "rule 1 allows\n"}, "What would change it", ""},
		{"blocked", []string{"--user", "7", "--user", "carl@example.com", "--operation", "DeleteObject", "s3://finance/reports/q1.csv"}, 0,
			[]string{"blocked: 7 may not DeleteObject s3://finance/reports/q1.csv (label SENSITIVE): policy customers has no rule that lets you delete SENSITIVE data; needed: to be named in rule 2 of policy customers.\n",
				"rule 2 grants it, and is not for you\n", "What would change it: add this rule to policy customers:\n\n", "      - identities: {users: [carl@example.com]}\n        deletes: [{data: [SENSITIVE]}]\n"}, "rule 1", ""},
		{"every rule", []string{"--all", "--operation", "deletes", "s3://finance/reports/q1.csv"}, 0, []string{"rule 1 is not for you, and does not grant it\n"}, "", ""},
		{"both ends of a copy", []string{"--group", "engineers", "--operation", "CopyObject", "--source", "s3://website/a", "s3://finance/reports/a"}, 0,
			[]string{"allowed: s3://finance/reports/a (updates)\n", "allowed: s3://website/a (reads)\n"}, "", ""},
		{"what a header implies", []string{"--group", "engineers", "--operation", "PutObject", "--header", "x-amz-acl: public-read", "s3://finance/reports/a"}, 0,
			[]string{"blocked: s3://finance/reports/a (manages)\n", "manages: [{data: [SENSITIVE]}]"}, "", ""},
		{"no label", []string{"--operation", "GetObject", "s3://else/x"}, 0, []string{"else/x carries no label, and unlabelled data is blocked", "give it a label in the data map"}, "", ""},
		{"unlabelled allowed", []string{"--unlabelled", "allow", "--operation", "GetObject", "s3://else/x"}, 0, []string{"else/x carries no label, and unlabelled data is allowed"}, "What would change", ""},
		{"no operation", []string{"s3://else/x"}, 2, nil, "", "--operation is missing"},
		{"an operation that is none", []string{"--operation", "GetObjct", "s3://else/x"}, 2, nil, "", `did you mean "GetObject"?`},
		{"no resource", []string{"--operation", "GetObject"}, 2, nil, "", "one s3://BUCKET/KEY is wanted, and 0 are named"},
		{"a header that is none", []string{"--operation", "PutObject", "--header", "x", "s3://else/x"}, 2, nil, "", `--header "x" is no header`},
		{"an address that is none", []string{"--operation", "GetObject", "--source-ip", "10.0.0", "s3://else/x"}, 2, nil, "", `--source-ip is "10.0.0"`},
		{"a tag that is none", []string{"--operation", "GetObject", "--object-tag", "x", "s3://else/x"}, 2, nil, "", `--object-tag is "x"`},
		{"a version that is none", []string{"--operation", "GetObject", "--tls", "1.1", "s3://else/x"}, 2, nil, "", `--tls is "1.1"`},
		{"a method that is none", []string{"--operation", "GetObject", "--auth-method", "oidc", "s3://else/x"}, 2, nil, "", `--auth-method is "oidc"`},
		{"a time that is none", []string{"--operation", "GetObject", "--at", "noon", "s3://else/x"}, 2, nil, "", `--at "noon"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.gimme(t, t.Context(), append([]string{"policy", "explain", w.policies(t, nil)}, c.args...)...)
			if r.code != c.code || !strings.Contains(r.stderr, c.stderr) {
				t.Errorf("exit %d, stderr %q", r.code, r.stderr)
			}
			rest := r.stdout
			for _, want := range c.stdout {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("no %q in\n%s", want, rest)
				}
				rest = after
			}
			if c.not != "" && strings.Contains(r.stdout, c.not) {
				t.Errorf("%q in\n%s", c.not, r.stdout)
			}
			if c.stdout == nil && r.stdout != "" {
				t.Errorf("stdout %q", r.stdout)
			}
		})
	}
}

// Conditions are told with what was seen.
func TestPolicyExplainConditions(t *testing.T) {
	w := newWorld(t)
	folder := w.policies(t, map[string]string{"rules/site.yaml": `name: site
data: [PUBLIC]
rules:
  - hosts: [10.0.0.0/8]
    when: {mfa: {max_age: 1h}, tls: "1.3", auth_method: [browser], presigned: {max_age: 5m}, object_tags: {class: open}}
    reads: [{data: any, rows: 5, bytes: 1GiB/24h}]
`})
	held := []string{"policy", "explain", "--operation", "GetObject", "--source-ip", "10.1.2.3", "--login-age", "30m", "--amr", "mfa", "--tls", "1.3",
		"--auth-method", "browser", "--presigned-age", "4m", "--object-tag", "class=open", "s3://website/x", folder}
	if r := w.gimme(t, t.Context(), held...); !strings.HasPrefix(r.stdout, "allowed:") || !strings.Contains(r.stdout, "limit of policy site on reads of PUBLIC: 5 objects in one request, 1073741824 bytes in 24h0m0s (rule 1)") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	for flag, missed := range map[string]string{
		"--source-ip=192.0.2.1":    "only from 10.0.0.0/8, but the request comes from 192.0.2.1",
		"--login-age=2h":           "within the last 1h, but you logged in 2h ago",
		"--tls=1.2":                "only with TLS 1.3, but the connection has TLS 1.2",
		"--auth-method=device":     "only with credentials from browser, but yours are from device",
		"--presigned-age=6m":       "only with presigned URLs of the last 5m, but this one is of 6m ago",
		"--object-tag=class=other": "only for objects tagged class=open, but it has class=other",
	} {
		r := w.gimme(t, t.Context(), append(held, flag)...)
		if !strings.HasPrefix(r.stdout, "blocked:") || !strings.Contains(r.stdout, "does not hold: ") || !strings.Contains(r.stdout, missed) || !strings.Contains(r.stdout, "What would change it: a request ") {
			t.Errorf("%s: no %q in\n%s%s", flag, missed, r.stdout, r.stderr)
		}
	}
}

// What stands in this folder is read where no path is named; JSON has all that
// the text has.
func TestPolicyExplainHereAsJSON(t *testing.T) {
	w := newWorld(t)
	t.Chdir(w.policies(t, nil))
	r := w.gimme(t, t.Context(), "policy", "explain", "--json", "--operation", "DeleteObject", "s3://finance/reports/q1.csv")
	var e struct {
		Decision, Sentence, Operation, Resource string
		Asked                                   []struct {
			Access, Path, Scope, Decision string
			Reasons                       []string
			Labels                        []struct{ Label string }
		}
		Changes []struct{ Policy, Text, YAML string }
	}
	d := json.NewDecoder(strings.NewReader(r.stdout))
	if err := d.Decode(&e); err != nil || r.code != 0 {
		t.Fatal(err, r.code, r.stderr)
	}
	if e.Decision != "blocked" || len(e.Asked) != 1 || e.Asked[0].Scope != "exact" || len(e.Asked[0].Reasons) != 1 || e.Asked[0].Labels[0].Label != "SENSITIVE" || e.Changes[0].Policy != "customers" {
		t.Errorf("%+v", e)
	}
}

func TestPolicyWhoCan(t *testing.T) {
	monitored := map[string]string{"rules/site.yaml": "name: site\nmode: monitor\ndata: [PUBLIC]\nrules:\n  - identities: {groups: [web]}\n    reads: [{data: any}]\n"}
	for _, c := range []struct {
		args   []string
		more   map[string]string
		code   int
		stdout string
		stderr string
	}{
		{[]string{"reads", "SENSITIVE"}, nil, 0, "group engineers  (rule 1 of customers)\n", ""},
		{[]string{"deletes", "s3://finance/reports/x"}, nil, 0, "user dora@example.com  (rule 2 of customers)\n", ""},
		{[]string{"reads", "PUBLIC"}, nil, 0, "everyone  (rule 1 of site)\n", ""},
		{[]string{"reads", "PUBLIC"}, monitored, 0, "everyone\n", "In monitor mode, and so narrowing nothing: site."},
		{[]string{"manages", "SENSITIVE"}, nil, 0, "", "Nobody manages SENSITIVE: no rule grants it."},
		{[]string{"reads", "s3://else/x"}, nil, 0, "", "Nobody reads s3://else/x: it carries no label, and unlabelled data is blocked."},
		{[]string{"reads", "SENSITVE"}, nil, 2, "", `did you mean "SENSITIVE"?`},
		{[]string{"reads", "s3:///x"}, nil, 2, "", "names no bucket"},
		{[]string{"sees", "SENSITIVE"}, nil, 2, "", "a kind of access (reads, updates, deletes, manages) and a label"},
	} {
		w := newWorld(t)
		r := w.gimme(t, t.Context(), append(append([]string{"policy", "who-can"}, c.args...), w.policies(t, c.more))...)
		if r.code != c.code || r.stdout != c.stdout || !strings.Contains(r.stderr, c.stderr) {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", c.args, r.code, r.stdout, r.stderr)
		}
	}
	w := newWorld(t)
	if r := w.gimme(t, t.Context(), "policy", "who-can", "reads"); r.code != 2 || !strings.Contains(r.stderr, "a label or s3://BUCKET/KEY are wanted") {
		t.Errorf("%+v", r)
	}
	r := w.gimme(t, t.Context(), "policy", "who-can", "reads", "SENSITIVE", w.policies(t, nil), "--json")
	want := "{\n  \"ways\": [\n    {\n      \"identities\": [\n        {\n          \"kind\": \"group\",\n          \"name\": \"engineers\"\n        }\n      ],\n      \"rules\": [\n        \"rule 1 of customers\"\n      ]\n    }\n  ],\n  \"complete\": true\n}\n"
	if diff := cmp.Diff(want, r.stdout); diff != "" {
		t.Error(diff)
	}
}

func TestPolicyDiff(t *testing.T) {
	w := newWorld(t)
	old := w.policies(t, nil)
	fresh := filepath.Join(w.home, "fresh")
	if err := os.CopyFS(fresh, os.DirFS(old)); err != nil {
		t.Fatal(err)
	}
	if r := w.gimme(t, t.Context(), "policy", "diff", old, fresh, "--fail-on-change"); r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, "Nothing changes for anybody.") {
		t.Errorf("%+v", r)
	}
	w.write(t, "fresh/map.yaml", "SENSITIVE:\n  - repo: S3\n    attributes: [finance/reports/, finance/plan]\nPUBLIC:\n  - repo: S3\n    attributes: [website]\n")
	w.write(t, "fresh/site.yaml", "name: site\ndata: [PUBLIC]\nrules:\n  - identities: {groups: [web]}\n    reads: [{data: any}]\n")
	want := `reads of website:
  + group web
  - everyone
reads of finance/plan (SENSITIVE, before no label):
  + group engineers
updates of finance/plan (SENSITIVE, before no label):
  + group engineers
deletes of finance/plan (SENSITIVE, before no label):
  + user dora@example.com
`
	// A group that everyone may be in gains nothing: it could before.
	want = strings.Replace(want, "  + group web\n", "", 1)
	r := w.gimme(t, t.Context(), "policy", "diff", old, fresh)
	if diff := cmp.Diff(want, r.stdout); diff != "" || r.code != 0 {
		t.Errorf("exit %d (-want +got)\n%s%s", r.code, diff, r.stderr)
	}
	if r := w.gimme(t, t.Context(), "policy", "diff", old, fresh, "--fail-on-change"); r.code != 1 || r.stdout == "" || !strings.Contains(r.stderr, "4 changes of access") {
		t.Errorf("%+v", r)
	}
	r = w.gimme(t, t.Context(), "policy", "diff", old, fresh, "--json")
	var all []struct {
		Access string
		Places []string
		Gains  []struct{ Identities []struct{ Kind, Name string } }
		Loses  []struct{ Rules []string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || len(all) != 4 || all[0].Loses[0].Rules[0] != "rule 1 of site" {
		t.Errorf("%v %s", err, r.stdout)
	}
	if r := w.gimme(t, t.Context(), "policy", "diff", old); r.code != 2 {
		t.Errorf("%+v", r)
	}
}
