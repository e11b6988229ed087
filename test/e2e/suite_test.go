package e2e_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"
)

// suiteCases is how many cases versitygw's suite has at least.
const suiteCases = 765

// suitePasses is how many of them pass at least when nothing stands before the
// server. A few speak to its administration at the address of S3, where it is
// not served here.
const suitePasses = 750

// TestConformanceSuite runs versitygw's own suite straight against versitygw,
// and again through the sidecar, signed with a service key to which the policy
// allows everything. What passes straight passes through, or stands in
// docs/clients.md with the reason.
func TestConformanceSuite(t *testing.T) {
	need(t, versitygw)
	excepted := suiteExceptions(t)
	var straight, through verdicts
	t.Run("straight", func(t *testing.T) {
		g := startGateway(t, upstreamKey, upstreamSecret)
		straight = g.runSuite(t, "http://"+g.address, upstreamKey, upstreamSecret)
		if n := len(straight.passed()); n < suitePasses {
			t.Errorf("%d cases pass, want %d", n, suitePasses)
		}
	})
	t.Run("through", func(t *testing.T) {
		c, g, key := startSuiteSidecar(t)
		through = g.runSuite(t, c.address, key.AccessKeyID, key.SecretAccessKey)
		c.unharmed(t)
	})
	if straight.ran == 0 || through.ran == 0 {
		return // said already
	}
	for _, name := range straight.passed() {
		why, failed := through.failures[name]
		_, listed := excepted[name]
		switch {
		case failed && !listed:
			t.Errorf("%s passes straight and not through the sidecar: %s", name, why)
		case !failed && listed:
			t.Errorf("%s passes through the sidecar: take it out of docs/clients.md", name)
		}
		delete(excepted, name)
	}
	for name := range excepted {
		t.Errorf("docs/clients.md has %s, which is no case that passes straight", name)
	}
	t.Logf("%d cases; %d pass straight, %d through the sidecar", straight.ran, len(straight.passed()), len(through.passed()))
}

// suiteExceptions are the cases that docs/clients.md lists in its section on the
// suite, with the heading that they stand under. Each heading has a reason.
func suiteExceptions(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(data), "\n## The conformance suite\n")
	if !ok {
		t.Fatal("docs/clients.md has no section on the conformance suite")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	excepted := make(map[string]string)
	for part := range strings.SplitSeq(section, "\n### ") {
		heading, text, _ := strings.Cut(part, "\n")
		reason, rest, listed := strings.Cut(text, "\n```\n")
		if !listed {
			continue
		}
		names, _, closed := strings.Cut(rest, "\n```\n")
		if !closed || strings.TrimSpace(reason) == "" {
			t.Errorf("%q in docs/clients.md lacks its reason, or the end of its list", heading)
		}
		for name := range strings.FieldsSeq(names) {
			if excepted[name] != "" {
				t.Errorf("docs/clients.md has %s twice", name)
			}
			excepted[name] = heading
		}
	}
	return excepted
}

// suiteConfiguration lets one service do everything.
var suiteConfiguration = template.Must(template.New("").Parse(`listen: {{.Listen}}
address: http://{{.Listen}}
issuers: [{issuer: "https://idp.example", client_id: gimme}]
roles: [{arn: "` + staffRole + `", groups: [staff]}]
sessions: {key_file: session-keys}
upstream:
  endpoint: http://{{.Upstream}}
  dot_segments: keep
  credentials: static
  static: {access_key_id: {{with .Key}}{{.AccessKeyID}}{{else}}none{{end}}, secret_access_key_file: upstream-secret}
policy: {data_map: datamap.yaml, policies: [policies]}
audit: {file: audit.jsonl}
admin: {listen: off}
{{with .Key}}service_keys:
  - {access_key_id: {{.AccessKeyID}}, service: {{.Service}}, role: "{{.Role}}", from: ["{{index .From 0}}"], expires: {{.Expires}}}
{{end}}`))

var suiteFiles = map[string]string{
	"upstream-secret": upstreamSecret,
	"datamap.yaml":    "EVERYTHING: [{repo: S3, attributes: ['*']}]\n",
	"policies/everything.yaml": `name: everything
data: [EVERYTHING]
rules:
  - identities: {services: [suite]}
    reads: [{data: any}]
    updates: [{data: any}]
    deletes: [{data: any}]
    manages: [{data: any}]
`,
}

// A serviceKey is what gimme proxy service-key new --json prints.
type serviceKey struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	Service, Role   string
	From            []string
	Expires         string
}

// startSuiteSidecar starts a versitygw and a sidecar before it. The server's
// root account bears the id of the service key, because the suite expects what
// it makes to belong to the id that it signs with; their secrets differ.
func startSuiteSidecar(t *testing.T) (*sidecar, *gateway, serviceKey) {
	t.Helper()
	c := &sidecar{folder: t.TempDir(), http: &http.Client{Timeout: patience}}
	if err := os.Mkdir(c.path("policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range suiteFiles {
		writeFile(t, c.path(name), text)
	}
	var key *serviceKey
	listen, upstream := freeAddress(t), "127.0.0.1:1"
	configure := func() {
		var text strings.Builder
		if err := suiteConfiguration.Execute(&text, map[string]any{"Listen": listen, "Upstream": upstream, "Key": key}); err != nil {
			t.Fatal(err)
		}
		writeFile(t, c.path("proxy.yaml"), text.String())
	}
	configure()
	got := finish(t, command{path: gimme, env: environment(c.folder), args: []string{
		"proxy", "service-key", "new", "--config", c.path("proxy.yaml"), "--service", "suite", "--role", staffRole, "--from", "127.0.0.1/32", "--expires", "12h", "--json",
	}}).must(t)
	if err := json.Unmarshal([]byte(got.out), &key); err != nil {
		t.Fatalf("%q: %v", got.out, err)
	}
	g := startGateway(t, key.AccessKeyID, upstreamSecret)
	upstream = g.address
	configure()
	c.address = "http://" + listen
	c.process = start(t, command{path: gimme, args: []string{"proxy", "--config", c.path("proxy.yaml")}, env: environment(c.folder)})
	c.ready(t, c.http, c.address+"/.well-known/gimme")
	return c, g, *key
}

// unharmed fails the test unless the sidecar came through the suite without a
// fault of its own, and recorded what it let through.
func (c *sidecar) unharmed(t *testing.T) {
	t.Helper()
	allowed := 0
	for _, e := range c.events(t) {
		if e.Decision == "allowed" {
			allowed++
		}
		if strings.Contains(e.Error, "internal fault") || strings.HasPrefix(e.Error, "InternalError") {
			t.Errorf("a fault of the sidecar: %+v", e)
		}
	}
	if allowed < 2*suiteCases {
		t.Errorf("%d requests were allowed; %d cases made more than that", allowed, suiteCases)
	}
}

// verdicts are what came of the suite.
type verdicts struct {
	ran      int
	names    map[string]bool
	failures map[string]string // by case, what the suite says
}

// passed are the cases of which every run passed, sorted.
func (v verdicts) passed() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(v.names)), func(name string) bool { return v.failures[name] != "" })
}

// suiteLasts is how long the suite may run.
const suiteLasts = 8 * time.Minute
