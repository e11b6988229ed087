//go:build unix

package cli_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gimme-broker/gimme/internal/cli"
)

// stale are variables that would come before a profile or keys.
func stale() []string {
	var all []string
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_CREDENTIAL_EXPIRATION", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	} {
		all = append(all, name+"=stale")
	}
	return all
}

// child runs gimme exec and gives what the command saw in its environment. It
// must not be printed, but the command may be told everything.
func (w *world) child(t *testing.T, args ...string) []string {
	t.Helper()
	seen := filepath.Join(t.TempDir(), "seen")
	w.does(t, append(append([]string{"exec"}, args...), "--", "sh", "-c", `env > "$0"`, seen)...)
	data, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "AWS_") || strings.HasPrefix(line, "KEPT") {
			env = append(env, line)
		}
	}
	slices.Sort(env)
	return env
}

func TestExec(t *testing.T) {
	w := loggedIn(t)
	w.environ = append(stale(), "PATH="+os.Getenv("PATH"), "KEPT=yes", "AWS_REGION=mars-1", "AWS_CONFIG_FILE=/c")
	secrets := w.sidecar.issued()
	env := w.child(t)
	want := []string{"AWS_ACCESS_KEY_ID=GIMMEAK1", "AWS_CONFIG_FILE=/c", "AWS_DEFAULT_REGION=eu-central-1", "AWS_ENDPOINT_URL_S3=" + w.sidecar.URL, "AWS_REGION=eu-central-1", "AWS_SECRET_ACCESS_KEY=" + secrets[0], "AWS_SESSION_TOKEN=" + secrets[1], "KEPT=yes"}
	env = slices.DeleteFunc(env, func(s string) bool { return strings.HasPrefix(s, "AWS_CREDENTIAL_EXPIRATION=2") })
	if !slices.Equal(env, want) {
		t.Errorf("the keys:\n%s", strings.Join(env, "\n"))
	}

	// A profile that programs can renew is given by name, and no secret is.
	w.does(t, "s3", "--refresh")
	byName := []string{"AWS_CONFIG_FILE=/c", "AWS_PROFILE=sidecar", "AWS_REGION=mars-1", "KEPT=yes"}
	if env := w.child(t); !slices.Equal(env, byName) {
		t.Errorf("by name:\n%s", strings.Join(env, "\n"))
	}
	if env := w.child(t, "--keys"); slices.Contains(env, "AWS_PROFILE=sidecar") || !slices.Contains(env, "AWS_ACCESS_KEY_ID=GIMMEAK1") {
		t.Errorf("with --keys:\n%s", strings.Join(env, "\n"))
	}
	// What this run was told alone, the profile's name does not say.
	if env := w.child(t, "--region", "eu-west-9"); slices.Contains(env, "AWS_PROFILE=sidecar") || !slices.Contains(env, "AWS_REGION=eu-west-9") {
		t.Errorf("with another region:\n%s", strings.Join(env, "\n"))
	}
	// Nor do static keys that come first.
	w.write(t, ".aws/credentials", "[sidecar]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\n")
	if env := w.child(t); slices.Contains(env, "AWS_PROFILE=sidecar") {
		t.Errorf("shadowed:\n%s", strings.Join(env, "\n"))
	}
}

func TestExecEndsAsTheCommandDoes(t *testing.T) {
	w := loggedIn(t)
	notExecutable := filepath.Join(w.home, "plain")
	if err := os.WriteFile(notExecutable, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	noProgram := filepath.Join(w.home, "script")
	if err := os.WriteFile(noProgram, []byte("echo no first line\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "exit 4": 4, "kill -TERM $$": 143} {
		if r := w.run(t, t.Context(), "exec", "--", "sh", "-c", script); r.code != want || strings.Contains(r.stderr, "gimme: ") {
			t.Errorf("%s: exit code %d, want %d: %s", script, r.code, want, r.stderr)
		}
	}
	if r := w.run(t, t.Context(), "exec", "--", "printf", "%s|", "a b", "$HOME", "--profile", "*"); r.stdout != "a b|$HOME|--profile|*|" {
		t.Errorf("the arguments came to be %q", r.stdout)
	}
	for args, test := range map[string]struct {
		code  int
		words []string
	}{
		"exec":                           {2, []string{"no command is given", "hint: gimme exec"}},
		"exec --":                        {2, []string{"no command is given"}},
		"exec --profil x -- true":        {2, []string{`did you mean "--profile"?`}},
		"exec -- no-such-program":        {127, []string{`run "no-such-program"`, "hint"}},
		"exec -- " + w.home + "/nothing": {127, []string{"/nothing"}},
		"exec -- " + notExecutable:       {126, []string{"chmod +x"}},
		"exec -- " + noProgram:           {126, []string{"#!/bin/sh"}},
		"exec --profile nobody -- true":  {2, []string{`profile "nobody" is new`}},
	} {
		w.fails(t, t.Context(), test.code, test.words, strings.Fields(args)...)
	}
	if w.logins != 1 {
		t.Errorf("%d logins", w.logins)
	}
}

// Nobody logs in for a command that is not there.
func TestExecLooksForTheCommandFirst(t *testing.T) {
	w := newWorld(t)
	w.fails(t, t.Context(), 127, []string{"no-such-program"}, "exec", "--profile", "p", "--address", w.sidecar.URL, "--", "no-such-program")
	if w.logins != 0 {
		t.Errorf("%d logins", w.logins)
	}
}

// beCommand has the test program be gimme, with streams of its own.
const beCommand = "GIMME_TEST_BE"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(beCommand); ok {
		os.Unsetenv(beCommand)
		signal.Ignore(syscall.SIGPIPE) // as main does
		os.Exit(cli.App{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: "test"}.Run(context.Background(), strings.Split(args, "\n")))
	}
	os.Exit(m.Run())
}

// itself runs this test program as gimme, in a process of its own.
func (w *world) itself(t *testing.T, args ...string) (pid int, out string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = []string{"HOME=" + w.home, "PATH=" + os.Getenv("PATH"), "AWS_REGION=mars-1", beCommand + "=" + strings.Join(args, "\n")}
	stdout, err := c.Output()
	return c.Process.Pid, string(stdout), err
}

// The command takes gimme's place: it has its process id, and SIGPIPE ends it.
func TestExecBecomesTheCommand(t *testing.T) {
	w := loggedIn(t)
	gimme, out, err := w.itself(t, "exec", "--", "sh", "-c", "echo $$; kill -PIPE $$; echo still here")
	pid, rest, _ := strings.Cut(out, "\n")
	if pid != strconv.Itoa(gimme) {
		t.Errorf("the command is process %s, gimme was %d: %v", pid, gimme, err)
	}
	if rest != "" || err == nil {
		t.Errorf("SIGPIPE did not end it: %q, %v", rest, err)
	}
	_, out, err = w.itself(t, "exec", "--", "env")
	if n := strings.Count("\n"+out, "\nAWS_REGION="); n != 1 || err != nil {
		t.Errorf("AWS_REGION stands there %d times: %v", n, err)
	}
	noProgram := filepath.Join(w.home, "script")
	if err := os.WriteFile(noProgram, []byte("echo no first line\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, out, err = w.itself(t, "exec", "--", noProgram)
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 126 || out != "" {
		t.Errorf("what is no program ended with %v", err)
	}
	_, _, err = w.itself(t, "exec", "--", "sh", "-c", "exit 7")
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 7 {
		t.Errorf("it ended with %v", err)
	}
}
