package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	iamReader  = "arn:aws:iam::111122223333:role/lake-reader"
	iamWriter  = "arn:aws:iam::111122223333:role/team/lake-writer"
	iamSidecar = "arn:aws:iam::111122223333:role/gimme-sidecar"
	iamAdmin   = "arn:aws:iam::111122223333:role/platform-admin"
	iamAccount = "111122223333"
)

// iamFolder is a sidecar's configuration with data of many forms. SENSITIVE is
// narrowed by a second policy; nobody updates what is FINANCE.
func iamFolder(t *testing.T, credentials string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"proxy.yaml": `address: https://s3.sidecar.example
issuers: [{issuer: https://login.example.com, client_id: gimme}]
roles:
  - {arn: ` + iamReader + `, groups: [analysts]}
  - {arn: ` + iamWriter + `, groups: [engineers]}
service_keys: []
sessions: {key_file: session-keys}
audit: {file: audit.jsonl}
upstream: {endpoint: https://s3.eu-west-1.amazonaws.com, credentials: ` + credentials + `}
policy: {data_map: datamap.yaml, policies: [policies]}
`,
		"datamap.yaml": `SENSITIVE: [{repo: S3, attributes: [lake, finance/reports/, "logs-*/pii/*.parquet"]}]
FINANCE: [{repo: S3, attributes: [finance]}]
ODD: [{repo: S3, attributes: ["odd/a?b/", "odd/$x", "odd/${aws:username}", "odd/say \"\\\"", "odd/é/", "odd/%{x}"]}]
PUBLIC: [{repo: S3, attributes: [website]}]
`,
		"policies/a.yaml": `name: a
data: [SENSITIVE]
rules:
  - identities: {groups: [engineers]}
    reads: [{data: any}]
    updates: [{data: any}]
    deletes: [{data: any, when: {object_tags: {temporary: ["yes"]}}}]
  - identities: {groups: [analysts]}
    reads: [{data: any, rows: 5}]
`,
		"policies/b.yaml": "name: b\ndata: [SENSITIVE, FINANCE]\nrules: [{reads: [{data: any}], updates: [{data: [SENSITIVE]}], deletes: [{data: any}]}]\n",
		"policies/c.yaml": "name: c\ndata: [ODD, PUBLIC]\nrules: [{reads: [{data: any}]}, {identities: {groups: [engineers]}, manages: [{data: [PUBLIC]}], updates: [{data: [ODD]}]}]\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, text)
	}
	return folder
}

// iam runs gimme policy iam.
func iam(t *testing.T, folder string, args ...string) result {
	t.Helper()
	args = append([]string{"policy", "iam", "--config", filepath.Join(folder, "proxy.yaml")}, args...)
	return finish(t, command{path: gimme, args: args, env: environment(folder), dir: folder}).must(t)
}

// An iamOutput is what is printed, with the policies as they stand.
type iamOutput struct {
	Permissions      []json.RawMessage          `json:"permissions"`
	Trust            json.RawMessage            `json:"trust"`
	TrustWebIdentity json.RawMessage            `json:"trust_web_identity"`
	BucketPolicies   map[string]json.RawMessage `json:"bucket_policies"`
}

// What node/iam.mjs is asked.
type (
	iamDocument struct {
		Kind   string          `json:"kind"`
		Policy json.RawMessage `json:"policy"`
	}
	iamRequest struct {
		Policies  []json.RawMessage `json:"policies"`           // of the principal
		Resource  json.RawMessage   `json:"resource,omitempty"` // the policy of the resource
		Principal string            `json:"principal"`          // empty: nobody known
		Context   map[string]string `json:"context"`
		Action    string            `json:"action,omitempty"`
		On        string            `json:"on,omitempty"` // of a sweep
		ARN       string            `json:"arn"`
	}
	iamJob struct {
		Documents []iamDocument `json:"documents"`
		Sweeps    []iamRequest  `json:"sweeps"`
		Requests  []iamRequest  `json:"requests"`
	}
	iamAnswer struct {
		Faults, Verdicts []string
		Sweeps           [][]string
	}
)

func simulate(t *testing.T, job iamJob) iamAnswer {
	t.Helper()
	// It reads lists, and not null.
	job.Documents, job.Sweeps, job.Requests = append([]iamDocument{}, job.Documents...), append([]iamRequest{}, job.Sweeps...), append([]iamRequest{}, job.Requests...)
	node := need(t, nodeParts)
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("node", filepath.Join(node, "iam.mjs"))
	c.Dir, c.Stdin, c.Stderr = node, bytes.NewReader(in), os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answer iamAnswer
	decode(t, string(out), &answer)
	if len(answer.Sweeps) != len(job.Sweeps) || len(answer.Verdicts) != len(job.Requests) {
		t.Fatalf("it answered %d of %d sweeps and %d of %d requests", len(answer.Sweeps), len(job.Sweeps), len(answer.Verdicts), len(job.Requests))
	}
	return answer
}

// as is a session of a role.
func as(role string) string {
	return "arn:aws:sts::" + iamAccount + ":assumed-role/" + role[strings.LastIndexByte(role, '/')+1:] + "/somebody"
}

// The actions that a role has on objects and buckets, as S3 names them.
var (
	iamReadObjects = []string{"GetObject", "GetObjectAnnotation", "GetObjectAttributes", "GetObjectLegalHold", "GetObjectRetention", "GetObjectTagging",
		"GetObjectVersion", "GetObjectVersionAnnotation", "GetObjectVersionAttributes", "GetObjectVersionTagging", "ListMultipartUploadParts",
		"ListObjectAnnotations", "ListObjectVersionAnnotations"}
	iamUpdateObjects = []string{"AbortMultipartUpload", "DeleteObjectAnnotation", "DeleteObjectTagging", "DeleteObjectVersionAnnotation",
		"DeleteObjectVersionTagging", "PutObject", "PutObjectAcl", "PutObjectAnnotation", "PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging",
		"PutObjectVersionAnnotation", "PutObjectVersionTagging", "RestoreObject", "UpdateObjectEncryption"}
	iamDeleteObjects = []string{"DeleteObject", "DeleteObjectVersion"}
	iamManageObjects = []string{"BypassGovernanceRetention", "GetObjectAcl", "GetObjectVersionAcl", "PutObjectAcl", "PutObjectLegalHold", "PutObjectVersionAcl"}
	iamReadBuckets   = []string{"GetAccelerateConfiguration", "GetBucketCORS", "GetBucketLocation", "GetBucketObjectLockConfiguration",
		"GetBucketOwnershipControls", "GetBucketRequestPayment", "GetBucketTagging", "GetBucketVersioning", "GetEncryptionConfiguration",
		"GetIntelligentTieringConfiguration", "GetLifecycleConfiguration", "ListBucket", "ListBucketMultipartUploads", "ListBucketVersions"}
)

func together(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// TestIAMPermissions has a simulator that others wrote say which of all the
// actions of S3 each role has, where the data is and where it is not.
func TestIAMPermissions(t *testing.T) {
	folder := iamFolder(t, "assume_role")
	type expected struct {
		on, arn string
		want    []string
	}
	read, all := iamReadObjects, together(iamReadObjects, iamUpdateObjects, iamDeleteObjects)
	for role, cases := range map[string][]expected{
		iamReader: {
			{"object", "lake/x", read}, {"object", "website/index.html", read}, {"bucket", "lake", iamReadBuckets},
			{"object", "finance/plan.csv", together(read, iamDeleteObjects)}, // that reports/ in it are SENSITIVE, which analysts do not delete, is not for IAM
			{"object", "finance/reports/q1.csv", together(read, iamDeleteObjects)},
			{"object", "odd/a?b/c", read}, {"object", "odd/acb/c", nil}, {"object", `odd/say "\"`, read}, {"bucket", "website", iamReadBuckets},
		},
		iamWriter: {
			{"object", "lake/x", all}, {"object", "lake/a//b", all}, {"object", "lake2/x", nil}, {"bucket", "lake", iamReadBuckets}, {"bucket", "lake2", nil},
			{"object", "finance/plan.csv", together(read, iamDeleteObjects)}, // nobody updates FINANCE
			{"object", "finance/reports/q1.csv", together(read, iamDeleteObjects)}, {"bucket", "finance", iamReadBuckets},
			{"object", "logs-eu/pii/a/b.parquet", all}, {"object", "logs-eu/pii/a/b.json", nil}, {"object", "logs-eu/x.parquet", nil}, {"bucket", "logs-eu", iamReadBuckets},
			{"object", "odd/a?b/c", together(read, iamUpdateObjects)}, {"object", "odd/acb/c", nil}, {"object", "odd/$x", together(read, iamUpdateObjects)},
			{"object", "odd/${aws:username}", together(read, iamUpdateObjects)}, {"object", "odd/somebody", nil}, {"object", "odd/é/x", together(read, iamUpdateObjects)},
			{"object", "odd/%{x}", together(read, iamUpdateObjects)}, {"object", "odd/x", nil},
			{"object", "website/x", together(read, iamManageObjects)}, {"object", "other/x", nil}, {"bucket", "other", nil},
		},
	} {
		var out iamOutput
		decode(t, iam(t, folder, "--role", role, "--sidecar-arn", iamSidecar, "--admin-arn", iamAdmin, "--only-own-groups").out, &out)
		var job iamJob
		for _, p := range out.Permissions {
			job.Documents = append(job.Documents, iamDocument{"identity", p})
		}
		ask := func(on, arn, account string) {
			job.Sweeps = append(job.Sweeps, iamRequest{Policies: out.Permissions, Principal: as(role), On: on, ARN: arn, Context: map[string]string{"aws:ResourceAccount": account}})
		}
		for _, c := range cases {
			ask(c.on, "arn:aws:s3:::"+c.arn, iamAccount)
			ask(c.on, "arn:aws:s3:::"+c.arn, "999999999999")
		}
		ask("service", "*", iamAccount)
		answer := simulate(t, job)
		if len(answer.Faults) > 0 {
			t.Errorf("%s: %q", role, answer.Faults)
		}
		for i, c := range cases {
			if have := answer.Sweeps[2*i]; !slices.Equal(have, c.want) {
				t.Errorf("%s on %s has %q, want %q", role, c.arn, have, c.want)
			}
			if have := answer.Sweeps[2*i+1]; len(have) > 0 {
				t.Errorf("%s on %s of a stranger has %q", role, c.arn, have)
			}
		}
		if have := answer.Sweeps[2*len(cases)]; !slices.Equal(have, []string{"ListAllMyBuckets"}) {
			t.Errorf("%s has %q on everything", role, have)
		}
	}
}

// TestIAMManagement: to manage all of a bucket is the longest list.
func TestIAMManagement(t *testing.T) {
	var document json.RawMessage
	decode(t, iam(t, iamFolder(t, "assume_role"), "--role", iamWriter, "--only", "permissions").out, &document)
	answer := simulate(t, iamJob{Documents: []iamDocument{{"identity", document}}, Sweeps: []iamRequest{{
		Policies: []json.RawMessage{document}, Principal: as(iamWriter), On: "bucket", ARN: "arn:aws:s3:::website", Context: map[string]string{"aws:ResourceAccount": iamAccount},
	}}})
	if len(answer.Faults) > 0 {
		t.Errorf("%q", answer.Faults)
	}
	have := answer.Sweeps[0]
	for _, want := range []string{"CreateBucket", "DeleteBucket", "GetBucketPolicy", "ListBucket", "PutBucketPolicy", "PutLifecycleConfiguration", "PutReplicationConfiguration", "TagResource"} {
		if !slices.Contains(have, want) {
			t.Errorf("%s is missing: %q", want, have)
		}
	}
	for _, not := range []string{"CreateAccessPoint", "CreateBucketMetadataTableConfiguration", "ReplicateObject", "PutAccessPointPolicy"} {
		if slices.Contains(have, not) {
			t.Errorf("%s is there", not)
		}
	}
}

// TestIAMBucketPolicies: whoever has all rights of their own is kept out, and the
// roles come in.
func TestIAMBucketPolicies(t *testing.T) {
	everything := []json.RawMessage{json.RawMessage(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}`)}
	for credentials, args := range map[string][]string{
		"assume_role":  {"--sidecar-arn", iamSidecar},
		"web_identity": {"--sub", "u1", "--source-ip", "203.0.113.0/24"},
	} {
		var out iamOutput
		decode(t, iam(t, iamFolder(t, credentials), append(args, "--role", iamReader, "--admin-arn", iamAdmin)...).out, &out)
		if len(out.BucketPolicies) != 4 {
			t.Errorf("%d buckets", len(out.BucketPolicies))
		}
		var job iamJob
		var want []string
		for bucket, p := range out.BucketPolicies {
			job.Documents = append(job.Documents, iamDocument{"resource", p})
			for _, c := range []struct {
				principal, address, want string
			}{
				{iamReader, "203.0.113.9", "Allowed"},
				{iamWriter, "203.0.113.9", "Allowed"},
				{iamAdmin, "198.51.100.1", "Allowed"},
				{iamReader, "198.51.100.1", map[string]string{"assume_role": "Allowed", "web_identity": "ExplicitlyDenied"}[credentials]},
				{iamSidecar, "203.0.113.9", "ExplicitlyDenied"},
				{"arn:aws:iam::" + iamAccount + ":role/stranger", "203.0.113.9", "ExplicitlyDenied"},
				{"arn:aws:iam::" + iamAccount + ":role/lake-reader2", "203.0.113.9", "ExplicitlyDenied"},
				{"", "203.0.113.9", "ExplicitlyDenied"},
			} {
				for action, arn := range map[string]string{"s3:GetObject": "/a/b", "s3:DeleteObject": "/x", "s3:ListBucket": "", "s3:PutBucketPolicy": ""} {
					r := iamRequest{Resource: p, Action: action, ARN: "arn:aws:s3:::" + bucket + arn, Context: map[string]string{"aws:SourceIp": c.address}, Policies: []json.RawMessage{}}
					if c.principal != "" {
						r.Principal, r.Policies, r.Context["aws:PrincipalArn"] = as(c.principal), everything, c.principal
					}
					job.Requests, want = append(job.Requests, r), append(want, c.want)
				}
			}
		}
		answer := simulate(t, job)
		if len(answer.Faults) > 0 {
			t.Errorf("%q", answer.Faults)
		}
		for i, r := range job.Requests {
			if answer.Verdicts[i] != want[i] {
				t.Errorf("%s: %s may %s on %s from %s: %s, want %s", credentials, r.Principal, r.Action, r.ARN, r.Context["aws:SourceIp"], answer.Verdicts[i], want[i])
			}
		}
	}
}

// TestIAMTrust: the role is the sidecar's, or that of the people who are named,
// with tokens for this application, from the sidecar's network.
func TestIAMTrust(t *testing.T) {
	var out iamOutput
	decode(t, iam(t, iamFolder(t, "assume_role"), "--role", iamWriter, "--sidecar-arn", iamSidecar, "--admin-arn", iamAdmin).out, &out)
	job := iamJob{Documents: []iamDocument{{"trust", out.Trust}}}
	var want []string
	add := func(verdict string, r iamRequest) {
		r.ARN = iamWriter
		if r.Policies == nil {
			r.Policies = []json.RawMessage{}
		}
		job.Requests, want = append(job.Requests, r), append(want, verdict)
	}
	for _, action := range []string{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"} {
		add("Allowed", iamRequest{Resource: out.Trust, Principal: as(iamSidecar), Action: action})
		add("ImplicitlyDenied", iamRequest{Resource: out.Trust, Principal: as(iamReader), Action: action})
	}
	// The simulator knows the keys of a few providers alone.
	const provider = "accounts.google.com"
	var web iamOutput
	folder := iamFolder(t, "web_identity")
	config := filepath.Join(folder, "proxy.yaml")
	writeFile(t, config, strings.Replace(readFile(t, config), "https://login.example.com", "https://"+provider, 1))
	decode(t, iam(t, folder, "--role", iamWriter, "--admin-arn", iamAdmin, "--sub", "u1", "--sub", "u2", "--source-ip", "203.0.113.7", "--source-vpce", "vpce-0123456789abcdef0").out, &web)
	job.Documents = append(job.Documents, iamDocument{"trust", web.TrustWebIdentity})
	for _, c := range []struct {
		provider, aud, sub, address, endpoint, want string
	}{
		{provider, "gimme", "u1", "203.0.113.7", "", "Allowed"},
		{provider, "gimme", "u2", "", "vpce-0123456789abcdef0", "Allowed"},
		{provider, "gimme", "u3", "203.0.113.7", "", "ImplicitlyDenied"},
		{provider, "gimme", "", "203.0.113.7", "", "ImplicitlyDenied"},
		{provider, "other", "u1", "203.0.113.7", "", "ImplicitlyDenied"},
		{provider, "gimme", "u1", "203.0.113.8", "", "ImplicitlyDenied"},
		{provider, "gimme", "u1", "", "vpce-0000000000000000f", "ImplicitlyDenied"},
		{"www.amazon.com", "gimme", "u1", "203.0.113.7", "", "ImplicitlyDenied"},
	} {
		context := map[string]string{provider + ":aud": c.aud}
		for key, value := range map[string]string{provider + ":sub": c.sub, "aws:SourceIp": c.address, "aws:SourceVpce": c.endpoint} {
			if value != "" {
				context[key] = value
			}
		}
		// It takes a provider for somebody of another account, who needs leave of both.
		leave := json.RawMessage(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}`)
		add(c.want, iamRequest{Policies: []json.RawMessage{leave}, Resource: web.TrustWebIdentity, Principal: c.provider, Action: "sts:AssumeRoleWithWebIdentity", Context: context})
	}
	answer := simulate(t, job)
	if len(answer.Faults) > 0 {
		t.Errorf("%q", answer.Faults)
	}
	for i, r := range job.Requests {
		if answer.Verdicts[i] != want[i] {
			t.Errorf("%s by %s with %v: %s, want %s", r.Action, r.Principal, r.Context, answer.Verdicts[i], want[i])
		}
	}
}

// TestIAMParserFindsFaults: the parser and its linter see what is wrong.
func TestIAMParserFindsFaults(t *testing.T) {
	for policy, word := range map[string]string{
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Alow", "Action": "s3:GetObject", "Resource": "*"}]}`:                                          "Effect",
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObjekt"], "Resource": "*"}]}`:                                       "GetObjekt",
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*", "Condition": {"StringEquals": ["x"]}}]}`: "Condition",
	} {
		answer := simulate(t, iamJob{Documents: []iamDocument{{"identity", json.RawMessage(policy)}}})
		if !strings.Contains(strings.Join(answer.Faults, "\n"), word) {
			t.Errorf("%s: %q", policy, answer.Faults)
		}
	}
}
