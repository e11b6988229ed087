package delivery

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// sinksFolder is a folder with what the examples name.
func sinksFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"token": "t0ken", "url": "https://sumo.example/receiver/v1/http/c2VjcmV0", "empty": "", "two": "a\nb", "plain": "http://sumo.example/x", "ca.pem": "no certificate"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "open"), []byte("t0ken"), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func decodeIn(t *testing.T, folder, text string) ([]Sink, error) {
	t.Helper()
	config := filepath.Join(folder, "c.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return decode(config)
}

// The examples of docs/audit-sinks.md are read by the decoder that the sidecar
// uses, and open; there is one of each type. The table has each type's keys.
func TestTheDocumentedSinks(t *testing.T) {
	doc, err := os.ReadFile("../../docs/audit-sinks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "An example of each:\n\n```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page has no example")
	}
	folder := sinksFolder(t)
	sinks, err := decodeIn(t, folder, example)
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(sinks, Options{Path: filepath.Join(folder, "audit.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	shown := map[string]bool{}
	for _, s := range sinks {
		shown[s.Type.V] = true
	}
	for _, k := range kinds() {
		if !shown[k.name] {
			t.Errorf("there is no example of %s", k.name)
		}
		row := regexp.MustCompile("(?m)^\\| `" + k.name + "` \\|([^|]*)\\|([^|]*)\\|").FindStringSubmatch(string(doc))
		if row == nil {
			t.Errorf("the table has no row of %s", k.name)
			continue
		}
		for _, key := range k.need {
			if !strings.Contains(row[1], "`"+key+"`") {
				t.Errorf("%s: the table does not say that it needs %s", k.name, key)
			}
		}
		if k.secret && !strings.Contains(row[1], "`secret_file`") {
			t.Errorf("%s: the table does not say that it needs secret_file", k.name)
		}
		for _, key := range k.may {
			if !strings.Contains(row[1]+row[2], "`"+key+"`") {
				t.Errorf("%s: the table does not say that it may have %s", k.name, key)
			}
		}
	}
	for f := range reflect.TypeFor[Sink]().Fields() {
		if key := f.Tag.Get("yaml"); !strings.Contains(string(doc), "`"+key) {
			t.Errorf("the page does not have %s", key)
		}
	}
}

func TestFaultsOfSinks(t *testing.T) {
	folder := sinksFolder(t)
	for _, row := range []struct{ keys, want string }{
		{"type: file, path: x", "1:16: audit.sinks: name \"\""},
		{"name: It, type: file, path: x", "1:16: audit.sinks: name \"It\""},
		{"name: a}, {name: a, type: stdout", "audit.sinks: type \"\" is not one of file, stdout"},
		{"name: a, type: stdout}, {name: a, type: stdout", "1:41: audit.sinks: the name \"a\" stands twice"},
		{"name: a, type: splnk", "1:25: audit.sinks: type \"splnk\" is not one of file, stdout, syslog, cloudwatch, splunk, elasticsearch, sumologic, datadog, otlp, kafka, webhook, did you mean \"splunk\"?"},
		{"name: a, type: splunk", "audit.sinks: a sink of type splunk needs url"},
		{"name: a, type: splunk", "audit.sinks: a sink of type splunk needs secret_file"},
		{"name: a, type: kafka, topic: t", "audit.sinks: a sink of type kafka needs brokers"},
		{"name: a, type: stdout, topic: t", "1:40: audit.sinks: a sink of type stdout has no topic"},
		{"name: a, type: stdout, acknowledge: false", "audit.sinks: a sink of type stdout has no acknowledge"},
		{"name: a, type: stdout, message_bytes: 4096", "audit.sinks: a sink of type stdout has no message_bytes"},
		{"name: a, type: stdout, secret: x", "unknown key \"secret\""},
		{"name: a, type: stdout, format: osf", "audit.sinks: format is \"osf\"; write gimme or ocsf or cyral"},
		{"name: a, type: stdout, only: {kind: [decison]}", "audit.sinks: only.kind: \"decison\" is not one of session, decision, outcome, policy, admin, did you mean \"decision\"?"},
		{"name: a, type: stdout, only: {decision: [denied]}", "audit.sinks: only.decision: \"denied\" is not one of allowed, blocked, would-block"},
		{"name: a, type: otlp, url: \"http://collector.example\"", "audit.sinks: url: \"http://collector.example\": an https URL is wanted"},
		{"name: a, type: otlp, url: \"https://u:p@collector.example\"", "audit.sinks: url: a URL without user, query and fragment is wanted"},
		{"name: a, type: otlp, url: \"https://collector.example?token=x\"", "secrets stand in files"},
		{"name: a, type: otlp, url: collector", "audit.sinks: url: an https URL is wanted"},
		{"name: a, type: syslog, address: \"tcp://syslog.example:514\"", "would be sent events in clear"},
		{"name: a, type: syslog, address: \"udp://192.0.2.1:514\"", "would be sent events in clear"},
		{"name: a, type: syslog, address: \"tcp://syslog.example\"", "udp://host:port or unix:///path is wanted"},
		{"name: a, type: syslog, address: \"unix://dev/log\"", "udp://host:port or unix:///path is wanted"},
		{"name: a, type: syslog, address: \"unix:///dev/log\", confirm: never", "audit.sinks: confirm is \"never\"; write close or none"},
		{"name: a, type: syslog, address: \"unix:///dev/log\", message_bytes: 100", "audit.sinks: message_bytes is 100; 1024 to 1048576 is wanted"},
		{"name: a, type: kafka, brokers: [kafka], topic: t", "audit.sinks: brokers: \"kafka\" is not host:port"},
		{"name: a, type: kafka, brokers: [\"k:1\"], topic: t, user: u, secret_file: token", "audit.sinks: user, secret_file and mechanism go together"},
		{"name: a, type: kafka, brokers: [\"k:1\"], topic: t, user: u, mechanism: GSSAPI, secret_file: token", "audit.sinks: mechanism is \"GSSAPI\"; write PLAIN or"},
		{"name: a, type: elasticsearch, url: \"https://e.example\", index: i, user: u", "audit.sinks: user needs a password in secret_file"},
		{"name: a, type: webhook, secret_file: token", "audit.sinks: a webhook needs one of url and url_file"},
		{"name: a, type: webhook, secret_file: token, url_file: url, url: \"https://x.example\"", "audit.sinks: a webhook needs one of url and url_file"},
		{"name: a, type: datadog, secret_file: token, site: \"https://datadoghq.eu\"", "is not a domain, such as datadoghq.eu"},
		{"name: a, type: datadog, secret_file: open", "can be read by others (mode 0644): chmod 600 it"},
		{"name: a, type: datadog, secret_file: none", "no such file or directory"},
		{"name: a, type: datadog, secret_file: empty", "does not hold one line"},
		{"name: a, type: datadog, secret_file: two", "does not hold one line"},
		{"name: a, type: sumologic, url_file: plain", "plain\" does not hold an https URL"},
		{"name: a, type: otlp, url: \"https://c.example\", ca_file: ca.pem", "holds no PEM certificate"},
		{"name: a, type: otlp, url: \"https://c.example\", cert_file: token", "cert_file and key_file go together"},
		{"name: a, type: file, path: no/such/copy.jsonl", "there is no folder"},
	} {
		_, err := decodeIn(t, folder, "sinks: [{"+row.keys+"}]")
		if found, ok := errors.AsType[strictyaml.Faults](err); !ok || !strings.Contains(found.Error(), row.want) {
			t.Errorf("%s: got\n%v\nwant %s", row.keys, err, row.want)
		} else if strings.Contains(found.Error(), "t0ken") || strings.Contains(found.Error(), "u:p") || strings.Contains(found.Error(), "sumo.example/x") {
			t.Errorf("%s: a secret is in\n%v", row.keys, err)
		}
	}
}
