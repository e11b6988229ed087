package upstream_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/upstream"
	"github.com/gimme-broker/gimme/internal/upstream/ststest"
)

var tokenKey = ed25519.NewKeyFromSeed([]byte("a seed that is no secret at all!"))

// idToken is one that the STS of these tests accepts.
func idToken(t *testing.T, subject string) secret.Text {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: tokenKey}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{"sub": subject, "aud": "gimme"})
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
	return secret.New(raw)
}

// tokenSTS proves the signature of ID tokens.
func tokenSTS() *stsDouble {
	return &stsDouble{Verify: func(raw, _ string) error {
		signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.EdDSA})
		if err == nil {
			_, err = signed.Verify(tokenKey.Public())
		}
		if err != nil {
			return &ststest.Refusal{Code: "InvalidIdentityToken", Message: "No provider stands by " + raw}
		}
		return nil
	}}
}

func exchange(t *testing.T, o upstream.WebIdentityOptions) *upstream.Exchange {
	t.Helper()
	e, err := upstream.WebIdentity(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatSTSIsSentOfAWebIdentity(t *testing.T) {
	clean(t)
	// Its own identity, if it has one, is nobody's business here.
	t.Setenv("AWS_ACCESS_KEY_ID", baseKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", baseSecret)
	double := tokenSTS()
	server := httptest.NewServer(double)
	defer server.Close()
	e := exchange(t, upstream.WebIdentityOptions{Endpoint: server.URL + "/", Region: "eu-west-1"})
	token := idToken(t, "alice")
	for asked, sent := range map[time.Duration]string{time.Minute: "900", 30 * time.Minute: "1800", 20 * time.Hour: "43200"} {
		before := len(double.Seen())
		c, err := e.Credentials(t.Context(), role, token, alice, asked)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(c.AccessKeyID, "ASIA") || c.SecretAccessKey == "" || c.SessionToken == "" || time.Until(c.Expires) < 50*time.Minute {
			t.Errorf("credentials: %v until %v", c.AccessKeyID, c.Expires)
		}
		want := []url.Values{{
			"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"alice@example.com"},
			"WebIdentityToken": {token.Reveal()}, "DurationSeconds": {sent},
		}}
		if diff := cmp.Diff(want, double.Seen()[before:]); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	}
}

func TestAWebIdentityIsRefused(t *testing.T) {
	clean(t)
	double := tokenSTS()
	server := httptest.NewServer(double)
	defer server.Close()
	e := exchange(t, upstream.WebIdentityOptions{Endpoint: server.URL})
	good := idToken(t, "alice")
	forged := secret.New(good.Reveal()[:len(good.Reveal())-10] + "AAAAAAAAAA")
	for name, row := range map[string]struct {
		token   secret.Text
		failure string
		cause   upstream.Cause
		code    string
		says    string
	}{
		"forged, and STS repeats it": {forged, "", upstream.Refused, "InvalidIdentityToken", "No provider stands by [secret]"},
		"refused":                    {good, "AccessDenied", upstream.Refused, "AccessDenied", "AccessDenied: the double says no to " + role},
		"expired":                    {good, "ExpiredTokenException", upstream.Refused, "ExpiredTokenException", "says no"},
		"rejected":                   {good, "IDPRejectedClaim", upstream.Refused, "IDPRejectedClaim", "says no"},
		"throttled":                  {good, "Throttling", upstream.Throttled, "Throttling", "says no"},
		"odd":                        {good, "Odd", upstream.Refused, "Odd", "STS answered Odd"},
	} {
		t.Run(name, func(t *testing.T) {
			double.Set(row.failure, nil)
			c, err := e.Credentials(t.Context(), role, row.token, alice, time.Hour)
			failed, ok := errors.AsType[*upstream.Error](err)
			if !ok || c.HasKeys() || failed.Cause != row.cause || failed.Code != row.code || failed.Role != role || !strings.Contains(failed.Detail, row.says) {
				t.Fatalf("got %+v, %#v", c.AccessKeyID, err)
			}
			for part := range strings.SplitSeq(row.token.Reveal(), ".") {
				if strings.Contains(err.Error(), part) {
					t.Errorf("%q tells of the token", err)
				}
			}
		})
	}
}

func TestAWebIdentityGoesNowhereElse(t *testing.T) {
	clean(t)
	var reached atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	for name, client := range map[string]*http.Client{"its own": nil, "given": {}} {
		e := exchange(t, upstream.WebIdentityOptions{Endpoint: server.URL, HTTPClient: client})
		if _, err := e.Credentials(t.Context(), role, idToken(t, "alice"), alice, time.Hour); err == nil || reached.Load() != 0 {
			t.Errorf("client %s: %v, %d followed", name, err, reached.Load())
		}
	}
	tls := httptest.NewUnstartedServer(tokenSTS())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused handshake is part of the test
	tls.StartTLS()
	defer tls.Close()
	ask := func() error {
		_, err := exchange(t, upstream.WebIdentityOptions{Endpoint: tls.URL}).Credentials(t.Context(), role, idToken(t, "alice"), alice, time.Hour)
		return err
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	if err := ask(); err != nil {
		t.Error(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle+".none")
	if _, err := upstream.WebIdentity(upstream.WebIdentityOptions{}); err == nil {
		t.Error("a CA bundle that is not there is passed over")
	}
	for _, endpoint := range []string{"sts.example", "ftp://sts.example", "https://user:canary@sts.example"} {
		if _, err := upstream.WebIdentity(upstream.WebIdentityOptions{Endpoint: endpoint}); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestAnswersToAWebIdentityThatAreNone(t *testing.T) {
	clean(t)
	for name, answer := range map[string]string{
		"empty":   `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult/></AssumeRoleWithWebIdentityResponse>`,
		"expired": strings.ReplaceAll(credentialsXML("AK", "SK", "T", "2001-01-01T00:00:00Z"), "AssumeRole", "AssumeRoleWithWebIdentity"),
		"no XML":  "sorry",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) }))
		c, err := exchange(t, upstream.WebIdentityOptions{Endpoint: server.URL}).Credentials(t.Context(), role, idToken(t, "alice"), alice, time.Hour)
		server.Close()
		if failed, ok := errors.AsType[*upstream.Error](err); !ok || c.HasKeys() || failed.Cause != upstream.Unreachable {
			t.Errorf("%s: %v, %v", name, c.AccessKeyID, err)
		}
	}
}

// What a failure is to the operator.
func TestCauses(t *testing.T) {
	clean(t)
	double := &stsDouble{}
	server := httptest.NewServer(double)
	defer server.Close()
	for name, row := range map[string]struct {
		options upstream.AssumeRoleOptions
		failure string
		cause   upstream.Cause
		says    string
	}{
		"no identity":       {upstream.AssumeRoleOptions{Endpoint: server.URL}, "", upstream.NoIdentity, "the sidecar has no AWS credentials of its own"},
		"identity unknown":  {upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL}, "InvalidClientTokenId", upstream.NoIdentity, "InvalidClientTokenId"},
		"identity expired":  {upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL}, "ExpiredToken", upstream.NoIdentity, "ExpiredToken"},
		"identity forged":   {upstream.AssumeRoleOptions{Base: wrongToken(), Endpoint: server.URL}, "", upstream.NoIdentity, "SignatureDoesNotMatch"},
		"not trusted":       {upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL}, "AccessDenied", upstream.Refused, "AccessDenied"},
		"asked too often":   {upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL}, "Throttling", upstream.Throttled, "Throttling"},
		"in trouble itself": {upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL}, "InternalFailure", upstream.Unreachable, "STS answered InternalFailure"},
		"not there":         {upstream.AssumeRoleOptions{Base: base(), Endpoint: "http://127.0.0.1:1"}, "", upstream.Unreachable, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			double.Set(row.failure, nil)
			source, err := upstream.AssumeRole(row.options)
			if err != nil {
				t.Fatal(err)
			}
			_, err = source.Credentials(t.Context(), role, alice)
			if failed, ok := errors.AsType[*upstream.Error](err); !ok || failed.Cause != row.cause || failed.Role != role || !strings.Contains(failed.Error(), row.says) || strings.Contains(failed.Error(), "canary") {
				t.Errorf("got %#v", err)
			}
		})
	}
}

// A hundred callers for three hours, while STS is down when the first credentials
// are to be renewed: each call succeeds, with credentials that are good for a
// while yet, and STS is asked seldom.
func TestRenewalUnderLoad(t *testing.T) {
	double := &stsDouble{}
	inBubble(t, double, upstream.AssumeRoleOptions{}, func(t *testing.T, s upstream.Source) {
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				failure := ""
				if minute := int(time.Since(start).Minutes()); minute >= 50 && minute < 57 {
					failure = "ServiceUnavailable"
				}
				double.Set(failure, nil)
				time.Sleep(time.Second)
			}
		}()
		synctest.Wait()
		calls := make(chan error, 100)
		for i := range 100 {
			go func() {
				calls <- func() error {
					for time.Since(start) < 3*time.Hour {
						c, err := s.Credentials(ctx, role, alice)
						if err != nil {
							return err
						}
						if left := time.Until(c.Expires); left < time.Minute {
							return errors.New(c.AccessKeyID + " has " + left.String() + " left")
						}
						time.Sleep(20*time.Second + time.Duration(i)*time.Millisecond)
					}
					return nil
				}()
			}()
		}
		for range 100 {
			if err := <-calls; err != nil {
				t.Error(err)
			}
		}
		cancel()
		<-done
		if n := len(double.Seen()); n < 10 || n > 60 {
			t.Errorf("STS was asked %d times", n)
		}
	})
}
