package cli_test

import (
	"strings"
	"testing"
	"time"
)

// With --refresh the profile asks gimme, and has no keys that would come first.
func TestS3Refresh(t *testing.T) {
	w := newWorld(t)
	w.does(t, "s3", "--profile", "sidecar", "--address", w.sidecar.URL)
	says(t, w.read(t, ".aws/credentials"), "aws_session_token")
	r := w.does(t, "s3", "--refresh")
	says(t, r.stderr, "nobody had to log in", ".aws/config: [profile sidecar]", "renew them by themselves")
	says(t, w.read(t, ".aws/config"), "credential_process = /opt/gimme/bin/gimme credential-process --profile sidecar\n", "endpoint_url = "+w.sidecar.URL)
	if got := w.read(t, ".aws/credentials"); strings.Contains(got, "aws_") {
		t.Errorf("keys are left:\n%s", got)
	}
	says(t, w.does(t, "credential-process", "--profile", "sidecar").stdout, `"Version":1`, w.sidecar.issued()[1])

	// And back to keys.
	w.does(t, "s3")
	says(t, w.read(t, ".aws/credentials"), "aws_session_token")
	if got := w.read(t, ".aws/config"); strings.Contains(got, "credential_process") {
		t.Errorf("config:\n%s", got)
	}
	if w.logins != 1 {
		t.Errorf("%d logins", w.logins)
	}
}

// That a session is shorter than was asked for is said when it is issued, and
// not of what is left of it later.
func TestS3SaysOnceThatItIsShorter(t *testing.T) {
	w := newWorld(t)
	says(t, w.does(t, "s3", "--profile", "sidecar", "--address", w.sidecar.URL, "--duration", "2h").stderr, "2h0m0s were asked for")
	if again := w.does(t, "s3").stderr; strings.Contains(again, "were asked for") || w.logins != 1 {
		t.Errorf("%d logins\n%s", w.logins, again)
	}
}

func TestS3RefreshRefused(t *testing.T) {
	w := loggedIn(t)
	w.write(t, ".aws/credentials", "[sidecar]\naws_access_key_id = AKIA\naws_secret_access_key = mine\n")
	w.fails(t, t.Context(), 1, []string{"long-lived access key", "hint: choose another name"}, "s3", "--refresh")
	w.fails(t, t.Context(), 1, []string{"long-lived access key"}, "s3", "--refresh", "--dry-run")
	w.write(t, ".aws/credentials", "")
	w.executable = "/opt/my programs; rm/gimme"
	w.fails(t, t.Context(), 1, []string{"hint: put gimme in a folder with a plain name"}, "s3", "--refresh")
	w.executable = "gimme"
	w.fails(t, t.Context(), 1, []string{"hint: put gimme in a folder"}, "s3", "--refresh")
}

func TestS3DryRun(t *testing.T) {
	w := newWorld(t)
	w.write(t, ".aws/config", "# mine\n[profile work]\nregion = eu-west-1\n")
	before := w.files(t)
	r := w.does(t, "s3", "--dry-run", "--profile", "sidecar", "--address", w.sidecar.URL)
	says(t, r.stdout, "+[sidecar]", "+aws_secret_access_key = [secret]", "+[profile sidecar]", "+region = us-east-1", ".aws/config")
	says(t, r.stderr, "may name another region")
	r = w.does(t, "s3", "--dry-run", "--refresh", "--profile", "sidecar", "--address", w.sidecar.URL, "--region", "eu-west-9")
	says(t, r.stdout, "+credential_process = /opt/gimme/bin/gimme credential-process --profile sidecar", "+region = eu-west-9")
	if strings.Contains(r.stdout, "aws_secret_access_key") || r.stderr != "" {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	if w.logins != 0 || w.files(t) != before {
		t.Errorf("%d logins, or something was written", w.logins)
	}
	w.does(t, "s3", "--refresh", "--profile", "sidecar", "--address", w.sidecar.URL)
	before = w.files(t)
	if r := w.does(t, "s3", "--refresh", "--dry-run"); r.stdout != "" || !strings.Contains(r.stderr, "Nothing would change") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	if w.files(t) != before {
		t.Error("something was written")
	}
}

// Without a keyring it is said once where the refresh token rests.
func TestWhereTheRefreshTokenRests(t *testing.T) {
	w := newWorld(t)
	w.issuer.Refresh = true
	w.env["GIMME_TOKEN_STORE"] = "file"
	first := w.does(t, "s3", "--profile", "sidecar", "--address", w.sidecar.URL)
	says(t, first.stderr, "the refresh token rests in the file "+w.home+"/.local/state/gimme/tokens/", "--remember=false")
	if again := w.does(t, "s3", "--force"); strings.Contains(again.stderr, "rests in the file") {
		t.Errorf("said again:\n%s", again.stderr)
	}
	w.age(t, -time.Hour)
	if silent := w.does(t, "s3"); strings.Contains(silent.stderr, "rests in the file") || w.logins != 2 {
		t.Errorf("%d logins\n%s", w.logins, silent.stderr)
	}
}

// In a job nobody is asked: the job's own ID token is found.
func TestInAJob(t *testing.T) {
	w := newWorld(t)
	w.env["CI"] = "true"
	w.env["JOB_TOKEN"] = w.issuer.IDToken("", "")
	args := []string{"--profile", "ci", "--address", w.sidecar.URL, "--audience", "gimme", "--token-env", "JOB_TOKEN"}
	w.does(t, append([]string{"s3"}, args...)...)
	if w.logins != 0 || len(w.sidecar.asked()) != 1 || w.sidecar.asked()[0]["WebIdentityToken"] != w.env["JOB_TOKEN"] {
		t.Errorf("%d logins, %d exchanges", w.logins, len(w.sidecar.asked()))
	}
	says(t, w.read(t, ".config/gimme/config.yaml"), "token_env: JOB_TOKEN")
	// Without a token it says so, and asks nobody.
	w = newWorld(t)
	w.env["CI"] = "true"
	r := w.gimme(t, t.Context(), "s3", "--profile", "ci", "--address", w.sidecar.URL)
	if r.code == 0 || w.logins != 0 || strings.Contains(w.files(t), "aws_") {
		t.Errorf("exit code %d, %d logins: %s", r.code, w.logins, r.stderr)
	}
}
