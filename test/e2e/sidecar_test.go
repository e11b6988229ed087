package e2e_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// Roles that the sidecar knows.
const (
	engineerRole = "arn:aws:iam::111122223333:role/data-engineering"
	staffRole    = "arn:aws:iam::111122223333:role/staff"
)

// settings are what a test changes about a sidecar.
type settings struct {
	Issuer     string
	Upstream   string
	Lifetime   string
	Deployment string
	CertFile   string
	KeyFile    string
	IssuerKeys []string // further lines of the first issuer
	Workload   string   // a further issuer, of a CI system
	Quirk      quirk    // of the provider, in newWorld
	Domains    string   // under which buckets are names of hosts

	Listen, Scheme string // made by startSidecar
}

var configuration = template.Must(template.New("").Parse(`listen: {{.Listen}}
address: {{.Scheme}}://{{.Listen}}
{{with .CertFile}}tls: {cert_file: {{.}}, key_file: {{$.KeyFile}}}
{{end -}}
{{with .Domains}}domains: [{{.}}]
{{end -}}
issuers:
  - issuer: {{.Issuer}}
    client_id: gimme
    scopes: [openid, email, profile, groups]
    email_domains: [example.com]
{{- range .IssuerKeys}}
    {{.}}
{{- end}}
{{- with .Workload}}
    alias: corp
  - issuer: {{.}}
    client_id: {{$.Scheme}}://{{$.Listen}}
    alias: ci
{{- end}}
roles:
  - {arn: "` + engineerRole + `", groups: [{{with .Workload}}"ci:builders"{{else}}data-engineering{{end}}]}
  - {arn: "` + staffRole + `", groups: [staff]}
sessions: {key_file: session-keys, lifetime: {{.Lifetime}}, deployment: {{.Deployment}}}
upstream:
  endpoint: {{.Upstream}}
  credentials: static
  static: {access_key_id: ` + upstreamKey + `, secret_access_key_file: upstream-secret}
policy: {data_map: datamap.yaml, policies: [policies]}
audit: {file: audit.jsonl}
admin: {listen: off}
`))

// The files that stand beside the configuration.
var files = map[string]string{
	"upstream-secret": upstreamSecret,
	"datamap.yaml": `SENSITIVE:
  - repo: S3
    attributes: [acme-lake/customers/]
OPEN:
  - repo: S3
    attributes: [acme-lake/open/]
CLIENTS:
  - repo: S3
    attributes: ["matrix-*"]
PAYROLL:
  - repo: S3
    attributes: [acme-lake/payroll/]
LISTED:
  - repo: S3
    attributes: ["listed/*.pub"]
HIDDEN:
  - repo: S3
    attributes: ["listed/*hidden*"]
`,
	"policies/customer-data.yaml": customerPolicy,
	"policies/open-data.yaml": `name: open-data
data: [OPEN]
rules:
  - identities: {groups: [data-engineering]}
    reads: [{data: [OPEN]}]
    updates: [{data: [OPEN]}]
    deletes: [{data: [OPEN]}]
`,
	"policies/clients.yaml": `name: clients
data: [CLIENTS]
rules:
  - identities: {groups: [data-engineering]}
    reads: [{data: [CLIENTS]}]
    updates: [{data: [CLIENTS]}]
    deletes: [{data: [CLIENTS]}]
    manages: [{data: [CLIENTS]}]
`,
	"policies/listed.yaml": `name: listed
data: [LISTED]
rules:
  - identities: {groups: [data-engineering]}
    reads: [{data: [LISTED]}]
`,
	"policies/hidden.yaml": `name: hidden
data: [HIDDEN]
rules:
  - identities: {groups: [hr]}
    reads: [{data: [HIDDEN]}]
`,
	"policies/payroll.yaml": `name: payroll
data: [PAYROLL]
rules:
  - identities: {groups: [hr]}
    reads: [{data: [PAYROLL], severity: high}]
`,
}

const customerPolicy = `name: customer-data
data: [SENSITIVE]
rules:
  - identities: {groups: [data-engineering]}
    reads: [{data: [SENSITIVE]}]
    updates: [{data: [SENSITIVE]}]
`

// A sidecar is a `gimme proxy` that runs.
type sidecar struct {
	*process
	folder, address string
	http            *http.Client
	upstream        *upstream
}

// layOut writes configuration and files into folder, and returns the path of
// the configuration.
func layOut(t *testing.T, folder string, s settings) string {
	t.Helper()
	if s.Lifetime == "" {
		s.Lifetime = "1h"
	}
	if s.Deployment == "" {
		s.Deployment = "default"
	}
	if err := os.Mkdir(filepath.Join(folder, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if s.Workload != "" {
			text = strings.ReplaceAll(text, "data-engineering", "'ci:builders'")
		}
		writeFile(t, filepath.Join(folder, name), text)
	}
	var text bytes.Buffer
	if err := configuration.Execute(&text, s); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "proxy.yaml")
	writeFile(t, path, text.String())
	return path
}

// startSidecar starts a sidecar before u. roots are for a client to trust; nil
// without TLS.
func startSidecar(t *testing.T, u *upstream, s settings, roots *x509.CertPool) *sidecar {
	t.Helper()
	s.Listen, s.Scheme, s.Upstream = freeAddress(t), "http", u.endpoint
	if s.CertFile != "" {
		s.Scheme = "https"
	}
	c := &sidecar{
		folder: t.TempDir(), address: s.Scheme + "://" + s.Listen, upstream: u,
		http: &http.Client{Timeout: patience, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots}, DisableCompression: true,
		}},
	}
	path := layOut(t, c.folder, s)
	c.process = start(t, command{path: gimme, args: []string{"proxy", "--config", path}, env: environment(c.folder)})
	c.ready(t, c.http, c.address+"/.well-known/gimme")
	return c
}

func (c *sidecar) path(name string) string { return filepath.Join(c.folder, name) }

// An event is a line of the audit log, as far as tests look at it.
type event struct {
	ID        string
	Kind      string
	Decision  string
	Principal struct{ Issuer, Subject, Email string }
	Role      string
	Request   struct {
		Operation, Bucket, Key, Method, Source string
		Keys                                   []string
	}
	Labels   []string
	Reasons  []struct{ Policy, Rule, Label, Access, Severity, Text string }
	Digest   string `json:"policy_digest"`
	Response struct {
		Status          int
		Code            string
		Objects, Hidden int
	}
	Error string
}

// events are all events so far.
func (c *sidecar) events(t *testing.T) []event {
	t.Helper()
	var list []event
	for line := range bytes.Lines([]byte(readFile(t, c.path("audit.jsonl")))) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("a line of the audit log is no event: %q: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

// A mark remembers how far the audit log and the upstream had come.
type mark struct {
	sidecar *sidecar
	events  int
	bytes   int64
}

func (c *sidecar) mark(t *testing.T) mark {
	t.Helper()
	return mark{c, len(c.events(t)), c.upstream.seen()}
}

// refused fails the test unless, since the mark, the upstream saw nothing and
// one event came, which blocks. It returns that event.
func (m mark) refused(t *testing.T) event {
	t.Helper()
	time.Sleep(20 * time.Millisecond) // for whatever should not come
	if more := m.sidecar.upstream.seen() - m.bytes; more != 0 {
		t.Errorf("%d bytes went upstream", more)
	}
	since := m.since(t)
	if len(since) != 1 {
		t.Fatalf("%d events, want one: %+v", len(since), since)
	}
	if e := since[0]; e.Decision != "blocked" || e.Error == "" {
		t.Errorf("the event blocks nothing, or does not say why: %+v", e)
	}
	return since[0]
}

// since are the events after the mark.
func (m mark) since(t *testing.T) []event {
	t.Helper()
	return m.sidecar.events(t)[m.events:]
}

// restart ends a sidecar and starts it again, with the files as they are now.
func (c *sidecar) restart(t *testing.T) {
	t.Helper()
	c.signal(t, syscall.SIGINT)
	if code := c.wait(t); code != 0 {
		t.Fatalf("the sidecar stopped with %d", code)
	}
	c.process = start(t, command{path: gimme, args: []string{"proxy", "--config", c.path("proxy.yaml")}, env: environment(c.folder)})
	c.ready(t, c.http, c.address+"/.well-known/gimme")
}
