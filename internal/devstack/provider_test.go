package devstack_test

import (
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/gimme-broker/gimme/internal/devstack"
	"github.com/gimme-broker/gimme/internal/secret"
)

func testPeople() []devstack.Person {
	return []devstack.Person{
		{Subject: "u-1", Email: "ann@example.com", Name: "Ann <b>Bold</b> & Co", Groups: []string{"one", "two"}, Password: secret.New("pass-ann")},
		{Subject: "u-2", Email: "ben@example.com", Name: "Ben", Password: secret.New("pass-ben")},
	}
}

// A flow is one login at a provider, with a callback of its own.
type flow struct {
	t        *testing.T
	provider *devstack.Provider
	config   oauth2.Config
	verifier string
	browser  *http.Client
	callback chan url.Values
}

func newFlow(t *testing.T) *flow {
	t.Helper()
	p, err := devstack.StartProvider(testPeople()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &flow{t: t, provider: p, verifier: oauth2.GenerateVerifier(), callback: make(chan url.Values, 10)}
	loopback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f.callback <- r.URL.Query()
	}))
	t.Cleanup(loopback.Close)
	f.config = oauth2.Config{
		ClientID: devstack.ClientID, RedirectURL: loopback.URL + "/callback",
		Endpoint: oauth2.Endpoint{AuthURL: p.Issuer() + "/authorize", TokenURL: p.Issuer() + "/oauth/token", AuthStyle: oauth2.AuthStyleInParams},
		Scopes:   []string{"openid", "email", "profile", "groups"},
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	f.browser = &http.Client{Jar: jar, Timeout: 10 * time.Second}
	return f
}

func (f *flow) authURL(more ...oauth2.AuthCodeOption) string {
	return f.config.AuthCodeURL("the-state", append([]oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(f.verifier), oauth2.SetAuthURLParam("nonce", "the-nonce"),
	}, more...)...)
}

type answer struct {
	*http.Response
	text string
}

func (f *flow) read(resp *http.Response, err error) answer {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		f.t.Fatal(err)
	}
	return answer{resp, string(body)}
}

var hidden = regexp.MustCompile(`name="(id|csrf)" value="([^"]*)"`)

// open fetches the login page and returns its hidden fields.
func (f *flow) open(address string) (answer, url.Values) {
	f.t.Helper()
	a, fields := f.read(f.browser.Get(address)), url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(a.text, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	return a, fields
}

func (f *flow) submit(fields url.Values, username, password string) answer {
	f.t.Helper()
	fields.Set("username", username)
	fields.Set("password", password)
	return f.read(f.browser.PostForm(f.provider.Issuer()+"/login", fields))
}

// sent is what the callback was sent.
func (f *flow) sent() url.Values {
	f.t.Helper()
	select {
	case got := <-f.callback:
		return got
	case <-time.After(5 * time.Second):
		f.t.Fatal("the callback was sent nothing")
		return nil
	}
}

// noCallback asserts that the client was sent nothing.
func (f *flow) noCallback() {
	f.t.Helper()
	select {
	case got := <-f.callback:
		f.t.Errorf("the callback was sent %v", got)
	default:
	}
}

func (f *flow) code() string {
	f.t.Helper()
	_, fields := f.open(f.authURL())
	if a := f.submit(fields, "Ann@example.com ", "pass-ann"); a.StatusCode != http.StatusOK {
		f.t.Fatalf("logging in ended with %s: %s", a.Status, a.text)
	}
	got := f.sent()
	if got.Get("state") != "the-state" || got.Get("code") == "" {
		f.t.Fatalf("the callback was sent %v", got)
	}
	return got.Get("code")
}

func (f *flow) exchange(code, verifier string) (*oauth2.Token, error) {
	return f.config.Exchange(f.t.Context(), code, oauth2.VerifierOption(verifier))
}

func refused(t *testing.T, err error, code string) {
	t.Helper()
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || r.ErrorCode != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestProviderGivesAnIDToken(t *testing.T) {
	f := newFlow(t)
	provider, err := oidc.NewProvider(t.Context(), f.provider.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	token, err := f.exchange(f.code(), f.verifier)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := provider.Verifier(&oidc.Config{ClientID: "gimme", SupportedSigningAlgs: []string{"RS256"}}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := verified.VerifyAccessToken(token.AccessToken); err != nil {
		t.Error(err)
	}
	var got struct {
		Subject  string   `json:"sub"`
		Email    string   `json:"email"`
		Verified bool     `json:"email_verified"`
		Name     string   `json:"name"`
		Groups   []string `json:"groups"`
		Nonce    string   `json:"nonce"`
		AuthTime int64    `json:"auth_time"`
		AMR      []string `json:"amr"`
	}
	if err := verified.Claims(&got); err != nil {
		t.Fatal(err)
	}
	if at := time.Unix(got.AuthTime, 0); time.Since(at) > time.Minute {
		t.Errorf("auth_time is %v", at)
	}
	got.AuthTime = 0
	want := got
	want.Subject, want.Email, want.Verified, want.Name = "u-1", "ann@example.com", true, "Ann <b>Bold</b> & Co"
	want.Groups, want.Nonce, want.AMR = []string{"one", "two"}, "the-nonce", []string{"pwd"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if life := time.Until(verified.Expiry); life <= 0 || life > 10*time.Minute {
		t.Errorf("the ID token lives %v", life)
	}
}

func TestProviderTakesACodeOnce(t *testing.T) {
	f := newFlow(t)
	code := f.code()
	if _, err := f.exchange(code, f.verifier); err != nil {
		t.Fatal(err)
	}
	_, err := f.exchange(code, f.verifier)
	refused(t, err, "invalid_grant")
}

func TestProviderWantsTheVerifier(t *testing.T) {
	f := newFlow(t)
	code := f.code()
	_, err := f.exchange(code, oauth2.GenerateVerifier())
	refused(t, err, "invalid_grant")
	_, err = f.exchange(code, f.verifier)
	refused(t, err, "invalid_grant") // a failed try uses the code up
}

func TestProviderRefusesARequest(t *testing.T) {
	f := newFlow(t)
	parameter := oauth2.SetAuthURLParam
	loopback := f.config.RedirectURL
	for name, c := range map[string]struct {
		option oauth2.AuthCodeOption
		code   string // to the callback; "" when nothing may be sent there
	}{
		"unknown client":             {parameter("client_id", "other"), ""},
		"redirect elsewhere":         {parameter("redirect_uri", "https://evil.example/callback"), ""},
		"redirect to another path":   {parameter("redirect_uri", strings.Replace(loopback, "/callback", "/other", 1)), ""},
		"redirect to a name":         {parameter("redirect_uri", strings.Replace(loopback, "127.0.0.1", "localhost", 1)), ""},
		"redirect with a user":       {parameter("redirect_uri", strings.Replace(loopback, "127.0.0.1", "evil.example@127.0.0.1", 1)), ""},
		"redirect with a query":      {parameter("redirect_uri", loopback+"?a=b"), ""},
		"redirect to a private net":  {parameter("redirect_uri", "http://10.0.0.1:80/callback"), ""},
		"no challenge":               {parameter("code_challenge", ""), "invalid_request"},
		"plain challenge":            {parameter("code_challenge_method", "plain"), "invalid_request"},
		"token in the front channel": {parameter("response_type", "id_token"), "unauthorized_client"},
		"fragment":                   {parameter("response_mode", "fragment"), "invalid_request"},
		"without openid":             {parameter("scope", "email"), "invalid_scope"},
		"no page allowed":            {parameter("prompt", "none"), "login_required"},
	} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			a, fields := f.open(f.authURL(c.option))
			if len(fields) != 0 {
				t.Error("the login page was shown")
			}
			if c.code == "" {
				if a.StatusCode != http.StatusBadRequest || a.Request.URL.Host != strings.TrimPrefix(f.provider.Issuer(), "http://") {
					t.Errorf("got %s from %s", a.Status, a.Request.URL)
				}
				f.noCallback()
				return
			}
			// Errors of a request for a fragment answer go into the fragment.
			got := a.Request.URL.Query()
			if more, err := url.ParseQuery(a.Request.URL.Fragment); err == nil && len(more) > 0 {
				got = more
			}
			if sent := f.sent(); got.Get("error") != c.code || sent.Get("code") != "" || got.Get("state") != "the-state" {
				t.Errorf("the callback got %v", got)
			}
		})
	}
}

func TestProviderAnswersUnderItsOwnNameOnly(t *testing.T) {
	f := newFlow(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.provider.Issuer()+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example"
	if a := f.read(f.browser.Do(r)); a.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("got %s", a.Status)
	}
}
