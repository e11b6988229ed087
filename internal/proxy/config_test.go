package proxy_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// folder writes the files of a small configuration that is all right.
func folder(t *testing.T) (string, func(name, text string)) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("datamap.yaml", dataMap)
	write("policies/a.yaml", policies)
	write("policies/b.yaml", publicPolicy)
	write("upstream-secret", "s")
	write("proxy.yaml", goodConfig)
	return dir, write
}

const goodConfig = `listen: 127.0.0.1:0
admin: {listen: off}
issuers:
  - {issuer: "https://idp.example", client_id: gimme}
roles:
  - {arn: "arn:aws:iam::111122223333:role/r", everyone: true}
sessions: {key_file: keys}
upstream: {endpoint: "https://s3.example", credentials: static, static: {access_key_id: A, secret_access_key_file: upstream-secret}}
policy: {data_map: datamap.yaml, policies: [policies]}
audit: {file: audit.jsonl}
`

func TestLoadChangesNothing(t *testing.T) {
	dir, _ := folder(t)
	if _, err := proxy.Load(filepath.Join(dir, "proxy.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys", "audit.jsonl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// All that is wrong is told at once, each with its place and the way out.
func TestLoadTellsEveryFault(t *testing.T) {
	dir, write := folder(t)
	write("proxy.yaml", `listen: 0.0.0.0:80
adress: https://x
issuers:
  - {issuer: "http://idp.example", client_di: x}
  - {issuer: "https://idp.example", client_id: gimme, alias: a, client_methods: {gimm: browser, gimme: devise}}
roles:
  - {arn: "role/r", everyone: true}
  - {arn: "arn:aws:iam::111122223333:role/r"}
sessions: {key_file: keys, lifetime: 20h, deployment: a b}
upstream: {endpoint: "http://s3.example", credentials: statik}
policy: {data_map: datamap.yaml, policies: [policies], unlabelled: maybe, mode: monitr, explain_to_caller: short, listing: lax}
audit: {file: no-such-folder/audit.jsonl}
`)
	write("policies/a.yaml", strings.Replace(policies, "SENSITIVE", "SENSITVE", 1))
	_, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
	faults, ok := errors.AsType[strictyaml.Faults](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	all := strings.ReplaceAll(faults.Error(), dir+"/", "")
	for _, want := range []string{
		`proxy.yaml:1:9: listen "0.0.0.0:80" is not a loopback address`,
		`proxy.yaml:2:1: unknown key "adress", did you mean "address"?`,
		`proxy.yaml:4:36: unknown key "client_di", did you mean "client_id"?`,
		`proxy.yaml:4:14: issuer "http://idp.example" is not an https URL`,
		`proxy.yaml:4:14: client_id is missing: the client that ID tokens must be for`,
		`proxy.yaml:9:55: sessions.deployment: deployment "a b" is not 1 to 64 letters`,
		`proxy.yaml:7:11: arn "role/r" is not the ARN of an IAM role`,
		`proxy.yaml:8:11: role "arn:aws:iam::111122223333:role/r" needs groups or everyone: true`,
		`proxy.yaml:9:38: sessions.lifetime "20h"`,
		`proxy.yaml:10:22: upstream.endpoint "http://s3.example": an https URL`,
		`proxy.yaml:10:56: upstream.credentials is "statik"; write assume_role, web_identity or static`,
		`proxy.yaml:11:68: policy.unlabelled is "maybe"; write deny or allow`,
		`proxy.yaml:12:15: "no-such-folder/audit.jsonl" cannot be made`,
		`policy.mode is "monitr"; write enforce or monitor, did you mean "monitor"?`,
		`policy.explain_to_caller is "short"; write full or brief`,
		`client_methods: "gimm" is not a client of this issuer, did you mean "gimme"?`,
		`client_methods: "devise" is no way to log in; write browser, device or ci, did you mean "device"?`,
		`policy.listing is "lax"; write filter or strict`,
		`policies/a.yaml:3:8: unknown label "SENSITVE", did you mean "SENSITIVE"?`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("missing %s", want)
		}
	}
	if t.Failed() {
		t.Log(all)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(dir string, write func(name, text string))
		want    string
	}{
		"key file that others can read": {func(dir string, write func(string, string)) {
			write("keys", "x")
			os.Chmod(filepath.Join(dir, "keys"), 0o644)
		}, "chmod 600"},
		"key file that is none": {func(_ string, write func(string, string)) { write("keys", "x") }, "sessions.key_file"},
		"secret that others can read": {func(dir string, _ func(string, string)) {
			os.Chmod(filepath.Join(dir, "upstream-secret"), 0o640)
		}, "chmod 600"},
		"empty secret":     {func(_ string, write func(string, string)) { write("upstream-secret", "\n") }, "is empty"},
		"missing data map": {func(dir string, _ func(string, string)) { os.Remove(filepath.Join(dir, "datamap.yaml")) }, "datamap.yaml: no such file"},
		"broken policy":    {func(_ string, write func(string, string)) { write("policies/a.yaml", "name: [\n") }, "policies/a.yaml:"},
		"no policies": {func(dir string, _ func(string, string)) {
			os.RemoveAll(filepath.Join(dir, "policies"))
			os.Mkdir(filepath.Join(dir, "policies"), 0o700)
		}, "holds no *.yaml file"},
		"certificate that is none": {func(_ string, write func(string, string)) {
			write("proxy.yaml", goodConfig+"tls: {cert_file: datamap.yaml, key_file: datamap.yaml}\n")
		}, "read certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, write := folder(t)
			test.prepare(dir, write)
			_, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

func TestAPortInUseIsSaidEarly(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir, write := folder(t)
	write("proxy.yaml", strings.Replace(goodConfig, "127.0.0.1:0", taken.Addr().String(), 1))
	config, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.New(config, proxy.Options{}); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"keys", "audit.jsonl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// The example in docs/operating.md is read by the decoder that the sidecar uses.
func TestTheDocumentedExampleIsAccepted(t *testing.T) {
	doc, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	dir, write := folder(t)
	write("proxy.yaml", example)
	_, err = proxy.Load(filepath.Join(dir, "proxy.yaml"))
	faults, _ := errors.AsType[strictyaml.Faults](err)
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.Text)
	}
	// The certificate is the one thing that it names and the test does not have.
	if len(texts) != 1 || !strings.HasPrefix(texts[0], "read certificate") {
		t.Error(cmp.Diff([]string{"read certificate…"}, texts))
	}
}

// What is legal and probably not meant is told, at --check and at the start.
func TestWarnings(t *testing.T) {
	dir, write := folder(t)
	write("datamap.yaml", dataMap+"FORGOTTEN:\n  - {repo: S3, attributes: [attic]}\n")
	config, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if w := config.Warnings(); len(w) != 1 || !strings.Contains(w[0].String(), "datamap.yaml:") || !strings.Contains(w[0].Text, "FORGOTTEN") {
		t.Errorf("warnings: %v", w)
	}
	log := &syncBuffer{}
	server, err := proxy.New(config, proxy.Options{Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := server.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "FORGOTTEN") {
		t.Errorf("log: %s", log)
	}
}

// Groups that no role is for are told, unless anybody gets a session.
func TestGroupsWithoutARole(t *testing.T) {
	dir, write := folder(t)
	for roles, want := range map[string]int{
		`groups: [data-enginering]`:           2, // places that name it
		`groups: [finance, data-engineering]`: 0,
		`everyone: true`:                      0,
	} {
		write("proxy.yaml", strings.Replace(goodConfig, "everyone: true", roles, 1))
		config, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, w := range config.Warnings() {
			if strings.Contains(w.Text, `is open to group "data-engineering", so its members get no session`) {
				got++
			}
		}
		if got != want || len(config.Warnings()) != want {
			t.Errorf("%s: %d of the warnings %v", roles, got, config.Warnings())
		}
	}
}
