package proxy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/audit"
)

const (
	upstreamKey    = "UPSTREAMKEYID0000001"
	upstreamSecret = "canary-upstream-secret-0123456789abcdef"
	roleEveryone   = "arn:aws:iam::111122223333:role/lake-reader"
	roleEngineers  = "arn:aws:iam::111122223333:role/lake-writer"
	region         = "us-east-1"
)

// A provider is an OpenID provider that says whatever a test wants said.
type provider struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key}
	mux := http.NewServeMux()
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	answer := func(path string, v any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(v); err != nil {
				t.Error(err)
			}
		})
	}
	answer("/.well-known/openid-configuration", map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
	})
	answer("/jwks", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	return p
}

// token signs the claims of alice, changed as asked; a nil value takes a claim
// away.
func (p *provider) token(t testing.TB, changes map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "aud": "gimme", "sub": "alice-1", "email": "alice@example.com", "email_verified": true, "name": "Alice Ahn",
		"groups": []string{"data-engineering"}, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": now.Unix(), "sid": "idp-session-1",
	}
	for k, v := range changes {
		if v == nil {
			delete(claims, k)
		} else {
			claims[k] = v
		}
	}
	return sign(t, p.key, "k1", claims)
}

func sign(t testing.TB, key *rsa.PrivateKey, kid string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var bob = map[string]any{"sub": "bob-1", "email": "bob@example.com", "name": "Bob Berg", "groups": []string{}}

// A store is an S3 server that checks signatures by code that is not ours, and
// remembers what it was asked.
type store struct {
	*httptest.Server
	mu       sync.Mutex // guards requests, intercept
	requests []string
	// intercept, if set, may answer instead of the store.
	intercept func(w http.ResponseWriter, r *http.Request) bool
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{}
	real := gofakes3.New(s3mem.New(), gofakes3.WithV4Auth(map[string]string{upstreamKey: upstreamSecret})).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.RequestURI)
		intercept := s.intercept
		s.mu.Unlock()
		if intercept != nil && intercept(w, r) {
			return
		}
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	direct := s.client()
	for _, bucket := range []string{"lake", "secret-bucket", "unlabelled-bucket"} {
		if _, err := direct.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	s.seen()
	return s
}

func (s *store) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.URL, Region: region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(upstreamKey, upstreamSecret, ""),
	})
}

// seen returns what was asked since the last call.
func (s *store) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.requests
	s.requests = nil
	return seen
}

func (s *store) answerWith(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

const dataMap = `
SENSITIVE:
  - repo: S3
    attributes: [lake/customers/, secret-bucket]
PUBLIC:
  - repo: S3
    attributes: [lake/public/]
`

const policies = `
name: customer-data
data: [SENSITIVE]
rules:
  - identities: {groups: [data-engineering]}
    reads: [{data: [SENSITIVE]}]
    updates: [{data: [SENSITIVE]}]
`

const publicPolicy = `
name: public-data
data: [PUBLIC]
rules:
  - reads: [{data: any}]
  - identities: {groups: [data-engineering]}
    updates: [{data: any}]
    deletes: [{data: any}]
`

// A sidecar is a running one, with everything around it.
type sidecar struct {
	*proxy.Server
	t        testing.TB
	folder   string
	provider *provider
	store    *store
	log      *syncBuffer
	stdout   io.Writer // where events go if the configuration says so
	read     int       // bytes of the audit log that events has returned
	stop     func() error
	tune     func(*proxy.Server) // before it runs
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs a sidecar; edit may change the text of its configuration.
func start(t *testing.T, edit func(string) string) *sidecar {
	t.Helper()
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.launch(edit)
	return c
}

func (c *sidecar) config() string {
	return fmt.Sprintf(`
listen: 127.0.0.1:0
issuers:
  - {issuer: %q, client_id: gimme, scopes: [openid, email, profile, groups], email_domains: [example.com]}
roles:
  - {arn: %q, everyone: true}
  - {arn: %q, groups: [data-engineering], max_session: 30m}
sessions: {key_file: session-keys}
upstream:
  endpoint: %q
  credentials: static
  static: {access_key_id: %s, secret_access_key_file: upstream-secret}
policy: {data_map: datamap.yaml, policies: [policies]}
audit: {file: audit.jsonl}
admin: {listen: 127.0.0.1:0}
`, c.provider.URL, roleEveryone, roleEngineers, c.store.URL, upstreamKey)
}

func (c *sidecar) launch(edit func(string) string) {
	c.t.Helper()
	text := c.config()
	if edit != nil {
		text = edit(text)
	}
	c.log = &syncBuffer{}
	c.files(text)
	log := slog.New(slog.NewJSONHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if c.Server, err = proxy.New(c.load(), proxy.Options{Log: log, Stdout: c.stdout, Version: "test"}); err != nil {
		c.t.Fatal(err)
	}
	if c.tune != nil {
		c.tune(c.Server)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	c.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	c.t.Cleanup(func() {
		if err := c.stop(); err != nil {
			c.t.Errorf("the sidecar ended with %v", err)
		}
	})
	for !strings.Contains(c.log.String(), `"msg":"serving"`) {
		select {
		case err := <-ended:
			ended <- err // for stop
			c.t.Fatalf("the sidecar ended before it served: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	c.events() // that it has started
}

// files writes all that a sidecar reads, with the text of its configuration.
func (c *sidecar) files(config string) {
	c.t.Helper()
	c.write("proxy.yaml", config)
	c.write("upstream-secret", upstreamSecret+"\n")
	c.write("datamap.yaml", dataMap)
	c.write("policies/customers.yaml", policies)
	c.write("policies/public.yaml", publicPolicy)
}

func (c *sidecar) load() *proxy.Config {
	c.t.Helper()
	config, err := proxy.Load(filepath.Join(c.folder, "proxy.yaml"))
	if err != nil {
		c.t.Fatal(err)
	}
	return config
}

func (c *sidecar) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// events returns those that were written since the last call.
func (c *sidecar) events() []audit.Event {
	c.t.Helper()
	if c.stdout != nil {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(c.folder, "audit.jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	var list []audit.Event
	for line := range strings.Lines(string(data[c.read:])) {
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			c.t.Fatalf("event %q: %v", line, err)
		}
		wantValid(c.t, line)
		list = append(list, e)
	}
	c.read = len(data)
	return list
}

// decisions are the events that decide.
func decisions(events []audit.Event) []audit.Event {
	var list []audit.Event
	for _, e := range events {
		if e.Decision != "" {
			list = append(list, e)
		}
	}
	return list
}

func (c *sidecar) sts(keys aws.CredentialsProvider) *sts.Client {
	url := c.URL()
	return sts.New(sts.Options{BaseEndpoint: &url, Region: region, Credentials: keys, RetryMaxAttempts: 1})
}

func (c *sidecar) assume(role, token string) (aws.Credentials, error) {
	out, err := c.sts(aws.AnonymousCredentials{}).AssumeRoleWithWebIdentity(c.t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: &role, RoleSessionName: aws.String("alice@example.com"), WebIdentityToken: &token,
	})
	if err != nil {
		return aws.Credentials{}, err
	}
	k := out.Credentials
	return aws.Credentials{AccessKeyID: *k.AccessKeyId, SecretAccessKey: *k.SecretAccessKey, SessionToken: *k.SessionToken, Expires: *k.Expiration, CanExpire: true}, nil
}

// login gives a session of the role for everyone, and forgets the event of it.
func (c *sidecar) login(changes map[string]any) aws.Credentials {
	c.t.Helper()
	keys, err := c.assume(roleEveryone, c.provider.token(c.t, changes))
	if err != nil {
		c.t.Fatal(err)
	}
	c.events()
	return keys
}

func (c *sidecar) s3(keys aws.Credentials) *s3.Client {
	url := c.URL()
	return s3.New(s3.Options{
		BaseEndpoint: &url, Region: region, UsePathStyle: true, RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		Credentials:                credentials.StaticCredentialsProvider{Value: keys},
	})
}

// put stores an object behind the sidecar's back.
func (c *sidecar) put(bucket, key, text string) {
	c.t.Helper()
	if _, err := c.store.client().PutObject(c.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text)}); err != nil {
		c.t.Fatal(err)
	}
	c.store.seen()
}

// stored returns an object's text behind the sidecar's back.
func (c *sidecar) stored(bucket, key string) (string, bool) {
	c.t.Helper()
	defer c.store.seen()
	out, err := c.store.client().GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", false
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data), true
}

// wantNothingUpstream asserts that a refusal reached nobody.
func (c *sidecar) wantNothingUpstream() {
	c.t.Helper()
	if seen := c.store.seen(); len(seen) != 0 {
		c.t.Errorf("the upstream was asked %q", seen)
	}
}

// wantOneRefusal asserts that exactly one event was written, and says why.
func (c *sidecar) wantOneRefusal(code, sentence string) audit.Event {
	c.t.Helper()
	events := c.events()
	if len(events) != 1 {
		c.t.Errorf("want one event, got %d: %+v", len(events), events)
		return audit.Event{}
	}
	e := events[0]
	if e.Decision != audit.Blocked || e.Response == nil || e.Response.Code != code || !strings.Contains(e.Error, sentence) {
		c.t.Errorf("want a blocked event with %s and %q, got %+v, response %+v", code, sentence, e, e.Response)
	}
	return e
}

// rawEvents is the text of the audit log.
func (c *sidecar) rawEvents() string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.folder, "audit.jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
