// Package logintest has an identity provider and a browser for tests. The
// provider is small and strict: it refuses whatever the standards let it refuse,
// and hands out every code once. It asks nobody for a password.
package logintest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ClientID is the one client that the provider knows.
const ClientID = "gimme"

// An Issuer is the provider. Its fields are set before it is used; zero values
// make it behave.
type Issuer struct {
	URL string

	// Claims changes what the ID token says.
	Claims func(map[string]any)
	// Metadata changes the discovery document.
	Metadata func(map[string]any)
	// Redirect changes the parameters with which the browser is sent back.
	Redirect func(url.Values)
	// Forged signs ID tokens with a key that is not published.
	Forged bool
	// Token answers at the token endpoint, in the provider's place.
	Token http.HandlerFunc

	server  *httptest.Server
	key     *ecdsa.PrivateKey
	mu      sync.Mutex
	codes   map[string]url.Values // the request that each unused code is for
	secrets []string
	redeems int
}

// NewIssuer starts a provider on loopback, which ends with the test.
func NewIssuer(t testing.TB) *Issuer {
	i := &Issuer{key: newKey(t), codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.metadata)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /keys", i.keys)
	i.server = httptest.NewServer(mux)
	i.URL = i.server.URL
	t.Cleanup(i.server.Close)
	return i
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Secrets are all codes, verifiers and tokens that came up so far: none of them
// may be seen anywhere.
func (i *Issuer) Secrets() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.secrets)
}

// Redeemed says how often the token endpoint was asked.
func (i *Issuer) Redeemed() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.redeems
}

func (i *Issuer) metadata(w http.ResponseWriter, _ *http.Request) {
	m := map[string]any{
		"issuer":                                i.URL,
		"authorization_endpoint":                i.URL + "/authorize",
		"token_endpoint":                        i.URL + "/token",
		"jwks_uri":                              i.URL + "/keys",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"authorization_response_iss_parameter_supported": true,
	}
	if i.Metadata != nil {
		i.Metadata(m)
	}
	sendJSON(w, http.StatusOK, m)
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	sendJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
}

var (
	redirectURI = regexp.MustCompile(`^http://127\.0\.0\.1:[0-9]+/callback$`)
	challenge   = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	verifier    = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
)

// authorize sends the browser back with a code, as if somebody had logged in.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, ok := range map[string]bool{
		"response_type":         q.Get("response_type") == "code",
		"client_id":             q.Get("client_id") == ClientID,
		"redirect_uri":          redirectURI.MatchString(q.Get("redirect_uri")),
		"scope":                 slices.Contains(strings.Fields(q.Get("scope")), "openid"),
		"code_challenge_method": q.Get("code_challenge_method") == "S256",
		"code_challenge":        challenge.MatchString(q.Get("code_challenge")),
		"state":                 len(q.Get("state")) >= 26,
		"nonce":                 len(q.Get("nonce")) >= 26,
	} {
		if !ok || len(q[name]) != 1 {
			http.Error(w, "bad "+name, http.StatusBadRequest)
			return
		}
	}
	code := i.secret()
	i.mu.Lock()
	i.codes[code] = q
	i.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {i.URL}}
	if i.Redirect != nil {
		i.Redirect(back)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.redeems++
	i.mu.Unlock()
	if i.Token != nil {
		i.Token(w, r)
		return
	}
	request, err := i.redeem(r)
	if err != nil {
		sendJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": err.Error()})
		return
	}
	access := i.secret()
	sendJSON(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": 300,
		"id_token": i.IDToken(request.Get("nonce"), access),
	})
}

// redeem checks a code as RFC 6749 section 4.1.3 and RFC 7636 section 4.6 say,
// and takes it out of use in any case.
func (i *Issuer) redeem(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	f := r.PostForm
	i.mu.Lock()
	request, known := i.codes[f.Get("code")]
	delete(i.codes, f.Get("code"))
	i.secrets = append(i.secrets, f.Get("code_verifier"))
	i.mu.Unlock()
	sum := sha256.Sum256([]byte(f.Get("code_verifier")))
	switch {
	case !known:
		return nil, errors.New("unknown code")
	case r.Header.Get("Authorization") != "" || f.Has("client_secret"):
		return nil, errors.New("a public client has no secret")
	case f.Get("grant_type") != "authorization_code" || f.Get("client_id") != ClientID:
		return nil, errors.New("wrong grant or client")
	case f.Get("redirect_uri") != request.Get("redirect_uri"):
		return nil, errors.New("another redirect_uri")
	case !verifier.MatchString(f.Get("code_verifier")) || base64.RawURLEncoding.EncodeToString(sum[:]) != request.Get("code_challenge"):
		return nil, errors.New("wrong code_verifier")
	}
	return request, nil
}

// IDToken issues an ID token for alice.
func (i *Issuer) IDToken(nonce, access string) string {
	now := time.Now().Unix()
	half := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": i.URL, "sub": "alice-1", "aud": ClientID, "iat": now, "exp": now + 300, "nonce": nonce,
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
		"email":   "alice@example.com", "email_verified": true, "name": "Alice", "groups": []string{"data-engineering"},
	}
	if i.Claims != nil {
		i.Claims(claims)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	var key crypto.Signer = i.key
	if i.Forged {
		key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	raw, err := sign(key, claims)
	if err != nil {
		panic(err) // claims that a test made wrong
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.secrets = append(i.secrets, raw)
	return raw
}

func sign(key crypto.Signer, claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed.CompactSerialize()
}

func (i *Issuer) secret() string {
	s := rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.secrets = append(i.secrets, s)
	return s
}

func sendJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
