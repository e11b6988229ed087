package e2e_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A soakPerson is somebody with a session, which is renewed when it ends.
type soakPerson struct {
	soak   *soak
	name   string
	groups []string
	role   string
	http   *http.Client
	keys   *aws.CredentialsCache
	s3     *s3.Client
	parts  *transfermanager.Client
}

// renewal is how long before its end a session is renewed, which the SDK takes off
// the end itself.
const renewal = 4 * time.Second

// newPerson is somebody with connections of their own.
func (s *soak) newPerson(name, role string, groups ...string) *soakPerson {
	transport := &http.Transport{TLSClientConfig: s.identity.trust(), MaxIdleConnsPerHost: 8, IdleConnTimeout: 10 * time.Second, DisableCompression: true, ExpectContinueTimeout: time.Second}
	p := &soakPerson{soak: s, name: name, role: role, groups: groups, http: &http.Client{Timeout: 2 * patience, Transport: tracked{transport, s.journal}}}
	p.keys = aws.NewCredentialsCache(aws.CredentialsProviderFunc(p.login), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = renewal })
	p.s3 = s3.New(s3.Options{
		BaseEndpoint: aws.String(s.sidecar.address), Region: "us-east-1", UsePathStyle: true, HTTPClient: p.http, Credentials: p.keys,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 5, 300*time.Millisecond, ratelimit.None
		}),
	})
	p.parts = transfermanager.New(p.s3, func(o *transfermanager.Options) { o.PartSizeBytes = 5 << 20; o.MultipartUploadThreshold = 5 << 20 })
	return p
}

// leave closes the connections that rest.
func (p *soakPerson) leave() {
	p.http.Transport.(tracked).next.(*http.Transport).CloseIdleConnections()
}

// login exchanges an ID token for a session.
func (p *soakPerson) login(context.Context) (aws.Credentials, error) {
	i := &intent{what: "AssumeRoleWithWebIdentity"}
	status, body, err := p.assume(i)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("no session for %s: %d %s", p.name, status, body)
	}
	if err != nil {
		p.soak.fault("%v", err)
		return aws.Credentials{}, err
	}
	var got struct {
		Keys struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      time.Time
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(body, &got); err != nil {
		return aws.Credentials{}, err
	}
	k := got.Keys
	return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken, CanExpire: true, Expires: k.Expiration}, nil
}

// assume asks for a session.
func (p *soakPerson) assume(i *intent) (int, []byte, error) {
	token := p.soak.provider.idToken(p.soak.t, p.name, map[string]any{
		"email": p.name + "@example.com", "email_verified": true, "name": p.name, "groups": slices.Clone(p.groups),
	})
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleSessionName": {"soak"},
		"RoleArn": {p.role}, "WebIdentityToken": {token},
	}
	r, err := http.NewRequestWithContext(about(i), http.MethodPost, p.soak.sidecar.address+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.do(r)
}

// do sends a request, and reads the answer.
func (p *soakPerson) do(r *http.Request) (int, []byte, error) {
	response, err := p.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// failed says what an SDK call came to, where its attempts do not say it: an
// error although all of them were answered with success, such as a checksum that
// is not right.
func (s *soak) failed(i *intent, err error) {
	if err != nil && s.journal.sure(i) && len(i.want) == 0 {
		s.fault("%s: every attempt went well, and yet: %v", i.what, err)
	}
	if err == nil && len(i.want) > 0 {
		s.fault("%s: it went well, and was to be refused", i.what)
	}
	if err != nil && len(i.attempts) == 0 && !errors.Is(err, context.Canceled) {
		s.fault("%s: nothing was sent: %v", i.what, err)
	}
}
