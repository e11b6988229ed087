package broker_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

// loggedIn is a world in which the login is an old one: nothing but the
// refresh token renews it.
func loggedIn(t *testing.T) (*world, broker.Request) {
	t.Helper()
	w := newWorld(t)
	r := w.request()
	if _, err := w.broker().Credentials(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	w.forgetIDToken(t)
	if err := w.store.DropCredentials(r.Key()); err != nil {
		t.Fatal(err)
	}
	return w, r
}

func (w *world) refreshToken(t *testing.T) string {
	t.Helper()
	token, err := w.store.RefreshToken(t.Context(), w.loginKey())
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

// Every refresh changes the token, and the next one uses the new one.
func TestRotation(t *testing.T) {
	w, r := loggedIn(t)
	for n := range 3 {
		before := w.refreshToken(t)
		if _, err := w.silent().Credentials(t.Context(), r); err != nil {
			t.Fatalf("refresh %d: %v", n, err)
		}
		after := w.refreshToken(t)
		if after == before || !w.issuer.Alive(after) {
			t.Errorf("refresh %d: the token at hand is not the new one", n)
		}
		w.forgetIDToken(t)
		if err := w.store.DropCredentials(r.Key()); err != nil {
			t.Fatal(err)
		}
	}
	w.want(t, 1, 4, 4)
}

// A token that another machine had changed meanwhile is read once more; one
// that is spent is dropped, and somebody has to log in.
func TestInvalidGrant(t *testing.T) {
	w, r := loggedIn(t)
	good := w.refreshToken(t)
	put := func(token string) {
		if _, err := w.store.PutRefreshToken(t.Context(), w.loginKey(), secret.New(token)); err != nil {
			t.Fatal(err)
		}
	}
	put("spent")
	w.issuer.Next(func(rw http.ResponseWriter, r *http.Request) {
		put(good) // as another process would
		logintest.Refuse("invalid_grant")(rw, r)
	})
	if _, err := w.silent().Credentials(t.Context(), r); err != nil {
		t.Errorf("with a newer token: %v", err)
	}
	w.want(t, 1, 3, 2)

	w, r = loggedIn(t)
	w.issuer.Next(logintest.Refuse("invalid_grant"))
	_, err := w.silent().Credentials(t.Context(), r)
	if kindOf(t, err) != broker.LoginNeeded || w.refreshToken(t) != "" {
		t.Errorf("spent: %v, and token %q is at hand", err, w.refreshToken(t))
	}
	w.want(t, 1, 2, 1)
	if _, err := w.broker().Credentials(t.Context(), r); err != nil {
		t.Errorf("then logs in: %v", err)
	}
	w.want(t, 2, 3, 2)
}

// What can pass is no reason for a browser, and costs no token.
func TestRefreshThatCannotBeHadNow(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"503": logintest.Status(503), "cut": logintest.Cut, "later": logintest.Refuse("temporarily_unavailable"),
	} {
		t.Run(name, func(t *testing.T) {
			w, r := loggedIn(t)
			token := w.refreshToken(t)
			w.issuer.Next(answer)
			_, err := w.broker().Credentials(t.Context(), r)
			if kindOf(t, err) != broker.Failed || w.refreshToken(t) != token {
				t.Errorf("%v", err)
			}
			w.noSecrets(t, err.Error())
			w.want(t, 1, 2, 1)
		})
	}
}

// A refresh without an ID token, or one of somebody else, leads to a login.
func TestRefreshOfNoUse(t *testing.T) {
	w, r := loggedIn(t)
	w.issuer.NoIDToken = true
	if _, err := w.silent().Credentials(t.Context(), r); kindOf(t, err) != broker.LoginNeeded {
		t.Errorf("no ID token: %v", err)
	}
	w, r = loggedIn(t)
	w.issuer.Claims = func(c map[string]any) { c["sub"] = "mallory" }
	c, err := w.silent().Credentials(t.Context(), r)
	if err == nil {
		t.Errorf("an ID token of somebody else gave %+v", c)
	}
	w.want(t, 1, 2, 1)
}

func TestRememberNothing(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	r.Remember = false
	if _, err := w.broker().Credentials(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if w.refreshToken(t) != "" {
		t.Error("a refresh token is at hand")
	}
	if scope := w.issuer.Asked()[0].Get("scope"); slices.Contains(strings.Fields(scope), "offline_access") {
		t.Errorf("scope %q", scope)
	}
}

// A wholly new login passes over everything at hand.
func TestFresh(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	if _, err := w.broker().Credentials(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	b := w.broker()
	b.Ask.Fresh = true
	if _, err := b.Credentials(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	w.want(t, 2, 2, 2)
	if asked := w.issuer.Asked()[1]; !slices.Contains(strings.Fields(asked.Get("prompt")), "login") {
		t.Errorf("asked %v", asked)
	}
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	r.LoginHint = "alice"
	key := store.Key(w.issuer.URL, logintest.ClientID, "alice")
	w.issuer.Metadata = func(m map[string]any) {
		m["scopes_supported"] = []string{"openid", "offline_access"}
		m["revocation_endpoint"], m["end_session_endpoint"] = w.issuer.URL+"/revoke", w.issuer.URL+"/end"
	}
	if _, err := w.broker().Credentials(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	token, err := w.store.RefreshToken(t.Context(), key)
	if err != nil || !w.issuer.Alive(token.Reveal()) {
		t.Fatal("there is no refresh token")
	}
	f, err := w.silent().Logout(t.Context(), r)
	if err != nil || f.Login == nil || !f.Credentials || !f.Token || !f.Revoked || f.Why != nil || !strings.HasPrefix(f.EndSession, w.issuer.URL+"/end") {
		t.Errorf("%+v, %v", f, err)
	}
	if w.issuer.Alive(token.Reveal()) {
		t.Error("the refresh token is alive")
	}
	l, c, err := w.silent().Known(r)
	left, _ := w.store.RefreshToken(t.Context(), key)
	if l != nil || c != nil || err != nil || !left.Empty() {
		t.Errorf("left are %v, %v, %v", l, c, err)
	}
	if f, err := w.silent().Logout(t.Context(), r); err != nil || f.Login != nil || f.Token {
		t.Errorf("again: %+v, %v", f, err)
	}
}

// What is at hand goes also when nobody can be reached, and it is said.
func TestLogoutOffline(t *testing.T) {
	w, r := loggedIn(t)
	b := w.silent()
	b.HTTP = &http.Client{Transport: new(counter)}
	f, err := b.Logout(t.Context(), r)
	if err != nil || !f.Token || f.Revoked || f.Why == nil || w.refreshToken(t) != "" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestRoles(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	r.Role = ""
	if _, err := w.broker().Credentials(t.Context(), r); kindOf(t, err) != broker.Wrong || !strings.Contains(err.Error(), writer) {
		t.Errorf("several: %v", err)
	}
	r.Role = "lake-writer"
	if c, err := w.silent().Credentials(t.Context(), r); err != nil || c.Role != writer {
		t.Errorf("by its last part: %v, %v", c, err)
	}
	r.Role = "lake"
	if _, err := w.silent().Credentials(t.Context(), r); kindOf(t, err) != broker.Wrong {
		t.Errorf("another: %v", err)
	}
	w.want(t, 1, 1, 1)
	w.sidecar.roles = nil
	if _, err := w.silent().Credentials(t.Context(), r); kindOf(t, err) != broker.Failed || !strings.Contains(err.Error(), "has no role for alice@example.com") {
		t.Errorf("none: %v", err)
	}
	w.sidecar.roles = []string{writer}
	r.Role = ""
	if c, err := w.silent().Credentials(t.Context(), r); err != nil || c.Role != writer || time.Until(c.Expires) < 50*time.Minute {
		t.Errorf("the only one: %v, %v", c, err)
	}
}

// A provider that revokes nothing, or does not want to, is not said to have.
func TestLogoutWithoutRevocation(t *testing.T) {
	w, r := loggedIn(t)
	token := w.refreshToken(t)
	w.issuer.Metadata = func(m map[string]any) { delete(m, "revocation_endpoint") }
	f, err := w.silent().Logout(t.Context(), r)
	if err != nil || !f.Token || f.Revoked || !errors.Is(f.Why, login.ErrNotOffered) || !w.issuer.Alive(token) || w.refreshToken(t) != "" {
		t.Errorf("%+v, %v", f, err)
	}
}
