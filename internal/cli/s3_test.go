package cli_test

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/login/logintest"
)

func TestS3WritesAProfile(t *testing.T) {
	w := newWorld(t)
	w.write(t, ".aws/credentials", "# mine\n[work]\naws_access_key_id = AKIA\n")
	r := w.gimme(t, t.Context(), "s3", "--address", w.sidecar.URL, "--profile", "sidecar")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	credentials := w.read(t, ".aws/credentials")
	secrets := w.sidecar.issued()
	for _, part := range []string{
		"# mine\n[work]\naws_access_key_id = AKIA\n\n[sidecar]\naws_access_key_id = GIMMEAK1\n",
		"aws_secret_access_key = " + secrets[0] + "\n", "aws_session_token = " + secrets[1] + "\n",
	} {
		if !strings.Contains(credentials, part) {
			t.Errorf("credentials lack %q:\n%s", part, credentials)
		}
	}
	want := "[profile sidecar]\nregion = eu-central-1\nservices = gimme-sidecar\ns3 =\n  addressing_style = path\n  signature_version = s3v4\n\n[services gimme-sidecar]\ns3 =\n  endpoint_url = " + w.sidecar.URL + "\n"
	if got := w.read(t, ".aws/config"); got != want {
		t.Errorf("config:\n%s", got)
	}
	for _, part := range []string{
		"alice@example.com", engineer, ".aws/credentials: [sidecar]", ".aws/config: [profile sidecar]", "for 1h0m0s", "aws s3 ls --profile sidecar",
		"config.yaml: profile sidecar", "Waiting for the login", w.issuer.URL,
	} {
		if !strings.Contains(r.stderr, part) {
			t.Errorf("stderr lacks %q:\n%s", part, r.stderr)
		}
	}
	form := w.sidecar.asked()[0]
	if form["RoleSessionName"] != "alice@example.com" || form["RoleArn"] != engineer || form["Version"] != "2011-06-15" || form["DurationSeconds"] != "" {
		t.Errorf("form %v", form)
	}

	// The profile's name alone repeats it, and nothing but the credentials changes.
	config, settings := w.read(t, ".aws/config"), w.read(t, ".config/gimme/config.yaml")
	if r := w.gimme(t, t.Context(), "s3"); r.code != 0 || w.read(t, ".aws/credentials") != credentials || w.logins != 1 {
		t.Errorf("what is at hand was not good enough: %s", r.stderr)
	}
	for _, args := range [][]string{{"s3", "--profile", "sidecar", "--force"}, {"s3", "--force"}} {
		if r := w.gimme(t, t.Context(), args...); r.code != 0 || strings.Contains(r.stderr, "config.yaml") {
			t.Fatal(r.stderr)
		}
	}
	if w.read(t, ".aws/config") != config || w.read(t, ".config/gimme/config.yaml") != settings || w.read(t, ".aws/credentials") == credentials {
		t.Error("the wrong files changed")
	}
	if len(w.sidecar.asked()) != 3 || w.logins != 3 {
		t.Errorf("%d exchanges, %d logins", len(w.sidecar.asked()), w.logins)
	}
}

func TestS3Direct(t *testing.T) {
	w := newWorld(t)
	r := w.gimme(t, t.Context(), "s3", "--profile", "data", "--issuer", w.issuer.URL, "--client-id", "gimme", "--role-arn", engineer,
		"--sts-endpoint", w.sidecar.URL, "--region", "eu-west-1", "--duration", "2h", "--scopes", "openid email")
	if !strings.Contains(r.stderr, "Note: 2h0m0s were asked for, and 1h0m0s is the limit.") {
		t.Errorf("stderr does not say that the session is shorter:\n%s", r.stderr)
	}
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	if got := w.read(t, ".aws/config"); got != "[profile data]\nregion = eu-west-1\n" {
		t.Errorf("config:\n%s", got)
	}
	if form := w.sidecar.asked()[0]; form["DurationSeconds"] != "7200" {
		t.Errorf("form %v", form)
	}
	if r := w.gimme(t, t.Context(), "s3", "--profile", "data"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	// With a sidecar's address the same profile becomes another one.
	if r := w.gimme(t, t.Context(), "s3", "--profile", "data", "--address", w.sidecar.URL); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if got := w.read(t, ".config/gimme/config.yaml"); strings.Contains(got, "issuer") || !strings.Contains(got, "address: "+w.sidecar.URL) {
		t.Errorf("settings:\n%s", got)
	}
}

func TestS3TakesSettingsFromTheEnvironment(t *testing.T) {
	w := newWorld(t)
	w.env["GIMME_ADDRESS"], w.env["GIMME_PROFILE"], w.env["GIMME_REGION"] = w.sidecar.URL, "sidecar", "eu-west-9"
	w.env["GIMME_CONFIG"] = filepath.Join(w.home, "elsewhere", "gimme.yaml")
	w.env["AWS_CONFIG_FILE"] = filepath.Join(w.home, "c")
	w.env["AWS_SHARED_CREDENTIALS_FILE"] = filepath.Join(w.home, "s")
	if r := w.gimme(t, t.Context(), "s3"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if got := w.read(t, "c"); !strings.Contains(got, "region = eu-west-9\n") {
		t.Error(got)
	}
	if got := w.read(t, "elsewhere/gimme.yaml"); !strings.Contains(got, "region: eu-west-9\n") {
		t.Error(got)
	}
	if _, err := os.Stat(filepath.Join(w.home, ".aws")); err == nil {
		t.Error(".aws was made")
	}
}

func TestS3Roles(t *testing.T) {
	const analyst = "arn:aws:iam::111122223333:role/team/analyst"
	w := newWorld(t)
	w.sidecar.roles = []string{engineer, analyst}
	address := []string{"s3", "--profile", "sidecar", "--address", w.sidecar.URL}
	w.fails(t, t.Context(), 2, []string{"alice@example.com may take several roles:\n  " + engineer + "\n  " + analyst, "gimme: hint: choose one: --role " + engineer}, address...)
	w.fails(t, t.Context(), 2, []string{`no role "nobody"`, analyst, "hint"}, append(address, "--role", "nobody")...)
	if n := len(w.sidecar.asked()); n != 0 {
		t.Errorf("%d exchanges", n)
	}
	for _, role := range []string{"analyst", analyst} {
		if r := w.gimme(t, t.Context(), append(address, "--role", role)...); r.code != 0 || !strings.Contains(r.stderr, analyst) {
			t.Error(r.stderr)
		}
	}
	w = newWorld(t)
	w.sidecar.roles = nil
	w.fails(t, t.Context(), 1, []string{"has no role for alice@example.com", "hint: ask"}, "s3", "--profile", "sidecar", "--address", w.sidecar.URL)
	w.fails(t, t.Context(), 1, []string{"AccessDenied: alice@example.com may not take role " + engineer + ".[2J", "hint: ask who runs the sidecar"},
		"s3", "--profile", "sidecar", "--address", w.sidecar.URL, "--role", engineer)
}

func TestS3FailsWithoutChangingAnything(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	nowhere := "http://" + gone.Addr().String()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for _, test := range []struct {
		name   string
		set    func(*testing.T, *world)
		args   []string // after s3; ADDRESS and ISSUER are filled in
		code   int
		words  []string
		logins int
	}{
		{"nothing listens", nil, []string{"--profile", "p", "--address", nowhere}, 1, []string{"the sidecar at " + nowhere, "hint"}, 0},
		{"no sidecar", nil, []string{"--profile", "p", "--address", other.URL}, 1, []string{"the sidecar at " + other.URL, "hint"}, 0},
		{"plain http", nil, []string{"--profile", "p", "--address", "http://s3.sidecar.example"}, 2, []string{"--address", "hint"}, 0},
		{"wrong issuer", func(_ *testing.T, w *world) {
			w.issuer.Metadata = func(m map[string]any) { m["issuer"] = "https://evil.example" }
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"log in at", "hint"}, 0},
		{"issuer with a slash too many", nil, []string{"--profile", "p", "--issuer", "ISSUER/", "--client-id", "gimme", "--role-arn", engineer}, 1, []string{"log in at", "hint"}, 0},
		{"expired ID token", func(_ *testing.T, w *world) {
			w.issuer.Claims = func(m map[string]any) { m["exp"] = time.Now().Unix() - 600; m["iat"] = time.Now().Unix() - 900 }
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"log in at", "clock"}, 1},
		{"forged ID token", func(_ *testing.T, w *world) { w.issuer.Forged = true }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"log in at"}, 1},
		{"declined", func(_ *testing.T, w *world) {
			w.issuer.Redirect = func(q url.Values) {
				q.Del("code")
				q.Set("error", "access_denied")
				q.Set("error_description", "not\x1b today")
			}
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 4, []string{`"access_denied": not today`, "hint"}, 1},
		{"STS finds the token expired", func(_ *testing.T, w *world) {
			w.sidecar.answer = func(w http.ResponseWriter, _ *http.Request) { stsError(w, 400, "ExpiredTokenException", "too old") }
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"ExpiredTokenException: too old", "clock"}, 1},
		{"STS redirects", func(_ *testing.T, w *world) {
			w.sidecar.answer = func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, w.issuer.URL+"/token", http.StatusTemporaryRedirect)
			}
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"the sidecar at"}, 1},
		{"STS answers nonsense", func(_ *testing.T, w *world) {
			w.sidecar.answer = func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"the sidecar at"}, 1},
		{"STS answers without credentials", func(_ *testing.T, w *world) {
			w.sidecar.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Write([]byte(`<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult/></AssumeRoleWithWebIdentityResponse>`))
			}
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"answers without credentials"}, 1},
		{"credentials that are old already", func(_ *testing.T, w *world) {
			w.sidecar.answer = func(rw http.ResponseWriter, _ *http.Request) { w.sidecar.grant(rw, time.Now().Add(-time.Minute)) }
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"expired at", "clock"}, 1},
		{"direct, not trusted", func(_ *testing.T, w *world) {
			w.sidecar.answer = func(w http.ResponseWriter, _ *http.Request) {
				stsError(w, 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
			}
		}, []string{"--profile", "p", "--issuer", "ISSUER", "--client-id", "gimme", "--role-arn", engineer, "--sts-endpoint", "ADDRESS"}, 1, []string{"Not authorized", "issuer    http://", "audience  gimme", "subject   alice-1", `:sub": "alice-1"`, "trust policy"}, 1},
		{"unreadable credentials file", func(t *testing.T, w *world) { w.write(t, ".aws/credentials", "[a]\nx = 1\n[a]\n") }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{".aws/credentials:3: [a] stands twice", "hint: correct the file"}, 0},
		{"unreadable config file", func(t *testing.T, w *world) { w.write(t, ".aws/config", "junk\n") }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{".aws/config:1: ", "hint: correct the file"}, 0},
		{"profile in other use", func(t *testing.T, w *world) { w.write(t, ".aws/config", "[profile p]\nsso_session = x\n") }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{".aws/config:2: ", "hint: choose another name: --profile NAME"}, 0},
		{"unwritable folder", func(t *testing.T, w *world) { w.write(t, ".aws", "a file") }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{".aws", "hint: make it possible to write there"}, 0},
		{"unwritable settings", func(t *testing.T, w *world) { w.write(t, ".config", "a file") }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{".config", "hint"}, 0},
		{"settings where no folder can be made", func(_ *testing.T, w *world) { w.env["GIMME_CONFIG"] = "/proc/self/fdinfo/x/config.yaml" }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"config.yaml could not be written", "hint"}, 0},
		{"broken settings", func(t *testing.T, w *world) {
			w.write(t, ".config/gimme/config.yaml", "profiles:\n  p:\n    adress: x\n    region: EU\n")
		}, []string{"--profile", "p"}, 1, []string{`config.yaml:3:5: unknown key "adress"`, `config.yaml:4:13: region`, "hint: correct the file"}, 0},
		{"several profiles, none named", func(t *testing.T, w *world) {
			w.write(t, ".config/gimme/config.yaml", "profiles: {a: {address: 'https://a.example'}, b: {address: 'https://b.example'}}\n")
		}, nil, 2, []string{"several profiles are configured: a, b", "hint: name one: --profile a"}, 0},
		{"no profile", nil, []string{"--address", "ADDRESS"}, 2, []string{"no profile is named", "hint"}, 0},
		{"new profile without an address", nil, []string{"--profile", "p"}, 2, []string{`profile "p" is new`, "hint"}, 0},
		{"bracket in the name", nil, []string{"--profile", "a]b", "--address", "ADDRESS"}, 2, []string{`profile name "a]b"`, "hint"}, 0},
		{"line break in the name", nil, []string{"--profile", "a\n[b", "--address", "ADDRESS"}, 2, []string{`profile name "a\n[b"`, "hint"}, 0},
		{"sidecar and issuer", nil, []string{"--profile", "p", "--address", "ADDRESS", "--issuer", "ISSUER"}, 2, []string{"give only one of them"}, 0},
		{"half of direct", nil, []string{"--profile", "p", "--issuer", "ISSUER"}, 2, []string{"--client-id and --role-arn must be given too"}, 0},
		{"unknown flag", nil, []string{"--profil", "p"}, 2, []string{"unknown flag: --profil", "hint: gimme s3 --help"}, 0},
		{"argument", nil, []string{"p"}, 2, []string{`"p" is one`, "hint: gimme s3 --help"}, 0},
		{"timeout too long", nil, []string{"--profile", "p", "--address", "ADDRESS", "--timeout", "25h"}, 2, []string{"timeout"}, 0},
		{"timeout that is none", nil, []string{"--profile", "p", "--address", "ADDRESS", "--timeout", "soon"}, 2, []string{"--timeout"}, 0},
		{"no-browser that is none", func(_ *testing.T, w *world) { w.env["GIMME_NO_BROWSER"] = "perhaps" }, []string{"--profile", "p", "--address", "ADDRESS"}, 2, []string{"GIMME_NO_BROWSER"}, 0},
		{"bundle that is not there", func(_ *testing.T, w *world) { w.env["AWS_CA_BUNDLE"] = "/nowhere" }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"AWS_CA_BUNDLE", "hint"}, 0},
		{"bundle that is none", func(t *testing.T, w *world) {
			w.write(t, "bundle", "x")
			w.env["AWS_CA_BUNDLE"] = filepath.Join(w.home, "bundle")
		}, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"holds no certificate", "hint"}, 0},
		{"no home", func(_ *testing.T, w *world) { delete(w.env, "HOME") }, []string{"--profile", "p", "--address", "ADDRESS"}, 1, []string{"home folder"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if test.set != nil {
				test.set(t, w)
			}
			args := []string{"s3"}
			for _, a := range test.args {
				args = append(args, strings.NewReplacer("ADDRESS", w.sidecar.URL, "ISSUER", w.issuer.URL).Replace(a))
			}
			w.fails(t, t.Context(), test.code, test.words, args...)
			if w.logins != test.logins {
				t.Errorf("%d logins, want %d", w.logins, test.logins)
			}
		})
	}
}

func TestS3Interrupted(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var listener string
	w.open = func(ctx context.Context, address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		r, err := url.Parse(u.Query().Get("redirect_uri"))
		if err != nil {
			return err
		}
		listener = r.Host
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	w.fails(t, ctx, 130, []string{"gimme: error: interrupted"}, "s3", "--profile", "p", "--address", w.sidecar.URL)
	if c, err := net.Dial("tcp", listener); err == nil {
		c.Close()
		t.Error("the listener is still there")
	}
	if n := len(w.sidecar.asked()); n != 0 {
		t.Errorf("%d exchanges", n)
	}
}

func TestS3TimesOut(t *testing.T) {
	w := newWorld(t)
	w.open = func(ctx context.Context, _ string) error { return nil }
	w.fails(t, t.Context(), 4, []string{"nobody finished the login in time", "hint: run it again; --timeout", "1s at most"},
		"s3", "--profile", "p", "--address", w.sidecar.URL, "--timeout", "1s")
}

func TestS3WithoutABrowser(t *testing.T) {
	w := newWorld(t)
	address := regexp.MustCompile(`(?m)^  (http://\S+/authorize\S+)$`)
	done := make(chan error, 1)
	out := &watched{found: func(stderr string) bool {
		m := address.FindStringSubmatch(stderr)
		if m != nil {
			go func() { done <- new(logintest.Browser).Open(context.Background(), m[1]) }()
		}
		return m != nil
	}}
	if code := w.app(out).Run(t.Context(), []string{"s3", "--profile", "p", "--no-browser", "--address", w.sidecar.URL}); code != 0 {
		t.Fatal(out.text.String())
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if w.logins != 0 || !strings.Contains(out.text.String(), "open this address in a browser") {
		t.Errorf("%d browsers, %s", w.logins, out.text.String())
	}
}

// A company's own certificate authority stands before the sidecar.
func TestS3WithACABundle(t *testing.T) {
	w := newWorld(t)
	secure := httptest.NewTLSServer(w.sidecar.server.Config.Handler)
	defer secure.Close()
	w.fails(t, t.Context(), 1, []string{"the sidecar at " + secure.URL, "certificate"}, "s3", "--profile", "p", "--address", secure.URL)
	w.write(t, "bundle", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	w.env["AWS_CA_BUNDLE"] = filepath.Join(w.home, "bundle")
	if r := w.gimme(t, t.Context(), "s3", "--profile", "p", "--address", secure.URL); r.code != 0 {
		t.Error(r.stderr)
	}
}

func TestS3RetriesWhatMayPass(t *testing.T) {
	w := newWorld(t)
	w.sidecar.answer = func(rw http.ResponseWriter, _ *http.Request) {
		if len(w.sidecar.asked()) < 3 {
			stsError(rw, 400, "IDPCommunicationError", "no keys")
			return
		}
		w.sidecar.grant(rw, time.Now().Add(time.Hour))
	}
	if r := w.gimme(t, t.Context(), "s3", "--profile", "p", "--address", w.sidecar.URL); r.code != 0 || len(w.sidecar.asked()) != 3 {
		t.Errorf("%d exchanges\n%s", len(w.sidecar.asked()), r.stderr)
	}
	w = newWorld(t)
	w.sidecar.answer = func(w http.ResponseWriter, _ *http.Request) { stsError(w, 403, "AccessDenied", "no") }
	if r := w.gimme(t, t.Context(), "s3", "--profile", "p", "--address", w.sidecar.URL); r.code != 1 || len(w.sidecar.asked()) != 1 {
		t.Errorf("%d exchanges\n%s", len(w.sidecar.asked()), r.stderr)
	}
}
