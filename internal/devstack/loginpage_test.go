package devstack_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gimme-broker/gimme/internal/devstack"
	"github.com/gimme-broker/gimme/internal/secret"
)

func TestLoginPageRefusesPasswords(t *testing.T) {
	f := newFlow(t)
	for name, c := range map[string]struct{ username, password string }{
		"wrong password":         {"ann@example.com", "wrong"},
		"another's password":     {"ann@example.com", "pass-ben"},
		"unknown person":         {"eve@example.com", "pass-ann"},
		"empty password":         {"ann@example.com", ""},
		"a password but no name": {"", "pass-ann"},
	} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			_, fields := f.open(f.authURL())
			a := f.submit(fields, c.username, c.password)
			if a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, "do not go together") || strings.Contains(a.text, "pass-ann") {
				t.Errorf("got %s: %s", a.Status, a.text)
			}
			f.read(f.browser.Get(f.provider.Issuer() + "/authorize/callback?id=" + fields.Get("id")))
			if got := f.sent(); got.Get("code") != "" || got.Get("error") != "interaction_required" {
				t.Errorf("the callback was sent %v", got)
			}
		})
	}
}

func TestLoginPageEndsAfterTenWrongPasswords(t *testing.T) {
	f := newFlow(t)
	_, fields := f.open(f.authURL())
	for range 9 {
		if a := f.submit(fields, "ann@example.com", "wrong"); a.StatusCode != http.StatusForbidden {
			t.Fatal(a.Status)
		}
	}
	for _, password := range []string{"wrong", "pass-ann"} {
		if a := f.submit(fields, "ann@example.com", password); a.StatusCode != http.StatusGone {
			t.Errorf("got %s", a.Status)
		}
	}
	f.noCallback()
}

func TestLoginPageRefusesForeignForms(t *testing.T) {
	f := newFlow(t)
	_, mine := f.open(f.authURL())
	_, other := f.open(f.authURL())
	crossed := url.Values{"id": mine["id"], "csrf": other["csrf"]}
	if a := f.submit(crossed, "ann@example.com", "pass-ann"); a.StatusCode != http.StatusForbidden {
		t.Errorf("a form token of another login: %s", a.Status)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	f.browser.Jar = jar
	if a := f.submit(mine, "ann@example.com", "pass-ann"); a.StatusCode != http.StatusForbidden {
		t.Errorf("another browser: %s", a.Status)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.provider.Issuer()+"/login", strings.NewReader(mine.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := f.read(f.browser.Do(r)); a.StatusCode != http.StatusForbidden {
		t.Errorf("another site: %s", a.Status)
	}
	f.noCallback()
}

func TestLoginPageIsSafe(t *testing.T) {
	f := newFlow(t)
	const hint = `"><script>alert(1)</script>`
	a, _ := f.open(f.authURL(oauth2.SetAuthURLParam("login_hint", hint)))
	origin := strings.TrimSuffix(f.config.RedirectURL, "/callback")
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self' " + origin + "; base-uri 'none'; frame-ancestors 'none'",
		"Cache-Control":           "no-store",
		"X-Frame-Options":         "DENY",
		"X-Content-Type-Options":  "nosniff",
		"Content-Type":            "text/html; charset=utf-8",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(a.text, "<script") || strings.Contains(a.text, "<b>") || !strings.Contains(a.text, "Ann &lt;b&gt;Bold&lt;/b&gt; &amp; Co") {
		t.Errorf("the page does not escape: %s", a.text)
	}
	if strings.Contains(a.text, "pass-ann") || strings.Contains(a.text, "style=") {
		t.Error("the page shows a password, or has a style that its policy forbids")
	}
	if style := f.read(f.browser.Get(f.provider.Issuer() + "/login.css")); style.StatusCode != http.StatusOK || !strings.HasPrefix(style.Header.Get("Content-Type"), "text/css") {
		t.Errorf("the style sheet: %s", style.Status)
	}
}

func TestLoginsExpire(t *testing.T) {
	f := newFlow(t)
	a, _ := f.open(f.provider.Issuer() + "/login?id=unknown")
	if a.StatusCode != http.StatusGone {
		t.Errorf("an unknown login: %s", a.Status)
	}
	_, fields := f.open(f.authURL())
	f.submit(fields, "ann@example.com", "pass-ann")
	f.sent()
	if a := f.submit(fields, "ann@example.com", "pass-ann"); a.StatusCode != http.StatusGone {
		t.Errorf("a login that is over: %s", a.Status)
	}
	f.noCallback()
}

func TestPersonLogsIn(t *testing.T) {
	f := newFlow(t)
	ann := f.provider.People()[0]
	if err := devstack.LogIn(t.Context(), ann, f.authURL()); err != nil {
		t.Fatal(err)
	}
	if got := f.sent(); got.Get("code") == "" {
		t.Errorf("the callback was sent %v", got)
	}
	ann.Password = secret.New("wrong")
	if err := devstack.LogIn(t.Context(), ann, f.authURL()); err == nil {
		t.Error("a wrong password was taken for right")
	}
	f.noCallback()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := devstack.LogIn(ctx, ann, f.authURL()); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
