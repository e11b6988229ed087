package upstream_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gimme-broker/gimme/internal/upstream"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

const (
	baseKey    = "AKIDBASE"
	baseSecret = "base-secret-canary"
	baseToken  = "base-token-canary"
	role       = "arn:aws:iam::111122223333:role/data-engineering"
)

var alice = upstream.Principal{Issuer: "https://idp.example/realms/one", Subject: "alice", Email: "alice@example.com", Name: "Alice", Groups: []string{"g"}}

func base() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(baseKey, baseSecret, baseToken)
}

// stsDouble is STS as far as AssumeRole goes. It answers what is signed with
// the base identity's key and refuses all else, as STS does.
type stsDouble struct {
	life time.Duration // of the credentials that it issues; 0: an hour

	mu       sync.Mutex // guards what follows
	requests []url.Values
	failure  string        // code of the error that it answers with
	wait     chan struct{} // when not nil, answers come after it is closed
}

func (d *stsDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form, err := d.verify(r)
	d.mu.Lock()
	if err == nil {
		d.requests = append(d.requests, form)
	}
	n, failure, wait := len(d.requests), d.failure, d.wait
	d.mu.Unlock()
	if wait != nil {
		<-wait
	}
	w.Header().Set("Content-Type", "text/xml")
	switch {
	case err != nil:
		fail(w, http.StatusForbidden, "SignatureDoesNotMatch", err.Error()+" x-amz-security-token:"+r.Header.Get("X-Amz-Security-Token"))
	case failure != "":
		fail(w, http.StatusBadRequest, failure, "the double says no\nto "+form.Get("RoleArn")+" "+r.Header.Get("X-Amz-Security-Token")[:4])
	default:
		life := d.life
		if life == 0 {
			life = time.Hour
		}
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA%d</AccessKeyId>`+
			`<SecretAccessKey>secret-%d</SecretAccessKey><SessionToken>token-%d</SessionToken><Expiration>%s</Expiration></Credentials>`+
			`<SourceIdentity>x</SourceIdentity></AssumeRoleResult></AssumeRoleResponse>`, n, n, n, time.Now().Add(life).UTC().Format(time.RFC3339))
	}
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>`, code)
	_ = xml.EscapeText(w, []byte(message))
	fmt.Fprint(w, `</Message></Error><RequestId>r</RequestId></ErrorResponse>`)
}

// verify proves the signature over the body, and that the request is AssumeRole.
func (d *stsDouble) verify(r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	if s.Service != "sts" || s.AccessKeyID != baseKey || s.SessionToken != baseToken {
		return nil, fmt.Errorf("signed by %q for %q", s.AccessKeyID, s.Service)
	}
	if _, err := s.VerifyBody(baseSecret, body, time.Now()); err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err == nil && (r.Method != http.MethodPost || r.URL.Path != "/" || form.Get("Action") != "AssumeRole") {
		err = fmt.Errorf("%s %s %s", r.Method, r.URL, form.Get("Action"))
	}
	return form, err
}

func (d *stsDouble) seen() []url.Values {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]url.Values(nil), d.requests...)
}

func (d *stsDouble) set(failure string, wait chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failure, d.wait = failure, wait
}

// clean keeps the machine's own AWS configuration out of a test.
func clean(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, t.TempDir()+"/none")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "")
	}
}

// assumeRole is upstream.AssumeRole, which must work.
func assumeRole(t *testing.T, o upstream.AssumeRoleOptions) upstream.Source {
	t.Helper()
	s, err := upstream.AssumeRole(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
