package idtoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

const (
	issuerURL = "https://idp.example"
	clientID  = "gimme"
)

var now = time.Unix(1772442600, 0)

// Keys are made once for all tests, because that takes long.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(2048) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(2048) })
	p256     = sync.OnceValue(func() *ecdsa.PrivateKey { return makeEC(elliptic.P256()) })
	p384     = sync.OnceValue(func() *ecdsa.PrivateKey { return makeEC(elliptic.P384()) })
	ed       = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, 32)) })
)

func makeRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func makeEC(c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

type object = map[string]any

// A provider is an issuer in the process: it counts what it is asked.
type provider struct {
	mu       sync.Mutex
	metadata object
	keys     []object
	status   int    // of the key set; 0: 200
	body     string // of the key set, instead of keys
	fetches  int    // of the key set
	delay    time.Duration
}

func newProvider() *provider {
	return &provider{
		metadata: object{
			"issuer": issuerURL, "jwks_uri": issuerURL + "/keys",
			"authorization_endpoint": issuerURL + "/auth", "token_endpoint": issuerURL + "/token",
		},
		keys: []object{
			jwk("rsa", rsaKey().Public()), jwk("p256", p256().Public()), jwk("p384", p384().Public()), jwk("ed", ed().Public()),
		},
	}
}

func jwk(kid string, public any) object {
	data, err := json.Marshal(jose.JSONWebKey{Key: public, KeyID: kid})
	if err != nil {
		panic(err)
	}
	var m object
	if err := json.Unmarshal(data, &m); err != nil {
		panic(err)
	}
	return m
}

func with(m object, name string, value any) object {
	m = maps.Clone(m)
	if m[name] = value; value == nil {
		delete(m, name)
	}
	return m
}

// RoundTrip answers as a server would, without a network.
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(p.delay)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	switch strings.TrimPrefix(r.URL.String(), issuerURL) {
	case "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(p.metadata)
	case "/keys":
		p.fetches++
		if p.status != 0 {
			w.WriteHeader(p.status)
		}
		if p.body != "" {
			fmt.Fprint(w, p.body)
		} else {
			json.NewEncoder(w).Encode(object{"keys": p.keys})
		}
	default:
		return nil, fmt.Errorf("%s was asked for", r.URL)
	}
	return w.Result(), nil
}

// change changes the provider while it serves.
func (p *provider) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *provider) count() (n int) {
	p.change(func() { n = p.fetches })
	return n
}

func (p *provider) discover(t testing.TB) *idtoken.Provider {
	t.Helper()
	got, err := idtoken.Discover(t.Context(), &http.Client{Transport: p}, issuerURL)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// claims are those of a token that is accepted.
func claims() object {
	return object{
		"iss": issuerURL, "sub": "248289761001", "aud": clientID, "exp": now.Unix() + 3600, "iat": now.Unix() - 10,
		"email": "alice@example.com", "email_verified": true, "name": "Alice Ærø", "groups": []string{"data-engineering", "staff"},
		"nonce": "n-0S6_WzA2Mj", "auth_time": now.Unix() - 20, "amr": []string{"pwd", "otp"}, "acr": "mfa", "sid": "8c1f",
	}
}

func expect() idtoken.Expect {
	return idtoken.Expect{ClientIDs: []string{clientID}, Nonce: "n-0S6_WzA2Mj", Now: now}
}

// token makes a compact token of any header and claims, texts being taken as
// they are.
func token(header, claims any, sign func(input string) []byte) string {
	input := segment(header) + "." + segment(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(sign(input))
}

func segment(v any) string {
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		text = string(data)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func rs256(input string) []byte { return signRSA(rsaKey(), crypto.SHA256, false)(input) }

func signRSA(k *rsa.PrivateKey, h crypto.Hash, pss bool) func(string) []byte {
	return func(input string) []byte {
		var options crypto.SignerOpts = h
		if pss {
			options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
		}
		s, err := k.Sign(rand.Reader, digest(h, input), options)
		if err != nil {
			panic(err)
		}
		return s
	}
}

func signEC(k *ecdsa.PrivateKey, h crypto.Hash) func(string) []byte {
	return func(input string) []byte {
		r, s, err := ecdsa.Sign(rand.Reader, k, digest(h, input))
		if err != nil {
			panic(err)
		}
		size := (k.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
}

func signEd(input string) []byte { return ed25519.Sign(ed(), []byte(input)) }

func digest(h crypto.Hash, input string) []byte {
	d := h.New()
	d.Write([]byte(input))
	return d.Sum(nil)
}

func signHMAC(key []byte) func(string) []byte {
	return func(input string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(input))
		return m.Sum(nil)
	}
}

func unsigned(string) []byte { return nil }

// publicDER is what an attacker knows of a key.
func publicDER(k crypto.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		panic(err)
	}
	return der
}

// refused asserts that err is an *idtoken.Error of that code which says nothing
// of the token.
func refused(t *testing.T, got *idtoken.Token, err error, code idtoken.Code, raw string) {
	t.Helper()
	e, ok := errors.AsType[*idtoken.Error](err)
	if got != nil || !ok || e.Code != code {
		t.Fatalf("got %v, %v; want code %s", got, err, code)
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 30 && strings.Contains(e.Detail, part) {
			t.Errorf("a part of the token is in %q", e.Detail)
		}
	}
	if e.Detail == "" || strings.ContainsAny(e.Detail, "\r\n\x1b") {
		t.Errorf("detail %q", e.Detail)
	}
}
