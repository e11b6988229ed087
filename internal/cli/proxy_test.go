package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/internal/cli"
)

const lake = "arn:aws:iam::111122223333:role/lake"

// sidecarConfig writes all that a sidecar reads, and returns the path of its
// configuration.
func (w *world) sidecarConfig(t *testing.T, more string) string {
	t.Helper()
	w.write(t, "datamap.yaml", "PUBLIC:\n  - repo: S3\n    attributes: [lake]\n")
	w.write(t, "policy.yaml", "name: p\ndata: [PUBLIC]\nrules:\n  - identities: {services: [backup]}\n    reads: [{data: any}]\n")
	w.write(t, "secret", "not-a-secret\n")
	if err := os.Chmod(filepath.Join(w.home, "secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.write(t, "proxy.yaml", fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: off}
issuers: [{issuer: https://idp.example, client_id: gimme}]
roles: [{arn: %q, everyone: true}]
sessions: {key_file: session-keys}
upstream: {endpoint: "https://s3.example", credentials: static, static: {access_key_id: AKIDUPSTREAM, secret_access_key_file: secret}}
policy: {data_map: datamap.yaml, policies: [policy.yaml]}
audit: {file: audit.jsonl}
%s`, lake, more))
	return filepath.Join(w.home, "proxy.yaml")
}

// What is printed is an entry that the configuration takes as it is, and --check
// speaks of it.
func TestServiceKeyNew(t *testing.T) {
	w := newWorld(t)
	file := w.sidecarConfig(t, "")
	args := []string{"proxy", "service-key", "new", "--config", file, "--service", "backup", "--role", lake, "--from", "10.20.0.0/16", "--from", "2001:db8::/32"}
	r := w.does(t, append(args, "--expires", "10d")...)
	entry, pair, found := strings.Cut(r.stdout, "\n\n")
	if !found || !regexp.MustCompile(`(?m)^AWS_ACCESS_KEY_ID=GS[A-Z2-7]{28}\nAWS_SECRET_ACCESS_KEY=[A-Za-z0-9+/]{40}$`).MatchString(pair) {
		t.Fatalf("%s", r.stdout)
	}
	says(t, r.stderr, "Put the entry under service_keys in "+file)
	w.sidecarConfig(t, entry+"\n")
	says(t, w.does(t, "proxy", "--config", file, "--check").stderr, "is a static pair", "expires in 10 days", file+" is right")

	before := w.files(t)
	var made struct {
		AccessKeyID     string    `json:"access_key_id"`
		SecretAccessKey string    `json:"secret_access_key"`
		From            []string  `json:"from"`
		Expires         time.Time `json:"expires"`
	}
	r = w.does(t, append(args, "--expires", "2099-01-02T03:04:05Z", "--json")...)
	if err := json.Unmarshal([]byte(r.stdout), &made); err != nil || len(made.SecretAccessKey) != 40 || len(made.From) != 2 || made.Expires.Year() != 2099 || strings.Contains(entry, made.AccessKeyID) {
		t.Errorf("%v, %s", err, r.stdout)
	}
	if w.files(t) != before {
		t.Error("a file was changed")
	}
	for _, row := range []struct {
		name  string
		args  []string
		code  int
		words []string
	}{
		{"no network", []string{"--service", "b", "--role", lake, "--expires", "1d"}, 2, []string{"--from is missing"}},
		{"no end", []string{"--service", "b", "--role", lake, "--from", "10.0.0.0/8"}, 2, []string{"--expires is missing"}},
		{"a past end", []string{"--service", "b", "--role", lake, "--from", "10.0.0.0/8", "--expires", "2020-01-01T00:00:00Z"}, 2, []string{"that is over"}},
		{"no time", []string{"--service", "b", "--role", lake, "--from", "10.0.0.0/8", "--expires", "soon"}, 2, []string{"days or hours"}},
		{"an address", []string{"--service", "b", "--role", lake, "--from", "10.0.0.1", "--expires", "1d"}, 1, []string{"write 10.0.0.1/32"}},
		{"another role", []string{"--service", "b", "--role", lake + "2", "--from", "10.0.0.0/8", "--expires", "1d"}, 1, []string{"is not one of roles"}},
		{"no name", []string{"--service", "b c", "--role", lake, "--from", "10.0.0.0/8", "--expires", "1d"}, 1, []string{"letters, digits"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.fails(t, t.Context(), row.code, append(row.words, "hint: gimme proxy service-key new --help"), append([]string{"proxy", "service-key", "new", "--config", file}, row.args...)...)
		})
	}
	// The key that the entry's is derived from is replaced: the entry is dead.
	if err := os.Remove(filepath.Join(w.home, "session-keys")); err != nil {
		t.Fatal(err)
	}
	w.fails(t, t.Context(), 1, []string{"is dead", "is not in sessions.key_file"}, "proxy", "--config", file, "--check")
}

func TestRevoke(t *testing.T) {
	w := newWorld(t)
	file := w.sidecarConfig(t, "")
	w.does(t, "proxy", "service-key", "new", "--config", file, "--service", "b", "--role", lake, "--from", "10.0.0.0/8", "--expires", "1d") // makes the key file
	revoke := func(args ...string) []string { return append([]string{"proxy", "revoke", "--config", file}, args...) }
	says(t, w.does(t, revoke("--list")...).stderr, "No order is in force")
	r := w.does(t, revoke("--user", "alice@example.com", "--reason", "laptop stolen")...)
	id := strings.TrimSpace(r.stdout)
	if !regexp.MustCompile(`^[A-Z2-7]{12}$`).MatchString(id) {
		t.Fatalf("stdout is %q", r.stdout)
	}
	says(t, r.stderr, "holds from now on: the sessions of alice@example.com", "--suspend")
	for _, args := range [][]string{
		{"--session", "pJ0mXr2q4kOYb8cV1nT7-w"}, {"--session", "GMAA" + strings.Repeat("A", 25) + "Q"}, {"--role", lake}, {"--service", "backup"}, {"--key", "00c0ffee"},
		{"--issuer", "https://idp.example"}, {"--issued-before", "now"}, {"--issued-before", "2020-01-01T00:00:00Z"}, {"--user", "bob", "--issuer", "https://idp.example", "--suspend"},
	} {
		w.does(t, revoke(append(args, "--reason", "a test")...)...)
	}
	var listed struct{ Orders []map[string]any }
	if err := json.Unmarshal([]byte(w.does(t, revoke("--list", "--json")...).stdout), &listed); err != nil || len(listed.Orders) != 10 {
		t.Fatalf("%v, %+v", err, listed)
	}
	if got := listed.Orders[2]["session"]; got != "AAAAAAAAAAAAAAAAAAAAAQ" && !strings.HasPrefix(fmt.Sprint(got), "AAAAAAAAAAAAAAAAAAAA") {
		t.Errorf("the access key id names session %v", got)
	}
	says(t, w.does(t, revoke("--list")...).stdout, id, "the sessions of bob at https://idp.example, and further logins", "laptop stolen", "operator ")
	says(t, w.does(t, revoke("--clear", id)...).stderr, "is taken back")
	w.fails(t, t.Context(), 1, []string{"no such order", "--list"}, revoke("--clear", id)...)

	before, err := os.ReadFile(filepath.Join(w.home, "session-keys.revoked"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args  []string
		words string
	}{
		{nil, "nothing is named"},
		{[]string{"--user", "a"}, "--reason is missing"},
		{[]string{"--user", "a", "--role", lake, "--reason", "r"}, "more than one thing"},
		{[]string{"--user", "a", "--list"}, "more than one thing"},
		{[]string{"--role", lake, "--suspend", "--reason", "r"}, "--suspend goes with --user"},
		{[]string{"--session", "x", "--reason", "r"}, "is not the id of a session"},
		{[]string{"--key", "x", "--reason", "r"}, "is not the id of a key"},
		{[]string{"--issued-before", "2999-01-01T00:00:00Z", "--reason", "r"}, "in the future"},
		{[]string{"--issued-before", "yesterday", "--reason", "r"}, "a moment such as"},
		{[]string{"--user", "a", "--reason", "a\nb"}, "control characters"},
		{[]string{"--user", "a", "--reason", strings.Repeat("x", 400)}, "a reason of 1 to 300"},
	} {
		w.fails(t, t.Context(), 2, []string{row.words, "hint: gimme proxy revoke --help"}, revoke(row.args...)...)
	}
	if after, err := os.ReadFile(filepath.Join(w.home, "session-keys.revoked")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a refused command has written an order: %v", err)
	}
}

// The commands below proxy have help, examples that are understood, and their
// exit codes, and docs/commands.md tells of their flags.
func TestHelpOfProxyCommands(t *testing.T) {
	docs, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(c *cobra.Command) int
	walk = func(c *cobra.Command) int {
		n := 0
		for _, sub := range c.Commands() {
			n += 1 + walk(sub)
			if sub.Short == "" || sub.Example == "" || !strings.Contains(sub.Long, "130  interrupted") {
				t.Errorf("%s has no help", sub.CommandPath())
			}
			for line := range strings.Lines(sub.Example) {
				if !strings.Contains(line, sub.CommandPath()+" ") {
					t.Errorf("example %q is not of %s", line, sub.CommandPath())
				}
				understood(t, line, commandLine(line))
			}
			for _, name := range flagsOf(sub) {
				if !bytes.Contains(docs, []byte("`--"+name)) {
					t.Errorf("docs/commands.md does not tell of --%s of %s", name, sub.CommandPath())
				}
			}
		}
		return n
	}
	for _, c := range cli.Commands() {
		if n := walk(c); c.Name() == "proxy" && n != 3 {
			t.Errorf("proxy has %d commands below it", n)
		}
	}
	newWorld(t).fails(t, t.Context(), 2, []string{"takes no arguments"}, "proxy", "nonsense")
}

func flagsOf(c *cobra.Command) []string {
	var names []string
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			names = append(names, f.Name)
		}
	})
	return names
}
