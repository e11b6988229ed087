package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestConfigurationRefused gives `gimme proxy` what it must not start with. It
// says what is wrong and where, and makes no file.
func TestConfigurationRefused(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	replace := func(name, old, new string) func(*testing.T, string) {
		return func(t *testing.T, folder string) {
			text := readFile(t, filepath.Join(folder, name))
			if !strings.Contains(text, old) {
				t.Fatalf("%s has no %q", name, old)
			}
			writeFile(t, filepath.Join(folder, name), strings.Replace(text, old, new, 1))
		}
	}
	rows := map[string]struct {
		spoil func(t *testing.T, folder string)
		want  []string // regular expressions
	}{
		"broken YAML":        {replace("proxy.yaml", "issuers:", "issuers: [[["), []string{`proxy\.yaml:\d+`}},
		"an unknown key":     {replace("proxy.yaml", "audit: {file:", "audit: {fiel:"), []string{`proxy\.yaml:\d+:\d+: .*fiel`}},
		"several faults":     {replace("proxy.yaml", "client_id: gimme", "client: gimme\n    alias: Caps"), []string{`proxy\.yaml:\d+:\d+: .*client`, `proxy\.yaml:\d+:\d+: .*Caps`}},
		"an unknown label":   {replace("policies/payroll.yaml", "data: [PAYROLL]\n", "data: [PAYROL]\n"), []string{`payroll\.yaml:2:\d+: .*"PAYROL".*PAYROLL`}},
		"a broken policy":    {replace("policies/payroll.yaml", "rules:", "rules: {"), []string{`payroll\.yaml:\d+`}},
		"a foreign key":      {replace("policies/payroll.yaml", "severity: high", "additionalChecks: x"), []string{`payroll\.yaml:5:\d+: .*additionalChecks.*when`}},
		"no data map":        {func(t *testing.T, folder string) { os.Remove(filepath.Join(folder, "datamap.yaml")) }, []string{`datamap\.yaml`}},
		"an open key file":   {keyFile("", 0o644), []string{`session-keys.*0644|0644.*session-keys`, `chmod|0600`}},
		"a torn key file":    {keyFile("half a key", 0o600), []string{`session-keys`}},
		"an open secret":     {func(t *testing.T, folder string) { chmod(t, filepath.Join(folder, "upstream-secret"), 0o640) }, []string{`upstream-secret.*0640.*chmod 600`}},
		"a public address":   {replace("proxy.yaml", "listen: 127.0.0.1", "listen: 0.0.0.0"), []string{`proxy\.yaml:1:\d+: .*tls\.cert_file.*insecure_plain_http`}},
		"an upstream openly": {replace("proxy.yaml", "endpoint: http://127.0.0.1", "endpoint: http://192.0.2.1"), []string{`proxy\.yaml:\d+:\d+: .*https`}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := layOut(t, folder, settings{Issuer: "https://login.example.com", Listen: freeAddress(t), Scheme: "http", Upstream: "http://127.0.0.1:1"})
			row.spoil(t, folder)
			before := list(t, folder)
			for _, args := range [][]string{{"proxy", "--config", path, "--check"}, {"proxy", "--config", path}} {
				got := finish(t, command{path: gimme, args: args, env: environment(folder)})
				if got.code != 1 || got.out != "" || !strings.HasPrefix(got.err, "gimme: error: ") {
					t.Errorf("%v: exit code %d, printed %q, %q", args, got.code, got.out, got.err)
				}
				for _, want := range row.want {
					if !regexp.MustCompile(want).MatchString(got.err) {
						t.Errorf("%v does not say %q:\n%s", args, want, got.err)
					}
				}
			}
			if after := list(t, folder); after != before {
				t.Errorf("there was:\n%s\nand now there is:\n%s", before, after)
			}
		})
	}
	t.Run("a port in use", func(t *testing.T) { portInUse(t, taken.Addr().String()) })
	t.Run("all is well", func(t *testing.T) {
		folder := t.TempDir()
		path := layOut(t, folder, settings{Issuer: "https://login.example.com", Listen: taken.Addr().String(), Scheme: "http", Upstream: "http://127.0.0.1:1"})
		before := list(t, folder)
		if got := finish(t, command{path: gimme, args: []string{"proxy", "--config", path, "--check"}, env: environment(folder)}); got.code != 0 {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
		if after := list(t, folder); after != before {
			t.Errorf("a check made files:\n%s", after)
		}
	})
}

func portInUse(t *testing.T, address string) {
	folder := t.TempDir()
	path := layOut(t, folder, settings{Issuer: "https://login.example.com", Listen: address, Scheme: "http", Upstream: "http://127.0.0.1:1"})
	got := finish(t, command{path: gimme, args: []string{"proxy", "--config", path}, env: environment(folder)})
	if got.code != 1 || !strings.Contains(got.err, address) || !strings.Contains(got.err, "in use") {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	if events := readFile(t, filepath.Join(folder, "audit.jsonl")); strings.Contains(events, "allowed") {
		t.Errorf("events: %s", events)
	}
}

func keyFile(text string, mode os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		path := filepath.Join(folder, "session-keys")
		writeFile(t, path, text)
		chmod(t, path, mode)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// list names every file below folder, with its mode.
func list(t *testing.T, folder string) string {
	t.Helper()
	var lines strings.Builder
	err := filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			lines.WriteString(info.Mode().String() + " " + strings.TrimPrefix(path, folder) + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines.String()
}
