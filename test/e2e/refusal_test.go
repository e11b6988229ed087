package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A verdict is how a refusal has to look.
type verdict struct {
	status   int
	code     string
	sentence string // a regular expression
}

// check judges an answer and what the sidecar and the upstream made of the
// request.
func (v verdict) check(t *testing.T, at mark, a answer) event {
	t.Helper()
	if a.status != v.status || a.Code != v.code || !regexp.MustCompile(v.sentence).MatchString(a.reason()) {
		t.Errorf("answer %d %s %q\nwant   %d %s %q", a.status, a.Code, a.reason(), v.status, v.code, v.sentence)
	}
	e := at.refused(t)
	if a.RequestID != e.ID || !strings.Contains(a.reason(), "Event "+e.ID) {
		t.Errorf("the answer names request %q, the event is %q: %s", a.RequestID, e.ID, a.reason())
	}
	if e.Response.Code != v.code || !strings.HasPrefix(e.Error, v.code+": ") {
		t.Errorf("the event does not say why: %+v", e)
	}
	return e
}

// TestSessionRefused asks for sessions that must not be issued.
func TestSessionRefused(t *testing.T) {
	w := newWorld(t, settings{})
	second := startProvider(t, place{})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := w.idToken(t, "alice", nil)
	parts := strings.Split(good, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	bob := strings.Split(w.idToken(t, "bob", nil), ".")
	hour := func(n time.Duration) int64 { return time.Now().Add(n * time.Hour).Unix() }

	rows := map[string]struct {
		token, role string
		want        verdict
	}{
		"expired": {w.idToken(t, "alice", map[string]any{"iat": hour(-3), "exp": hour(-2)}), engineerRole,
			verdict{400, "ExpiredTokenException", `too old.*gimme s3`}},
		"signed by another key": {signJWT(t, stranger, w.claims("alice", nil)), engineerRole,
			verdict{400, "InvalidIdentityToken", `not accepted: .*sign`}},
		"not signed":                   {unsigned, engineerRole, verdict{400, "InvalidIdentityToken", `not accepted`}},
		"other claims, same signature": {bob[0] + "." + parts[1] + "." + bob[2], engineerRole, verdict{400, "InvalidIdentityToken", `sign`}},
		"another issuer":               {second.idToken(t, "alice", nil), engineerRole, verdict{400, "InvalidIdentityToken", `issuer`}},
		"another issuer in our name": {second.idToken(t, "alice", map[string]any{"iss": w.issuer}), engineerRole,
			verdict{400, "InvalidIdentityToken", `sign`}},
		"for another client": {w.idToken(t, "alice", map[string]any{"aud": "payroll-app"}), engineerRole,
			verdict{400, "InvalidIdentityToken", `payroll-app|audience|gimme`}},
		"not a token":    {"let.me.in", engineerRole, verdict{400, "InvalidIdentityToken", `not accepted`}},
		"role of others": {good, staffRole, verdict{403, "AccessDenied", `alice@example\.com may not take role .*staff.*members of staff`}},
		"no such role":   {good, "arn:aws:iam::111122223333:role/root", verdict{403, "AccessDenied", `no such role`}},
		"group missing":  {w.idToken(t, "bob", nil), engineerRole, verdict{403, "AccessDenied", `bob@example\.com may not take role .*data-engineering`}},
		"group as one text": {w.idToken(t, "bob", map[string]any{"groups": "data-engineering"}), engineerRole,
			verdict{400, "InvalidIdentityToken", `groups is not a list`}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			at := w.sidecar.mark(t)
			a := w.sidecar.assume(t, row.token, row.role)
			e := row.want.check(t, at, a)
			if e.Kind != "session" || a.SessionToken != "" {
				t.Errorf("kind %q, session %q", e.Kind, a.SessionToken)
			}
		})
	}
}

// TestRequestRefused sends requests that must not be served. Each is signed as
// an SDK signs, and then spoilt.
func TestRequestRefused(t *testing.T) {
	w := newWorld(t, settings{})
	s := w.sidecar
	alice, carol := s.session(t, w.provider, "alice", engineerRole), s.session(t, w.provider, "carol", staffRole)
	other := startSidecar(t, w.upstream, settings{Issuer: w.issuer}, nil)
	foreign := other.session(t, w.provider, "alice", engineerRole)
	// The same keys, but sealed for another deployment.
	sameKeys := startDeployment(t, w, s)
	deployed := sameKeys.session(t, w.provider, "alice", engineerRole)

	with := func(k aws.Credentials, change func(*aws.Credentials)) aws.Credentials { change(&k); return k }
	object := "/acme-lake/customers/2026.csv"
	rows := map[string]struct {
		request *http.Request
		want    verdict
	}{
		"wrong secret": {s.signed(t, with(alice, func(k *aws.Credentials) { k.SecretAccessKey = carol.SecretAccessKey }), "GET", object, ""),
			verdict{403, "SignatureDoesNotMatch", `secret`}},
		"another's token": {s.signed(t, with(alice, func(k *aws.Credentials) { k.SessionToken = carol.SessionToken }), "GET", object, ""),
			verdict{400, "InvalidToken", `not one of this sidecar's.*gimme s3`}},
		"a session of another sidecar":    {s.signed(t, foreign, "GET", object, ""), verdict{400, "InvalidToken", `not one of this sidecar's`}},
		"a session of another deployment": {s.signed(t, deployed, "GET", object, ""), verdict{400, "InvalidToken", `not one of this sidecar's`}},
		"keys of the upstream": {s.signed(t, aws.Credentials{AccessKeyID: upstreamKey, SecretAccessKey: upstreamSecret}, "GET", object, ""),
			verdict{403, "InvalidAccessKeyId", `gimme s3`}},
		"not signed": {s.newRequest(t, "GET", object, ""), verdict{403, "AccessDenied", `Anonymous`}},
		"Signature Version 2": {s.newRequest(t, "GET", object+"?AWSAccessKeyId="+alice.AccessKeyID+"&Signature=AAAA%3D&x-amz-security-token="+alice.SessionToken+"&Expires=1795472118", ""),
			verdict{400, "InvalidRequest", `Signature Version 2, which is not supported: use Version 4 .*s3v4`}},
		"a header that is not signed": {added(s.signed(t, alice, "PUT", "/acme-lake/open/x", "x"), "X-Amz-Acl", "public-read"),
			verdict{403, "AccessDenied|SignatureDoesNotMatch", `x-amz-acl`}},
		"a copy source that is not signed": {added(s.signed(t, alice, "PUT", "/acme-lake/open/x", ""), "X-Amz-Copy-Source", "acme-lake/payroll/2026.csv"),
			verdict{403, "AccessDenied|SignatureDoesNotMatch", `x-amz-copy-source`}},
		"another path than was signed":  {moved(s.signed(t, alice, "GET", object, ""), "/acme-lake/payroll/2026.csv"), verdict{403, "SignatureDoesNotMatch", `.`}},
		"another query than was signed": {moved(s.signed(t, alice, "GET", object, ""), object+"?versionId=1"), verdict{403, "SignatureDoesNotMatch", `.`}},
		"an unknown operation":          {s.signed(t, alice, "GET", "/acme-lake?session=", ""), verdict{501, "NotImplemented", `CreateSession`}},
		"a bucket policy":               {s.signed(t, alice, "GET", "/acme-lake?policy=", ""), verdict{403, "AccessDenied", `manage`}},
		"an operation within an object": {s.signed(t, alice, "GET", object+"?torrent=", ""), verdict{501, "NotImplemented", `torrent`}},
		"data of others": {s.signed(t, alice, "GET", "/acme-lake/payroll/2026.csv", ""),
			verdict{403, "AccessDenied", `alice@example\.com may not GetObject s3://acme-lake/payroll/2026\.csv \(label PAYROLL\): .*payroll`}},
		"someone without grants": {s.signed(t, carol, "GET", object, ""),
			verdict{403, "AccessDenied", `carol@example\.com may not GetObject s3://acme-lake/customers/2026\.csv \(label SENSITIVE\)`}},
		"data without a label":   {s.signed(t, alice, "GET", "/acme-lake/elsewhere", ""), verdict{403, "AccessDenied", `no label`}},
		"a bucket alike in name": {s.signed(t, alice, "GET", "/acme-lake2/customers/2026.csv", ""), verdict{403, "AccessDenied", `no label`}},
		"a path with dots":       {s.signed(t, alice, "GET", "/acme-lake/open/../payroll/2026.csv", ""), verdict{400, "InvalidRequest|InvalidURI|InvalidArgument", `.`}},
		"a batch that was tampered with": {tampered(s, s.signed(t, alice, "POST", "/acme-lake?delete=", batch("open/readme.txt")), batch("open/README.TXT")),
			verdict{400, "XAmzContentSHA256Mismatch", `.`}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			at := s.mark(t)
			a := s.send(t, row.request)
			if codes := strings.Split(row.want.code, "|"); len(codes) > 1 {
				row.want.code = codes[0]
				for _, code := range codes {
					if a.Code == code {
						row.want.code = code
					}
				}
			}
			row.want.check(t, at, a)
		})
	}
	t.Run("an upload that was tampered with", func(t *testing.T) { tamperedUpload(t, w, alice) })
	for _, key := range []string{"customers/2026.csv", "open/readme.txt", "payroll/2026.csv"} {
		if w.upstream.get(t, key) != contents(key) {
			t.Errorf("%s has changed", key)
		}
	}
}

// startDeployment starts a sidecar with the keys of s and another deployment.
func startDeployment(t *testing.T, w *world, s *sidecar) *sidecar {
	t.Helper()
	other := startSidecar(t, w.upstream, settings{Issuer: w.issuer, Deployment: "staging"}, nil)
	writeFile(t, other.path("session-keys"), readFile(t, s.path("session-keys")))
	other.restart(t)
	return other
}

func added(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

// moved sends a request elsewhere than it was signed for.
func moved(r *http.Request, target string) *http.Request {
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
	return r
}

// tampered gives a request another body than was signed.
func tampered(s *sidecar, r *http.Request, body string) *http.Request {
	changed, err := http.NewRequest(r.Method, s.address, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Body, r.GetBody, r.ContentLength = changed.Body, changed.GetBody, changed.ContentLength
	return r
}

func batch(key string) string {
	return `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>` + key + `</Key></Object></Delete>`
}

// tamperedUpload has a body that differs from its digest: that shows only when
// all but its last byte went upstream, and no object comes of it.
func tamperedUpload(t *testing.T, w *world, k aws.Credentials) {
	for key, before := range map[string]string{"open/new.txt": "", "customers/2026.csv": contents("customers/2026.csv")} {
		at := w.sidecar.mark(t)
		a := w.sidecar.send(t, tampered(w.sidecar, w.sidecar.signed(t, k, "PUT", "/acme-lake/"+key, "what was signed"), "what was senT...."[:15]))
		if a.status != 400 || a.Code != "XAmzContentSHA256Mismatch" {
			t.Errorf("%s: answer %d %s %s", key, a.status, a.Code, a.Message)
		}
		if got := w.upstream.get(t, key); got != before {
			t.Errorf("%s is now %q", key, got)
		}
		since := at.since(t)
		if last := since[len(since)-1]; len(since) != 2 || last.Kind != "outcome" || last.Response.Code != "XAmzContentSHA256Mismatch" {
			t.Errorf("%s: the events say %+v", key, since)
		}
	}
}

// TestSessionExpires uses a session for longer than it lasts.
func TestSessionExpires(t *testing.T) {
	w := newWorld(t, settings{Lifetime: "5s"})
	k := w.sidecar.session(t, w.provider, "alice", engineerRole)
	if a := w.sidecar.send(t, w.sidecar.signed(t, k, "GET", "/acme-lake/customers/2026.csv", "")); a.status != http.StatusOK {
		t.Fatalf("a fresh session is answered %d %s", a.status, a.body)
	}
	time.Sleep(5100 * time.Millisecond)
	at := w.sidecar.mark(t)
	e := verdict{400, "ExpiredToken", `Your session expired at .*\. Log in again: gimme s3`}.check(t, at,
		w.sidecar.send(t, w.sidecar.signed(t, k, "GET", "/acme-lake/customers/2026.csv", "")))
	if e.Principal.Email != "alice@example.com" {
		t.Errorf("the event does not say whose session it was: %+v", e)
	}
}
