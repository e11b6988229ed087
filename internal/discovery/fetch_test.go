package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/secret"
)

const goodDocument = `{"version": 1, "issuer": "https://idp.example", "client_id": "gimme", "scopes": ["openid", "email"], "region": "eu-west-1"}`

// answer serves one body for every path.
func answer(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestFetch(t *testing.T) {
	later := strings.Replace(goodDocument, `{`, `{"later": {"a": [1, null]}, `, 1)
	for name, body := range map[string]string{"plain": goodDocument, "with members of a later version": later} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization"))
				answer(200, "application/json; charset=utf-8", body)(w, r)
			}))
			defer s.Close()
			got, err := discovery.Fetch(t.Context(), s.Client(), s.URL)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(document(), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"GET /.well-known/gimme "}, asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFetchRefuses(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(goodDocument, old, new, 1) }
	for name, row := range map[string]struct {
		status     int
		kind, body string
		want       string
	}{
		"not found":          {404, "text/html", "<html>", "not a gimme sidecar: it answers with status 404; check the address"},
		"a plain S3 server":  {403, "application/xml", "<Error/>", "not a gimme sidecar: it answers with status 403"},
		"a web page":         {200, "text/html; charset=utf-8", "<html>", `not a gimme sidecar: it answers with "text/html" and not with JSON`},
		"no content type":    {200, "", goodDocument, "not with JSON"},
		"out of order":       {503, "text/plain", "", "status 503; try again"},
		"empty":              {200, "application/json", "", "cannot be read"},
		"null":               {200, "application/json", "null", "not a JSON object"},
		"a list":             {200, "application/json", "[]", "cannot be read"},
		"cut":                {200, "application/json", goodDocument[:50], "cannot be read"},
		"two documents":      {200, "application/json", goodDocument + goodDocument, "cannot be read"},
		"duplicate member":   {200, "application/json", with("{", `{"issuer": "https://evil.example", `), "duplicate key 'issuer'"},
		"duplicate inside":   {200, "application/json", with("{", `{"x": {"a": 1, "a": 2}, `), "duplicate key 'a'"},
		"other case":         {200, "application/json", with(`"issuer"`, `"Issuer"`), `issuer "" is not an https URL`},
		"version as text":    {200, "application/json", with("1", `"1"`), "cannot be read"},
		"version 1.5":        {200, "application/json", with("1", `1.5`), "cannot be read"},
		"scopes as text":     {200, "application/json", with(`["openid", "email"]`, `"openid"`), "cannot be read"},
		"scopes of numbers":  {200, "application/json", with(`["openid", "email"]`, `["openid", 1]`), "cannot be read"},
		"not UTF-8":          {200, "application/json", with("gimme", "gim\xffme"), "not UTF-8"},
		"redirect elsewhere": {200, "application/json", with("{", `{"redirect_host": "evil.example", `), "redirect_host"},
		"ports as texts":     {200, "application/json", with("{", `{"ports": ["18271"], `), "cannot be read"},
		"port 18271.5":       {200, "application/json", with("{", `{"ports": [18271.5], `), "cannot be read"},
		"a parameter's list": {200, "application/json", with("{", `{"parameters": {"acr_values": ["a"]}, `), "cannot be read"},
		"a protecting one":   {200, "application/json", with("{", `{"parameters": {"state": "x"}, `), "gimme's own"},
		"the same parameter": {200, "application/json", with("{", `{"parameters": {"a": "x", "a": "y"}, `), "duplicate key 'a'"},
		"version 2":          {200, "application/json", with("1", "2"), "version is 2; this program knows version 1"},
		"issuer over http":   {200, "application/json", with("https://idp", "http://idp"), "not an https URL"},
		"larger than 64 KiB": {200, "application/json", goodDocument + strings.Repeat(" ", 64<<10), "larger than 65536 bytes"},
		"endless":            {200, "application/json", strings.Repeat("[", 64<<10), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(answer(row.status, row.kind, row.body))
			defer s.Close()
			got, err := discovery.Fetch(t.Context(), s.Client(), s.URL)
			if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), s.URL) {
				t.Errorf("Fetch = %v; want %q and the address in it", err, row.want)
			}
			if e, ok := errors.AsType[*discovery.Error](err); !ok || e.Remedy == "" {
				t.Errorf("%#v has no remedy", err)
			}
			if diff := cmp.Diff(discovery.Document{}, got); diff != "" {
				t.Errorf("something was read: %s", diff)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed = true
		answer(200, "application/json", goodDocument)(w, r)
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.RedirectHandler(other.URL, status))
		_, err := discovery.Fetch(t.Context(), s.Client(), s.URL)
		if err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
			t.Errorf("status %d: %v", status, err)
		}
		_, err = discovery.FetchRoles(t.Context(), s.Client(), s.URL, secret.New("token"))
		if err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
			t.Errorf("status %d: %v", status, err)
		}
		s.Close()
	}
	if followed {
		t.Error("a redirect was followed")
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	encrypted := httptest.NewTLSServer(answer(200, "application/json", goodDocument))
	defer encrypted.Close()
	plain := httptest.NewServer(answer(200, "application/json", goodDocument))
	defer plain.Close()
	block := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))
	defer slow.Close()
	defer close(block)
	for name, row := range map[string]struct{ address, want string }{
		"nothing listens":      {closed, "cannot be reached: "},
		"unknown authority":    {encrypted.URL, "its certificate is not trusted"},
		"plain http":           {"https" + strings.TrimPrefix(plain.URL, "http"), "it speaks plain http"},
		"no answer":            {slow.URL, "no answer in time"},
		"address not accepted": {"http://s3.example", "plain http, which is for loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &http.Client{Timeout: 500 * time.Millisecond}
			_, err := discovery.Fetch(t.Context(), c, row.address)
			if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), row.address) {
				t.Errorf("Fetch = %v; want %q and the address in it", err, row.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := discovery.Fetch(ctx, plain.Client(), plain.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
}

func TestFetchRoles(t *testing.T) {
	const token = "eyJhbGciOi.J9.c2ln"
	for name, row := range map[string]struct {
		status     int
		kind, body string
		want       discovery.Roles
		fault      string
	}{
		"two":       {200, "application/json", `{"roles": [{"arn": "arn:aws:iam::111122223333:role/a", "later": 1}, {"arn": "arn:aws:iam::111122223333:role/b"}]}`, discovery.Roles{Roles: []discovery.Role{{ARN: "arn:aws:iam::111122223333:role/a"}, {ARN: "arn:aws:iam::111122223333:role/b"}}}, ""},
		"none":      {200, "application/json", `{"roles": []}`, discovery.Roles{Roles: []discovery.Role{}}, ""},
		"no list":   {200, "application/json", `{}`, discovery.Roles{}, "has no roles"},
		"null":      {200, "application/json", `{"roles": null}`, discovery.Roles{}, "has no roles"},
		"no ARN":    {200, "application/json", `{"roles": [{"arn": "x\u001b[2J"}]}`, discovery.Roles{}, `role "x\x1b[2J" is not an ARN`},
		"texts":     {200, "application/json", `{"roles": ["arn:aws:iam::1:role/a"]}`, discovery.Roles{}, "cannot be read"},
		"duplicate": {200, "application/json", `{"roles": [{"arn": "arn:a", "arn": "arn:b"}]}`, discovery.Roles{}, "duplicate"},
		"refused":   {400, "application/xml", `<Error/>`, discovery.Roles{}, "it refuses: ExpiredToken: The token is too old."},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := r.RequestURI + " " + r.Header.Get("Authorization"); got != "/.gimme/roles Bearer "+token {
					t.Errorf("request %s", got)
				}
				if row.status != 200 {
					w.Header().Set("X-Gimme-Reason", "ExpiredToken: The token is too old.")
				}
				answer(row.status, row.kind, row.body)(w, r)
			}))
			defer s.Close()
			got, err := discovery.FetchRoles(t.Context(), s.Client(), s.URL, secret.New(token))
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err == nil) != (row.fault == "") || err != nil && !strings.Contains(err.Error(), row.fault) {
				t.Errorf("FetchRoles: %v; want %q", err, row.fault)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the token is in %q", err)
			}
		})
	}
}

// FuzzDocument finds bodies that are taken although something is wrong.
func FuzzDocument(f *testing.F) {
	f.Add(goodDocument)
	f.Add(`{"version":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		c := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			answer(200, "application/json", body)(w, r)
			return w.Result(), nil
		})}
		d, err := discovery.Fetch(t.Context(), c, "https://s3.example")
		if err == nil && d.Check() != nil {
			t.Errorf("%q was taken", body)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
