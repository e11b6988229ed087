package cli_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnv(t *testing.T) {
	w := loggedIn(t)
	secrets := w.sidecar.issued()
	r := w.does(t, "env")
	says(t, r.stdout, "export AWS_ACCESS_KEY_ID=", "GIMMEAK1", secrets[0], secrets[1], "AWS_CREDENTIAL_EXPIRATION", "AWS_REGION", w.sidecar.URL)
	if strings.Contains(r.stderr, secrets[0]) || strings.Contains(r.stderr, secrets[1]) {
		t.Errorf("stderr has secrets: %s", r.stderr)
	}
	for format, sign := range map[string]string{"fish": "set -gx AWS_SESSION_TOKEN", "powershell": "$env:AWS_SESSION_TOKEN", "dotenv": "AWS_SESSION_TOKEN=", "gitlab": "AWS_SESSION_TOKEN="} {
		says(t, w.does(t, "env", "--format", format).stdout, sign)
	}
	var vars map[string]string
	if err := json.Unmarshal([]byte(w.does(t, "env", "--format", "json").stdout), &vars); err != nil || vars["AWS_SECRET_ACCESS_KEY"] != secrets[0] || vars["AWS_ENDPOINT_URL_S3"] != w.sidecar.URL {
		t.Errorf("%v: %v", err, vars)
	}
	if w.logins != 1 {
		t.Errorf("%d logins", w.logins)
	}
}

// In a GitHub job the file gets the variables, and the log the masks alone.
func TestEnvInAJob(t *testing.T) {
	w := loggedIn(t)
	secrets := w.sidecar.issued()
	w.fails(t, t.Context(), 2, []string{"GITHUB_ENV"}, "env", "--format", "github")
	w.env["GITHUB_ENV"] = filepath.Join(w.home, "github-env")
	w.write(t, "github-env", "EARLIER=1\n")
	w.env["GITHUB_ACTIONS"] = "true"
	w.env["GIMME_IDENTITY"] = "person" // who is logged in already
	r := w.does(t, "env", "--format", "github")
	says(t, w.read(t, "github-env"), "EARLIER=1\n", "AWS_SECRET_ACCESS_KEY", secrets[0], secrets[1])
	for line := range strings.Lines(r.stdout) {
		if !strings.HasPrefix(line, "::add-mask::") {
			t.Errorf("the log has %q", line)
		}
	}
	says(t, r.stdout, "::add-mask::"+secrets[0], "::add-mask::"+secrets[1])

	// A shell evaluates stdout, so that the masks are elsewhere.
	r = w.does(t, "env")
	says(t, r.stderr, "::add-mask::"+secrets[0], "::add-mask::"+secrets[1])
	if strings.Contains(r.stdout, "::add-mask::") {
		t.Errorf("stdout has masks:\n%s", r.stdout)
	}
}

func TestEnvRefused(t *testing.T) {
	w := newWorld(t)
	w.fails(t, t.Context(), 2, []string{`format "toml" is not one of shell, fish`}, "env", "--profile", "p", "--address", w.sidecar.URL, "--format", "toml")
	w.fails(t, t.Context(), 2, []string{`profile "p" is new`}, "env", "--profile", "p")
	if w.logins != 0 {
		t.Errorf("%d logins", w.logins)
	}
}
