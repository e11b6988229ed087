package broker_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login/logintest"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
	"github.com/gimme-broker/gimme/internal/workload"
)

const (
	reader = "arn:aws:iam::111122223333:role/lake-reader"
	writer = "arn:aws:iam::111122223333:role/lake-writer"
)

// A world is a provider, a sidecar that verifies its tokens, a store, and a
// person with a browser.
type world struct {
	issuer  *logintest.Issuer
	sidecar *sidecar
	store   *store.Store
	folder  string

	mu      sync.Mutex
	windows int
	notices []broker.Step
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{issuer: logintest.NewIssuer(t), folder: t.TempDir()}
	w.issuer.Refresh = true
	w.issuer.Metadata = func(m map[string]any) { m["scopes_supported"] = []string{"openid", "email", "offline_access"} }
	w.sidecar = newSidecar(t, w.issuer)
	w.store = store.Open(w.folder, store.Options{Plain: true})
	return w
}

func (w *world) open(ctx context.Context, url string) error {
	w.mu.Lock()
	w.windows++
	w.mu.Unlock()
	return new(logintest.Browser).Open(ctx, url)
}

// broker is one whose person may be asked.
func (w *world) broker() *broker.Broker {
	b := w.silent()
	b.Ask = &broker.Ask{OpenBrowser: w.open, Timeout: 10 * time.Second}
	return b
}

// silent is one that asks nobody.
func (w *world) silent() *broker.Broker {
	return &broker.Broker{HTTP: idtoken.NewClient(nil), Store: w.store, Notify: func(n broker.Notice) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.notices = append(w.notices, n.Step)
	}}
}

func (w *world) request() broker.Request {
	return broker.Request{Address: w.sidecar.URL, Role: reader, Remember: true, Workload: workload.Options{Identity: "person"}}
}

// counts are the windows, requests to the token endpoint and requests to the
// STS so far.
func (w *world) counts() [3]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return [3]int{w.windows, w.issuer.Redeemed(), len(w.sidecar.asked())}
}

func (w *world) want(t *testing.T, windows, tokens, exchanges int) {
	t.Helper()
	if got := w.counts(); got != [3]int{windows, tokens, exchanges} {
		t.Errorf("windows, token requests, STS requests: %v, want %v", got, [3]int{windows, tokens, exchanges})
	}
}

func (w *world) told(step broker.Step) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.notices, step)
}

// age makes the credentials at hand of this life, with this much of it left.
func (w *world) age(t *testing.T, r broker.Request, life, left time.Duration) *store.Credentials {
	t.Helper()
	c, err := w.store.Credentials(r.Key())
	if err != nil || c == nil {
		t.Fatalf("credentials at hand: %v, %v", c, err)
	}
	c.Expires = time.Now().Add(left)
	c.Issued = c.Expires.Add(-life)
	c.AccessKeyID = "OLD"
	if err := w.store.PutCredentials(r.Key(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// forgetIDToken makes the ID token at hand an old one.
func (w *world) forgetIDToken(t *testing.T) {
	t.Helper()
	key := w.loginKey()
	l, err := w.store.Login(key)
	if err != nil || l == nil {
		t.Fatalf("login at hand: %v, %v", l, err)
	}
	l.IDToken = secret.Text{}
	if err := w.store.PutLogin(key, l); err != nil {
		t.Fatal(err)
	}
}

func (w *world) loginKey() string { return store.Key(w.issuer.URL, logintest.ClientID) }

// A sidecar verifies ID tokens for real and speaks discovery, roles and STS.
type sidecar struct {
	URL    string
	issuer *logintest.Issuer
	roles  []string
	life   time.Duration

	mu      sync.Mutex
	forms   []string           // the role of each request to the STS
	answers []http.HandlerFunc // of the next ones
	hold    chan struct{}      // not nil: the STS answers when it is closed
}

func newSidecar(t *testing.T, i *logintest.Issuer) *sidecar {
	s := &sidecar{issuer: i, roles: []string{reader, writer}, life: time.Hour}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+discovery.Path, func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, discovery.Document{Version: 1, Issuer: i.URL, ClientID: logintest.ClientID, Scopes: []string{"openid", "email"}, Region: "eu-central-1"})
	})
	mux.HandleFunc("GET "+discovery.RolesPath, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if _, err := s.verify(r.Context(), raw); err != nil {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		list := discovery.Roles{Roles: []discovery.Role{}}
		for _, arn := range s.roles {
			list.Roles = append(list.Roles, discovery.Role{ARN: arn})
		}
		sendJSON(w, list)
	})
	mux.HandleFunc("POST /{$}", s.sts)
	server := httptest.NewServer(mux)
	s.URL = server.URL
	t.Cleanup(server.Close)
	return s
}

func sendJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (s *sidecar) verify(ctx context.Context, raw string) (*idtoken.Token, error) {
	c := idtoken.NewClient(nil)
	defer c.CloseIdleConnections()
	p, err := idtoken.Discover(ctx, c, s.issuer.URL)
	if err != nil {
		return nil, err
	}
	return p.Verify(ctx, raw, idtoken.Expect{ClientIDs: []string{logintest.ClientID}})
}

func (s *sidecar) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.forms)
}

// next scripts the next answers of the STS; nil lets it answer by itself.
func (s *sidecar) next(answers ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answers...)
}

func (s *sidecar) sts(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Header.Get("Authorization") != "" {
		deny(400, "ValidationError", "not a plain form")(w, r)
		return
	}
	role := r.PostForm.Get("RoleArn")
	s.mu.Lock()
	s.forms = append(s.forms, role)
	var answer http.HandlerFunc
	if len(s.answers) > 0 {
		answer, s.answers = s.answers[0], s.answers[1:]
	}
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
	_, err := s.verify(r.Context(), r.PostForm.Get("WebIdentityToken"))
	switch {
	case answer != nil:
		answer(w, r)
	case err != nil:
		deny(400, "InvalidIdentityToken", err.Error())(w, r)
	case !slices.Contains(s.roles, role):
		deny(403, "AccessDenied", "not for you")(w, r)
	default:
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>g1.%s</SessionToken><Expiration>%s</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, rand.Text(), rand.Text(), rand.Text(), time.Now().Add(s.life).UTC().Format(time.RFC3339))
	}
}

func deny(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code, message)
	}
}

// noSecrets checks that text has none of the provider's secrets.
func (w *world) noSecrets(t *testing.T, text string) {
	t.Helper()
	for _, s := range w.issuer.Secrets() {
		if s != "" && strings.Contains(text, s) {
			t.Errorf("a secret stands in %q", text)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
