package e2e_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// narrowPolicy has one of each thing that narrows a grant.
const narrowPolicy = `name: customer-data
data: [SENSITIVE]
rules:
  - identities: {groups: [data-engineering]}
    hosts: [127.0.0.0/8]
    reads: [{data: [SENSITIVE], when: {object_tags: {class: open}}}]
    updates: [{data: [SENSITIVE], when: {request_tags: {owner: "${email}"}}, bytes: 1KiB/1h}]
    deletes: [{data: [SENSITIVE], rows: 2, severity: high}]
`

// TestPolicy is the story of a policy that narrows, of the person who is
// blocked by it, and of the engineer who looks into it.
func TestPolicy(t *testing.T) {
	w := newWorld(t, settings{})
	client := newCLI(t, w, "sidecar")
	w.more = append(w.more, "AWS_MAX_ATTEMPTS=1")
	w.loginAs(t, "alice")
	w.narrow(t, narrowPolicy)
	w.upstream.tag(t, "customers/2026.csv", "open")
	w.upstream.put(t, "customers/secret.csv", "not for everybody")
	w.upstream.tag(t, "customers/secret.csv", "secret")
	w.upstream.put(t, "customers/bare.csv", "without tags")

	get := func(key string) result { return client.run(t, "s3", "cp", "s3://acme-lake/"+key, "-") }
	if got := get("customers/2026.csv"); got.must(t).out != contents("customers/2026.csv") {
		t.Errorf("read %q", got.out)
	}
	for _, key := range []string{"customers/secret.csv", "customers/bare.csv", "customers/not-there.csv"} { // nobody learns which is which
		got := client.run(t, "s3api", "get-object", "--bucket", bucket, "--key", key, w.sidecar.path("got"))
		if got.code == 0 || !strings.Contains(got.err, "only for objects tagged class=open, but its tags are not known") {
			t.Errorf("%s: %d %s", key, got.code, got.err)
		}
	}
	w.narrowUploads(t, client)
	w.narrowBatches(t, client)
	w.monitored(t, client)
	w.lookBack(t, client)
}

// narrow puts a policy into force.
func (w *world) narrow(t *testing.T, text string) {
	t.Helper()
	before := len(policyEvents(t, w.sidecar))
	writeFile(t, w.sidecar.path("policies/customer-data.yaml"), text)
	w.sidecar.signal(t, syscall.SIGHUP)
	eventually(t, "the policy is in force", func() bool { return len(policyEvents(t, w.sidecar)) > before })
	if e := policyEvents(t, w.sidecar)[before]; e.Error != "" {
		t.Fatal(e.Error)
	}
}

func (u *upstream) tag(t *testing.T, key, class string) {
	t.Helper()
	_, err := u.direct.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
		Bucket: aws.String(bucket), Key: aws.String(key),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("class"), Value: aws.String(class)}}},
	})
	if err != nil {
		t.Fatalf("tag %s: %v", key, err)
	}
}

// narrowUploads brings objects with and without the tag that is asked for, until
// the bytes of the hour are used up.
func (w *world) narrowUploads(t *testing.T, client *cli) {
	t.Helper()
	file := w.sidecar.path("body")
	writeFile(t, file, strings.Repeat("x", 700))
	put := func(key, tags string) result {
		return client.run(t, "s3api", "put-object", "--bucket", bucket, "--key", key, "--body", file, "--tagging", tags)
	}
	at := w.sidecar.mark(t)
	if got := put("customers/new", "owner=bob@example.com"); got.code == 0 || !strings.Contains(got.err, "only with the tags owner=${email}, but the upload has owner=bob@example.com") {
		t.Errorf("another's tag: %d %s", got.code, got.err)
	}
	at.refused(t)
	put("customers/new", "owner=alice@example.com").must(t)
	at = w.sidecar.mark(t)
	if got := put("customers/newer", "owner=alice@example.com"); got.code == 0 || !strings.Contains(got.err, "SlowDown") {
		t.Errorf("more bytes than the hour has: %d %s", got.code, got.err)
	}
	at.refused(t)
	if w.upstream.get(t, "customers/new") == "" || w.upstream.get(t, "customers/newer") != "" {
		t.Error("what was allowed is not there, or what was not is")
	}
}

// narrowBatches deletes more objects at once than a request may, and then as
// many as it may.
func (w *world) narrowBatches(t *testing.T, client *cli) {
	t.Helper()
	for _, key := range []string{"a", "b", "c"} {
		w.upstream.put(t, "customers/"+key, key)
	}
	at := w.sidecar.mark(t)
	del := func(keys string) result {
		return client.run(t, "s3api", "delete-objects", "--bucket", bucket, "--delete", "Objects=["+keys+"]")
	}
	if got := del("{Key=customers/a},{Key=customers/b},{Key=customers/c}"); got.code == 0 || !strings.Contains(got.err, "AccessDenied") || !strings.Contains(got.err, "2") {
		t.Errorf("three at once: %d %s%s", got.code, got.out, got.err)
	}
	at.refused(t)
	del("{Key=customers/a},{Key=customers/b}").must(t)
	if w.upstream.get(t, "customers/a") != "" || w.upstream.get(t, "customers/c") == "" {
		t.Error("what was allowed was not deleted, or what was not was")
	}
}

// monitored lets through what the policy would block, and says so.
func (w *world) monitored(t *testing.T, client *cli) {
	t.Helper()
	w.narrow(t, strings.Replace(narrowPolicy, "data: [SENSITIVE]\n", "mode: monitor\ndata: [SENSITIVE]\n", 1))
	at := w.sidecar.mark(t)
	if got := client.run(t, "s3", "cp", "s3://acme-lake/customers/secret.csv", "-"); got.must(t).out != "not for everybody" {
		t.Errorf("read %q", got.out)
	}
	for _, e := range at.since(t) {
		if e.Kind == "decision" && (e.Decision != "would-block" || len(e.Reasons) != 1 || !strings.Contains(e.Reasons[0].Text, "tagged class=open") || strings.Contains(e.Reasons[0].Text, "class=secret")) {
			t.Errorf("the event says %+v", e)
		}
	}
}

// lookBack decides the log again: by the policy that wrote its last part, and by
// a stricter one. Tags are not in the log, so what hangs on them is said to be
// left out.
func (w *world) lookBack(t *testing.T, client *cli) {
	t.Helper()
	at := w.sidecar.mark(t)
	if client.run(t, "s3", "rm", "s3://acme-lake/payroll/2026.csv").code == 0 {
		t.Error("the payroll was deleted")
	}
	blocked := at.refused(t)
	log := w.sidecar.path("audit.jsonl")
	tool := func(args ...string) result {
		return finish(t, command{path: gimme, args: args, env: w.env()})
	}
	got := tool("policy", "explain", "--event", blocked.ID, "--log", log, "--config", w.sidecar.path("proxy.yaml")).must(t)
	if !strings.Contains(got.out, "policy payroll blocks") || !strings.Contains(got.out, "DeleteObject") {
		t.Errorf("explained by %s%s", got.out, got.err)
	}
	strict := w.sidecar.path("stricter.yaml")
	writeFile(t, strict, strings.Replace(narrowPolicy, "127.0.0.0/8", "10.0.0.0/8", 1))
	got = tool("policy", "replay", "--json", "--log", log, strict, w.sidecar.path("datamap.yaml")).must(t)
	var report struct {
		Flips []struct{ From, To, Who, Operation string }
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Flips {
		if f.To == "blocked" && f.Operation == "DeleteObjects" {
			return
		}
	}
	t.Errorf("nobody loses the deletes: %s%s", got.out, got.err)
}
