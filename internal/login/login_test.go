package login_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
)

// options are for a login at i with b.
func options(t *testing.T, i *logintest.Issuer, open func(context.Context, string) error) login.Options {
	t.Helper()
	c := idtoken.NewClient(nil)
	t.Cleanup(c.CloseIdleConnections)
	p, err := idtoken.Discover(t.Context(), c, i.URL)
	if err != nil {
		t.Fatal(err)
	}
	return login.Options{Provider: p, ClientID: logintest.ClientID, Scopes: []string{"email"}, HTTP: c, OpenBrowser: open, Timeout: 20 * time.Second}
}

func TestLogin(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	result, err := login.Run(t.Context(), options(t, i, b.Open))
	if err != nil {
		t.Fatal(err)
	}
	if result.Token.Subject != "alice-1" || result.Token.Email != "alice@example.com" || strings.Count(result.IDToken.Reveal(), ".") != 2 {
		t.Errorf("%+v", result)
	}
	if b.Status != 200 || !strings.Contains(b.Body, "You are signed in") || strings.Contains(b.Body, "alice") {
		t.Errorf("%d %s", b.Status, b.Body)
	}
	if u, err := url.Parse(b.URL); err != nil || u.RawQuery != "" || !strings.HasPrefix(u.Path, "/done/") {
		t.Errorf("the address bar shows %s", b.URL)
	}
	if i.Redeemed() != 1 {
		t.Errorf("%d exchanges", i.Redeemed())
	}
	closed(t, b.URL)
}

// closed checks that nothing listens at the address any more.
func closed(t *testing.T, address string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", u.Host); err == nil {
		c.Close()
		t.Errorf("%s still listens", u.Host)
	}
}

func TestLoginsThatDoNotWork(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "/keys")
			w.WriteHeader(status)
			w.Write([]byte(body))
		}
	}
	const evil = "<script>alert(1)</script>\x1b[2J\u202e"
	for _, test := range []struct {
		name    string
		set     func(*logintest.Issuer)
		err     string // a part of it
		code    idtoken.Code
		refusal string
		redeems int
	}{
		{"person declines", func(i *logintest.Issuer) {
			i.Redirect = func(q url.Values) { q.Del("code"); q.Set("error", "access_denied"); q.Set("error_description", evil) }
		}, `answers "access_denied": <script>alert(1)</script>[2J`, "", "access_denied", 0},
		{"no iss, though promised", func(i *logintest.Issuer) { i.Redirect = func(q url.Values) { q.Del("iss") } }, "the answer in the browser is not from", "", "", 0},
		{"iss of another provider", func(i *logintest.Issuer) { i.Redirect = func(q url.Values) { q.Set("iss", "https://evil.example") } }, `says "https://evil.example"`, "", "", 0},
		{"iss of another provider, nothing promised", func(i *logintest.Issuer) {
			i.Metadata = func(m map[string]any) { delete(m, "authorization_response_iss_parameter_supported") }
			i.Redirect = func(q url.Values) { q.Set("iss", "") }
		}, "the answer in the browser is not from", "", "", 0},
		{"iss of another provider with an error", func(i *logintest.Issuer) {
			i.Redirect = func(q url.Values) {
				q.Del("code")
				q.Set("error", "access_denied")
				q.Set("iss", "https://evil.example")
			}
		}, `says "https://evil.example"`, "", "", 0},
		{"code that nobody issued", func(i *logintest.Issuer) { i.Redirect = func(q url.Values) { q.Set("code", "x") } }, `"invalid_grant": unknown code`, "", "invalid_grant", 1},
		{"token endpoint's error", func(i *logintest.Issuer) {
			i.Token = answer(400, `{"error":"inv\u001balid","error_description":"a\u0007b\nc"}`)
		}, `"invalid": abc`, "", "invalid", 1},
		{"token endpoint redirects", func(i *logintest.Issuer) { i.Token = answer(307, "") }, "answers with status 307", "", "", 1},
		{"endless answer", func(i *logintest.Issuer) { i.Token = answer(200, `{"access_token":"`+strings.Repeat("x", 2<<20)) }, "larger than 1048576 bytes", "", "", 1},
		{"secret in a broken answer", func(i *logintest.Issuer) { i.Token = answer(500, "SECRET") }, "answers with status 500", "", "", 1},
		{"no ID token", func(i *logintest.Issuer) { i.Token = answer(200, `{"access_token":"x","token_type":"Bearer"}`) }, "sent no ID token", "", "", 1},
		{"forged", func(i *logintest.Issuer) { i.Forged = true }, "", idtoken.Signature, "", 1},
		{"expired", func(i *logintest.Issuer) {
			i.Claims = func(m map[string]any) { m["exp"] = time.Now().Unix() - 600; m["iat"] = time.Now().Unix() - 900 }
		}, "", idtoken.Expired, "", 1},
		{"other nonce", func(i *logintest.Issuer) { i.Claims = func(m map[string]any) { m["nonce"] = "x" } }, "", idtoken.Nonce, "", 1},
		{"no nonce", func(i *logintest.Issuer) { i.Claims = func(m map[string]any) { delete(m, "nonce") } }, "", idtoken.Nonce, "", 1},
		{"other audience", func(i *logintest.Issuer) { i.Claims = func(m map[string]any) { m["aud"] = "other" } }, "", idtoken.Audience, "", 1},
		{"other access token", func(i *logintest.Issuer) {
			i.Claims = func(m map[string]any) { m["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }
		}, "", idtoken.Claims, "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			i, b := logintest.NewIssuer(t), new(logintest.Browser)
			test.set(i)
			result, err := login.Run(t.Context(), options(t, i, b.Open))
			if err == nil || result != nil {
				t.Fatalf("it worked: %v", result)
			}
			if !strings.Contains(err.Error(), test.err) || strings.ContainsAny(err.Error(), "\x1b\x07\n\u202e") || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("error %q, want %q", err, test.err)
			}
			if e, ok := errors.AsType[*idtoken.Error](err); test.code != "" && (!ok || e.Code != test.code) {
				t.Errorf("error %v, want code %s", err, test.code)
			}
			if e, ok := errors.AsType[*login.Refusal](err); ok != (test.refusal != "") || ok && e.Code != test.refusal {
				t.Errorf("error %v, want refusal %q", err, test.refusal)
			}
			if i.Redeemed() != test.redeems {
				t.Errorf("%d exchanges, want %d", i.Redeemed(), test.redeems)
			}
			if !strings.Contains(b.Body, "The sign-in did not work") || strings.Contains(b.Body, "alert") {
				t.Errorf("page: %s", b.Body)
			}
			closed(t, b.URL)
		})
	}
}

func TestAddressesThatABrowserIsNotGiven(t *testing.T) {
	for _, endpoint := range []string{
		"http://idp.example/authorize", "javascript:alert(1)", "file:///etc/passwd", "https://idp.example/a\nb", "https://user@idp.example/",
		"https://idp.example/$(touch x)`id`", "https:///authorize", "https://idp.example/\"&calc", "--help",
	} {
		i := logintest.NewIssuer(t)
		i.Metadata = func(m map[string]any) { m["authorization_endpoint"] = endpoint }
		opened := 0
		c := idtoken.NewClient(nil)
		p, err := idtoken.Discover(t.Context(), c, i.URL)
		if err == nil { // not refused before
			_, err = login.Run(t.Context(), login.Options{Provider: p, ClientID: logintest.ClientID, HTTP: c, Timeout: 5 * time.Second,
				OpenBrowser: func(context.Context, string) error { opened++; return nil }})
		}
		if err == nil || errors.Is(err, login.ErrTimeout) || opened != 0 {
			t.Errorf("%q: error %v, opened %d times", endpoint, err, opened)
		}
	}
}

func TestNobodyComes(t *testing.T) {
	i := logintest.NewIssuer(t)
	var address string
	o := options(t, i, nil)
	o.Timeout = 2200 * time.Millisecond
	var waits []time.Duration
	o.Notify = func(n login.Notice) {
		if n.Step == login.Waiting {
			waits = append(waits, n.Left.Round(500*time.Millisecond))
		}
		if n.Step == login.Started {
			address = redirect(t, n.URL)
			if n.Browser || n.Left <= 0 || n.Left > o.Timeout {
				t.Errorf("%+v", n)
			}
		}
	}
	before := runtime.NumGoroutine()
	if _, err := login.Run(t.Context(), o); !errors.Is(err, login.ErrTimeout) {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(waits, []time.Duration{time.Second, 0}) {
		t.Errorf("it counted down %v", waits)
	}
	closed(t, address)
	settle(t, before)
}

func TestInterrupted(t *testing.T) {
	i := logintest.NewIssuer(t)
	ctx, cancel := context.WithCancel(t.Context())
	var address string
	o := options(t, i, func(ctx context.Context, url string) error {
		address = redirect(t, url)
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	before := runtime.NumGoroutine()
	if _, err := login.Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	closed(t, address)
	settle(t, before)
}

// settle checks that no goroutine is left behind.
func settle(t *testing.T, before int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stack := make([]byte, 1<<16)
	t.Errorf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, stack[:runtime.Stack(stack, true)])
}

func TestBrowserThatDoesNotOpen(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	o := options(t, i, func(context.Context, string) error { return errors.New("no display") })
	person := make(chan error, 1)
	o.Notify = func(n login.Notice) {
		if n.Step == login.BrowserFailed {
			go func() { person <- b.Open(context.Background(), n.URL) }()
		}
	}
	if _, err := login.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := <-person; err != nil || b.Status != 200 {
		t.Errorf("%d %v", b.Status, err)
	}
}

// Some browsers run in the foreground of what opens them. They are told to let
// go, and the login does not wait for them.
func TestBrowserThatStays(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	let := false
	o := options(t, i, func(ctx context.Context, address string) error {
		if err := b.Open(ctx, address); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			let = true
		case <-time.After(10 * time.Second):
		}
		return nil
	})
	if _, err := login.Run(t.Context(), o); err != nil || !let {
		t.Errorf("%v, let go %v", err, let)
	}
}

func redirect(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("redirect_uri")
}

func TestEveryLoginIsItsOwn(t *testing.T) {
	i := logintest.NewIssuer(t)
	seen := map[string]bool{}
	for range 3 {
		b := new(logintest.Browser)
		_, err := login.Run(t.Context(), options(t, i, func(ctx context.Context, address string) error {
			u, err := url.Parse(address)
			if err != nil {
				return err
			}
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				if v := u.Query().Get(name); seen[v] || len(v) < 26 {
					t.Errorf("%s %q", name, v)
				} else {
					seen[v] = true
				}
			}
			return b.Open(ctx, address)
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestResultsPrintNoSecret(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	result, err := login.Run(t.Context(), options(t, i, b.Open))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range i.Secrets() {
		if strings.Contains(string(text), s) {
			t.Errorf("%s holds %s", text, s)
		}
	}
}
