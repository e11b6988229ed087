package upstream_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/upstream"
)

func TestStatic(t *testing.T) {
	s := upstream.Static("AK", secret.New("SK"))
	for _, p := range []upstream.Principal{alice, {}} {
		if c, err := s.Credentials(t.Context(), role, p); err != nil || c.AccessKeyID != "AK" || c.SecretAccessKey != "SK" || c.CanExpire || c.SessionToken != "" {
			t.Errorf("%+v, %v", c, err)
		}
	}
}

func TestWhatSTSIsSent(t *testing.T) {
	clean(t)
	double := &stsDouble{}
	server := httptest.NewServer(double)
	defer server.Close()
	s := assumeRole(t, upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL + "/", Region: "eu-west-1", Duration: 30 * time.Minute})
	c, err := s.Credentials(t.Context(), role, alice)
	if err != nil {
		t.Fatal(err)
	}
	if c.AccessKeyID != "ASIA1" || c.SecretAccessKey != "secret-1" || c.SessionToken != "token-1" || !c.CanExpire || time.Until(c.Expires) < 50*time.Minute {
		t.Errorf("credentials: %v until %v", c.AccessKeyID, c.Expires)
	}
	want := []url.Values{{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"alice@example.com"}, "SourceIdentity": {"alice"},
		"DurationSeconds": {"1800"}, "Tags.member.1.Key": {"gimme:issuer"}, "Tags.member.1.Value": {"https://idp.example/realms/one"},
		"Tags.member.2.Key": {"gimme:subject"}, "Tags.member.2.Value": {"alice"}, "Tags.member.3.Key": {"gimme:email"},
		"Tags.member.3.Value": {"alice@example.com"},
	}}
	if diff := cmp.Diff(want, double.Seen()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestErrorsNameRoleAndReasonWithoutSecrets(t *testing.T) {
	clean(t)
	double := &stsDouble{}
	server := httptest.NewServer(double)
	defer server.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, c := range map[string]struct {
		options upstream.AssumeRoleOptions
		failure string
		says    string
	}{
		"refused":     {upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL}, "AccessDenied", "AccessDenied: the double says no to " + role},
		"unknown":     {upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL}, "Odd", "STS answered Odd"},
		"wrong token": {upstream.AssumeRoleOptions{Base: wrongToken(), Endpoint: server.URL}, "", "STS answered SignatureDoesNotMatch"},
		"no server":   {upstream.AssumeRoleOptions{Base: base(), Endpoint: "http://" + closed.Addr().String()}, "", "connection refused"},
		"no identity": {upstream.AssumeRoleOptions{Endpoint: server.URL}, "", "credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			double.Set(c.failure, nil)
			got, err := assumeRole(t, c.options).Credentials(t.Context(), role, alice)
			if err == nil {
				t.Fatalf("credentials: %v", got.AccessKeyID)
			}
			for _, part := range []string{"assume role", role, c.says} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			for _, canary := range []string{baseSecret, baseToken, "canary", "\n"} {
				if strings.Contains(err.Error(), canary) {
					t.Errorf("%q tells %q", err, canary)
				}
			}
		})
	}
}

func TestIncompleteAnswers(t *testing.T) {
	clean(t)
	for name, answer := range map[string]string{
		"empty":   `<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>`,
		"expired": credentialsXML("AK", "SK", "T", "2001-01-01T00:00:00Z"), "no token": credentialsXML("AK", "SK", "", "2199-01-01T00:00:00Z"),
		"no secret": credentialsXML("AK", "", "T", "2199-01-01T00:00:00Z"),
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) }))
		c, err := assumeRole(t, upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL}).Credentials(t.Context(), role, alice)
		server.Close()
		if err == nil || c.HasKeys() || !strings.Contains(err.Error(), role) {
			t.Errorf("%s: %v, %v", name, c.AccessKeyID, err)
		}
	}
}

func credentialsXML(id, key, token, expires string) string {
	return "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" + id + "</AccessKeyId><SecretAccessKey>" + key +
		"</SecretAccessKey><SessionToken>" + token + "</SessionToken><Expiration>" + expires + "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	clean(t)
	var reached atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		for name, client := range map[string]*http.Client{"its own": nil, "given": {}} {
			s := assumeRole(t, upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL, HTTPClient: client})
			if _, err := s.Credentials(t.Context(), role, alice); err == nil || reached.Load() != 0 {
				t.Errorf("%d, client %s: %v, %d followed", status, name, err, reached.Load())
			}
		}
		server.Close()
	}
}

func TestCABundle(t *testing.T) {
	clean(t)
	double := &stsDouble{}
	server := httptest.NewUnstartedServer(double)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are part of the test
	server.StartTLS()
	defer server.Close()
	strange := assumeRole(t, upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL})
	if _, err := strange.Credentials(t.Context(), role, alice); err == nil || !strings.Contains(err.Error(), "certificate") || len(double.Seen()) != 0 {
		t.Errorf("an unknown certificate is trusted: %v", err)
	}
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	for name, client := range map[string]*http.Client{"its own": nil, "given": server.Client()} {
		s := assumeRole(t, upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL, HTTPClient: client})
		if _, err := s.Credentials(t.Context(), role, alice); err != nil {
			t.Errorf("client %s: %v", name, err)
		}
	}
	t.Setenv("AWS_CA_BUNDLE", bundle+".none")
	if _, err := upstream.AssumeRole(upstream.AssumeRoleOptions{Base: base()}); err == nil {
		t.Error("a CA bundle that is not there is passed over")
	}
}

func TestDefaultChain(t *testing.T) {
	clean(t)
	double := &stsDouble{}
	server := httptest.NewServer(double)
	defer server.Close()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": baseKey, "AWS_SECRET_ACCESS_KEY": baseSecret, "AWS_SESSION_TOKEN": baseToken,
		"AWS_ENDPOINT_URL_STS": server.URL} {
		t.Setenv(name, value)
	}
	if _, err := assumeRole(t, upstream.AssumeRoleOptions{}).Credentials(t.Context(), role, alice); err != nil || len(double.Seen()) != 1 {
		t.Errorf("%v, %d calls", err, len(double.Seen()))
	}
}

func TestBadOptionsAndArguments(t *testing.T) {
	clean(t)
	for _, o := range []upstream.AssumeRoleOptions{
		{Endpoint: "sts.example"}, {Endpoint: "ftp://sts.example"}, {Endpoint: "https://user:pass-canary@sts.example"}, {Endpoint: "https://"},
		{Endpoint: "%"}, {Duration: time.Minute}, {Duration: 13 * time.Hour}, {CacheSize: -1},
	} {
		o.Base = base()
		if s, err := upstream.AssumeRole(o); err == nil || s != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	double := &stsDouble{}
	server := httptest.NewServer(double)
	defer server.Close()
	s := assumeRole(t, upstream.AssumeRoleOptions{Base: base(), Endpoint: server.URL})
	for _, c := range []struct {
		role string
		p    upstream.Principal
	}{{"", alice}, {role, upstream.Principal{Subject: "alice"}}, {role, upstream.Principal{Issuer: "https://idp.example"}}} {
		if _, err := s.Credentials(t.Context(), c.role, c.p); err == nil {
			t.Errorf("%q %+v is accepted", c.role, c.p)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Credentials(cancelled, "", alice); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n := len(double.Seen()); n != 0 {
		t.Errorf("STS saw %d calls", n)
	}
}
