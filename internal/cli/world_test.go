package cli_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/cli"
	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login/logintest"
)

const engineer = "arn:aws:iam::111122223333:role/data-engineering"

// A world is a fresh home, a provider, a sidecar and a browser.
type world struct {
	home    string
	env     map[string]string
	issuer  *logintest.Issuer
	sidecar *sidecar
	open    func(context.Context, string) error
	logins  int    // how often a browser was asked for
	typed   string // what the person types at the terminal; empty: there is none
	screen  *screen
	environ []string // of programs that are started
	stdin   string

	executable string // where gimme is; empty: at a usual place
}

// A screen is the terminal, with what was shown on it. The person types when
// they are asked something there.
type screen struct {
	typed  io.Reader
	asked  chan struct{} // closed with the first thing that is shown
	mu     sync.Mutex
	shown  bytes.Buffer
	closed bool
}

func newScreen(typed string) *screen {
	return &screen{typed: strings.NewReader(typed), asked: make(chan struct{})}
}

func (s *screen) Read(p []byte) (int, error) {
	<-s.asked
	return s.typed.Read(p)
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown.Len() == 0 {
		close(s.asked)
	}
	return s.shown.Write(p)
}

func (s *screen) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown.Len() == 0 && !s.closed {
		close(s.asked) // who still reads is let go
	}
	s.closed = true
	return nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func newWorld(t *testing.T) *world {
	w := &world{home: t.TempDir(), issuer: logintest.NewIssuer(t)}
	w.sidecar = newSidecar(t, w.issuer)
	w.env = map[string]string{"HOME": w.home, "BROWSER": "double"}
	w.open = func(ctx context.Context, url string) error { return new(logintest.Browser).Open(ctx, url) }
	return w
}

// A result is what a command left.
type result struct {
	code           int
	stdout, stderr string
}

// gimme runs a command, and checks what holds for every one: no secret is
// printed, nothing is logged of tokens, and stdout is empty for s3.
func (w *world) gimme(t *testing.T, ctx context.Context, args ...string) result {
	t.Helper()
	r := w.run(t, ctx, args...)
	if (r.code == 0) == strings.Contains(r.stderr, "gimme: error: ") {
		t.Errorf("exit code %d with\n%s", r.code, r.stderr)
	}
	return r
}

// run is gimme for commands that end with exit codes of others.
func (w *world) run(t *testing.T, ctx context.Context, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	app := cli.App{
		Stdin: strings.NewReader(w.stdin), Stdout: &stdout, Stderr: &stderr, Version: "test",
		Environ: w.environ, Executable: cmp.Or(w.executable, "/opt/gimme/bin/gimme"),
		Getenv: func(name string) string { return w.env[name] },
		OpenBrowser: func(ctx context.Context, url string) error {
			w.logins++
			return w.open(ctx, url)
		},
	}
	if w.typed != "" {
		w.screen = newScreen(w.typed)
		app.OpenTerminal = func() (io.ReadWriteCloser, error) { return w.screen, nil }
	}
	r := result{code: app.Run(ctx, args)}
	r.stdout, r.stderr = stdout.String(), stderr.String()
	screen := ""
	if w.screen != nil {
		screen = w.screen.String()
		if !w.screen.closed {
			t.Error("the terminal was not closed")
		}
	}
	for _, s := range append(w.issuer.Secrets(), w.sidecar.issued()...) {
		if asked := len(args) > 0 && (args[0] == "env" || args[0] == "credential-process"); asked && slices.Contains(w.sidecar.issued(), s) {
			continue
		}
		if strings.Contains(r.stdout+r.stderr+screen, s) {
			t.Errorf("a secret is printed: %q in\n%s%s", s, r.stdout, r.stderr)
		}
	}
	if len(args) > 0 && args[0] == "s3" && r.stdout != "" && !slices.Contains(args, "--help") && !slices.Contains(args, "--dry-run") {
		t.Errorf("stdout: %s", r.stdout)
	}
	return r
}

// fails runs a command that must fail, and checks that it changed no file.
func (w *world) fails(t *testing.T, ctx context.Context, code int, words []string, args ...string) {
	t.Helper()
	before := w.files(t)
	r := w.gimme(t, ctx, args...)
	if r.code != code {
		t.Errorf("exit code %d, want %d:\n%s", r.code, code, r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(r.stderr, word) {
			t.Errorf("stderr lacks %q:\n%s", word, r.stderr)
		}
	}
	if after := w.files(t); after != before {
		t.Errorf("files were changed: before %s, after %s", before, after)
	}
}

// does runs a command that must work.
func (w *world) does(t *testing.T, args ...string) result {
	t.Helper()
	r := w.gimme(t, t.Context(), args...)
	if r.code != 0 {
		t.Fatalf("gimme %v: exit code %d\n%s", args, r.code, r.stderr)
	}
	return r
}

// says checks that text has all words.
func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is missing in:\n%s", word, text)
		}
	}
}

// loggedIn is a world in which alice has logged in for the profile "sidecar".
func loggedIn(t *testing.T) *world {
	w := newWorld(t)
	w.does(t, "login", "--profile", "sidecar", "--address", w.sidecar.URL)
	return w
}

// files is all that lies in the home folder, but for the store, in which locks
// and failed logins leave their marks.
func (w *world) files(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(w.home, func(path string, info os.FileInfo, err error) error {
		if info != nil && info.IsDir() && info.Name() == ".local" {
			return filepath.SkipDir
		}
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %s %q\n", strings.TrimPrefix(path, w.home), info.Mode(), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(w.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.home, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A sidecar stands in for the real one: it verifies ID tokens for real and
// speaks discovery, roles and STS, but there is no S3 behind it.
type sidecar struct {
	URL   string
	roles []string // that alice may take

	// answer comes in place of what STS says.
	answer http.HandlerFunc

	issuer  *logintest.Issuer
	server  *httptest.Server
	mu      sync.Mutex
	secrets []string
	forms   []map[string]string
}

func newSidecar(t *testing.T, i *logintest.Issuer) *sidecar {
	s := &sidecar{issuer: i, roles: []string{engineer}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+discovery.Path, s.document)
	mux.HandleFunc("GET "+discovery.RolesPath, s.listRoles)
	mux.HandleFunc("POST /{$}", s.sts)
	s.server = httptest.NewServer(mux)
	s.URL = s.server.URL
	t.Cleanup(s.server.Close)
	return s
}

func (s *sidecar) issued() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}

// forget makes what was issued worth nothing.
func (s *sidecar) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = nil
}

// asked are the forms that came to the STS endpoint.
func (s *sidecar) asked() []map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.forms)
}

func (s *sidecar) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(discovery.Document{
		Version: 1, Issuer: s.issuer.URL, ClientID: logintest.ClientID,
		Scopes: []string{"openid", "email", "groups"}, Region: "eu-central-1",
	})
}

// verify is the sidecar's own look at an ID token.
func (s *sidecar) verify(ctx context.Context, raw string) (*idtoken.Token, error) {
	c := idtoken.NewClient(nil)
	defer c.CloseIdleConnections()
	p, err := idtoken.Discover(ctx, c, s.issuer.URL)
	if err != nil {
		return nil, err
	}
	return p.Verify(ctx, raw, idtoken.Expect{ClientIDs: []string{logintest.ClientID}})
}

func (s *sidecar) listRoles(w http.ResponseWriter, r *http.Request) {
	raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, err := s.verify(r.Context(), raw); err != nil {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	roles := discovery.Roles{Roles: []discovery.Role{}}
	for _, arn := range s.roles {
		roles.Roles = append(roles.Roles, discovery.Role{ARN: arn})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(roles)
}

func (s *sidecar) sts(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		stsError(w, 400, "ValidationError", err.Error())
		return
	}
	if r.PostForm.Get("Action") == "GetCallerIdentity" {
		s.identify(w, r)
		return
	}
	form := map[string]string{}
	for name := range r.PostForm {
		form[name] = r.PostForm.Get(name)
	}
	s.mu.Lock()
	s.forms = append(s.forms, form)
	s.mu.Unlock()
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	token, err := s.verify(r.Context(), form["WebIdentityToken"])
	switch {
	case r.Header.Get("Authorization") != "":
		stsError(w, 400, "ValidationError", "signed")
	case err != nil:
		stsError(w, 400, "InvalidIdentityToken", err.Error())
	case !slices.Contains(s.roles, form["RoleArn"]):
		stsError(w, 403, "AccessDenied", token.Email+" may not take role "+form["RoleArn"]+".\x1b[2J")
	default:
		s.grant(w, time.Now().Add(time.Hour))
	}
}

// identify says whom a request is from that is signed with what was issued.
func (s *sidecar) identify(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Authorization"), "Credential=GIMMEAK1/") || !slices.Contains(s.issued(), r.Header.Get("X-Amz-Security-Token")) {
		stsError(w, 403, "InvalidClientTokenId", "the session is unknown")
		return
	}
	fmt.Fprint(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/data-engineering/alice@example.com</Arn><UserId>U</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
}

func (s *sidecar) grant(w http.ResponseWriter, expires time.Time) {
	key, session := rand.Text(), "g1."+rand.Text()
	s.mu.Lock()
	s.secrets = append(s.secrets, key, session)
	s.mu.Unlock()
	fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>GIMMEAK1</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, key, session, expires.UTC().Format(time.RFC3339))
}

func stsError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		code, strings.ReplaceAll(message, "\x1b", "&#155;"))
}
