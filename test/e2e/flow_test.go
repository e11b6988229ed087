package e2e_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestProviderQuirks logs in at providers that each do one thing otherwise.
func TestProviderQuirks(t *testing.T) {
	const secret = "a-secret-that-is-none"
	for name, row := range map[string]struct {
		settings settings
		check    func(t *testing.T, w *world)
	}{
		"PKCE is not advertised": {settings{Quirk: quirk{NoPKCE: true}}, func(t *testing.T, w *world) {
			if c := w.calls(t, "authorization")[0]; c.Params["code_challenge_method"] != "S256" {
				t.Errorf("PKCE was left out: %v", c.Params)
			}
		}},
		"a secret is required": {settings{Quirk: quirk{ClientSecret: secret}, IssuerKeys: []string{"client_secret: " + secret}}, func(t *testing.T, w *world) {
			if c := w.calls(t, "authorization")[0]; c.Params["client_secret"] != "" {
				t.Errorf("the secret went through the browser: %v", c.Params)
			}
		}},
		"groups in a claim with a namespace": {settings{Quirk: quirk{GroupsClaim: "https://example.com/groups"}, IssuerKeys: []string{`groups_claim: "https://example.com/groups"`}}, nil},
		"no iss parameter":                   {settings{Quirk: quirk{Iss: "none"}}, nil},
		"ID tokens of two minutes":           {settings{Quirk: quirk{IDTokenTTL: 120}}, nil},
		"no revocation, no logout":           {settings{Quirk: quirk{NoRevocation: true, NoLogout: true}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, row.settings)
			w.login(t, "alice", "s3").says(t, "alice@example.com", engineerRole)
			w.asked(t, "token authorization_code", 1)
			if row.check != nil {
				row.check(t, w)
			}
		})
	}
}

// TestAnswerOfAnotherIssuer has the browser come back with an answer in the name
// of another issuer (RFC 9207). The code is not redeemed.
func TestAnswerOfAnotherIssuer(t *testing.T) {
	w := newWorld(t, settings{Quirk: quirk{Iss: "https://login.evil.example"}})
	l := begin(t, w.env(), "s3", "--no-browser", "--timeout", "20s", "--profile", "sidecar", "--address", w.sidecar.address)
	_, err := signIn(l.address, "alice", nil)
	code := l.wait(t)
	if code != 1 && code != 4 || !strings.Contains(l.err.String(), "login.evil.example") && !strings.Contains(l.err.String(), "iss") {
		t.Errorf("exit code %d, %v: %s", code, err, l.err)
	}
	w.asked(t, "token", 0)
	w.untouched(t)
}

// TestPorts is a provider at which exactly two redirect addresses are
// registered.
func TestPorts(t *testing.T) {
	first, second := freePort(t), freePort(t)
	w := newWorld(t, settings{
		Quirk:      quirk{RedirectURIs: []string{redirect(first), redirect(second)}},
		IssuerKeys: []string{fmt.Sprintf("ports: [%d, %d]", first, second)},
	})
	at := func(t *testing.T, port int) {
		w.login(t, "alice", "s3", "--force")
		calls := w.calls(t, "authorization")
		if got := calls[len(calls)-1].Params["redirect_uri"]; got != redirect(port) {
			t.Errorf("the browser was sent back to %s, want %s", got, redirect(port))
		}
	}
	t.Run("the first", func(t *testing.T) { at(t, first) })
	occupy(t, first)
	t.Run("the first is taken", func(t *testing.T) { at(t, second) })
	occupy(t, second)
	t.Run("both are taken", func(t *testing.T) {
		asked := len(w.calls(t, ""))
		before := readFile(t, w.credentialsFile())
		got := w.run(t, "s3", "--force", "--no-browser", "--profile", "sidecar").fails(t, 1, fmt.Sprint(first), fmt.Sprint(second))
		if loginAddress.MatchString(got.err) || len(w.calls(t, "")) != asked || readFile(t, w.credentialsFile()) != before {
			t.Errorf("something was done all the same: %s", got.err)
		}
	})
}

func redirect(port int) string { return fmt.Sprintf("http://127.0.0.1:%d/callback", port) }

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// occupy listens on a port until the test ends.
func occupy(t *testing.T, port int) {
	t.Helper()
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

var (
	userCode = regexp.MustCompile(`\b[A-Z]{4}-[A-Z]{4}\b`)
	devices  = regexp.MustCompile(`http://127\.0\.0\.1:\d+/device\b`)
)

// TestDeviceFlow logs in with a code that a person types at another machine,
// through the provider's own pages.
func TestDeviceFlow(t *testing.T) {
	w := newWorld(t, settings{Quirk: quirk{Device: true}})
	p := start(t, command{path: gimme, args: []string{"s3", "--flow", "device", "--no-browser", "--profile", "sidecar", "--address", w.sidecar.address}, env: w.env()})
	eventually(t, "a code and an address are shown", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("gimme ended with %d: %s", p.cmd.ProcessState.ExitCode(), p.err)
		default:
		}
		return userCode.MatchString(p.err.String()) && devices.MatchString(p.err.String())
	})
	text := p.err.String()
	if !strings.Contains(text, "only if you asked for this login yourself") {
		t.Errorf("it does not warn of codes that somebody else has sent: %s", text)
	}
	done, err := signIn(devices.FindString(text)+"?user_code="+userCode.FindString(text), "alice", nil)
	if err != nil || !strings.Contains(done.text, "You may go back") {
		t.Fatalf("%v: %s", err, done.text)
	}
	if code := p.wait(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.err)
	}
	result{p.out.String(), p.err.String(), 0}.says(t, "alice@example.com", engineerRole)
	w.asked(t, "authorization", 0)
	var good int
	for _, c := range w.calls(t, "token") {
		if c.Status == 200 {
			good++
		} else if c.Body["error"] != "authorization_pending" && c.Body["error"] != "slow_down" {
			t.Errorf("the provider answered %v", c.Body)
		}
	}
	if good != 1 {
		t.Errorf("%d answers with tokens", good)
	}
	// What was kept does for the next time.
	w.age(t, 0)
	w.run(t, "s3", "--profile", "sidecar").silent(t)
	w.asked(t, "token refresh_token", 1)
}

// TestDeviceFlowNotOffered asks for it where there is none.
func TestDeviceFlowNotOffered(t *testing.T) {
	w := newWorld(t, settings{})
	w.run(t, "s3", "--flow", "device", "--profile", "sidecar", "--address", w.sidecar.address).fails(t, 1, "device")
	w.untouched(t)
	if len(w.calls(t, "")) != 0 {
		t.Errorf("asked %v", w.calls(t, ""))
	}
}

// errCallback ends a walk before the browser goes back to gimme.
var errCallback = errors.New("the browser is sent back")

// elsewhere signs in with a browser that does not reach gimme, and returns the
// address at which it ends up.
func elsewhere(t *testing.T, address, name string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var at string
	client := &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			at = r.URL.String()
			return errCallback
		}
		return nil
	}}
	defer client.CloseIdleConnections()
	if _, err := walk(client, address, url.Values{"login": {name}, "password": {people()[name].Password}}); !errors.Is(err, errCallback) {
		t.Fatalf("sign in: %v", err)
	}
	return at
}

// TestPaste logs in at a machine that is reached by SSH: the browser is
// elsewhere, and where it ends up is pasted.
func TestPaste(t *testing.T) {
	w := newWorld(t, settings{})
	x := startOnTerminal(t, command{path: gimme, args: []string{"s3", "--no-browser", "--profile", "sidecar", "--address", w.sidecar.address},
		env: w.env("SSH_CONNECTION=198.51.100.7 50000 192.0.2.10 22", "SSH_TTY=/dev/pts/0", "USER=alice")}, false)
	address := x.address(t)
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(parsed.Query().Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	x.shows(t, fmt.Sprintf("ssh -L 127.0.0.1:%[1]s:127.0.0.1:%[1]s alice@192.0.2.10", back.Port()))
	pasted := elsewhere(t, address, "alice")

	wrong := strings.NewReplacer("state=", "state=x").Replace(pasted)
	for _, line := range []string{wrong, "https://login.evil.example/callback?code=x", strings.Split(pasted, "&state=")[0]} {
		before := len(x.text())
		x.types(t, line+"\n")
		eventually(t, "the wrong line is refused", func() bool {
			return regexp.MustCompile(`(?i)not|refused|wrong|again`).MatchString(strings.ReplaceAll(x.text()[before:], line, ""))
		})
	}
	w.asked(t, "token", 0)
	x.types(t, pasted+"\n")
	if code := x.wait(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, x.text())
	}
	x.shows(t, "alice@example.com")
	w.asked(t, "token", 1)
	if setting(t, w, "aws_session_token") == "" {
		t.Error("nothing was written")
	}
}
