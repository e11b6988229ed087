// Package ststest is an STS for tests, which records what it was sent. As the
// real one does, it proves the signature of AssumeRole and the ID token of
// AssumeRoleWithWebIdentity before it answers anything.
package ststest

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// The identity that may assume roles.
const (
	Key    = "AKIDBASE"
	Secret = "base-secret-canary"
	Token  = "base-token-canary"
)

// An STS is an http.Handler. The zero value knows AssumeRole alone, and gives
// credentials of an hour whose access key ids are ASIA1, ASIA2 and so on.
type STS struct {
	Life   time.Duration                               // of the credentials that it issues; 0: an hour
	Verify func(idToken, role string) error            // proves an ID token; nil: there is no provider
	Issue  func(n int) (id, secret, token string)      // the credentials of the n-th answer; nil: ASIA1 …
	Echo   func(form url.Values) (code, reason string) // answers with an error, if code is not empty

	mu       sync.Mutex // guards what follows
	requests []url.Values
	failure  string        // code of the error that it answers with
	wait     chan struct{} // when not nil, answers come after it is closed
}

// ServeHTTP implements http.Handler.
func (d *STS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	if d.Echo != nil && err == nil {
		if code, reason := d.Echo(form); code != "" {
			fail(w, http.StatusForbidden, code, reason)
			return
		}
	}
	refused, isRefused := errors.AsType[*Refusal](err)
	switch {
	case isRefused:
		fail(w, http.StatusBadRequest, refused.Code, refused.Message)
	case err != nil:
		fail(w, http.StatusForbidden, "SignatureDoesNotMatch", err.Error()+" x-amz-security-token:"+r.Header.Get("X-Amz-Security-Token"))
	case failure != "":
		fail(w, http.StatusBadRequest, failure, "the double says no\nto "+form.Get("RoleArn")+" "+fmt.Sprintf("%.4s", r.Header.Get("X-Amz-Security-Token")))
	default:
		d.answer(w, form.Get("Action"), n)
	}
}

func (d *STS) answer(w io.Writer, action string, n int) {
	id, secret, token := fmt.Sprintf("ASIA%d", n), fmt.Sprintf("secret-%d", n), fmt.Sprintf("token-%d", n)
	if d.Issue != nil {
		id, secret, token = d.Issue(n)
	}
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId>`+
		`<SecretAccessKey>%[3]s</SecretAccessKey><SessionToken>%[4]s</SessionToken><Expiration>%[5]s</Expiration></Credentials>`+
		`<SourceIdentity>x</SourceIdentity></%[1]sResult></%[1]sResponse>`, action, id, secret, token, time.Now().Add(cmp.Or(d.Life, time.Hour)).UTC().Format(time.RFC3339))
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>`, code)
	_ = xml.EscapeText(w, []byte(message))
	fmt.Fprint(w, `</Message></Error><RequestId>r</RequestId></ErrorResponse>`)
}

// A Refusal is an error of Verify with a code of its own.
type Refusal struct{ Code, Message string }

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// verify proves who asks, and that the request is one of the two.
func (d *STS) verify(r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL, err)
	}
	switch action := form.Get("Action"); action {
	case "AssumeRole":
		return form, verifySignature(r, body)
	case "AssumeRoleWithWebIdentity":
		if d.Verify == nil || r.Header.Get("Authorization") != "" {
			return nil, errors.New("no provider, or an Authorization header")
		}
		return form, d.Verify(form.Get("WebIdentityToken"), form.Get("RoleArn"))
	default:
		return nil, errors.New("action " + action)
	}
}

func verifySignature(r *http.Request, body []byte) error {
	s, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	if s.Service != "sts" || s.AccessKeyID != Key || s.SessionToken != Token {
		return fmt.Errorf("signed by %q for %q", s.AccessKeyID, s.Service)
	}
	_, err = s.VerifyBody(Secret, body, time.Now())
	return err
}

// Seen are the forms that were proven to be from who may ask.
func (d *STS) Seen() []url.Values {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]url.Values(nil), d.requests...)
}

// Set has answers be an error of that code, if it is not empty, and come once
// wait is closed, if it is not nil.
func (d *STS) Set(failure string, wait chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failure, d.wait = failure, wait
}
