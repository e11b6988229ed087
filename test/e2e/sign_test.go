package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// An answer is what the sidecar sent, as far as every refusal has it.
type answer struct {
	status          int
	Code, Message   string
	Reason          string                         // why, where the message is S3's own sentence
	RequestID       string                         `xml:"RequestId"`
	STS             struct{ Code, Message string } `xml:"Error"`
	AccessKeyID     string                         `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
	SecretAccessKey string                         `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
	SessionToken    string                         `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	body            string
}

// reason is the sidecar's own sentence.
func (a answer) reason() string {
	if a.Reason != "" {
		return a.Reason
	}
	return a.Message
}

// send sends a request as it is.
func (c *sidecar) send(t *testing.T, r *http.Request) answer {
	t.Helper()
	response, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, body: string(body)}
	if strings.Contains(response.Header.Get("Content-Type"), "xml") {
		if err := xml.Unmarshal(body, &a); err != nil {
			t.Fatalf("the answer is no XML: %v: %s", err, body)
		}
	}
	if a.STS.Code != "" {
		a.Code, a.Message = a.STS.Code, a.STS.Message
	}
	return a
}

// assume exchanges an ID token for a session.
func (c *sidecar) assume(t *testing.T, idToken, role string) answer {
	t.Helper()
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleSessionName": {"test"},
		"RoleArn": {role}, "WebIdentityToken": {idToken},
	}
	r := c.newRequest(t, http.MethodPost, "/", form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(t, r)
}

// session gets a session for name without a login.
func (c *sidecar) session(t *testing.T, p *provider, name, role string) aws.Credentials {
	t.Helper()
	a := c.assume(t, p.idToken(t, name, nil), role)
	if a.status != http.StatusOK {
		t.Fatalf("no session for %s: %d %s", name, a.status, a.body)
	}
	return aws.Credentials{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: a.SessionToken}
}

func (c *sidecar) newRequest(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.address+target, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sign signs r for the service s3 as an SDK does.
func sign(t *testing.T, r *http.Request, k aws.Credentials, body string) *http.Request {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	digest := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", digest)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(t.Context(), k, r, digest, "s3", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

// signed is a signed request.
func (c *sidecar) signed(t *testing.T, k aws.Credentials, method, target, body string) *http.Request {
	t.Helper()
	return sign(t, c.newRequest(t, method, target, body), k, body)
}
