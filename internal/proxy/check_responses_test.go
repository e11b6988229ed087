package proxy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/proxy"
)

// The set of docs/responses.md is read by the decoder that the sidecar uses, and
// is in monitor mode.
func TestResponsesOfTheManual(t *testing.T) {
	doc, err := os.ReadFile("../../docs/responses.md")
	if err != nil {
		t.Fatal(err)
	}
	_, set, _ := strings.Cut(string(doc), "```yaml\nresponses:\n")
	set, rest, _ := strings.Cut(set, "```")
	_, alerts, _ := strings.Cut(rest, "```yaml\n")
	alerts, _, _ = strings.Cut(alerts, "```")
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.write("alert-key", alertKey)
	c.files(c.config() + "responses:\n" + set + alerts)
	config := c.load()
	if len(config.Responses) < 4 || len(config.Warnings()) != 0 || config.Alerts.URL.V == "" {
		t.Errorf("%+v, %v", config.Responses, config.Warnings())
	}
	for _, r := range config.Responses {
		if r.Mode.V != "" {
			t.Errorf("%s has mode %s", r.Name.V, r.Mode.V)
		}
	}
}

// Faults of alerts are said with everything else, and what reaches nobody is
// warned about.
func TestAlertFaults(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"plain http":        {"alerts: {url: http://hooks.example/x, signing_key_file: alert-key}", "alerts.url: an https URL"},
		"secret in the URL": {"alerts: {url: \"https://hooks.example/?token=canary-token\", signing_key_file: alert-key}", "alerts.url: an https URL"},
		"no key":            {"alerts: {url: https://hooks.example/x}", "alerts.signing_key_file is missing"},
		"short key":         {"alerts: {url: https://hooks.example/x, signing_key_file: short-key}", "shorter than 24 bytes"},
		"open key":          {"alerts: {url: https://hooks.example/x, signing_key_file: open-key}", "can be read by others"},
		"no url":            {"alerts: {signing_key_file: alert-key}", "alerts.url is missing"},
		"label":             {"responses: [{name: a, when: {reads: {label: PUBLC, times: 3}, within: 1m}, do: [alert]}]", `the data map has no label "PUBLC", did you mean "PUBLIC"?`},
		"alerts nobody":     {"responses: [{name: a, when: {deletes: 3, within: 1m}, do: [alert], mode: enforce}]", "warning: "},
		"says it alone":     {"responses: [{name: a, when: {deletes: 3, within: 1m}, do: [alert]}]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
			c.files(c.config() + row.text + "\n")
			c.write("alert-key", alertKey)
			c.write("short-key", "canary-short-key")
			c.write("open-key", alertKey)
			if err := os.Chmod(filepath.Join(c.folder, "open-key"), 0o644); err != nil {
				t.Fatal(err)
			}
			config, err := proxy.Load(filepath.Join(c.folder, "proxy.yaml"))
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				for _, w := range config.Warnings() {
					got += "warning: " + w.String()
				}
			}
			if !strings.Contains(got, row.want) || (got == "") != (row.want == "") {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if strings.Contains(got, "canary") {
				t.Errorf("a secret is said: %s", got)
			}
		})
	}
}
