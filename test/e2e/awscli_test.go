package e2e_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// blockedDelete is what a person reads who may not delete.
const blockedDelete = `alice@example\.com may not DeleteObject s3://acme-lake/customers/2026\.csv \(label SENSITIVE\): ` +
	`policy customer-data has no rule that lets you delete SENSITIVE data; needed: a rule of policy customer-data with deletes of SENSITIVE\. Event [A-Z2-7]+\.`

// A cli runs the aws CLI as the person of a world would.
type cli struct {
	world   *world
	path    string
	profile string
	before  []string // arguments that every call needs
}

// newCLI finds out whether the aws CLI knows the services section of a profile;
// an old one is told the endpoint.
func newCLI(t *testing.T, w *world, profile string) *cli {
	t.Helper()
	c := &cli{world: w, path: need(t, awsCLI), profile: profile}
	if !servesProfiles(t, c.path) {
		c.before = []string{"--endpoint-url", w.sidecar.address}
	}
	return c
}

var cliVersion = regexp.MustCompile(`aws-cli/(\d+)\.(\d+)`)

// knowsServices says whether a version, as `aws --version` prints it, reads
// endpoints from profiles: 1.29, 2.13 and newer do.
func knowsServices(version string) bool {
	m := cliVersion.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	minor, _ := strconv.Atoi(m[2])
	return m[1] == "1" && minor >= 29 || m[1] == "2" && minor >= 13
}

func (c *cli) run(t *testing.T, args ...string) result {
	t.Helper()
	all := append(slices.Clone(c.before), args...)
	return finish(t, command{path: c.path, args: all, env: c.world.env("AWS_PROFILE=" + c.profile), dir: c.world.home})
}

// TestAWSCommandLine is the story of a person at a terminal.
func TestAWSCommandLine(t *testing.T) {
	w := newWorld(t, settings{})
	aws := newCLI(t, w, "sidecar")
	w.loginAs(t, "alice")
	local := func(name string) string { return filepath.Join(w.home, name) }
	writeFile(t, local("new.csv"), "one,two\n")

	t.Run("up, list, down", func(t *testing.T) {
		aws.run(t, "s3", "cp", local("new.csv"), "s3://acme-lake/customers/new.csv").must(t)
		if got := w.upstream.get(t, "customers/new.csv"); got != "one,two\n" {
			t.Errorf("upstream has %q", got)
		}
		if list := aws.run(t, "s3", "ls", "s3://acme-lake/customers/").must(t).out; !strings.Contains(list, "new.csv") || !strings.Contains(list, "2026.csv") {
			t.Errorf("the list lacks something: %q", list)
		}
		aws.run(t, "s3", "cp", "s3://acme-lake/customers/new.csv", local("back.csv")).must(t)
		if got := readFile(t, local("back.csv")); got != "one,two\n" {
			t.Errorf("came back as %q", got)
		}
	})
	t.Run("delete is blocked", func(t *testing.T) {
		at := w.sidecar.mark(t)
		got := aws.run(t, "s3", "rm", "s3://acme-lake/customers/2026.csv")
		if got.code == 0 || !regexp.MustCompile(blockedDelete).MatchString(got.err) {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
		e := at.refused(t)
		if e.Request.Operation != "DeleteObject" || e.Request.Key != "customers/2026.csv" || e.Principal.Email != "alice@example.com" ||
			!slices.Equal(e.Labels, []string{"SENSITIVE"}) || e.Reasons[0].Policy != "customer-data" || !strings.Contains(got.err, e.ID) {
			t.Errorf("the event says %+v", e)
		}
		if w.upstream.get(t, "customers/2026.csv") != contents("customers/2026.csv") {
			t.Error("the object is gone")
		}
	})
	t.Run("delete what may be deleted", func(t *testing.T) {
		aws.run(t, "s3", "rm", "s3://acme-lake/open/readme.txt").must(t)
		if w.upstream.get(t, "open/readme.txt") != "" {
			t.Error("the object is still there")
		}
	})
	t.Run("move", func(t *testing.T) {
		w.upstream.put(t, "open/old name.txt", "moved")
		aws.run(t, "s3", "mv", "s3://acme-lake/open/old name.txt", "s3://acme-lake/open/new+näme.txt").must(t)
		if w.upstream.get(t, "open/old name.txt") != "" || w.upstream.get(t, "open/new+näme.txt") != "moved" {
			t.Error("the object has not moved")
		}
	})
	t.Run("who am I", func(t *testing.T) {
		got := aws.run(t, "sts", "get-caller-identity", "--endpoint-url", w.sidecar.address).must(t)
		var who struct{ Account, Arn string }
		if err := json.Unmarshal([]byte(got.out), &who); err != nil || who.Account != "111122223333" || !strings.Contains(who.Arn, ":assumed-role/data-engineering/") {
			t.Errorf("%v: %s", err, got.out)
		}
	})
	t.Run("listing and copying of what may not be read", aws.unreadable)
	t.Run("batch delete", aws.batchDelete)
	t.Run("presigned", aws.presigned)
}

func (c *cli) unreadable(t *testing.T) {
	w := c.world
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"a list", []string{"s3", "ls", "s3://acme-lake/payroll/"}, "ListObjectsV2 s3://acme-lake/payroll/"},
		{"a list of another bucket", []string{"s3", "ls", "s3://acme-vault/"}, "ListObjectsV2 s3://acme-vault"},
		{"a copy", []string{"s3api", "copy-object", "--bucket", bucket, "--key", "open/stolen.csv", "--copy-source", "acme-lake/payroll/2026.csv"}, "PAYROLL"},
		{"a prefix that only begins alike", []string{"s3", "ls", "s3://acme-lake/pay"}, "ListObjectsV2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			at := w.sidecar.mark(t)
			got := c.run(t, row.args...)
			if got.code == 0 || !strings.Contains(got.err, "AccessDenied") || !strings.Contains(got.err, row.want) || !strings.Contains(got.err, "alice@example.com") {
				t.Errorf("exit code %d: %s", got.code, got.err)
			}
			at.refused(t)
		})
	}
	if w.upstream.get(t, "open/stolen.csv") != "" {
		t.Error("the copy was made")
	}
	if got := c.run(t, "s3", "ls", "s3://acme-lake/").must(t).out; strings.Join(strings.Fields(got), " ") != "PRE customers/ PRE open/" {
		t.Errorf("of everything there is listed %q", got)
	}
}

// batchDelete mixes keys that may be deleted with one that may not.
func (c *cli) batchDelete(t *testing.T) {
	w := c.world
	w.upstream.put(t, "open/a", "a")
	w.upstream.put(t, "open/b", "b")
	at := w.sidecar.mark(t)
	got := c.run(t, "s3api", "delete-objects", "--bucket", bucket, "--delete",
		`{"Objects":[{"Key":"open/a"},{"Key":"customers/2026.csv"},{"Key":"open/b"}]}`).must(t)
	var answer struct {
		Deleted []struct{ Key string }
		Errors  []struct{ Key, Code, Message string }
	}
	if err := json.Unmarshal([]byte(got.out), &answer); err != nil {
		t.Fatalf("%v: %s", err, got.out)
	}
	if len(answer.Deleted) != 2 || len(answer.Errors) != 1 || answer.Errors[0].Key != "customers/2026.csv" || answer.Errors[0].Code != "AccessDenied" ||
		!strings.Contains(answer.Errors[0].Message, "SENSITIVE") {
		t.Errorf("the answer is %s", got.out)
	}
	if w.upstream.get(t, "open/a")+w.upstream.get(t, "open/b") != "" || w.upstream.get(t, "customers/2026.csv") == "" {
		t.Error("not exactly what may be deleted is gone")
	}
	decisions := map[string][]string{}
	for _, e := range at.since(t) {
		if e.Kind == "decision" && e.Request.Operation == "DeleteObjects" {
			decisions[e.Decision] = append(decisions[e.Decision], e.Request.Keys...)
		}
	}
	if !slices.Equal(decisions["blocked"], []string{"customers/2026.csv"}) || !slices.Equal(decisions["allowed"], []string{"open/a", "open/b"}) {
		t.Errorf("the events say %v", decisions)
	}
}

// presigned makes addresses that work without keys, as long as nobody changes
// them.
func (c *cli) presigned(t *testing.T) {
	w, fetch := c.world, need(t, curl)
	get := func(address string) (status, body string) {
		got := finish(t, command{path: fetch, args: []string{"-sS", "--max-time", "30", "-w", "\n%{http_code}", address}, env: w.env()}).must(t)
		at := strings.LastIndex(got.out, "\n")
		return got.out[at+1:], got.out[:at]
	}
	// The first version of the aws CLI presigns with Signature Version 2 unless
	// it is told otherwise.
	signed := strings.TrimSpace(c.run(t, "s3", "presign", "s3://acme-lake/customers/2026.csv", "--expires-in", "60").must(t).out)
	if status, body := get(signed); status != "200" || body != contents("customers/2026.csv") {
		t.Fatalf("curl got %s %s", status, body)
	}
	for name, change := range map[string][2]string{
		"key":     {"2026.csv", "2025.csv"},
		"expiry":  {"X-Amz-Expires=60", "X-Amz-Expires=6000"},
		"added":   {"X-Amz-Expires=60", "X-Amz-Expires=60&response-content-type=text%2Fhtml"},
		"version": {"X-Amz-Expires=60", "X-Amz-Expires=60&versionId=1"},
	} {
		t.Run(name+" changed", func(t *testing.T) {
			tampered := strings.Replace(signed, change[0], change[1], 1)
			if _, err := url.Parse(tampered); err != nil || tampered == signed {
				t.Fatalf("nothing changed in %s: %v", signed, err)
			}
			at := w.sidecar.mark(t)
			if status, body := get(tampered); status != strconv.Itoa(http.StatusForbidden) || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
				t.Errorf("curl got %s %s", status, body)
			}
			at.refused(t)
		})
	}
}

// TestTransfers moves much data: an object in many parts, and folders.
func TestTransfers(t *testing.T) {
	w := newWorld(t, settings{})
	aws := newCLI(t, w, "sidecar")
	w.loginAs(t, "alice")
	local := func(name string) string { return filepath.Join(w.home, name) }

	t.Run("64 MiB in parts", func(t *testing.T) {
		big := make([]byte, 64<<20)
		source := rand.NewChaCha8([32]byte{1})
		_, _ = source.Read(big) // never fails
		if err := os.WriteFile(local("big"), big, 0o600); err != nil {
			t.Fatal(err)
		}
		aws.run(t, "s3", "cp", "--only-show-errors", local("big"), "s3://acme-lake/customers/big").must(t)
		var parts int
		for _, r := range w.upstream.requests() {
			if strings.HasPrefix(r.line, "PUT /acme-lake/customers/big?partNumber=") {
				parts++
			}
		}
		if parts != 8 {
			t.Errorf("it went up in %d parts, want 8", parts)
		}
		aws.run(t, "s3", "cp", "--only-show-errors", "s3://acme-lake/customers/big", local("big.back")).must(t)
		back, err := os.ReadFile(local("big.back"))
		if err != nil || !bytes.Equal(back, big) {
			t.Errorf("64 MiB came back otherwise (%d bytes, %v)", len(back), err)
		}
	})
	t.Run("folders", func(t *testing.T) {
		tree := map[string]string{"a.txt": "a", "deep/er/b ü.txt": "b", "empty": "", "plus+and&.txt": "c"}
		for name, text := range tree {
			if err := os.MkdirAll(filepath.Dir(local("tree/"+name)), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, local("tree/"+name), text)
			old := time.Now().Add(-time.Hour) // sync compares times, which S3 has in seconds
			if err := os.Chtimes(local("tree/"+name), old, old); err != nil {
				t.Fatal(err)
			}
		}
		aws.run(t, "s3", "sync", local("tree"), "s3://acme-lake/open/tree").must(t)
		aws.run(t, "s3", "sync", "s3://acme-lake/open/tree", local("copy")).must(t)
		for name, text := range tree {
			if got, err := os.ReadFile(local("copy/" + name)); err != nil || string(got) != text {
				t.Errorf("%s came back as %q, %v", name, got, err)
			}
		}
		if again := aws.run(t, "s3", "sync", local("tree"), "s3://acme-lake/open/tree").must(t); again.out != "" {
			t.Errorf("a second sync still does something: %s", again.out)
		}
		if err := os.Remove(local("tree/empty")); err != nil {
			t.Fatal(err)
		}
		aws.run(t, "s3", "sync", "--delete", local("tree"), "s3://acme-lake/open/tree").must(t)
		if list := aws.run(t, "s3", "ls", "--recursive", "s3://acme-lake/open/tree/").must(t).out; strings.Contains(list, "empty") || strings.Count(list, "\n") != 3 {
			t.Errorf("after sync --delete there is: %s", list)
		}
	})
	t.Run("nothing of the client's reaches the upstream", func(t *testing.T) {
		keys := readFile(t, w.credentialsFile())
		for _, r := range w.upstream.requests() {
			if !strings.Contains(r.header.Get("Authorization"), upstreamKey) || r.header.Get("X-Amz-Security-Token") != "" {
				t.Errorf("%s is not signed with the sidecar's own key: %v", r.line, r.header)
			}
			for _, values := range r.header {
				for _, v := range values {
					if len(v) > 30 && strings.Contains(keys, v) {
						t.Errorf("%s carries the client's %q", r.line, v)
					}
				}
			}
		}
	})
}
