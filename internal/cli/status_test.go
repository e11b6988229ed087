package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// age makes the credentials that are kept end in left, and the login ten
// minutes old.
func (w *world) age(t *testing.T, left time.Duration) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(w.home, ".local/state/gimme/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	expires, at := regexp.MustCompile(`"expires":\s*"[^"]+"`), regexp.MustCompile(`"(at|issued)":\s*"[^"]+"`)
	changed := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(left).UTC().Format(time.RFC3339)
		text := at.ReplaceAllString(string(data), `"$1":"`+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)+`"`)
		if strings.Contains(text, "secret_access_key") {
			text = expires.ReplaceAllString(text, `"expires":"`+then+`"`)
			changed++
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if changed == 0 {
		t.Fatal("there are no credentials to age")
	}
}

type profileStatus struct {
	Profile, Issuer, Subject, Email, Role, Written, Fault string
	Expires                                               time.Time
	Valid, Silent, Shadowed                               bool
	Rests                                                 string `json:"refresh_token_at"`
}

type status struct {
	Profiles    []profileStatus
	Credentials string `json:"credentials_in"`
	Tokens      string `json:"refresh_tokens_in"`
	Settings    string `json:"settings_in"`
}

func (w *world) status(t *testing.T, args ...string) (s status) {
	t.Helper()
	r := w.does(t, append([]string{"status", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil || r.stderr != "" {
		t.Fatalf("%v: %s%s", err, r.stdout, r.stderr)
	}
	return s
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	says(t, w.does(t, "status").stderr, "There is no profile", "gimme s3 --address")
	if s := w.status(t); s.Profiles == nil || len(s.Profiles) != 0 {
		t.Errorf("%+v", s)
	}
	w.issuer.Refresh = true
	w.env["GIMME_TOKEN_STORE"] = "file"
	w.does(t, "s3", "--profile", "sidecar", "--address", w.sidecar.URL)
	w.write(t, ".config/gimme/config.yaml", w.read(t, ".config/gimme/config.yaml")+"  other:\n    address: https://other.example\n")
	state := filepath.Join(w.home, ".local/state/gimme")
	before := w.files(t)
	says(t, w.does(t, "status").stdout, "sidecar", "other", "alice@example.com, at "+w.issuer.URL, engineer, "for 1h0m0s", "keys", state, ".config/gimme/config.yaml")
	s := w.status(t)
	if len(s.Profiles) != 2 || s.Credentials != state || s.Tokens == "" || s.Settings != filepath.Join(w.home, ".config/gimme/config.yaml") {
		t.Fatalf("%+v", s)
	}
	p := s.Profiles[1] // by name
	if p.Profile != "sidecar" || !p.Valid || !p.Silent || p.Email != "alice@example.com" || p.Subject != "alice-1" || p.Role != engineer || p.Written != "keys" || !strings.HasPrefix(p.Rests, state) || time.Until(p.Expires) < 50*time.Minute {
		t.Errorf("%+v", p)
	}
	if other := s.Profiles[0]; other.Valid || other.Written != "" || other.Role != "" {
		t.Errorf("%+v", other)
	}
	if w.files(t) != before {
		t.Error("status changed something")
	}

	w.does(t, "s3", "--profile", "sidecar", "--refresh")
	if s := w.status(t, "--profile", "sidecar"); len(s.Profiles) != 1 || s.Profiles[0].Written != "credential_process" || s.Profiles[0].Shadowed {
		t.Errorf("%+v", s)
	}
	w.write(t, ".aws/credentials", "[sidecar]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\n")
	if s := w.status(t, "--profile", "sidecar"); !s.Profiles[0].Shadowed {
		t.Errorf("%+v", s)
	}

	// A silent renewal is as good as valid credentials; else it is 4.
	w.age(t, -time.Hour)
	if s := w.status(t, "--profile", "sidecar"); s.Profiles[0].Valid || !s.Profiles[0].Silent {
		t.Errorf("%+v", s)
	}
	w.does(t, "logout", "--profile", "sidecar", "--no-browser")
	w.fails(t, t.Context(), 4, []string{`profile "sidecar" has no valid credentials`, "gimme login --profile sidecar"}, "status", "--profile", "sidecar")
	w.does(t, "status")
	w.fails(t, t.Context(), 2, []string{`profile "nobody" is new`}, "status", "--profile", "nobody")
}

// One profile that is at fault does not hide the others.
func TestStatusOfBrokenFiles(t *testing.T) {
	w := loggedIn(t)
	w.write(t, ".aws/config", "junk\n")
	s := w.status(t)
	if len(s.Profiles) != 1 || !s.Profiles[0].Valid || !strings.Contains(s.Profiles[0].Fault, ".aws/config:1") {
		t.Errorf("%+v", s)
	}
}

func TestWhoami(t *testing.T) {
	w := loggedIn(t)
	logins := w.logins
	r := w.does(t, "whoami")
	if r.stdout != "alice@example.com\n" {
		t.Errorf("stdout: %q", r.stdout)
	}
	says(t, r.stderr, w.issuer.URL, "alice-1", engineer)
	says(t, w.does(t, "whoami", "--check").stderr, "Accepted as  arn:aws:sts::111122223333:assumed-role/data-engineering/alice@example.com")
	var who struct{ Issuer, Subject, Email, Role, Caller string }
	if err := json.Unmarshal([]byte(w.does(t, "whoami", "--json", "--check").stdout), &who); err != nil || who.Subject != "alice-1" || who.Role != engineer || who.Caller == "" {
		t.Errorf("%v: %+v", err, who)
	}
	w.sidecar.forget()
	w.fails(t, t.Context(), 1, []string{"does not accept the credentials", "--force"}, "whoami", "--check")
	w.age(t, -time.Hour)
	w.fails(t, t.Context(), 4, []string{`profile "sidecar" has no valid credentials`, "hint: gimme login --profile sidecar"}, "whoami")
	if w.logins != logins {
		t.Error("somebody was asked to log in")
	}
}
