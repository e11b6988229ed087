package cli_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLogin(t *testing.T) {
	w := newWorld(t)
	r := w.does(t, "login", "--profile", "sidecar", "--address", w.sidecar.URL)
	says(t, r.stderr, "Signed in    alice@example.com, at "+w.issuer.URL, engineer, "valid for 1h0m0s", "config.yaml: profile sidecar", "gimme s3 --profile sidecar --refresh")
	if r.stdout != "" {
		t.Errorf("stdout: %s", r.stdout)
	}
	if _, err := os.Stat(filepath.Join(w.home, ".aws")); err == nil {
		t.Error(".aws was made")
	}
	says(t, w.read(t, ".config/gimme/config.yaml"), "address: "+w.sidecar.URL)

	// What is at hand is good enough for every command, and is said to be.
	says(t, w.does(t, "login").stderr, "nobody had to log in", "--force")
	says(t, w.does(t, "s3").stderr, "nobody had to log in", "--force")
	if w.logins != 1 || len(w.sidecar.asked()) != 1 {
		t.Errorf("%d logins, %d exchanges", w.logins, len(w.sidecar.asked()))
	}
	if r := w.does(t, "login", "--force"); strings.Contains(r.stderr, "nobody had to") || w.logins != 2 {
		t.Errorf("%d logins: %s", w.logins, r.stderr)
	}
	asked := w.issuer.Asked()
	if asked[0].Has("prompt") || asked[1].Get("prompt") != "login" {
		t.Errorf("asked with prompt %q and %q", asked[0].Get("prompt"), asked[1].Get("prompt"))
	}
}

func TestLoginRefused(t *testing.T) {
	w := newWorld(t)
	w.fails(t, t.Context(), 2, []string{"no profile is named"}, "login")
	w.fails(t, t.Context(), 2, []string{`profile "p" is new`}, "login", "--profile", "p")
	w.fails(t, t.Context(), 2, []string{`flow`}, "login", "--profile", "p", "--address", w.sidecar.URL, "--flow", "telepathy")
	w.write(t, ".config/gimme", "a file")
	w.fails(t, t.Context(), 1, []string{".config/gimme"}, "login", "--profile", "p", "--address", w.sidecar.URL)
	if w.logins != 0 || w.issuer.Redeemed() != 0 {
		t.Errorf("%d logins", w.logins)
	}
}

// A refresh token makes the next login a silent one.
func TestLoginWithoutAsking(t *testing.T) {
	w := newWorld(t)
	w.issuer.Refresh = true
	w.env["GIMME_TOKEN_STORE"] = "file"
	w.does(t, "login", "--profile", "sidecar", "--address", w.sidecar.URL)
	w.age(t, 10*time.Minute)
	r := w.does(t, "s3")
	if w.logins != 1 || w.issuer.Count("refresh_token") != 1 {
		t.Errorf("%d logins, %d refreshes", w.logins, w.issuer.Count("refresh_token"))
	}
	says(t, r.stderr, "Logged in without asking")
}

func TestDeviceLogin(t *testing.T) {
	w := newWorld(t)
	w.issuer.Device = true
	out := &watched{}
	out.found = func(stderr string) bool {
		_, rest, _ := strings.Cut(stderr, "enter this code there:\n\n    ")
		code, _, found := strings.Cut(rest, "\n")
		if found && !w.issuer.Approve(code) {
			t.Errorf("code %q is not the provider's", code)
		}
		return found
	}
	if code := w.app(out).Run(t.Context(), []string{"login", "--profile", "p", "--flow", "device", "--address", w.sidecar.URL}); code != 0 {
		t.Fatal(out.text.String())
	}
	says(t, out.text.String(), "/activate", "only if you asked for this login yourself", "wants to log in as you")
}

// Over SSH the address is printed, and the line that leads back.
func TestLoginOverSSH(t *testing.T) {
	w := newWorld(t)
	w.env["SSH_CONNECTION"], w.env["USER"] = "10.0.0.9 50000 10.0.0.7 22", "alice"
	w.fails(t, t.Context(), 4, []string{"open this address in a browser:", "ssh -L 127.0.0.1:", " alice@10.0.0.7", "has to reach port"},
		"login", "--profile", "p", "--address", w.sidecar.URL, "--timeout", "1s")
	if w.logins != 0 {
		t.Error("a browser was opened")
	}
}

// Whoever has their browser elsewhere pastes where it ended up, at the terminal:
// stdin may be anything.
func TestPastedLogin(t *testing.T) {
	w := newWorld(t)
	w.env["SSH_CONNECTION"] = "10.0.0.9 50000 10.0.0.7 22"
	keyboard, typing := io.Pipe()
	address := regexp.MustCompile(`(?m)^  (http://\S+/authorize\S+)$`)
	out := &watched{}
	out.found = func(stderr string) bool {
		m := address.FindStringSubmatch(stderr)
		if m == nil || !strings.Contains(stderr, "paste its whole address here") {
			return false
		}
		go func() {
			typing.Write([]byte("what?\r\n" + endOf(t, m[1]) + "\n"))
		}()
		return true
	}
	app := w.app(out)
	app.OpenTerminal = func() (io.ReadWriteCloser, error) {
		return struct {
			io.Reader
			io.Writer
			io.Closer
		}{keyboard, io.Discard, keyboard}, nil
	}
	if code := app.Run(t.Context(), []string{"s3", "--profile", "p", "--address", w.sidecar.URL}); code != 0 {
		t.Fatal(out.text.String())
	}
	says(t, out.text.String(), "That is not the answer to this login", "Signed in    alice@example.com")
	if w.logins != 0 {
		t.Error("a browser was opened")
	}
	for _, s := range w.issuer.Secrets() {
		if strings.Contains(out.text.String(), s) {
			t.Errorf("a secret is shown: %q", s)
		}
	}
	if _, err := typing.Write([]byte("x")); err == nil {
		t.Error("the terminal is still open")
	}
}

// endOf is where a browser ends up that cannot reach this machine.
func endOf(t *testing.T, address string) string {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(address)
	if err != nil {
		t.Error(err)
		return ""
	}
	r.Body.Close()
	return r.Header.Get("Location")
}
