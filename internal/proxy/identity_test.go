package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

func TestDiscoveryAndRoles(t *testing.T) {
	c := start(t, nil)
	client := idtoken.NewClient(nil)
	document, err := discovery.Fetch(t.Context(), client, c.URL())
	if err != nil {
		t.Fatal(err)
	}
	want := discovery.Document{Version: 1, Issuer: c.provider.URL, ClientID: "gimme", Scopes: []string{"openid", "email", "profile", "groups"}, Region: region}
	if diff := cmp.Diff(want, document); diff != "" {
		t.Error(diff)
	}
	c.events()
	for name, test := range map[string]struct {
		who  map[string]any
		want []discovery.Role
	}{
		"alice": {nil, []discovery.Role{{ARN: roleEveryone}, {ARN: roleEngineers}}},
		"bob":   {bob, []discovery.Role{{ARN: roleEveryone}}},
	} {
		t.Run(name, func(t *testing.T) {
			roles, err := discovery.FetchRoles(t.Context(), client, c.URL(), secret.New(c.provider.token(t, test.who)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, roles.Roles); diff != "" {
				t.Error(diff)
			}
		})
	}
	c.events()
	for name, test := range map[string]struct{ token, code string }{
		"no token":    {"", "AccessDenied"},
		"wrong token": {"Bearer a.b.c", "InvalidIdentityToken"},
	} {
		t.Run(name, func(t *testing.T) {
			r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL()+discovery.RolesPath, nil))
			if test.token != "" {
				r.Header.Set("Authorization", test.token)
			}
			response := must(http.DefaultTransport.RoundTrip(r))
			defer response.Body.Close()
			if body := must(io.ReadAll(response.Body)); response.StatusCode < 400 || strings.Contains(string(body), "arn:") {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			c.wantOneRefusal(test.code, "")
		})
	}
}

// A policy goes by an e-mail address only where the provider has verified it and
// is the authority for its domain.
func TestWhoseEMailDecides(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	c.write("policies/customers.yaml", strings.Replace(policies, "groups: [data-engineering]", "users: [carol@example.com, carol@elsewhere.example]", 1))
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		claims  map[string]any
		allowed bool
	}{
		"verified, ours":          {map[string]any{"email": "carol@example.com"}, true},
		"not verified":            {map[string]any{"email": "carol@example.com", "email_verified": false}, false},
		"verified as text":        {map[string]any{"email": "carol@example.com", "email_verified": "true"}, false},
		"of another domain":       {map[string]any{"email": "carol@elsewhere.example"}, false},
		"as subject, ours":        {map[string]any{"sub": "carol@example.com"}, true},
		"as subject, not ours":    {map[string]any{"sub": "carol@elsewhere.example"}, false},
		"another person entirely": {map[string]any{"email": "dave@example.com"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := c.assume(roleEveryone, c.provider.token(t, test.claims))
			if err != nil {
				if test.allowed {
					t.Error(err)
				}
				return // refused even earlier
			}
			c.store.seen()
			_, err = c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
			if test.allowed != (err == nil) {
				t.Errorf("allowed %v, got %v", test.allowed, err)
			}
			if !test.allowed {
				c.wantNothingUpstream()
			}
		})
	}
}

func TestSessionsOfAnIssuerThatIsNoLongerConfigured(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	other := newProvider(t)
	c.launch(func(config string) string { return strings.Replace(config, c.provider.URL, other.URL, 1) })
	_, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	wantCode(t, err, "InvalidToken", c.provider.URL)
	c.wantNothingUpstream()
	c.wantOneRefusal("InvalidToken", "no longer accepted")
}

// A provider that is down is asked now and then, not by every caller; once it
// answers, logins work.
func TestAProviderThatIsDownIsLeftAlone(t *testing.T) {
	var asked atomic.Int32
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer down.Close()
	c := start(t, nil)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.launch(func(config string) string { return strings.Replace(config, c.provider.URL, down.URL, 1) })
	for range 20 {
		_, err := c.assume(roleEveryone, c.provider.token(t, map[string]any{"iss": down.URL}))
		wantCode(t, err, "IDPCommunicationError", "The identity provider could not be asked")
		c.wantOneRefusal("IDPCommunicationError", "")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// A signature for one service is none for another.
func TestServicesAreKeptApart(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	const form = "Action=GetCallerIdentity&Version=2011-06-15"
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL()+"/", strings.NewReader(form)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	const digest = "ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843" // of form
	r.Header.Set("X-Amz-Content-Sha256", digest)
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, digest, "s3", region, time.Now()); err != nil {
		t.Fatal(err)
	}
	response := must(http.DefaultTransport.RoundTrip(r))
	defer response.Body.Close()
	if body := string(must(io.ReadAll(response.Body))); response.StatusCode != 400 || !strings.Contains(body, `signed for service &#34;s3&#34;`) {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
	c.wantOneRefusal("AuthorizationHeaderMalformed", `"sts" is wanted here`)
}

func (c *sidecar) raw(keys aws.Credentials, method, path, payload string, body io.Reader, header ...string) (*http.Response, string) {
	c.t.Helper()
	r := must(http.NewRequestWithContext(c.t.Context(), method, c.URL()+path, body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", payload, time.Now())
	response := must(http.DefaultTransport.RoundTrip(r))
	defer response.Body.Close()
	return response, string(must(io.ReadAll(response.Body)))
}

func TestABodyWhereNoneBelongs(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, strings.NewReader("smuggled"))
	if response.StatusCode != 400 || !strings.Contains(body, "GetObject takes no body.") {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
	c.wantNothingUpstream()
	c.wantOneRefusal("InvalidRequest", "takes no body")
}

func TestAChecksumIsAnnouncedOnlyWhereOneIsSent(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	var sent http.Header
	c.store.answerWith(func(_ http.ResponseWriter, r *http.Request) bool { sent = r.Header.Clone(); return false })
	response, body := c.raw(keys, http.MethodPut, "/lake/customers/x", sigv4.UnsignedPayload, strings.NewReader("hello"), "X-Amz-Sdk-Checksum-Algorithm", "CRC32")
	if response.StatusCode != 200 || sent.Get("X-Amz-Sdk-Checksum-Algorithm") != "" {
		t.Errorf("got %d %s, sent %v", response.StatusCode, body, sent)
	}
	response, body = c.raw(keys, http.MethodPut, "/lake/customers/x", sigv4.UnsignedPayload, strings.NewReader("hello"), "X-Amz-Sdk-Checksum-Algorithm", "CRC32", "X-Amz-Checksum-Crc32", "NhCmhg==")
	if response.StatusCode != 200 || sent.Get("X-Amz-Sdk-Checksum-Algorithm") != "CRC32" || sent.Get("X-Amz-Checksum-Crc32") != "NhCmhg==" {
		t.Errorf("got %d %s, sent %v", response.StatusCode, body, sent)
	}
}

// What the upstream says of a HEAD is passed on, but for what would lead SDKs
// past the sidecar.
func TestUpstreamErrorsOfAHead(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
		w.WriteHeader(http.StatusBadRequest)
		return true
	})
	response, _ := c.raw(keys, http.MethodHead, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	if response.StatusCode != 400 || response.Header.Get("X-Amz-Bucket-Region") != "" {
		t.Errorf("got %d %v", response.StatusCode, response.Header)
	}
}

func TestTheUpstreamDeniesWhatThePolicyAllows(t *testing.T) {
	c := start(t, nil)
	alice := c.s3(c.login(nil))
	c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::1:assumed-role/canary</Message></Error>`)
		return true
	})
	_, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	wantCode(t, err, "AccessDenied", "The sidecar's policy allows this, but the real S3 denies it")
	if strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	var outcome audit.Event
	for line := range strings.Lines(c.rawEvents()) {
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == audit.KindOutcome {
			outcome = e
		}
	}
	if outcome.Response == nil || outcome.Response.Status != 403 || outcome.Response.Code != "AccessDenied" {
		t.Errorf("outcome: %+v", outcome)
	}
}

// Whoever is in more groups than a session carries keeps those that matter, and
// the event of the session says so.
func TestManyGroups(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	groups := []string{"data-engineering"}
	for i := range 150 {
		groups = append(groups, fmt.Sprintf("b1f3ad0c-71c2-4a5e-9c1d-%012d", i))
	}
	keys, err := c.assume(roleEngineers, c.provider.token(t, map[string]any{"groups": groups}))
	if err != nil {
		t.Fatal(err)
	}
	if len(keys.SessionToken) > 1024 {
		t.Errorf("the token has %d characters", len(keys.SessionToken))
	}
	events := c.events()
	if len(events) != 1 || len(events[0].Reasons) != 1 || !strings.Contains(events[0].Reasons[0].Text, "151 groups are more than a session carries") ||
		!slices.Equal(events[0].Principal.Groups, []string{"data-engineering"}) {
		t.Errorf("events: %+v", events)
	}
	if _, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")}); err != nil {
		t.Error(err)
	}
}
