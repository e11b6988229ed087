package cli_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/cli"
)

const lakeReader = "arn:aws:iam::111122223333:role/lake-reader"

// lake writes the configuration of a sidecar over policies, and lines that it
// has besides.
func (w *world) lake(t *testing.T, lines string) (file string) {
	t.Helper()
	w.policies(t, nil)
	w.write(t, "proxy.yaml", `address: https://s3.sidecar.example
issuers: [{issuer: https://login.example.com, client_id: gimme}]
roles: [{arn: "`+lakeReader+`", everyone: true}, {arn: "arn:aws:iam::111122223333:role/lake-writer", groups: [engineers]}]
sessions: {key_file: session-keys}
audit: {file: audit.jsonl}
`+lines)
	return w.home + "/proxy.yaml"
}

const (
	assumeRole  = "upstream: {endpoint: https://s3.eu-west-1.amazonaws.com}\npolicy: {data_map: rules/map.yaml, policies: [rules/customers.yaml, rules/site.yaml]}\n"
	webIdentity = "upstream: {endpoint: https://s3.eu-west-1.amazonaws.com, credentials: web_identity}\npolicy: {data_map: rules/map.yaml, policies: [rules/customers.yaml, rules/site.yaml]}\n"
	sidecarARN  = "--sidecar-arn=arn:aws:iam::111122223333:role/gimme-sidecar"
	adminARN    = "--admin-arn=arn:aws:iam::111122223333:role/platform-admin"
)

// document is an IAM policy, as far as tests here look.
type document struct {
	Version   string
	Statement []struct {
		Sid              string
		Action, Resource []string
		Condition        map[string]map[string][]string
	}
}

func (d document) sids() (all []string) {
	for _, s := range d.Statement {
		all = append(all, s.Sid)
	}
	return all
}

func into[T any](t *testing.T, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&v); err != nil || d.More() {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

type iamOutput struct {
	Permissions      []document
	Trust            *document
	TrustWebIdentity *document           `json:"trust_web_identity"`
	BucketPolicies   map[string]document `json:"bucket_policies"`
	Notes            []string
}

func TestPolicyIAM(t *testing.T) {
	w := newWorld(t)
	file := w.lake(t, assumeRole)
	before := w.files(t)
	r := w.does(t, "policy", "iam", "--config", file, "--role", lakeReader, sidecarARN, adminARN)
	out := into[iamOutput](t, r.stdout)
	if len(out.Permissions) != 1 || out.Trust == nil || out.TrustWebIdentity != nil {
		t.Fatal(r.stdout)
	}
	if diff := cmp.Diff([]string{"ListBuckets", "ReadBuckets", "ReadObjects", "UpdateObjects"}, out.Permissions[0].sids()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"arn:aws:s3:::finance/reports/*", "arn:aws:s3:::website/*"}, out.Permissions[0].Statement[2].Resource); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"finance", "website"}, slices.Sorted(maps.Keys(out.BucketPolicies))); diff != "" {
		t.Error(diff)
	}
	roles := out.BucketPolicies["finance"].Statement[0].Condition["ArnNotEquals"]["aws:PrincipalArn"]
	if diff := cmp.Diff([]string{lakeReader, "arn:aws:iam::111122223333:role/lake-writer", "arn:aws:iam::111122223333:role/platform-admin"}, roles); diff != "" {
		t.Error(diff)
	}
	if len(out.Notes) < 4 {
		t.Errorf("%q", out.Notes)
	}
	for _, note := range out.Notes {
		says(t, r.stderr, "note: "+note+"\n")
	}
	if strings.Contains(r.stdout, `\u003`) || w.files(t) != before {
		t.Error("it is not written as people read it, or something was changed")
	}

}

// One part is the bare policy, for the aws command.
func TestPolicyIAMOnly(t *testing.T) {
	w := newWorld(t)
	file := w.lake(t, assumeRole)
	for part, want := range map[string][]string{
		"permissions":             {"ListBuckets", "ReadBuckets", "ReadObjects", "UpdateObjects"},
		"trust":                   {"Sidecar"},
		"trust_web_identity":      {"People"},
		"bucket_policies.finance": {"NobodyButTheSidecar"},
	} {
		args := []string{"policy", "iam", "--config", file, "--role", lakeReader, "--only", part}
		args = append(args, map[string][]string{"trust": {sidecarARN}, "trust_web_identity": {"--sub=u1"}, "bucket_policies.finance": {adminARN}}[part]...)
		if diff := cmp.Diff(want, into[document](t, w.does(t, args...).stdout).sids()); diff != "" {
			t.Errorf("%s: %s", part, diff)
		}
	}

}

// As Terraform the notes are comments.
func TestPolicyIAMAsTerraform(t *testing.T) {
	w := newWorld(t)
	file := w.lake(t, assumeRole)
	r := w.does(t, "policy", "iam", "--config", file, "--role", lakeReader, sidecarARN, adminARN, "--sub", "u1", "--format", "terraform")
	blocks := regexp.MustCompile(`(?m)^resource "(\w+)" "([\w-]+)" \{$`).FindAllStringSubmatch(r.stdout, -1)
	var have []string
	for _, b := range blocks {
		have = append(have, b[1]+"."+b[2])
	}
	if diff := cmp.Diff([]string{"aws_iam_role.lake-reader", "aws_iam_role.lake-reader-direct", "aws_iam_policy.lake-reader_1", "aws_iam_role_policy_attachment.lake-reader_1",
		"aws_iam_role_policy_attachment.lake-reader_1-direct", "aws_s3_bucket_policy.finance", "aws_s3_bucket_policy.website"}, have); diff != "" {
		t.Error(diff)
	}
	says(t, r.stdout, "# The role lists whole buckets.")
	r = w.does(t, "policy", "iam", "--config", file, "--role", lakeReader, "--only", "permissions", "--format", "terraform")
	says(t, r.stdout, "role       = \"lake-reader\"\n")
	if strings.Contains(r.stdout, "aws_iam_role\"") || strings.Contains(r.stdout, "aws_s3_bucket_policy") {
		t.Error(r.stdout)
	}
}

func TestPolicyIAMOfWebIdentities(t *testing.T) {
	w := newWorld(t)
	file := w.lake(t, webIdentity)
	args := []string{"policy", "iam", "--config", file, "--role", lakeReader, adminARN, "--sub", "u1", "--sub", "u2", "--source-ip", "203.0.113.7"}
	out := into[iamOutput](t, w.does(t, args...).stdout)
	if out.Trust != nil || out.TrustWebIdentity == nil {
		t.Fatalf("%+v", out)
	}
	want := map[string]map[string][]string{
		"StringEquals": {"login.example.com:aud": {"gimme"}, "login.example.com:sub": {"u1", "u2"}},
		"IpAddress":    {"aws:SourceIp": {"203.0.113.7/32"}},
	}
	if diff := cmp.Diff(want, out.TrustWebIdentity.Statement[0].Condition); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"NobodyButTheSidecar", "NowhereButFromTheSidecar"}, out.BucketPolicies["finance"].sids()); diff != "" {
		t.Error(diff)
	}
	w.write(t, "proxy.yaml", strings.Replace(w.read(t, "proxy.yaml"), "session-keys}", "session-keys, lifetime: 8h}", 1))
	says(t, w.does(t, append(args, "--format", "terraform")...).stdout, "aws_iam_role.lake-reader.name", "max_session_duration = 28800\n")
}

// lakes writes configurations of several kinds.
func (w *world) lakes(t *testing.T) (files map[string]string) {
	t.Helper()
	files = map[string]string{}
	for name, lines := range map[string]string{
		"assume": assumeRole,
		"web":    webIdentity,
		"static": "upstream: {endpoint: https://s3.example, credentials: static, static: {access_key_id: a, secret_access_key_file: secret}}\npolicy: {data_map: rules/map.yaml, policies: [rules/customers.yaml]}\n",
		"open":   strings.Replace(assumeRole, "policy: {", "policy: {unlabelled: allow, ", 1),
		"watch":  strings.Replace(assumeRole, "policy: {", "policy: {mode: monitor, ", 1),
		"two":    assumeRole,
	} {
		w.lake(t, lines)
		text := w.read(t, "proxy.yaml")
		if name == "two" {
			text = strings.Replace(text, "client_id: gimme}", "client_id: gimme, alias: a}, {issuer: https://two.example, client_id: x, alias: b}", 1)
		}
		files[name] = w.home + "/" + name + ".yaml"
		w.write(t, name+".yaml", text)
	}
	w.write(t, "secret", "s")
	return files
}

func TestPolicyIAMUsage(t *testing.T) {
	w := newWorld(t)
	files := w.lakes(t)
	for _, c := range []struct {
		config string
		args   []string
		words  []string
	}{
		{"", []string{"--role", lakeReader}, []string{"--config is missing"}},
		{"assume", nil, []string{"--role is missing"}},
		{"assume", []string{"--role", "arn:aws:iam::111122223333:role/x"}, []string{"is not one of the configuration's: " + lakeReader}},
		{"assume", []string{"--role", lakeReader}, []string{"--sidecar-arn is missing: the role trusts the sidecar alone"}},
		{"assume", []string{"--role", lakeReader, sidecarARN}, []string{"--admin-arn is missing: a bucket policy keeps everybody out", "root user"}},
		{"assume", []string{"--role", lakeReader, sidecarARN, adminARN, "--source-ip", "203.0.113.7"}, []string{"change nothing here"}},
		{"assume", []string{"--role", lakeReader, "--only", "trust_web_identity"}, []string{"--sub is missing: an audience alone lets in everybody"}},
		{"assume", []string{"--role", lakeReader, "--only", "rules"}, []string{`--only is "rules"`}},
		{"assume", []string{"--role", lakeReader, "--only", "bucket_policies.Lake"}, []string{`"Lake" is not the name of a bucket`}},
		{"assume", []string{"--role", lakeReader, "--only", "bucket_policies.lake", adminARN}, []string{`bucket "lake" is none of the data map's: finance, website`, "--bucket NAME"}},
		{"assume", []string{"--role", lakeReader, "--format", "yaml"}, []string{`--format is "yaml"`}},
		{"assume", []string{"--role", lakeReader, "--sidecar-arn", "arn:aws:iam::111122223333:root"}, []string{"--sidecar-arn: ", "a whole account"}},
		{"assume", []string{"--role", lakeReader, "--admin-arn", "*"}, []string{"--admin-arn: "}},
		{"assume", []string{"--role", lakeReader, "--sub", "a*"}, []string{"--sub: "}},
		{"assume", []string{"--role", lakeReader, "--source-ip", "10.0.0.1"}, []string{"AWS never sees 10.0.0.1"}},
		{"assume", []string{"--role", lakeReader, "--bucket", "B"}, []string{"--bucket: "}},
		{"assume", []string{"--role", lakeReader, "--bucket-account", "1"}, []string{"--bucket-account: "}},
		{"assume", []string{"--role", lakeReader, "x"}, []string{"takes no arguments"}},
		{"web", []string{"--role", lakeReader, adminARN}, []string{"--sub is missing"}},
		{"web", []string{"--role", lakeReader, adminARN, "--sub", "u"}, []string{"--source-ip or --source-vpce is missing", "good at AWS without it"}},
		{"static", []string{"--role", lakeReader, sidecarARN, adminARN}, []string{"upstream.credentials is static", "--only permissions"}},
		{"open", []string{"--role", lakeReader, sidecarARN, adminARN}, []string{"data without a label is allowed", "--bucket NAME"}},
		{"watch", []string{"--role", lakeReader, "--only", "permissions"}, []string{"the sidecar is in monitor mode", "--bucket NAME"}},
		{"two", []string{"--role", lakeReader, "--only", "trust_web_identity", "--sub", "u"}, []string{"https://login.example.com, https://two.example"}},
	} {
		args := []string{"policy", "iam"}
		if c.config != "" {
			args = append(args, "--config", files[c.config])
		}
		args = append(args, c.args...)
		w.fails(t, t.Context(), 2, c.words, args...)
		if r := w.gimme(t, t.Context(), args...); r.stdout != "" {
			t.Errorf("%v: %s", c.args, r.stdout)
		}
	}
	w.fails(t, t.Context(), 1, []string{"is for everyone", "hint"}, "policy", "iam", "--config", files["assume"], "--role", lakeReader, "--only", "permissions", "--only-own-groups")
	w.fails(t, t.Context(), 1, []string{"nothing.yaml"}, "policy", "iam", "--config", w.home+"/nothing.yaml", "--role", lakeReader)

}

// What is refused is right with one more flag.
func TestPolicyIAMWithAllItNeeds(t *testing.T) {
	w := newWorld(t)
	files := w.lakes(t)
	if out := w.does(t, "policy", "iam", "--config", files["static"], "--role", lakeReader, "--only", "permissions").stdout; !strings.Contains(out, "s3:GetObject") {
		t.Error(out)
	}
	if out := w.does(t, "policy", "iam", "--config", files["open"], "--role", lakeReader, sidecarARN, adminARN, "--bucket", "lake").stdout; !strings.Contains(out, "arn:aws:s3:::lake/*") {
		t.Error(out)
	}
	if out := w.does(t, "policy", "iam", "--config", files["two"], "--role", lakeReader, "--only", "trust_web_identity", "--sub", "u", "--issuer", "https://two.example").stdout; !strings.Contains(out, "two.example:sub") {
		t.Error(out)
	}
}

// Every example of the help and of docs/iam.md works, over a configuration of
// that name.
func TestPolicyIAMExamples(t *testing.T) {
	w := newWorld(t)
	file := w.lake(t, assumeRole)
	page, err := os.ReadFile("../../docs/iam.md")
	if err != nil {
		t.Fatal(err)
	}
	iam, rest, err := cli.Commands()[0].Root().Find([]string{"policy", "iam"})
	if err != nil || len(rest) > 0 {
		t.Fatalf("%v, %q", err, rest)
	}
	ran := 0
	for line := range strings.Lines(iam.Example + "\n" + string(page)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "gimme policy iam ") {
			continue
		}
		line = strings.NewReplacer("/etc/gimme/proxy.yaml", file, "--config proxy.yaml", "--config "+file).Replace(line)
		if r := w.does(t, commandLine(line)[1:]...); !strings.Contains(r.stdout, "2012-10-17") {
			t.Errorf("%s: %s", line, r.stdout)
		}
		ran++
	}
	if ran < 9 {
		t.Errorf("%d examples ran", ran)
	}
}
