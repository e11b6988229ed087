package login_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
	"github.com/gimme-broker/gimme/internal/secret"
)

func TestRefresh(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	i.Refresh, i.Secret = true, "shared"
	o := options(t, i, b.Open)
	o.Scopes, o.ClientSecret = []string{"offline_access"}, secret.New("shared")
	who, err := login.Run(t.Context(), o)
	if err != nil || who.RefreshToken.Empty() || who.Flow != login.Browser {
		t.Fatalf("%+v, %v", who, err)
	}
	first := who.RefreshToken
	for range 2 { // each time with the newest
		next, err := login.Refresh(t.Context(), o, who.RefreshToken, "alice-1")
		if err != nil {
			t.Fatal(err)
		}
		if next.RefreshToken.Equal(who.RefreshToken) || !i.Alive(next.RefreshToken.Reveal()) || next.Token.Subject != "alice-1" || next.IDToken.Equal(who.IDToken) || next.Flow != "" {
			t.Errorf("%+v", next)
		}
		who = next
	}
	_, err = login.Refresh(t.Context(), o, first, "alice-1")
	if e, ok := errors.AsType[*login.Refusal](err); !ok || e.Code != "invalid_grant" {
		t.Errorf("a spent token: %v", err)
	}
	if i.Alive(who.RefreshToken.Reveal()) {
		t.Error("the provider did not notice")
	}
	want := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Reveal()}, "client_id": {"gimme"}, "client_secret": {"shared"}}
	if diff := cmp.Diff(want, i.Forms()[1]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRefreshesThatDoNotWork(t *testing.T) {
	for name, test := range map[string]struct {
		set     func(*logintest.Issuer)
		subject string
		want    func(error) bool
		keep    string // "old", "new" or "" of the refresh token in the result
		asked   int
	}{
		"no ID token":              {func(i *logintest.Issuer) { i.NoIDToken = true }, "alice-1", is(login.ErrNoIDToken), "new", 1},
		"no ID token, no rotation": {func(i *logintest.Issuer) { i.NoIDToken, i.NoRotation = true, true }, "alice-1", is(login.ErrNoIDToken), "old", 1},
		"another subject":          {func(*logintest.Issuer) {}, "bob-1", says("of another person"), "", 1},
		"no subject":               {func(*logintest.Issuer) {}, "", says("not known whose"), "", 0},
		"another audience":         {func(i *logintest.Issuer) { i.Claims = func(m map[string]any) { m["aud"] = "x" } }, "alice-1", fails(idtoken.Audience), "new", 1},
		"another issuer":           {func(i *logintest.Issuer) { i.Claims = func(m map[string]any) { m["iss"] = "https://x.test" } }, "alice-1", fails(idtoken.Issuer), "new", 1},
		"forged":                   {func(i *logintest.Issuer) { i.Forged = true }, "alice-1", fails(idtoken.Signature), "new", 1},
		"error":                    {func(i *logintest.Issuer) { i.Next(logintest.Refuse("invalid_grant")) }, "alice-1", refuses("invalid_grant"), "", 1},
		"overloaded":               {func(i *logintest.Issuer) { i.Next(logintest.Status(503)) }, "alice-1", says("status 503"), "", 1},
		"overloaded, in JSON": {func(i *logintest.Issuer) {
			i.Next(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(503)
				w.Write([]byte(`{"error":"invalid_grant"}`))
			})
		}, "alice-1", says("status 503"), "", 1},
		"cut": {func(i *logintest.Issuer) { i.Next(logintest.Cut) }, "alice-1", says("ask \"http"), "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			i := logintest.NewIssuer(t)
			i.Refresh = true
			test.set(i)
			old := i.NewRefreshToken()
			result, err := login.Refresh(t.Context(), options(t, i, nil), secret.New(old), test.subject)
			if err == nil || !test.want(err) || strings.Contains(err.Error(), old) {
				t.Fatalf("error %v", err)
			}
			if i.Redeemed() != test.asked {
				t.Errorf("%d requests", i.Redeemed())
			}
			if (result == nil) != (test.keep == "") {
				t.Fatalf("result %v", result)
			}
			if result == nil {
				return
			}
			if !result.IDToken.Empty() || result.Token != nil || !i.Alive(result.RefreshToken.Reveal()) || (result.RefreshToken.Reveal() == old) != (test.keep == "old") {
				t.Errorf("%+v", result)
			}
		})
	}
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
func says(want string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), want) }
}

func fails(code idtoken.Code) func(error) bool {
	return func(err error) bool { e, ok := errors.AsType[*idtoken.Error](err); return ok && e.Code == code }
}

func refuses(code string) func(error) bool {
	return func(err error) bool { e, ok := errors.AsType[*login.Refusal](err); return ok && e.Code == code }
}

func TestRefreshComparesNoNonce(t *testing.T) {
	i := logintest.NewIssuer(t)
	i.Refresh, i.NoRotation = true, true
	i.Claims = func(m map[string]any) { m["nonce"] = "of the login"; m["auth_time"] = 1 }
	o := options(t, i, nil)
	o.Fresh = true // says nothing here
	old := i.NewRefreshToken()
	result, err := login.Refresh(t.Context(), o, secret.New(old), "alice-1")
	if err != nil || result.RefreshToken.Reveal() != old || result.Token.AuthTime.Unix() != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestRefreshIsInterrupted(t *testing.T) {
	i := logintest.NewIssuer(t)
	ctx, cancel := context.WithCancel(t.Context())
	i.Token = func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }
	if _, err := login.Refresh(ctx, options(t, i, nil), secret.New("x"), "alice-1"); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}

func TestRevoke(t *testing.T) {
	i := logintest.NewIssuer(t)
	i.Refresh = true
	o := options(t, i, nil)
	token := i.NewRefreshToken()
	if err := login.Revoke(t.Context(), o, secret.New(token)); err != nil || i.Alive(token) || i.Count("revoke") != 1 {
		t.Errorf("%v, alive %v", err, i.Alive(token))
	}
	if err := login.Revoke(t.Context(), o, secret.New("of nobody")); err != nil {
		t.Errorf("a token that is not known: %v", err)
	}
	i.Secret = "x"
	token = i.NewRefreshToken()
	if err := login.Revoke(t.Context(), o, secret.New(token)); !refuses("invalid_client")(err) || !i.Alive(token) || strings.Contains(err.Error(), token) {
		t.Errorf("without the secret: %v", err)
	}
	i.Refresh = false // offers no revocation
	asked := i.Count("revoke")
	if err := login.Revoke(t.Context(), options(t, i, nil), secret.New(token)); !errors.Is(err, login.ErrNotOffered) || i.Count("revoke") != asked {
		t.Errorf("not offered: %v", err)
	}
}

func TestEndSessionURL(t *testing.T) {
	for endpoint, want := range map[string]string{
		"/end":          "/end?client_id=gimme&id_token_hint=a.b.c",
		"/end?tenant=x": "/end?client_id=gimme&id_token_hint=a.b.c&tenant=x",
		"/$(x)`y`":      "",
		"":              "",
	} {
		i := logintest.NewIssuer(t)
		i.Metadata = func(m map[string]any) {
			if m["end_session_endpoint"] = i.URL + endpoint; endpoint == "" {
				delete(m, "end_session_endpoint")
			}
		}
		got, ok := login.EndSessionURL(options(t, i, nil).Provider, "gimme", secret.New("a.b.c"))
		if ok != (want != "") || ok && got != i.URL+want {
			t.Errorf("%q: %q, %v", endpoint, got, ok)
		}
	}
	i := logintest.NewIssuer(t)
	if got, ok := login.EndSessionURL(options(t, i, nil).Provider, "gimme", secret.Text{}); !ok || got != i.URL+"/end?client_id=gimme" {
		t.Errorf("%q, %v", got, ok)
	}
}
