package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A scripted issuer says what a test has it say, where a provider that keeps
// the standards would not. It asks nobody for a password.
type scripted struct {
	url string
	key *rsa.PrivateKey

	metadata func(map[string]any)                              // changes what it says of itself
	answer   func(w http.ResponseWriter, r *http.Request) bool // answers in its place
	idToken  func(claims map[string]any) any                   // makes the ID token; nil: one as it should be

	mu    sync.Mutex
	nonce string
	asked []string // method and path of each request
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{key: key}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	if s.answer != nil && s.answer(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		m := map[string]any{
			"issuer": s.url, "authorization_endpoint": s.url + "/authorize", "token_endpoint": s.url + "/token", "jwks_uri": s.url + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
		}
		if s.metadata != nil {
			s.metadata(m)
		}
		answerJSON(w, m)
	case "/keys":
		answerJSON(w, map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "kid": keyID, "use": "sig", "alg": "RS256",
			"n": base64.RawURLEncoding.EncodeToString(s.key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(s.key.E)).Bytes()),
		}}})
	case "/authorize":
		q := r.URL.Query()
		s.mu.Lock()
		s.nonce = q.Get("nonce")
		s.mu.Unlock()
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"the-code"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
	case "/token":
		answerJSON(w, map[string]any{"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 60, "id_token": s.token()})
	default:
		http.NotFound(w, r)
	}
}

// token is the ID token of the login that goes on.
func (s *scripted) token() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	claims := map[string]any{
		"iss": s.url, "sub": "alice", "aud": "gimme", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": s.nonce,
		"email": "alice@example.com", "email_verified": true,
	}
	return s.idToken(claims)
}

// times counts the requests to a path.
func (s *scripted) times(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, line := range s.asked {
		if strings.HasSuffix(line, " "+path) {
			n++
		}
	}
	return n
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// with is claims with one changed; nil takes it away.
func with(claims map[string]any, name string, value any) map[string]any {
	c := maps.Clone(claims)
	c[name] = value
	if value == nil {
		delete(c, name)
	}
	return c
}

// An sts answers every request with credentials, and counts them.
type sts struct {
	url string
	mu  sync.Mutex
	n   int
}

func newSTS(t *testing.T) *sts {
	t.Helper()
	s := new(sts)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		s.n++
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/xml")
		expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		_, _ = w.Write([]byte(`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>ASIAEXAMPLEEXAMPLE00</AccessKeyId><SecretAccessKey>an/example+secret/of+forty/characters00</SecretAccessKey>
<SessionToken>an-example-session-token</SessionToken><Expiration>` + expires + `</Expiration></Credentials>
<AssumedRoleUser><Arn>` + strings.Replace(engineerRole, ":role/", ":assumed-role/", 1) + `/alice</Arn><AssumedRoleId>AROA:alice</AssumedRoleId></AssumedRoleUser>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`))
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sts) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// directArgs are the arguments of a login without a sidecar.
func directArgs(s *scripted, at *sts) []string {
	return []string{"s3", "--no-browser", "--timeout", "20s", "--profile", "data", "--issuer", s.url, "--client-id", "gimme",
		"--role-arn", engineerRole, "--sts-endpoint", at.url}
}
