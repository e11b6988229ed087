// Package logintest has an identity provider and a browser for tests. The
// provider is small and strict: it refuses whatever the standards let it refuse,
// and hands out every code and every refresh token once. It asks nobody for a
// password.
package logintest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
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
	// Script answers the next requests to the token endpoint, one each, before
	// all else; a nil one lets the provider answer. Append with Next.
	Script []http.HandlerFunc

	// Secret is what the client has to send as client_secret. Empty: it must
	// send none.
	Secret string
	// Refresh gives a refresh token to logins with the scope offline_access.
	// Every one is used once: using it again ends the whole family.
	Refresh bool
	// NoRotation lets refresh tokens be used again, and sends no new ones.
	NoRotation bool
	// NoIDToken leaves the ID token out of answers to refreshes.
	NoIDToken bool
	// Device offers the device flow; people decide with Approve and Deny.
	Device bool
	// Interval and ExpiresIn are those of device codes, in seconds; 0: 1 and 60.
	Interval, ExpiresIn int

	server   *httptest.Server
	key      *ecdsa.PrivateKey
	mu       sync.Mutex
	codes    map[string]url.Values // the request that each unused code is for
	families map[string]*family    // by each refresh token that ever was
	devices  map[string]*device    // by device code
	secrets  []string
	redeems  int
	counts   map[string]int // requests, by grant type and by endpoint
	forms    []url.Values   // of the requests to the token endpoint
	asked    []url.Values   // of the requests to the authorization endpoint
	ended    []url.Values   // of the requests to end a session
}

// NewIssuer starts a provider on loopback, which ends with the test.
func NewIssuer(t testing.TB) *Issuer {
	i, h := newIssuer(t)
	i.server = httptest.NewServer(h)
	i.URL = i.server.URL
	t.Cleanup(i.server.Close)
	return i
}

// NewInProcess makes a provider without a network, which the client alone
// reaches: for the bubbles of testing/synctest.
func NewInProcess(t testing.TB) (*Issuer, *http.Client) {
	i, h := newIssuer(t)
	i.URL = "https://idp.example.test"
	return i, &http.Client{Transport: inProcess{h}}
}

type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	defer func() {
		if cut := recover(); cut == http.ErrAbortHandler {
			answer, err = nil, io.ErrUnexpectedEOF
		} else if cut != nil {
			panic(cut)
		}
	}()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

func newIssuer(t testing.TB) (*Issuer, http.Handler) {
	i := &Issuer{key: newKey(t), codes: map[string]url.Values{}, families: map[string]*family{}, devices: map[string]*device{}, counts: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.metadata)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("POST /device", i.authorizeDevice)
	mux.HandleFunc("GET /activate", i.activate)
	mux.HandleFunc("POST /revoke", i.revoke)
	mux.HandleFunc("GET /end", i.endSession)
	return i, mux
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
	if i.Refresh {
		m["revocation_endpoint"] = i.URL + "/revoke"
		m["scopes_supported"] = []string{"openid", "email", "offline_access"}
	}
	if i.Device {
		m["device_authorization_endpoint"] = i.URL + "/device"
	}
	m["end_session_endpoint"] = i.URL + "/end"
	if i.Metadata != nil {
		i.Metadata(m)
	}
	sendJSON(w, http.StatusOK, m)
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	sendJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
}

var (
	redirectURI = regexp.MustCompile(`^http://(127\.0\.0\.1|localhost|\[::1\]):[0-9]+/callback$`)
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
	i.asked = append(i.asked, q)
	i.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {i.URL}}
	if i.Redirect != nil {
		i.Redirect(back)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	i.mu.Lock()
	i.redeems++
	i.counts[r.PostForm.Get("grant_type")]++
	i.forms = append(i.forms, r.PostForm)
	answer := i.Token
	if len(i.Script) > 0 {
		if i.Script[0] != nil {
			answer = i.Script[0]
		}
		i.Script = i.Script[1:]
	}
	i.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	var result map[string]any
	if err == nil {
		err = i.client(r)
	}
	if err == nil {
		switch r.PostForm.Get("grant_type") {
		case "authorization_code":
			result, err = i.redeem(r.PostForm)
		case "refresh_token":
			result, err = i.refresh(r.PostForm)
		case deviceGrant:
			result, err = i.redeemDevice(r.PostForm)
		default:
			err = &refusal{"unsupported_grant_type", ""}
		}
	}
	if err != nil {
		sendRefusal(w, err)
		return
	}
	sendJSON(w, http.StatusOK, result)
}

// client checks who asks, RFC 6749 section 2.3.
func (i *Issuer) client(r *http.Request) error {
	switch {
	case r.PostForm.Get("client_id") != ClientID || len(r.PostForm["client_id"]) != 1:
		return &refusal{"invalid_client", "unknown client"}
	case r.Header.Get("Authorization") != "" || r.PostForm.Has("client_secret") && i.Secret == "":
		return &refusal{"invalid_client", "a public client has no secret"}
	case r.PostForm.Get("client_secret") != i.Secret:
		return &refusal{"invalid_client", "wrong client_secret"}
	}
	return nil
}

// grant makes the answer to a login, or to a refresh of it.
func (i *Issuer) grant(nonce, refresh string) map[string]any {
	access := i.secret()
	m := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": i.IDToken(nonce, access)}
	if refresh != "" {
		m["refresh_token"] = refresh
	}
	return m
}

// redeem checks a code as RFC 6749 section 4.1.3 and RFC 7636 section 4.6 say,
// and takes it out of use in any case.
func (i *Issuer) redeem(f url.Values) (map[string]any, error) {
	i.mu.Lock()
	request, known := i.codes[f.Get("code")]
	delete(i.codes, f.Get("code"))
	i.secrets = append(i.secrets, f.Get("code_verifier"))
	i.mu.Unlock()
	switch {
	case !known:
		return nil, &refusal{"invalid_grant", "unknown code"}
	case f.Get("redirect_uri") != request.Get("redirect_uri"):
		return nil, &refusal{"invalid_grant", "another redirect_uri"}
	case !proves(f.Get("code_verifier"), request.Get("code_challenge")):
		return nil, &refusal{"invalid_grant", "wrong code_verifier"}
	}
	return i.grant(request.Get("nonce"), i.newFamily(request.Get("scope"))), nil
}

func proves(v, challenge string) bool {
	sum := sha256.Sum256([]byte(v))
	return verifier.MatchString(v) && base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}

// IDToken issues an ID token for alice.
func (i *Issuer) IDToken(nonce, access string) string {
	now := time.Now().Unix()
	half := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": i.URL, "sub": "alice-1", "aud": ClientID, "iat": now, "exp": now + 300,
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
		"email":   "alice@example.com", "email_verified": true, "name": "Alice", "groups": []string{"data-engineering"},
	}
	if nonce != "" {
		claims["nonce"] = nonce
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
