package e2e_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClientSecretsStayOutOfSight looks for codes, verifiers, tokens and keys
// wherever they have no business: in what is printed, in arguments, in the
// environment of the browser, in files other than those that are for them.
func TestClientSecretsStayOutOfSight(t *testing.T) {
	w := newWorld(t, settings{})
	// A browser that notes what it is given, and never shows anything.
	notes := filepath.Join(t.TempDir(), "notes")
	shim := filepath.Join(t.TempDir(), "browser")
	writeFile(t, shim, "#!/bin/sh\n{ printf '%s\\n' \"$@\"; env; } >"+notes+".part\nmv "+notes+".part "+notes+"\nsleep 2\n")
	chmod(t, shim, 0o700)

	l := &login{process: start(t, command{path: gimme, args: []string{"s3", "--flow", "browser", "--profile", "sidecar", "--address", w.sidecar.address},
		env: w.env("BROWSER="+shim, "DISPLAY=:99")})}
	eventually(t, "the browser is started", func() bool { return readFile(t, notes) != "" })
	given := readFile(t, notes)
	l.address = loginAddress.FindString(given)
	if l.address == "" {
		t.Fatalf("the browser was given %s", given)
	}
	var lines strings.Builder // of every process of this home, as long as it runs
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-l.ended:
				return
			case <-time.After(5 * time.Millisecond):
				lines.WriteString(arguments(w.home))
			}
		}
	}()
	shown, got := l.as(t, "alice", nil)
	got.must(t)
	<-watched
	run := w.run(t, "credential-process", "--profile", "sidecar").must(t)
	status := w.run(t, "status", "--json").must(t)
	whoami := w.run(t, "whoami").must(t)
	w.age(t, 0)
	renewed := w.run(t, "s3", "--profile", "sidecar").silent(t)

	secrets := w.secrets(t)
	maps.Copy(secrets, map[string]string{"access key": setting(t, w, "aws_secret_access_key"), "session token": setting(t, w, "aws_session_token")})
	if len(secrets) < 8 {
		t.Errorf("only %d secrets came up: %v", len(secrets), secrets)
	}
	public := map[string]string{
		"what the browser was given": given, "gimme's output": got.out + got.err, "the page": shown.text + shown.url, "the arguments of processes": lines.String(),
		"status": status.out + status.err, "whoami": whoami.out + whoami.err, "the second run": renewed.out + renewed.err, "stderr of credential-process": run.err,
		"the sidecar's log": w.sidecar.err.String() + w.sidecar.out.String(), "the audit log": readFile(t, w.sidecar.path("audit.jsonl")),
	}
	if !strings.Contains(lines.String(), "--profile") {
		t.Errorf("no arguments were seen: %s", lines.String())
	}
	for where, text := range public {
		for what, secret := range secrets {
			if len(secret) < 16 {
				t.Errorf("%s is too short to look for: %q", what, secret)
			} else if strings.Contains(text, secret) || strings.Contains(text, secret[len(secret)-16:]) {
				t.Errorf("%s holds %s", where, what)
			}
		}
	}
	w.whereSecretsAre(t, secrets)
}

// whereSecretsAre judges the files of the home.
func (w *world) whereSecretsAre(t *testing.T, secrets map[string]string) {
	t.Helper()
	for path, text := range contentsOf(t, w.home) {
		private := strings.HasPrefix(path, w.state()) || path == w.credentialsFile()
		for what, secret := range secrets {
			if !strings.Contains(text, secret) {
				continue
			}
			if !private {
				t.Errorf("%s holds %s", path, what)
			}
			if strings.Contains(what, "code") || strings.Contains(what, "access_token") {
				t.Errorf("%s holds %s, which nobody needs again", path, what)
			}
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if private && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

// arguments are those of all processes of a home, one a line.
func arguments(home string) string {
	var all strings.Builder
	paths, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is well formed
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), "HOME="+home+"\x00") {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline")) // it may have ended
			all.WriteString(strings.ReplaceAll(string(line), "\x00", " ") + "\n")
		}
	}
	return all.String()
}
