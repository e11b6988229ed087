package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// A standIn takes the place of gimme and of the sidecar, so that the story is
// told the same with every fault that they could have. It knows the person by
// a session token that is her e-mail address, and passes what it allows on to
// the S3 server as it is, signature included.
type standIn struct {
	issuer, upstream, url string
	events                *audit.Log

	allows   func(email, operation, key string) bool
	sentence string // of a refusal, with %[1]s person, %[2]s operation, %[3]s object
	policy   string // in the events
	forgets  string // the operation that it does not record
	mute     bool   // writes no outcomes
	deletes  bool   // deletes what it then says it has not
	blind    bool   // gimme writes a profile without an endpoint
	loud     bool   // gimme writes to standard output
}

const honest = "%[1]s may not %[2]s s3://%[3]s (label SENSITIVE): policy customer-data has no rule that lets you. Event 1."

func newStandIn() *standIn {
	return &standIn{sentence: honest, policy: "customer-data", allows: func(email, operation, key string) bool {
		return strings.HasPrefix(key, "public/") || (email == "alice@example.com" && operation != "DeleteObject")
	}}
}

func (s *standIn) recipe() recipe {
	return recipe{customerPolicy: customerPolicyYAML, history: 1000, sidecar: s.open}
}

func (s *standIn) open(config string, _ *slog.Logger) (sidecar, error) {
	text, err := os.ReadFile(config)
	if err != nil {
		return sidecar{}, err
	}
	find := func(key string) string {
		return string(regexp.MustCompile(key + `: "([^"]*)"`).FindSubmatch(text)[1])
	}
	s.issuer, s.upstream = find("- issuer"), find("endpoint")
	if s.events, err = audit.Open(filepath.Join(filepath.Dir(config), auditFile)); err != nil {
		return sidecar{}, err
	}
	key, err := os.ReadFile(filepath.Join(filepath.Dir(config), secretFile))
	if err != nil {
		return sidecar{}, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return sidecar{}, err
	}
	s.url = "http://" + listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/.keys", func(w http.ResponseWriter, r *http.Request) {
		s.write(audit.KindSession, audit.Allowed, "AssumeRoleWithWebIdentity", r.FormValue("email"), "", "", rand.Text())
		fmt.Fprintf(w, "%s %s", find("access_key_id"), key)
	})
	mux.HandleFunc("/", s.serve)
	server := newServer(mux)
	return sidecar{url: s.url, run: func(ctx context.Context) error {
		go server.Serve(listener)
		<-ctx.Done()
		return errors.Join(server.Close(), s.events.Close())
	}}, nil
}

func (s *standIn) write(kind audit.Kind, decision audit.Decision, operation, email, bucket, key, id string) {
	if operation == s.forgets {
		return
	}
	err := s.events.Write(audit.Event{
		ID: id, Time: time.Now(), Kind: kind, Decision: decision, Principal: &audit.Principal{Email: email},
		Request: &audit.Request{Operation: operation, Bucket: bucket, Key: key}, Labels: []string{"SENSITIVE"}, Reasons: []audit.Reason{{Policy: s.policy, Text: "because"}},
	})
	if err != nil {
		panic(err)
	}
}

func (s *standIn) serve(w http.ResponseWriter, r *http.Request) {
	email, id := r.Header.Get("X-Amz-Security-Token"), rand.Text()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	operation := operationOf(r)
	scope := key
	if operation == "ListObjectsV2" {
		scope = r.URL.Query().Get("prefix")
	}
	if s.deletes && operation == "DeleteObject" {
		s.pass(nowhere{http.Header{}}, r)
	}
	if !s.allows(email, operation, scope) {
		s.write(audit.KindDecision, audit.Blocked, operation, email, bucket, key, id)
		w.WriteHeader(http.StatusForbidden)
		w.Write(s3api.ErrorXML("AccessDenied", fmt.Sprintf(s.sentence, email, operation, bucket+"/"+key), r.URL.Path, id))
		return
	}
	s.write(audit.KindDecision, audit.Allowed, operation, email, bucket, key, id)
	s.pass(w, r)
	if !s.mute {
		s.write(audit.KindOutcome, "", operation, email, bucket, key, id)
	}
}

// nowhere is where an answer goes that nobody is to see.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}

func (s *standIn) pass(w http.ResponseWriter, r *http.Request) {
	to := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", strings.TrimPrefix(s.upstream, "http://"), p.In.Host
	}}
	to.ServeHTTP(w, r)
}

func operationOf(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == http.MethodPut && q.Has("uploadId"):
		return "UploadPart"
	case r.Method == http.MethodPut:
		return "PutObject"
	case r.Method == http.MethodDelete:
		return "DeleteObject"
	case q.Has("list-type"):
		return "ListObjectsV2"
	case r.Method == http.MethodHead:
		return "HeadObject"
	}
	return "GetObject"
}

// gimme logs in for real, and writes a profile.
func (s *standIn) gimme(ctx context.Context, g Invocation) int {
	if err := s.logIn(ctx, g); err != nil {
		fmt.Fprintf(g.Stderr, "gimme: error: %v\n", err)
		return 1
	}
	fmt.Fprintln(g.Stderr, "profile written")
	if s.loud {
		fmt.Fprintln(g.Stdout, "hello")
	}
	return 0
}

func (s *standIn) logIn(ctx context.Context, g Invocation) error {
	_, email, err := identify(ctx, g, s.issuer)
	if err != nil {
		return err
	}
	return s.writeProfile(ctx, g, email)
}

// identify sends a person to the login page of issuer, and returns the ID
// token that this ends in.
func identify(ctx context.Context, g Invocation, issuer string) (raw, email string, err error) {
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return "", "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	codes := make(chan string, 1)
	server := newServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { codes <- r.FormValue("code") }))
	go server.Serve(listener)
	defer server.Shutdown(context.WithoutCancel(ctx)) // the browser gets its answer
	config := oauth2.Config{
		ClientID: ClientID, Endpoint: provider.Endpoint(), Scopes: []string{"openid", "email", "profile", scopeGroups},
		RedirectURL: "http://" + listener.Addr().String() + callbackPath,
	}
	verifier := oauth2.GenerateVerifier()
	if err := g.OpenBrowser(ctx, config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier))); err != nil {
		return "", "", err
	}
	var code string
	select {
	case code = <-codes:
	case <-ctx.Done():
		return "", "", errors.New("nobody logged in")
	}
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return "", "", err
	}
	raw, _ = token.Extra("id_token").(string)
	verified, err := provider.Verifier(&oidc.Config{ClientID: ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", "", err
	}
	var claims struct{ Email string }
	err = verified.Claims(&claims)
	return raw, claims.Email, err
}

func (s *standIn) writeProfile(ctx context.Context, g Invocation, email string) error {
	page, err := visit(ctx, http.DefaultClient, http.MethodPost, s.url+"/.keys", url.Values{"email": {email}})
	if err != nil {
		return err
	}
	key, secret, _ := strings.Cut(page.body, " ")
	services := "services"
	if s.blind {
		services = "no_services"
	}
	return writeProfile(g, s.url, services, key, secret, email)
}

func writeProfile(g Invocation, url, services, key, secret, token string) error {
	profile := g.Args[4]
	return errors.Join(
		appendTo(g.Env["AWS_CONFIG_FILE"], fmt.Sprintf("[profile %[1]s]\nregion = us-east-1\n%[3]s = gimme-%[1]s\n[services gimme-%[1]s]\ns3 =\n  endpoint_url = %[2]s\n", profile, url, services)),
		appendTo(g.Env["AWS_SHARED_CREDENTIALS_FILE"], fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n", profile, key, secret, token)),
	)
}

func appendTo(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
