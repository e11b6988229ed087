package e2e_test

import (
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupted stops gimme in the middle of each way to log in. No process,
// no listener and no file of use to anybody is left.
func TestInterrupted(t *testing.T) {
	for name, row := range map[string]struct {
		args  []string
		env   []string
		ready *regexp.Regexp
	}{
		"browser": {[]string{"s3", "--flow", "browser", "--no-browser"}, nil, loginAddress},
		"paste":   {[]string{"s3", "--flow", "paste", "--no-browser"}, []string{"SSH_CONNECTION=198.51.100.7 50000 192.0.2.10 22"}, loginAddress},
		"device":  {[]string{"s3", "--flow", "device", "--no-browser"}, nil, userCode},
		"login":   {[]string{"login", "--no-browser"}, nil, loginAddress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{Quirk: quirk{Device: true}})
			x := startOnTerminal(t, command{path: gimme, args: append(row.args, "--profile", "sidecar", "--address", w.sidecar.address), env: w.env(row.env...)}, false)
			eventually(t, "gimme waits for a person", func() bool {
				select {
				case <-x.ended:
					t.Fatalf("gimme ended with %d: %s", x.cmd.ProcessState.ExitCode(), x.text())
				default:
				}
				at := row.ready.FindStringIndex(x.text())
				return at != nil && at[1] < len(x.text())
			})
			began := time.Now()
			x.types(t, "\x03") // as a person does it
			if code := x.wait(t); code != 130 || !strings.Contains(x.text(), "interrupted") {
				t.Errorf("exit code %d: %s", code, x.text())
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v to stop", took)
			}
			gone(t, w.home)
			if address := loginAddress.FindString(x.text()); address != "" {
				nobodyListens(t, address)
			}
			w.untouched(t)
			left := contentsOf(t, w.home)
			for path, text := range left {
				for what, secret := range w.secrets(t) {
					if strings.Contains(text, secret) {
						t.Errorf("%s holds %s", path, what)
					}
				}
				if strings.HasSuffix(path, "config.yaml") {
					t.Errorf("settings were kept: %s", text)
				}
			}
			w.asked(t, "token authorization_code", 0)
		})
	}
}

// nobodyListens fails the test if the redirect of a login would still be heard.
func nobodyListens(t *testing.T, address string) {
	t.Helper()
	login, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(login.Query().Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", back.Host); err == nil {
		c.Close()
		t.Errorf("something still listens at %s", back.Host)
	}
}

// TestTerminated ends gimme as a supervisor does.
func TestTerminated(t *testing.T) {
	w := newWorld(t, settings{})
	l := beginLogin(t, w.env(), "--profile", "sidecar", "--address", w.sidecar.address)
	l.signal(t, syscall.SIGTERM)
	if code := l.wait(t); code != 130 && code != 1 {
		t.Errorf("exit code %d: %s", code, l.err)
	}
	gone(t, w.home)
	nobodyListens(t, l.address)
	w.untouched(t)
}
