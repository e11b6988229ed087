package idtoken_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"crypto/x509"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

func TestDiscover(t *testing.T) {
	for name, path := range map[string]string{"plain": "", "with a slash": "/", "with a path": "/realms/x"} {
		t.Run(name, func(t *testing.T) {
			var s *httptest.Server
			s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want := strings.TrimSuffix(path, "/") + "/.well-known/openid-configuration"; r.RequestURI != want {
					t.Errorf("asked for %s", r.RequestURI)
				}
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				fmt.Fprintf(w, `{"issuer": "%[1]s%[2]s", "jwks_uri": "%[1]s/k", "authorization_endpoint": "%[1]s/a", "token_endpoint": "%[1]s/t",
					"end_session_endpoint": "%[1]s/e", "revocation_endpoint": "%[1]s/r", "device_authorization_endpoint": "%[1]s/d",
					"authorization_response_iss_parameter_supported": true, "other": {"x": [null]}}`, s.URL, path)
			}))
			defer s.Close()
			p, err := idtoken.Discover(t.Context(), idtoken.NewClient(nil), s.URL+path)
			if err != nil {
				t.Fatal(err)
			}
			want := idtoken.Metadata{
				Issuer: s.URL + path, JWKSURI: s.URL + "/k", AuthorizationEndpoint: s.URL + "/a", TokenEndpoint: s.URL + "/t",
				EndSessionEndpoint: s.URL + "/e", RevocationEndpoint: s.URL + "/r", DeviceAuthorizationEndpoint: s.URL + "/d", IssParameterSupported: true,
			}
			if diff := cmp.Diff(want, p.Metadata()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatAProviderSupports(t *testing.T) {
	for name, row := range map[string]struct{ scopes, grants, wantScopes, wantGrants any }{
		"both":      {[]string{"openid", "email"}, []string{"refresh_token"}, []string{"openid", "email"}, []string{"refresh_token"}},
		"neither":   {nil, nil, []string(nil), []string(nil)},
		"malformed": {"openid", []any{"a", 1}, []string(nil), []string(nil)},
	} {
		fake := newProvider()
		fake.metadata = with(with(fake.metadata, "scopes_supported", row.scopes), "grant_types_supported", row.grants)
		m := fake.discover(t).Metadata()
		if diff := cmp.Diff([]any{row.wantScopes, row.wantGrants}, []any{m.ScopesSupported, m.GrantTypesSupported}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMetadataIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		change object
		code   idtoken.Code
	}{
		"another issuer":               {object{"issuer": "https://evil.example"}, idtoken.Issuer},
		"issuer with a slash":          {object{"issuer": issuerURL + "/"}, idtoken.Issuer},
		"issuer of any tenant":         {object{"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}, idtoken.Issuer},
		"issuer missing":               {object{"issuer": nil}, idtoken.Issuer},
		"issuer a list":                {object{"issuer": []string{issuerURL}}, idtoken.Issuer},
		"no keys":                      {object{"jwks_uri": nil}, idtoken.Communication},
		"keys in plain http":           {object{"jwks_uri": "http://idp.example/keys"}, idtoken.Communication},
		"keys on loopback":             {object{"jwks_uri": "http://127.0.0.1/keys"}, idtoken.Communication},
		"keys relative":                {object{"jwks_uri": "/keys"}, idtoken.Communication},
		"keys in a file":               {object{"jwks_uri": "file:///etc/passwd"}, idtoken.Communication},
		"keys with a password":         {object{"jwks_uri": "https://a:b@idp.example/keys"}, idtoken.Communication},
		"keys a list":                  {object{"jwks_uri": []string{"https://idp.example/keys"}}, idtoken.Communication},
		"login in plain http":          {object{"authorization_endpoint": "http://idp.example/auth"}, idtoken.Communication},
		"login a script":               {object{"authorization_endpoint": "javascript:alert(1)"}, idtoken.Communication},
		"token in plain http":          {object{"token_endpoint": "http://idp.example/token"}, idtoken.Communication},
		"device login in plain http":   {object{"device_authorization_endpoint": "http://idp.example/device"}, idtoken.Communication},
		"revocation in plain http":     {object{"revocation_endpoint": "http://idp.example/revoke"}, idtoken.Communication},
		"end of session a number":      {object{"end_session_endpoint": 1}, idtoken.Communication},
		"nested too deeply":            {object{"x": []any{[]any{[]any{[]any{[]any{[]any{[]any{[]any{}}}}}}}}}, idtoken.Communication},
		"token with control character": {object{"token_endpoint": "https://idp.example/\x1b[2J"}, idtoken.Communication},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newProvider()
			for k, v := range row.change {
				fake.metadata = with(fake.metadata, k, v)
			}
			p, err := idtoken.Discover(t.Context(), &http.Client{Transport: fake}, issuerURL)
			if p != nil {
				t.Error("a provider came of it")
			}
			refused(t, nil, err, row.code, "")
		})
	}
}

func TestIssuerIsRefused(t *testing.T) {
	asked := 0
	c := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		asked++
		return nil, errors.New("asked")
	})}
	for _, issuer := range []string{
		"", "idp.example", "http://idp.example", "http://10.0.0.1", "http://localhost.evil.example", "ftp://idp.example", "https://", "https://a:b@idp.example",
		"https://idp.example?x", "https://idp.example?", "https://idp.example#", "https://idp.example#x", "file:///x", "https:idp.example",
	} {
		p, err := idtoken.Discover(t.Context(), c, issuer)
		if p != nil || asked != 0 {
			t.Errorf("issuer %q was asked", issuer)
		}
		refused(t, nil, err, idtoken.Communication, "")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestMetadataCannotBeRead(t *testing.T) {
	followed := false
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer evil.Close()
	for name, row := range map[string]struct {
		status     int
		kind, body string
		want       string
	}{
		"not found":  {404, "text/html", "", "status 404"},
		"redirect":   {302, "", "", "redirects are not followed"},
		"web page":   {200, "text/html", "<html>", `"text/html" and not with JSON`},
		"no type":    {200, "", "{}", "not with JSON"},
		"no JSON":    {200, "application/json", "<html>", "malformed"},
		"duplicates": {200, "application/json", `{"issuer": "a", "issuer": "b"}`, "malformed"},
		"not UTF-8":  {200, "application/json", "{\"issuer\": \"\xff\"}", "malformed"},
		"2 MiB":      {200, "application/json", `{"x":"` + strings.Repeat("x", 2<<20) + `"}`, "larger than 1048576 bytes"},
	} {
		for kind, c := range map[string]*http.Client{"ours": idtoken.NewClient(nil), "another": {}} {
			t.Run(name+", client "+kind, func(t *testing.T) {
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = []string{row.kind}
					w.Header().Set("Location", evil.URL)
					w.WriteHeader(row.status)
					fmt.Fprint(w, row.body)
				}))
				defer s.Close()
				p, err := idtoken.Discover(t.Context(), c, s.URL)
				if p != nil {
					t.Error("a provider came of it")
				}
				refused(t, nil, err, idtoken.Communication, "")
				if text := err.Error(); !strings.Contains(text, row.want) || !strings.Contains(text, s.URL) {
					t.Errorf("error %q; want %q and the issuer in it", text, row.want)
				}
			})
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
}

func TestClient(t *testing.T) {
	const mib = 1 << 20
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/exact", http.StatusFound)
		case "/exact":
			w.Write(make([]byte, mib))
		case "/more":
			w.Write(make([]byte, mib+1))
		}
	}))
	defer s.Close()
	if _, err := idtoken.NewClient(nil).Get(s.URL + "/exact"); err == nil {
		t.Error("a certificate of nobody was trusted")
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := idtoken.NewClient(roots)
	defer c.CloseIdleConnections()
	read := func(path string) (int, []byte, error) {
		answer, err := c.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return answer.StatusCode, body, err
	}
	if status, _, err := read("/redirect"); status != http.StatusFound || err != nil {
		t.Errorf("redirect: status %d, %v", status, err)
	}
	if _, body, err := read("/exact"); len(body) != mib || err != nil {
		t.Errorf("1 MiB: %d bytes, %v", len(body), err)
	}
	if _, body, err := read("/more"); len(body) > mib || err == nil {
		t.Errorf("more than 1 MiB: %d bytes, %v", len(body), err)
	}
}
