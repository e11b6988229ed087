package proxy_test

import (
	"crypto/rand"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logout is a logout token of the provider, changed as asked; a nil value takes a
// claim away.
func (p *provider) logout(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": p.URL, "aud": "gimme", "iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"sub": "alice-1", "sid": "idp-session-1", "events": map[string]any{logoutEvent: map[string]any{}},
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return sign(t, p.key, "k1", claims)
}

func (c *sidecar) postLogout(kind, body string) (int, string) {
	c.t.Helper()
	response, err := http.Post(c.URL()+"/.well-known/gimme/backchannel-logout", kind, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if got := response.Header.Get("Cache-Control"); got != "no-store" {
		c.t.Errorf("Cache-Control %q", got)
	}
	return response.StatusCode, string(text)
}

const formType = "application/x-www-form-urlencoded"

func (c *sidecar) sendLogout(token string) (int, string) {
	c.t.Helper()
	return c.postLogout(formType, url.Values{"logout_token": {token}, "further": {"x"}}.Encode())
}

func (c *sidecar) file(name string) string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.folder, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// A provider ends the sessions of one login, or of one person, and of nobody
// else; the same token does it once.
func TestBackchannelLogout(t *testing.T) {
	for name, row := range map[string]struct {
		changes   map[string]any
		otherEnds bool // the session of another login of the same person
	}{
		"login":               {nil, false},
		"login, no subject":   {map[string]any{"sub": nil}, false},
		"person":              {map[string]any{"sid": nil}, true},
		"no expiry":           {map[string]any{"exp": nil}, false},
		"several audiences":   {map[string]any{"aud": []string{"gimme"}}, false},
		"another login of it": {map[string]any{"sid": "idp-session-9"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, nil)
			c.put("lake", "public/a.txt", "hello")
			at := time.Now().Add(-5 * time.Second).Unix()
			alice, second := c.login(map[string]any{"auth_time": at}), c.login(map[string]any{"sid": "idp-session-7", "auth_time": at})
			other := c.login(map[string]any{"sub": "bob-1", "email": "bob@example.com", "sid": "idp-session-2"})
			hit := name != "another login of it"
			url := presigned(t, c.s3(alice))
			token := c.provider.logout(t, row.changes)

			if status, body := c.sendLogout(token); status != 200 || body != "" {
				t.Fatalf("%d %s", status, body)
			}
			events := c.events()
			if len(events) != 1 || events[0].Kind != audit.KindAdmin || events[0].Request.Operation != "BackchannelLogout" || events[0].Revocation == nil || events[0].Revocation.By != c.provider.URL {
				t.Errorf("want one event of a logout, got %+v", events)
			}
			before := c.file("session-keys.revoked")
			if status, _ := c.sendLogout(token); status != 200 {
				t.Errorf("the second time: %d", status)
			}
			if events := c.events(); len(events) != 1 || len(events[0].Reasons) != 1 || !strings.Contains(events[0].Reasons[0].Text, "came before") {
				t.Errorf("want one event of a replay, got %+v", events)
			}
			if c.file("session-keys.revoked") != before {
				t.Error("the second time had an effect")
			}
			if err := c.get(alice); (err != nil) != hit {
				t.Errorf("the session of the login: %v", err)
			}
			if status, _ := fetch(t, url); (status != 200) != hit {
				t.Errorf("its presigned URL: %d", status)
			}
			if err := c.get(second); (err != nil) != row.otherEnds {
				t.Errorf("the session of another login: %v", err)
			}
			if err := c.get(other); err != nil {
				t.Errorf("somebody else's session: %v", err)
			}
			if !hit {
				return
			}
			// The client's refresh token gives ID tokens of the old login.
			c.requests()
			_, err := c.assume(roleEveryone, c.provider.token(t, map[string]any{"auth_time": at}))
			wantCode(t, err, "IDPRejectedClaim", "the login was ended at the identity provider")
			if row.changes["sub"] == nil && row.changes == nil {
				_, err = c.assume(roleEveryone, c.provider.token(t, map[string]any{"auth_time": at, "sid": nil}))
				wantCode(t, err, "IDPRejectedClaim", "the login was ended at the identity provider")
			}
			// A new login works at once.
			keys, err := c.assume(roleEveryone, c.provider.token(t, map[string]any{"auth_time": time.Now().Add(2 * time.Second).Unix(), "sid": "idp-session-8"}))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.get(keys); err != nil {
				t.Errorf("after a new login: %v", err)
			}
		})
	}
}

// What is no logout token for us changes nothing, and has one event.
func TestBackchannelLogoutRefused(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	stranger := newProvider(t)
	c.put("lake", "public/a.txt", "hello")
	form := func(token string) string { return url.Values{"logout_token": {token}}.Encode() }
	good := c.provider.logout(t, nil)
	before := c.file("session-keys.revoked")
	for name, row := range map[string]struct {
		kind, body string
		words      string
	}{
		"an ID token":      {formType, form(c.provider.token(t, nil)), "claim events"},
		"a nonce":          {formType, form(c.provider.logout(t, map[string]any{"nonce": "n"})), "nonce"},
		"another client's": {formType, form(c.provider.logout(t, map[string]any{"aud": "other"})), "for client"},
		"another issuer's": {formType, form(stranger.logout(t, nil)), "not one that this sidecar accepts"},
		"forged":           {formType, form(sign(t, stranger.key, "k1", map[string]any{"iss": c.provider.URL, "aud": "gimme", "sub": "alice-1", "iat": time.Now().Unix(), "jti": "j", "events": map[string]any{logoutEvent: map[string]any{}}})), "signature"},
		"old":              {formType, form(c.provider.logout(t, map[string]any{"iat": time.Now().Add(-6 * time.Minute).Unix()})), "longer ago than"},
		"of the future":    {formType, form(c.provider.logout(t, map[string]any{"iat": time.Now().Add(2 * time.Minute).Unix()})), "future"},
		"expired":          {formType, form(c.provider.logout(t, map[string]any{"exp": time.Now().Add(-time.Second).Unix()})), "expired"},
		"no jti":           {formType, form(c.provider.logout(t, map[string]any{"jti": nil})), "jti"},
		"nobody":           {formType, form(c.provider.logout(t, map[string]any{"sub": nil, "sid": nil})), "neither whose"},
		"no events":        {formType, form(c.provider.logout(t, map[string]any{"events": nil})), "events"},
		"events a list":    {formType, form(c.provider.logout(t, map[string]any{"events": []string{logoutEvent}})), "events"},
		"another event":    {formType, form(c.provider.logout(t, map[string]any{"events": map[string]any{"http://other": map[string]any{}}})), "no object"},
		"event not object": {formType, form(c.provider.logout(t, map[string]any{"events": map[string]any{logoutEvent: true}})), "no object"},
		"not a token":      {formType, form("a.b.c"), "not accepted"},
		"no token":         {formType, "x=y", "exactly one"},
		"two tokens":       {formType, form(good) + "&" + form(good), "exactly one"},
		"JSON":             {"application/json", `{"logout_token":"` + good + `"}`, "not a form"},
		"too large":        {formType, form(good) + "&pad=" + strings.Repeat("x", 16<<10), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := c.postLogout(row.kind, row.body)
			if status != 400 || !strings.HasPrefix(body, `{"error":"invalid_request","error_description":"`) || !strings.Contains(body, row.words) {
				t.Errorf("%d %s", status, body)
			}
			if e := c.wantOneRefusal("InvalidRequest", row.words); e.Kind != audit.KindAdmin {
				t.Errorf("kind %s", e.Kind)
			}
		})
	}
	response, err := http.Get(c.URL() + "/.well-known/gimme/backchannel-logout")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s", response.Status)
	}
	c.wantOneRefusal("MethodNotAllowed", "posted")
	c.wantNothingUpstream()
	if c.file("session-keys.revoked") != before {
		t.Error("a refused token has changed the orders")
	}
	if err := c.get(keys); err != nil {
		t.Errorf("a refused token has ended a session: %v", err)
	}
}

// Who is told 200 may rely on it; all others send the token again.
func TestBackchannelLogoutThatCannotBeKept(t *testing.T) {
	c := start(t, nil)
	c.login(nil)
	path := filepath.Join(c.folder, "session-keys.revoked")
	whole := c.file("session-keys.revoked")
	token := c.provider.logout(t, nil)
	removeFile(t, path)
	status, body := c.sendLogout(token)
	if status != 503 || !strings.Contains(body, "Send the logout token again") {
		t.Errorf("%d %s", status, body)
	}
	c.wantOneRefusal("ServiceUnavailable", "cannot be kept")
	c.write("session-keys.revoked", whole)
	if status, body := c.sendLogout(token); status != 200 {
		t.Errorf("again: %d %s", status, body)
	}
}
