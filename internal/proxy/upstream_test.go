package proxy_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/internal/upstream/ststest"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// withSTS starts a sidecar whose upstream credentials come from an STS that
// records what it is sent, and proves it.
func withSTS(t *testing.T, mode string, identity bool, edit func(string) string) (*sidecar, *ststest.STS) {
	t.Helper()
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "none"))
	}
	for name, value := range map[string]string{"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_CA_BUNDLE": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_STS": "", "AWS_MAX_ATTEMPTS": "1"} {
		t.Setenv(name, value)
	}
	if identity {
		t.Setenv("AWS_ACCESS_KEY_ID", ststest.Key)
		t.Setenv("AWS_SECRET_ACCESS_KEY", ststest.Secret)
		t.Setenv("AWS_SESSION_TOKEN", ststest.Token)
	}
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	double := &ststest.STS{
		Issue: func(n int) (string, string, string) {
			return upstreamKey, upstreamSecret, fmt.Sprintf("canary-upstream-token-%d", n)
		},
		Verify: func(raw, _ string) error {
			signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
			if err == nil {
				_, err = signed.Verify(&c.provider.key.PublicKey)
			}
			if err != nil {
				return &ststest.Refusal{Code: "InvalidIdentityToken", Message: err.Error()}
			}
			return nil
		},
	}
	server := httptest.NewServer(double)
	t.Cleanup(server.Close)
	c.launch(func(config string) string {
		config = withUpstream(config, "  credentials: static", fmt.Sprintf("  credentials: %[1]s\n  %[1]s: {sts_endpoint: %[2]q}\n", mode, server.URL))
		if edit != nil {
			config = edit(config)
		}
		return config
	})
	c.put("lake", "public/x", "hello")
	return c, double
}

// withUpstream is config with another text from a key of its upstream to the next
// section.
func withUpstream(config, from, text string) string {
	before, after, _ := strings.Cut(config, from)
	_, after, _ = strings.Cut(after, "policy: {")
	return before + text + "policy: {" + after
}

// tokensSent remembers the session tokens that requests to the store carry.
func (c *sidecar) tokensSent() func() []string {
	var mu sync.Mutex
	var list []string
	c.store.answerWith(func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, r.Header.Get("X-Amz-Security-Token"))
		return false
	})
	return func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), list...) }
}

func (c *sidecar) fetch(keys aws.Credentials) error {
	out, err := c.s3(keys).GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/x")})
	if err == nil {
		out.Body.Close()
	}
	return err
}

// Two people use one role: each with credentials of their own, that bear their
// name at AWS whatever the client calls its session.
func TestAssumedRolesBearTheName(t *testing.T) {
	c, double := withSTS(t, "assume_role", true, nil)
	sent := c.tokensSent()
	carol := map[string]any{"sub": "auth0|carol", "email": "carol@example.com", "groups": []string{}}
	alice, other := c.login(nil), c.login(carol)
	if n := len(double.Seen()); n != 0 {
		t.Errorf("STS was asked %d times at the logins", n)
	}
	for range 3 {
		for _, keys := range []aws.Credentials{alice, other, c.login(nil)} { // another session of alice: the same credentials
			if err := c.fetch(keys); err != nil {
				t.Fatal(err)
			}
		}
	}
	tag := func(form url.Values, values ...string) url.Values {
		for i, name := range []string{"issuer", "subject", "email"} {
			form.Set(fmt.Sprintf("Tags.member.%d.Key", i+1), "gimme:"+name)
			form.Set(fmt.Sprintf("Tags.member.%d.Value", i+1), values[i])
		}
		return form
	}
	call := func(name, source string) url.Values {
		return url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {roleEveryone}, "DurationSeconds": {"3600"}, "RoleSessionName": {name}, "SourceIdentity": {source}}
	}
	hashed := double.Seen()[1].Get("SourceIdentity")
	want := []url.Values{
		tag(call("alice@example.com", "alice-1"), c.provider.URL, "alice-1", "alice@example.com"),
		tag(call("carol@example.com", hashed), c.provider.URL, hashed, "carol@example.com"),
	}
	if diff := cmp.Diff(want, double.Seen()); diff != "" || !strings.HasPrefix(hashed, "sha256-") {
		t.Errorf("STS was sent (-want +got):\n%s", diff)
	}
	for i, token := range sent() {
		if want := []string{"canary-upstream-token-1", "canary-upstream-token-2", "canary-upstream-token-1"}[i%3]; token != want {
			t.Errorf("request %d went with %q, want %q", i, token, want)
		}
	}
	if all := c.log.String() + c.rawEvents(); strings.Contains(all, "canary") {
		t.Error("a secret is in the log or the events")
	}
}

// Why there are no credentials is told to the operator in full, and to the person
// as far as it is theirs.
func TestNoUpstreamCredentials(t *testing.T) {
	for name, row := range map[string]struct {
		identity           bool
		failure            string
		code, told, logged string
	}{
		"no identity":      {false, "", "ServiceUnavailable", "has no valid AWS credentials of its own", "the sidecar has no AWS credentials of its own"},
		"expired identity": {true, "ExpiredToken", "ServiceUnavailable", "has no valid AWS credentials of its own", "ExpiredToken: the double says no"},
		"not trusted":      {true, "AccessDenied", "AccessDenied", "does not let the sidecar take role " + roleEveryone, "AccessDenied: the double says no"},
		"asked too often":  {true, "Throttling", "SlowDown", "too often", "Throttling"},
		"out of order":     {true, "InternalFailure", "ServiceUnavailable", "did not answer as it should", "STS answered InternalFailure"},
	} {
		t.Run(name, func(t *testing.T) {
			c, double := withSTS(t, "assume_role", row.identity, nil)
			double.Set(row.failure, nil)
			keys := c.login(nil)
			wantCode(t, c.fetch(keys), row.code, row.told)
			c.wantNothingUpstream()
			events := c.events()
			if len(events) != 2 || events[0].Decision != audit.Allowed || events[1].Kind != audit.KindOutcome || !strings.HasPrefix(events[1].Error, row.code) {
				t.Errorf("events %+v", events)
			}
			if log := c.log.String(); !strings.Contains(log, row.logged) || !strings.Contains(log, roleEveryone) || strings.Contains(log, "canary") {
				t.Errorf("the log does not say %q, or too much: %s", row.logged, log)
			}
			double.Set("", nil)
			if err := c.fetch(keys); (err == nil) != row.identity {
				t.Errorf("once it works again: %v", err)
			}
		})
	}
}

// With web_identity the person's own token is exchanged, once a login, and what it
// gives goes with their requests and nobody else's.
func TestWebIdentity(t *testing.T) {
	c, double := withSTS(t, "web_identity", true, nil)
	sent := c.tokensSent()
	tokens := []string{c.provider.token(t, nil), c.provider.token(t, bob)}
	var keys []aws.Credentials
	for i, token := range tokens {
		k, err := c.assume(roleEveryone, token)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
		want := url.Values{
			"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleEveryone}, "DurationSeconds": {"3600"},
			"RoleSessionName": {[]string{"alice@example.com", "bob@example.com"}[i]}, "WebIdentityToken": {token},
		}
		if diff := cmp.Diff(want, double.Seen()[i]); diff != "" {
			t.Errorf("STS was sent (-want +got):\n%s", diff)
		}
	}
	for range 5 {
		for _, k := range keys {
			if err := c.fetch(k); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, token := range sent() {
		if want := fmt.Sprintf("canary-upstream-token-%d", i%2+1); token != want {
			t.Errorf("request %d went with %q, want %q", i, token, want)
		}
	}
	if n := len(double.Seen()); n != 2 {
		t.Errorf("STS was asked %d times, want one a login", n)
	}
	for _, token := range tokens {
		c.wantNothingOf(token)
	}
	if all := c.log.String() + c.rawEvents(); strings.Contains(all, "canary") {
		t.Error("a secret is in the log or the events")
	}
	for _, k := range keys {
		if strings.Contains(k.SessionToken, "canary") || k.AccessKeyID == upstreamKey {
			t.Error("what is the upstream's is given to the client")
		}
	}
}

// A session lasts no longer than what it goes upstream with, and what does not
// fit is refused with the reason.
func TestWebIdentityHasAnEnd(t *testing.T) {
	c, double := withSTS(t, "web_identity", false, nil)
	double.Life = 20 * time.Minute
	keys := c.login(nil)
	if left := time.Until(keys.Expires); left > 20*time.Minute || left < 19*time.Minute {
		t.Errorf("%v left", left)
	}
	double.Life = 0
	if keys := c.login(nil); time.Until(keys.Expires) < 59*time.Minute {
		t.Errorf("%v left", time.Until(keys.Expires))
	}
	double.Issue = func(int) (string, string, string) { return "ASIA", "secret", strings.Repeat("canary-", 430) }
	_, err := c.assume(roleEveryone, c.provider.token(t, nil))
	wantCode(t, err, "PackedPolicyTooLarge", "and the upstream's credentials 3026")
	c.wantNothingUpstream()
	if e := c.wantOneRefusal("PackedPolicyTooLarge", "more than the 4096"); strings.Contains(e.Error, "canary") {
		t.Error("a secret is in the event")
	}
}

// What the upstream's STS says is told in its own words, without the token.
func TestWebIdentityIsRefused(t *testing.T) {
	c, double := withSTS(t, "web_identity", false, nil)
	for code, want := range map[string]struct {
		status     int
		code, told string
	}{
		"AccessDenied":          {403, "AccessDenied", "AWS does not give role " + roleEveryone + " for this ID token: AccessDenied: Not authorized"},
		"InvalidIdentityToken":  {400, "InvalidIdentityToken", "Not authorized"},
		"IDPRejectedClaim":      {403, "IDPRejectedClaim", "Not authorized"},
		"ExpiredTokenException": {400, "ExpiredTokenException", "Not authorized"},
		"IDPCommunicationError": {400, "IDPCommunicationError", "Not authorized"},
		"ValidationError":       {400, "ValidationError", "Not authorized"},
		"Throttling":            {400, "Throttling", "too often"},
		"InternalFailure":       {503, "ServiceUnavailable", "could not exchange"},
		"Unheard":               {503, "ServiceUnavailable", "could not exchange"},
	} {
		t.Run(code, func(t *testing.T) {
			double.Echo = func(form url.Values) (string, string) {
				return code, "Not authorized with " + form.Get("WebIdentityToken")
			}
			token := c.provider.token(t, nil)
			_, err := c.assume(roleEveryone, token)
			wantCode(t, err, want.code, want.told)
			if answer, ok := errors.AsType[interface {
				error
				HTTPStatusCode() int
			}](err); !ok || answer.HTTPStatusCode() != want.status {
				t.Errorf("status of %v, want %d", err, want.status)
			}
			if api, _ := errors.AsType[smithy.APIError](err); strings.Contains(api.ErrorMessage(), token[len(token)-40:]) {
				t.Errorf("the token is told: %v", err)
			}
			if e := c.wantOneRefusal(want.code, ""); e.Kind != audit.KindSession || e.Session != nil {
				t.Errorf("event %+v", e)
			}
			c.wantNothingOf(token)
			c.wantNothingUpstream()
		})
	}
	// Our own checks come first: STS is not asked about what they refuse.
	asked := len(double.Seen())
	_, err := c.assume(roleEveryone, c.provider.token(t, map[string]any{"aud": "another"}))
	wantCode(t, err, "InvalidIdentityToken", "another")
	_, err = c.assume(roleEngineers, c.provider.token(t, bob))
	wantCode(t, err, "AccessDenied", "members of")
	if n := len(double.Seen()); n != asked {
		t.Errorf("STS was asked %d times", n-asked)
	}
}

// A session from before has nothing to go upstream with.
func TestASessionFromBeforeWebIdentity(t *testing.T) {
	c, _ := withSTS(t, "assume_role", true, nil)
	keys := c.login(nil)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.launch(func(string) string {
		config := c.config()
		return withUpstream(config, "  credentials: static", "  credentials: web_identity\n")
	})
	c.store.seen()
	wantCode(t, c.fetch(keys), "InvalidToken", "Log in again")
	c.wantNothingUpstream()
}

func TestUpstreamSections(t *testing.T) {
	for config, want := range map[string]string{
		"credentials: web_identity": "",
		"credentials: web_identity\n  web_identity: {sts_endpoint: \"https://sts.example\"}": "",
		"credentials: web_identity\n  web_identity: {sts_endpoint: \"http://sts.example\"}":  "upstream.web_identity.sts_endpoint",
		"credentials: assume_role\n  web_identity: {sts_endpoint: \"https://sts.example\"}":  "upstream.web_identity.sts_endpoint is not used",
		"credentials: web_identity\n  assume_role: {sts_endpoint: \"https://sts.example\"}":  "upstream.assume_role.sts_endpoint is not used",
		"credentials: assume_role\n  static: {access_key_id: A}":                             "upstream.static.access_key_id is not used",
		"credentials: web_identity\n  static: {secret_access_key_file: f}":                   "upstream.static.secret_access_key_file is not used",
		"credentials: webidentity":                                                                "write assume_role, web_identity or static",
		"credentials: assume_role\nlimits: {logins_per_minute: 0}":                                "limits.logins_per_minute is 0",
		"credentials: web_identity\nservice_keys: [{access_key_id: x, service: s, role: r}]":      "a service has no ID token",
		"credentials: assume_role\n  assume_role: {sts_endpoint: \"https://sts.example/path\"}":   "upstream.assume_role.sts_endpoint",
		"credentials: assume_role\n  assume_role: {sts_endpoint: \"https://sts.example/?query\"}": "upstream.assume_role.sts_endpoint",
	} {
		dir, write := folder(t)
		write("proxy.yaml", withUpstream(goodConfig, "upstream: {", "upstream:\n  endpoint: https://s3.example\n  "+config+"\n"))
		_, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}
