package proxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// certificate writes one for 127.0.0.1, and returns the pool that trusts it.
func (c *sidecar) certificate() *x509.CertPool {
	c.t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	c.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	c.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})))
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(der)))
	return pool
}

// Over TLS the SDKs send bodies framed, with a checksum behind them. The
// object keeps that checksum, and a wrong one makes no object.
func TestTrailingChecksumsOverTLS(t *testing.T) {
	c := start(t, nil)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	pool := c.certificate()
	c.launch(func(config string) string { return config + "tls: {cert_file: cert.pem, key_file: key.pem}\n" })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()

	var sent http.Header
	c.store.answerWith(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			sent = r.Header.Clone()
		}
		return false
	})
	plain := c.loginOver(client)
	body := string(random(3<<20+11, 7))
	_, err := plain.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/framed"), Body: strings.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := c.stored("lake", "customers/framed"); got != body {
		t.Errorf("stored %d bytes of %d", len(got), len(body))
	}
	if sent.Get("X-Amz-Content-Sha256") != sigv4.UnsignedPayloadTrailer || sent.Get("X-Amz-Trailer") != "x-amz-checksum-crc32" || sent.Get("User-Agent") != "gimme" {
		t.Errorf("upstream got %v", sent)
	}

	raw := must(http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(c.URL(), "https:", "http:", 1)+"/lake", nil))
	if response, err := http.DefaultTransport.RoundTrip(raw); err == nil {
		defer response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP at the TLS port: %d", response.StatusCode)
		}
	}
}

func (c *sidecar) loginOver(client *http.Client) *s3.Client {
	c.t.Helper()
	keys, address := c.keysOver(client), c.URL()
	return s3.New(s3.Options{
		BaseEndpoint: &address, Region: region, UsePathStyle: true, RetryMaxAttempts: 1, HTTPClient: client,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		Credentials:                aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
	})
}

// keysOver logs in with a client, and forgets the event of it.
func (c *sidecar) keysOver(client *http.Client) aws.Credentials {
	c.t.Helper()
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleEveryone}, "RoleSessionName": {"alice"},
		"WebIdentityToken": {c.provider.token(c.t, nil)},
	}
	response, err := client.PostForm(c.URL()+"/", form)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text := string(must(io.ReadAll(response.Body)))
	field := func(name string) string {
		_, rest, _ := strings.Cut(text, "<"+name+">")
		value, _, _ := strings.Cut(rest, "<")
		return value
	}
	c.events()
	return aws.Credentials{AccessKeyID: field("AccessKeyId"), SecretAccessKey: field("SecretAccessKey"), SessionToken: field("SessionToken")}
}

// framed sends a body with a trailing checksum over plain HTTP, where the SDKs
// would not.
func (c *sidecar) framed(keys aws.Credentials, body, trailer string) (int, string) {
	c.t.Helper()
	r := must(http.NewRequestWithContext(c.t.Context(), http.MethodPut, c.URL()+"/lake/customers/framed", strings.NewReader(fmt.Sprintf("%x\r\n%s\r\n0\r\n%s\r\n\r\n", len(body), body, trailer))))
	r.Header.Set("Content-Encoding", "aws-chunked")
	r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(body)))
	r.URL.RawPath = sigv4.EscapePath(r.URL.Path)
	sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", sigv4.UnsignedPayloadTrailer, time.Now())
	response := must(http.DefaultTransport.RoundTrip(r))
	defer response.Body.Close()
	return response.StatusCode, string(must(io.ReadAll(response.Body)))
}

func TestAWrongTrailingChecksumMakesNoObject(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	if status, text := c.framed(keys, "hello", "x-amz-checksum-crc32:NhCmhg=="); status != 200 {
		t.Fatalf("got %d %s", status, text)
	}
	if got, _ := c.stored("lake", "customers/framed"); got != "hello" {
		t.Fatalf("stored %q", got)
	}
	c.events()
	for name, trailer := range map[string]string{
		"wrong":   "x-amz-checksum-crc32:AAAAAA==",
		"another": "x-amz-checksum-sha1:qvTGHdzF6KLavt4PO0gs2a6pQ00=",
	} {
		t.Run(name, func(t *testing.T) {
			status, text := c.framed(keys, "hullo", trailer)
			if status < 400 {
				t.Errorf("got %d %s", status, text)
			}
			if got, _ := c.stored("lake", "customers/framed"); got != "hello" {
				t.Errorf("the object is now %q", got)
			}
			if events := c.events(); len(events) != 2 || events[1].Kind != audit.KindOutcome || events[1].Error == "" {
				t.Errorf("events: %+v", events)
			}
		})
	}
}

// A blocked HEAD has no body, so why stands in a header.
func TestABlockedHeadSaysWhyInAHeader(t *testing.T) {
	c := start(t, nil)
	keys := c.login(bob)
	r := must(http.NewRequestWithContext(t.Context(), http.MethodHead, c.URL()+"/lake/customers/x", nil))
	sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", sigv4.UnsignedPayload, time.Now())
	response := must(http.DefaultTransport.RoundTrip(r))
	defer response.Body.Close()
	if why := response.Header.Get("X-Gimme-Reason"); response.StatusCode != 403 || !strings.Contains(why, "bob@example.com may not HeadObject s3://lake/customers/x (label SENSITIVE)") {
		t.Errorf("got %d %q", response.StatusCode, why)
	}
	c.wantNothingUpstream()
	c.wantOneRefusal("AccessDenied", "bob@example.com")
}

// With assume_role the upstream knows the person: each gets credentials of
// their own from the STS, and requests are signed with those.
func TestAssumeRole(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "SIDECAROWNKEY0000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "sidecar-own-secret")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	calls := make(chan url.Values, 10)
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := must(io.ReadAll(r.Body))
		signature, err := sigv4.Parse(r)
		if err == nil {
			_, err = signature.VerifyBody("sidecar-own-secret", body, time.Now())
		}
		if err != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		calls <- must(url.ParseQuery(string(body)))
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>upstream-token</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			upstreamKey, upstreamSecret, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	c := start(t, func(config string) string {
		before, rest, _ := strings.Cut(config, "  credentials: static\n")
		_, after, _ := strings.Cut(rest, "\n")
		return before + "  assume_role: {sts_endpoint: \"" + sts.URL + "\"}\n" + after
	})
	c.put("lake", "customers/x", "hello")
	var token string
	c.store.answerWith(func(_ http.ResponseWriter, r *http.Request) bool {
		token = r.Header.Get("X-Amz-Security-Token")
		return false
	})
	alice := c.s3(c.login(nil))
	for range 3 {
		if _, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")}); err != nil {
			t.Fatal(err)
		}
	}
	if token != "upstream-token" {
		t.Errorf("the upstream got the token %q", token)
	}
	if len(calls) != 1 {
		t.Fatalf("the STS was asked %d times", len(calls))
	}
	call := <-calls
	if call.Get("Action") != "AssumeRole" || call.Get("RoleArn") != roleEveryone || call.Get("SourceIdentity") != "alice-1" || call.Get("RoleSessionName") != "alice@example.com" {
		t.Errorf("asked %v", call)
	}
	sts.Close()
	c.events()
	carol := c.s3(c.login(map[string]any{"sub": "carol-1", "email": "carol@example.com"}))
	c.store.seen()
	_, err := carol.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	wantCode(t, err, "ServiceUnavailable", "no credentials for role "+roleEveryone)
	c.wantNothingUpstream()
}

// With several issuers each has an alias, which keeps their groups apart.
func TestIssuersAreKeptApart(t *testing.T) {
	other := newProvider(t)
	c := start(t, func(config string) string {
		config = strings.Replace(config, "client_id: gimme, ", "client_id: gimme, alias: people, ", 1)
		config = strings.Replace(config, "roles:\n", fmt.Sprintf("  - {issuer: %q, client_id: gimme, alias: guests}\nroles:\n", other.URL), 1)
		return strings.Replace(config, "groups: [data-engineering]", `groups: ["people:data-engineering"]`, 1)
	})
	if _, err := c.assume(roleEngineers, c.provider.token(t, nil)); err != nil {
		t.Error(err)
	}
	c.events()
	_, err := c.assume(roleEngineers, other.token(t, nil))
	wantCode(t, err, "AccessDenied", "may not take role")
	c.wantOneRefusal("AccessDenied", "may not take role")
}
