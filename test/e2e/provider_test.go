package e2e_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A person can log in at the provider.
type person struct {
	Password string         `json:"password"`
	Claims   map[string]any `json:"claims"`
}

// The people: alice may read and update customers' data, bob is in no group, and
// carol is in one that a role admits and no policy knows.
func people() map[string]person {
	list := make(map[string]person)
	for name, groups := range map[string][]string{"alice": {"data-engineering"}, "bob": {}, "carol": {"staff"}} {
		list[name] = person{name + "'s password", map[string]any{
			"email": name + "@example.com", "email_verified": true, "name": strings.ToUpper(name[:1]) + name[1:], "groups": groups,
		}}
	}
	return list
}

// A provider is an OpenID provider that runs, and the key that it signs with.
type provider struct {
	issuer string
	key    *rsa.PrivateKey
	node   *process
}

// A quirk is what a provider does otherwise than the tests' own; provider.mjs
// says what each is.
type quirk struct {
	RedirectURIs  []string       `json:"redirectURIs,omitempty"`
	ClientSecret  string         `json:"clientSecret,omitempty"`
	GroupsClaim   string         `json:"groupsClaim,omitempty"`
	Device        bool           `json:"device,omitempty"`
	NoRefresh     bool           `json:"noRefresh,omitempty"`
	NoPKCE        bool           `json:"noPKCE,omitempty"`
	NoRevocation  bool           `json:"noRevocation,omitempty"`
	NoLogout      bool           `json:"noLogout,omitempty"`
	Iss           string         `json:"iss,omitempty"`
	IDTokenTTL    int            `json:"idTokenTTL,omitempty"`
	Metadata      map[string]any `json:"metadata,omitempty"`
	MetadataSize  int            `json:"metadataSize,omitempty"`
	MetadataMoved string         `json:"metadataMoved,omitempty"`
	LogoutURI     string         `json:"logoutURI,omitempty"`
}

// A call is a request that the provider has answered, as it tells of it.
type call struct {
	Route    string
	Status   int
	Params   map[string]string
	Body     map[string]any
	Location string
}

// calls are those so far on a route, such as "token"; for "token" with a grant
// type, "token refresh_token".
func (p *provider) calls(t *testing.T, route string) []call {
	t.Helper()
	route, grant, _ := strings.Cut(route, " ")
	var list []call
	for line := range strings.Lines(p.node.out.String()) {
		var c call
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "\n") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("the provider says %q: %v", line, err)
		}
		if (route == "" || c.Route == route) && (grant == "" || c.Params["grant_type"] == grant) {
			list = append(list, c)
		}
	}
	return list
}

// asked fails the test unless there were n calls on a route.
func (p *provider) asked(t *testing.T, route string, n int) []call {
	t.Helper()
	list := p.calls(t, route)
	if len(list) != n {
		t.Errorf("the provider was asked %d times for %s, want %d: %+v", len(list), route, n, list)
	}
	return list
}

// secrets are all that went to and fro and nobody else may see: codes,
// verifiers and tokens.
func (p *provider) secrets(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for i, c := range p.calls(t, "") {
		for _, name := range []string{"code", "code_verifier", "refresh_token", "device_code", "token", "client_secret"} {
			if c.Params[name] != "" {
				found[fmt.Sprintf("%s sent in call %d", name, i)] = c.Params[name]
			}
		}
		for _, name := range []string{"id_token", "access_token", "refresh_token", "device_code"} {
			if text, ok := c.Body[name].(string); ok {
				found[fmt.Sprintf("%s answered in call %d", name, i)] = text
			}
		}
	}
	return found
}

// A place is where a provider listens. The zero value: http, on a free port of
// loopback.
type place struct {
	Issuer string `json:"issuer,omitempty"`
	Host   string `json:"host"`
	Port   int    `json:"port"`
	Cert   string `json:"cert,omitempty"` // PEM
	Key    string `json:"key,omitempty"`
	Quirk  quirk  `json:"quirk"`
}

func startProvider(t *testing.T, at place) *provider {
	t.Helper()
	folder := need(t, nodeParts)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if at.Host == "" {
		at.Host = "127.0.0.1"
	}
	settings, err := json.Marshal(struct {
		place
		JWK    map[string]string `json:"jwk"`
		People map[string]person `json:"people"`
	}{at, jwk(key), people()})
	if err != nil {
		t.Fatal(err)
	}
	in, feed, err := os.Pipe() // the provider ends when it is closed
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { feed.Close(); in.Close() })
	if _, err := feed.Write(append(settings, '\n')); err != nil {
		t.Fatal(err)
	}
	node := start(t, command{path: "node", args: []string{filepath.Join(folder, "provider.mjs")}, env: environment(t.TempDir()), dir: folder, stdin: in})
	eventually(t, "the provider listens", func() bool { return strings.Contains(node.out.String(), "\n") })
	issuer, _, _ := strings.Cut(node.out.String(), "\n")
	return &provider{issuer, key, node}
}

const keyID = "provider-key"

// jwk is a private key as oidc-provider wants it.
func jwk(k *rsa.PrivateKey) map[string]string {
	number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	k.Precompute()
	return map[string]string{
		"kty": "RSA", "kid": keyID, "use": "sig", "alg": "RS256",
		"n": number(k.N), "e": number(big.NewInt(int64(k.E))), "d": number(k.D),
		"p": number(k.Primes[0]), "q": number(k.Primes[1]),
		"dp": number(k.Precomputed.Dp), "dq": number(k.Precomputed.Dq), "qi": number(k.Precomputed.Qinv),
	}
}

// claims are what an ID token for name says, with changes.
func (p *provider) claims(name string, changes map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{
		"iss": p.issuer, "sub": name, "aud": "gimme", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "auth_time": now.Unix(),
	}
	maps.Copy(c, people()[name].Claims)
	maps.Copy(c, changes)
	return c
}

// idToken is an ID token that the provider could have issued.
func (p *provider) idToken(t *testing.T, name string, changes map[string]any) string {
	t.Helper()
	return signJWT(t, p.key, p.claims(name, changes))
}

func signJWT(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	return signHeader(t, key, map[string]any{"alg": "RS256", "kid": keyID, "typ": "JWT"}, claims)
}

func signHeader(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	data, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return signSegments(t, key, segment(t, header), string(data))
}

// signText signs a payload as it is written.
func signText(t *testing.T, key *rsa.PrivateKey, payload string) string {
	t.Helper()
	return signSegments(t, key, segment(t, map[string]any{"alg": "RS256", "kid": keyID, "typ": "JWT"}), payload)
}

func signSegments(t *testing.T, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	signed := header + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(t *testing.T, v map[string]any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// revoke withdraws a token, as the provider's administrator could.
func (p *provider) revoke(t *testing.T, token string) {
	t.Helper()
	response, err := http.PostForm(p.issuer+"/token/revocation", url.Values{"client_id": {"gimme"}, "token": {token}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("revoke a token: %s", response.Status)
	}
}
