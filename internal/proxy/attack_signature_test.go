package proxy_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	hashed          = "" // the digest of the body
	unsignedPayload = "UNSIGNED-PAYLOAD"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	signedChunks    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// upload is a PUT of hello in a form of payload, to be signed.
func upload(target, mode string) message {
	m := message{method: "PUT", target: target, body: "hello"}
	if mode == hashed {
		return m
	}
	m.lines = append(m.lines, "x-amz-content-sha256: "+mode)
	if strings.HasPrefix(mode, "STREAMING-") {
		m.lines = append(m.lines, "x-amz-decoded-content-length: 5", "content-encoding: aws-chunked")
		m.body = "5\r\nhello\r\n0\r\n\r\n"
	}
	if strings.HasSuffix(mode, "-TRAILER") {
		m.lines = append(m.lines, "x-amz-trailer: x-amz-checksum-crc32")
		m.body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
	}
	return m
}

// signed signs m in its header and gives its bytes.
func (a *attack) signed(m message, s seal) string { return m.framed(a.host).sign(s).String() }

// presigned signs m in its query and gives its bytes.
func (a *attack) presigned(m message, s seal) string { return m.framed(a.host).presign(s).String() }

// by is a seal of one of those whose keys the attack has.
func (a *attack) by(who string) seal { return seal{keys: a.held[who]} }

func reading(target string, lines ...string) message {
	return message{method: "GET", target: target, lines: lines}
}

// signatures attacks what proves who asks.
func (a *attack) signatures() {
	a.wrongSecrets()
	a.queryCredentials()
	a.unsignedHeaders()
	a.presignedTimes()
	a.claims()
	a.tokens()
}

// wrongSecrets: what is not signed with the secret is refused, whatever it is.
func (a *attack) wrongSecrets() {
	mismatch := want{status: 403, code: "SignatureDoesNotMatch"}
	for _, mode := range []string{hashed, unsignedPayload, unsignedTrailer, signedChunks, signedTrailer} {
		for _, target := range []string{"/lake/customers/x", "/lake/customers/x?partNumber=1&uploadId=u"} {
			a.refused(fmt.Sprintf("advisory 1/%s to %s", mode, target), a.signed(upload(target, mode), a.by("thief")), mismatch)
		}
		if mode == hashed || mode == unsignedPayload {
			a.refused("advisory 1/presigned "+mode, a.presigned(upload("/lake/customers/x", mode), a.by("thief")), mismatch)
		}
	}
	for _, mode := range []string{"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"} {
		a.refused("advisory 73/"+mode, a.signed(upload("/lake/customers/x", mode), a.by("alice")), want{status: 501, code: "NotImplemented"})
	}
	for _, mode := range []string{"STREAMING-X", "UNSIGNED", "streaming-unsigned-payload-trailer", "unsigned-payload", strings.ToUpper(sha("hello")), sha("hello")[1:]} {
		a.refused("advisory 73/"+mode, a.signed(upload("/lake/customers/x", mode), a.by("alice")), want{status: 400, code: "InvalidArgument"})
	}
	for _, m := range everyRoute() {
		a.refused(fmt.Sprintf("advisory 3/%s %s", m.method, m.target), a.signed(m, a.by("thief")), mismatch)
		a.refused(fmt.Sprintf("advisory 13/presigned %s %s", m.method, m.target), a.presigned(m, a.by("thief")), mismatch)
	}
}

// everyRoute has requests of every verb and kind, served or not.
func everyRoute() []message {
	list := []message{
		{method: "PUT", target: "/lake/customers/y", lines: []string{"x-amz-copy-source: lake/customers/x"}},
		{method: "PUT", target: "/lake/customers/y?partNumber=1&uploadId=u", lines: []string{"x-amz-copy-source: lake/customers/x"}},
		{method: "PUT", target: "/lake/customers/y.tar", lines: []string{"x-amz-meta-snowball-auto-extract: true"}, body: "x"},
		{method: "POST", target: "/lake?delete", body: "<Delete><Object><Key>public/x</Key></Object></Delete>"},
		{method: "POST", target: "/lake/customers/x?uploadId=u", body: "<CompleteMultipartUpload/>"},
		{method: "GET", target: "/"},
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"} {
		for _, target := range []string{"/lake", "/lake/", "/lake/customers/x", "/lake?acl", "/lake?policy", "/lake/customers/x?acl", "/lake/customers/x?tagging",
			"/lake/customers/x?uploads", "/lake/customers/x?restore", "/lake/customers/x?select&select-type=2", "/lake?list-type=2&prefix=public/", "/lake?uploads"} {
			list = append(list, message{method: method, target: target})
		}
	}
	return list
}

// queryCredentials: an access key in the query is no signature.
func (a *attack) queryCredentials() {
	now := time.Now().UTC()
	alice := a.held["alice"]
	credential := url.QueryEscape(alice.AccessKeyID + "/" + now.Format("20060102") + "/us-east-1/s3/aws4_request")
	whole := "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + credential + "&X-Amz-Date=" + now.Format(amzTime) +
		"&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=" + url.QueryEscape(alice.SessionToken)
	malformed := want{status: 400, code: "AuthorizationQueryParametersError"}
	for _, mode := range []string{hashed, unsignedPayload, unsignedTrailer, signedChunks, signedTrailer} {
		m := upload("/lake/customers/x?", mode)
		for query, w := range map[string]want{
			"X-Amz-Credential=" + credential:                                  malformed,
			"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + credential: malformed,
			whole:                           malformed,
			whole + "&X-Amz-Signature=":     malformed,
			whole + "&X-Amz-Signature=none": malformed,
			whole + "&X-Amz-Signature=" + strings.Repeat("0", 63): malformed,
			whole + "&X-Amz-Signature=" + strings.Repeat("0", 64): {status: 403, code: map[bool]string{true: "SignatureDoesNotMatch", false: "AccessDenied"}[mode == hashed]},
		} {
			sent := m
			sent.target += query
			name := strings.NewReplacer(url.QueryEscape(alice.SessionToken), "TOKEN", credential, "CREDENTIAL", now.Format(amzTime), "DATE").Replace(query)
			a.refused(fmt.Sprintf("advisory 2/%s with %s", mode, name), sent.framed(a.host).String(), w)
		}
		both := m.framed(a.host).sign(a.by("alice"))
		both.target += "X-Amz-Credential=" + credential
		a.refused("advisory 2/header and credential, "+mode, both.String(), want{status: 400, code: "InvalidArgument"})
		m.target = strings.TrimSuffix(m.target, "?")
		both = m.framed(a.host).presign(a.by("thief")).sign(a.by("alice"))
		a.refused("advisory 2/header and query, "+mode, both.String(), want{status: 400, code: "InvalidArgument"})
	}
}

// dangerous are headers that make more of a request than was signed.
var dangerous = []string{
	"x-amz-copy-source: lake/public/x", "x-amz-copy-source-range: bytes=0-1", "x-amz-rename-source: /lake/public/x", "x-amz-acl: public-read",
	"x-amz-grant-full-control: id=x", "x-amz-grant-read: id=x", "x-amz-tagging: a=b", "x-amz-tagging-directive: REPLACE", "x-amz-metadata-directive: REPLACE",
	"x-amz-meta-a: b", "x-amz-storage-class: GLACIER", "x-amz-website-redirect-location: https://evil.example/", "x-amz-server-side-encryption: AES256",
	"x-amz-server-side-encryption-customer-key: canary", "x-amz-object-lock-mode: COMPLIANCE", "x-amz-object-lock-retain-until-date: 2099-01-01T00:00:00Z",
	"x-amz-object-lock-legal-hold: ON", "x-amz-bypass-governance-retention: true", "x-amz-mfa: 1 2", "x-amz-request-payer: requester",
	"x-amz-expected-bucket-owner: 111122223333", "x-amz-confirm-remove-self-bucket-access: true", "x-amz-checksum-crc32: NhCmhg==", "x-amz-sdk-checksum-algorithm: CRC32",
	"x-amz-checksum-mode: ENABLED", "x-amz-write-offset-bytes: 0", "x-amz-if-match-size: 1", "x-amz-source-expected-bucket-owner: 1", "x-amz-user-agent: x",
	"x-amz-foo: bar", "X-AMZ-ACL: public-read", "x-amz-: x",
}

// unsignedHeaders: nobody adds a header to what somebody else has signed.
func (a *attack) unsignedHeaders() {
	denied := want{status: 403, code: "AccessDenied", why: "not signed"}
	for _, line := range dangerous {
		for _, m := range []message{reading("/lake/customers/x"), upload("/lake/customers/x", hashed), {method: "DELETE", target: "/lake/public/x"}} {
			m = m.framed(a.host)
			a.refused(fmt.Sprintf("advisory 23/%s with %s", m.method, line), m.sign(a.by("alice")).with(line).String(), denied)
			row := map[string]string{"GET": "advisory 34", "PUT": "advisory 51", "DELETE": "T24"}[m.method]
			a.refused(fmt.Sprintf("%s/presigned %s with %s", row, m.method, line), m.presign(a.by("alice")).with(line).String(), denied)
		}
	}
}

// presignedTimes: a URL holds as long as it says, and says it in one way.
func (a *attack) presignedTimes() {
	malformed := want{status: 400, code: "AuthorizationQueryParametersError"}
	m := reading("/lake/customers/x")
	for _, expires := range []string{"0", "-1", "604801", "99999999999999999999", "1e3", "900s", "+900", " 900", "9 00", "0x10", "٩٠٠"} {
		s := a.by("alice")
		s.expires = expires
		a.refused("advisory 43/expires "+expires, a.presigned(m, s), malformed)
	}
	for _, name := range []string{"X-Amz-Expires", "X-Amz-Date", "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Algorithm"} {
		s := a.by("alice")
		s.edit = func(params url.Values) { params.Del(name) }
		a.refused("advisory 43/without "+name, a.presigned(m, s), malformed)
		s.edit = func(params url.Values) { params.Set(name, "") }
		a.refused("advisory 43/empty "+name, a.presigned(m, s), malformed)
		for _, other := range []string{strings.ToLower(name), strings.Replace(name, "A", "%41", 1), name} {
			twice := m.framed(a.host).presign(a.by("alice"))
			twice.target += "&" + other + "=1"
			a.refused("advisory 71/"+name+" and "+other, twice.String(), want{status: 400, code: "InvalidArgument"})
		}
	}
	now := time.Now()
	for name, c := range map[string]struct {
		at      time.Time
		expires string
		why     string
	}{
		"expired":              {now.Add(-time.Hour), "60", "expired"},
		"expired a second ago": {now.Add(-62 * time.Second), "60", "expired"},
		"not yet":              {now.Add(16 * time.Minute), "900", "not valid before"},
		"next year":            {now.Add(365 * 24 * time.Hour), "604800", "not valid before"},
		"a week ago":           {now.Add(-7*24*time.Hour - time.Minute), "604800", "expired"},
	} {
		s := a.by("alice")
		s.at, s.expires = c.at, c.expires
		a.refused("T18/"+name, a.presigned(m, s), want{status: 403, code: "AccessDenied", why: c.why})
	}
	s := a.by("alice")
	s.edit = func(params url.Values) { params.Del("X-Amz-Security-Token") }
	a.refused("T18/without its token", a.presigned(m, s), want{status: 403, code: "InvalidAccessKeyId"})
	moved := m.framed(a.host).presign(s).with("x-amz-security-token: " + a.held["alice"].SessionToken)
	a.refused("T18/with its token in a header", moved.String(), want{status: 400, code: "InvalidArgument"})
}

// claims: what a signature says of itself is read in one way.
func (a *attack) claims() {
	m := reading("/lake/customers/x")
	header := want{status: 400, code: "AuthorizationHeaderMalformed"}
	for _, service := range []string{"s3tables", "s3express", "s3-outposts", "s3-object-lambda", "iam", "S3", "s3/s3"} {
		s := a.by("alice")
		s.service = service
		a.refused("advisory 27/"+service, a.signed(m.with("x-amz-content-sha256: "+sha("")), s), header)
	}
	s := a.by("alice")
	s.service = "sts"
	a.refused("advisory 27/sts", a.signed(m.with("x-amz-content-sha256: "+sha("")), s), want{status: 400, code: "InvalidRequest"})
	for _, names := range []string{"x-amz-content-sha256;x-amz-date;x-amz-security-token", "host;;x-amz-date", "Host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
		"x-amz-date;x-amz-content-sha256;host", "host;host", ";host", "host;", "", " ", "host;x amz"} {
		s := a.by("alice")
		s.names = names
		if names == "" {
			s.names = ";"
		}
		a.refused(fmt.Sprintf("advisory 73/signed headers %q", names), a.signed(m, s), header)
	}
	s = a.by("alice")
	s.names = "host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token"
	a.refused("advisory 73/a signed header that is not there", a.signed(m, s), want{status: 403, code: "SignatureDoesNotMatch"})
	s = a.by("alice")
	s.leave = []string{"x-amz-security-token"}
	a.refused("advisory 73/a token that is not signed", a.signed(m, s), want{status: 403, code: "AccessDenied", why: "not signed"})
	for _, line := range []string{"Authorization: AWS4-HMAC-SHA256 x", "x-amz-date: " + time.Now().UTC().Format(amzTime), "x-amz-security-token: x", "x-amz-content-sha256: UNSIGNED-PAYLOAD"} {
		name, _, _ := strings.Cut(line, ":")
		twice := m.framed(a.host).sign(a.by("alice")).with(line)
		a.refused("advisory 73/two of "+name, twice.String(), want{status: 400, code: "InvalidRequest"})
		slices.Reverse(twice.lines)
		a.refused("advisory 73/two of "+name+", the other way round", twice.String(), want{status: 400, code: "InvalidRequest"})
	}
	now := time.Now()
	for name, at := range map[string]time.Time{"yesterday": now.Add(-24 * time.Hour), "16 minutes ago": now.Add(-16 * time.Minute), "in 16 minutes": now.Add(16 * time.Minute)} {
		s := a.by("alice")
		s.at = at
		a.refused("T18/signed "+name, a.signed(m, s), want{status: 403, code: "RequestTimeTooSkewed"})
	}
	s = a.by("alice")
	s.day = now.UTC().Add(-48 * time.Hour).Format("20060102")
	a.refused("T18/scope of another day", a.signed(m, s), header)
}

// tokens: a session is good where it was issued, for whom, and unchanged.
func (a *attack) tokens() {
	m := reading("/lake/customers/x")
	a.refused("T29/another's token", a.signed(m, a.by("crossed")), want{status: 400, code: "InvalidToken"})
	a.refused("T29/no token", a.signed(m, a.by("tokenless")), want{status: 403, code: "InvalidAccessKeyId"})
	good := a.held["alice"]
	for name, token := range map[string]string{
		"a byte changed": flip(good.SessionToken, len(good.SessionToken)/2), "the first byte changed": flip(good.SessionToken, 0),
		"the last byte changed": flip(good.SessionToken, len(good.SessionToken)-1), "cut": good.SessionToken[:len(good.SessionToken)-4],
		"longer": good.SessionToken + "AAAA", "twice": good.SessionToken + good.SessionToken, "nothing of it": "x", "of Amazon": "FwoGZXIvYXdzEBYaDHqa0AP/",
	} {
		s := a.by("alice")
		s.keys.SessionToken = token
		a.refused("T29/token with "+name, a.signed(m, s), want{status: 400, code: "InvalidToken"})
	}
	s := a.by("alice")
	s.id = a.held["bob"].AccessKeyID
	a.refused("T29/another's access key", a.signed(m, s), want{status: 400, code: "InvalidToken"})
	a.run("T29/another deployment with other keys", func(t *testing.T) {
		twin := start(t, nil)
		a.wantRefused(t, a.signed(m, seal{keys: twin.login(nil)}), want{status: 400, code: "InvalidToken"})
	})
	a.run("T29/another deployment with the same keys", func(t *testing.T) {
		twin := start(t, nil)
		if err := twin.stop(); err != nil {
			t.Fatal(err)
		}
		twin.write("session-keys", string(must(os.ReadFile(filepath.Join(a.folder, "session-keys")))))
		twin.launch(func(config string) string {
			return strings.Replace(config, "sessions: {", "sessions: {deployment: other, ", 1)
		})
		a.wantRefused(t, a.signed(m, seal{keys: twin.login(nil)}), want{status: 400, code: "InvalidToken"})
	})
}

// flip changes one character of base64 or the like.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}
