package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A finding is one of the doctor's.
type finding struct{ Check, State, Text, Remedy string }

// examine runs the doctor and returns what it found, by check.
func (w *world) examine(t *testing.T, code int, more ...string) map[string][]finding {
	t.Helper()
	got := finish(t, command{path: gimme, args: []string{"doctor", "--profile", "sidecar", "--json"}, env: w.env(more...)})
	if got.code != code {
		t.Errorf("exit code %d, want %d: %s%s", got.code, code, got.out, got.err)
	}
	found := make(map[string][]finding)
	for line := range strings.Lines(got.out) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if f.State == "fault" && f.Remedy == "" {
			t.Errorf("no remedy: %+v", f)
		}
		found[f.Check] = append(found[f.Check], f)
	}
	return found
}

// state fails the test unless a finding of the check has the state and text.
func state(t *testing.T, found map[string][]finding, check, state, text string) {
	t.Helper()
	for _, f := range found[check] {
		if f.State == state && strings.Contains(f.Text, text) {
			return
		}
	}
	t.Errorf("%s is not %s with %q: %+v", check, state, text, found[check])
}

// TestDoctor examines a profile that is well, and then each of what can be wrong
// with it. Nothing that it does changes a file or logs anybody in.
func TestDoctor(t *testing.T) {
	need(t, boto3)
	w := newWorld(t, settings{})
	w.loginAs(t, "alice")
	before := contentsOf(t, w.home)
	logins := len(w.calls(t, "token"))

	checks := []string{"sidecar connection", "discovery", "issuer", "issuer connection", "keys", "port", "registration", "clock", "environment", "AWS files"}
	if !servesProfiles(t, need(t, awsCLI)) { // an old one, which does not reach the sidecar: the doctor says so
		state(t, w.examine(t, 1), "aws CLI", "fault", "")
	} else {
		well := w.examine(t, 0)
		for _, check := range append(checks, "aws CLI", "boto3") {
			state(t, well, check, "ok", "")
		}
	}

	for name, row := range map[string]struct {
		env         []string
		check, text string
	}{
		"keys in the environment":    {[]string{"AWS_ACCESS_KEY_ID=AKIDOTHER", "AWS_SECRET_ACCESS_KEY=x"}, "environment", "AWS_ACCESS_KEY_ID is set"},
		"another endpoint":           {[]string{"AWS_ENDPOINT_URL_S3=http://127.0.0.1:9"}, "environment", "AWS_ENDPOINT_URL_S3 is set"},
		"endpoints are passed over":  {[]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"}, "environment", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"},
		"a profile without anything": {[]string{"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}, "AWS files", "plain file"},
	} {
		t.Run(name, func(t *testing.T) { state(t, w.examine(t, 1, row.env...), row.check, "fault", row.text) })
	}

	t.Run("an unknown client", func(t *testing.T) {
		other := finish(t, command{path: gimme, args: []string{"doctor", "--profile", "other", "--json"}, env: w.env(
			"GIMME_ISSUER="+w.issuer, "GIMME_CLIENT_ID=nobody", "GIMME_ROLE_ARN=arn:aws:iam::111122223333:role/x")})
		if other.code != 1 || !strings.Contains(other.out, "does not know client nobody") {
			t.Errorf("got %+v", other)
		}
	})

	after := contentsOf(t, w.home)
	if len(before) != len(after) || len(w.calls(t, "token")) != logins {
		t.Errorf("something was done: %d files, then %d", len(before), len(after))
	}
	for path, was := range before {
		if after[path] != was {
			t.Errorf("%s changed", path)
		}
	}

	w.sidecar.signal(t, syscall.SIGTERM)
	w.sidecar.wait(t)
	state(t, w.examine(t, 1), "sidecar connection", "fault", "does not answer")
}

// TestDoctorTellsWhatToRegister prints it with the sidecar's own values.
func TestDoctorTellsWhatToRegister(t *testing.T) {
	w := newWorld(t, settings{})
	w.run(t, "init", w.sidecar.address, "--yes").must(t)
	got := w.run(t, "doctor", "--idp").must(t)
	for _, want := range []string{"http://127.0.0.1/callback", "client_id: gimme", fmt.Sprintf("issuer: %s", w.issuer)} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	own := finish(t, command{path: gimme, args: []string{"doctor", "--idp", "--profile", "sidecar"}, env: w.env("GIMME_IDP=okta", "GIMME_REDIRECT_HOST=localhost", "GIMME_PORTS=18401")}).must(t)
	if !strings.Contains(own.out, "http://localhost:18401/callback") || !strings.Contains(own.out, "Okta") || strings.Contains(own.out, "18271") {
		t.Errorf("not as it is set:\n%s", own.out)
	}
	w.run(t, "doctor", "--idp=octa").fails(t, 2, "octa")
}
