package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLogout(t *testing.T) {
	w := newWorld(t)
	w.issuer.Refresh = true
	w.env["GIMME_TOKEN_STORE"] = "file"
	w.write(t, ".aws/config", "# mine\n[profile work]\nregion = eu-west-1\n")
	w.write(t, ".aws/credentials", "[work]\naws_access_key_id = AKIA\n")
	w.does(t, "s3", "--profile", "sidecar", "--address", w.sidecar.URL)
	w.does(t, "login", "--profile", "lake", "--address", w.sidecar.URL, "--region", "eu-west-9")

	// The dry run shows it, and does nothing.
	before := w.files(t)
	r := w.does(t, "logout", "--profile", "sidecar", "--dry-run")
	says(t, r.stdout, "-[sidecar]", "-[profile sidecar]", "-[services gimme-sidecar]", "-aws_secret_access_key = [secret]")
	if w.files(t) != before || w.issuer.Count("revoke") != 0 {
		t.Error("the dry run did something")
	}

	var opened string
	w.open = func(_ context.Context, url string) error { opened = url; return nil }
	r = w.does(t, "logout", "--profile", "sidecar")
	says(t, r.stderr, "Logged out   profile sidecar", "has forgotten the refresh token", w.issuer.URL+"/end", "Taken out", "also that of profile lake")
	if !strings.HasPrefix(opened, w.issuer.URL+"/end") || w.issuer.Count("revoke") != 1 {
		t.Errorf("opened %q, %d revocations", opened, w.issuer.Count("revoke"))
	}
	if got := w.read(t, ".aws/config"); got != "# mine\n[profile work]\nregion = eu-west-1\n" {
		t.Errorf("config:\n%s", got)
	}
	if got := w.read(t, ".aws/credentials"); got != "[work]\naws_access_key_id = AKIA\n" {
		t.Errorf("credentials:\n%s", got)
	}
	if names, err := filepath.Glob(filepath.Join(w.home, ".local/state/gimme/tokens/*")); err != nil || len(names) > 0 {
		t.Errorf("refresh tokens rest: %v, %v", names, err)
	}
	says(t, w.read(t, ".config/gimme/config.yaml"), "sidecar:", "lake:")
	w.fails(t, t.Context(), 4, []string{`profile "sidecar" has no valid credentials`, "hint: gimme login --profile sidecar"}, "whoami", "--profile", "sidecar")

	// Once more there is nobody, and nothing to open.
	opened = ""
	says(t, w.does(t, "logout", "--profile", "sidecar").stderr, "Nobody was logged in")
	if opened != "" {
		t.Errorf("opened %q", opened)
	}
}

func TestLogoutForgets(t *testing.T) {
	w := loggedIn(t)
	w.does(t, "login", "--profile", "lake", "--address", w.sidecar.URL, "--region", "eu-west-9")
	logins := w.logins
	says(t, w.does(t, "logout", "--profile", "sidecar", "--forget", "--no-browser").stderr, "Forgotten", "config.yaml: profile sidecar")
	if got := w.read(t, ".config/gimme/config.yaml"); strings.Contains(got, "sidecar:\n") || !strings.Contains(got, "lake:") {
		t.Errorf("settings:\n%s", got)
	}
	if w.logins != logins {
		t.Error("a browser was opened")
	}
}

// The provider being away keeps nobody logged in here.
func TestLogoutWithoutTheProvider(t *testing.T) {
	w := newWorld(t)
	w.issuer.Refresh = true
	w.env["GIMME_TOKEN_STORE"] = "file"
	w.does(t, "s3", "--profile", "sidecar", "--address", w.sidecar.URL)
	w.issuer.Metadata = func(m map[string]any) { delete(m, "revocation_endpoint"); delete(m, "end_session_endpoint") }
	says(t, w.does(t, "logout").stderr, "offers no way to revoke it")
	for _, room := range []string{"credentials", "logins", "tokens"} {
		if names, _ := filepath.Glob(filepath.Join(w.home, ".local/state/gimme", room, "*")); len(names) > 0 {
			t.Errorf("left: %v", names)
		}
	}
}

func TestLogoutRefused(t *testing.T) {
	w := loggedIn(t)
	w.fails(t, t.Context(), 2, []string{`profile "nobody" is new`}, "logout", "--profile", "nobody")
	w.fails(t, t.Context(), 2, []string{`profile name "a]b"`}, "logout", "--profile", "a]b")
	w.fails(t, t.Context(), 2, []string{"takes no arguments"}, "logout", "sidecar")
	w.write(t, ".aws/config", "junk\n")
	w.fails(t, t.Context(), 1, []string{".aws/config:1: "}, "logout", "--dry-run")
	// A file that cannot be edited does not keep anybody logged in.
	if r := w.gimme(t, t.Context(), "logout"); r.code != 1 || !strings.Contains(r.stderr, "Logged out") || w.read(t, ".aws/config") != "junk\n" {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// What was written for a profile whose settings are gone can be taken out.
func TestLogoutWithoutSettings(t *testing.T) {
	w := newWorld(t)
	w.does(t, "s3", "--profile", "sidecar", "--address", w.sidecar.URL)
	if err := os.Remove(filepath.Join(w.home, ".config/gimme/config.yaml")); err != nil {
		t.Fatal(err)
	}
	before := w.files(t)
	says(t, w.does(t, "logout", "--profile", "sidecar", "--dry-run").stdout, "-[sidecar]")
	if w.files(t) != before {
		t.Error("the dry run did something")
	}
	says(t, w.does(t, "logout", "--profile", "sidecar").stderr, "no settings of profile sidecar", "Taken out")
	if got := w.read(t, ".aws/config") + w.read(t, ".aws/credentials"); strings.Contains(got, "sidecar") {
		t.Errorf("left:\n%s", got)
	}
}
