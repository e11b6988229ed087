package sigv4_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// refused asserts the code, and that nothing was verified.
func refused(t *testing.T, r *http.Request, now time.Time, code string) {
	t.Helper()
	v, err := verify(r, secretKey, now)
	if v != nil {
		t.Fatalf("verified %s %s", v.Method(), v.Path())
	}
	wantCode(t, err, code)
}

func TestRefusedTargets(t *testing.T) {
	for _, test := range []struct{ target, code string }{
		{"http://s3.example/b/k", "InvalidURI"},
		{"*", "InvalidURI"},
		{"", "InvalidURI"},
		{"b/k", "InvalidURI"},
		{"/b/k#f", "InvalidURI"},
		{"/b/k?a=#", "InvalidURI"},
		{"/b/%", "InvalidURI"},
		{"/b/%4", "InvalidURI"},
		{"/b/%zz", "InvalidURI"},
		{"/b/%4g", "InvalidURI"},
		{"/b/%00", "InvalidURI"},
		{"/b/\x00", "InvalidURI"},
		{"/b/a b", "InvalidURI"},
		{"/b/\x7f", "InvalidURI"},
		{"/b/%ff", "InvalidURI"},
		{"/b/\xff", "InvalidURI"},
		{"/b/%c0%af", "InvalidURI"},
		{"/b/%ed%a0%80", "InvalidURI"},
		{"/b/" + strings.Repeat("k", 1025), "KeyTooLongError"},
		{"/b/" + strings.Repeat("%6b", 1025), "KeyTooLongError"},
		{"/b?a=1;b=2", "InvalidURI"},
		{"/b?a=%zz", "InvalidURI"},
		{"/b?%zz", "InvalidURI"},
		{"/b?a=%00", "InvalidURI"},
		{"/b?a=%ff", "InvalidURI"},
		{"/b?=1", "InvalidURI"},
		{"/b?a&&b", "InvalidURI"},
		{"/b?a&", "InvalidURI"},
		{"/b?&", "InvalidURI"},
		{"/b?prefix=a&prefix=b", "InvalidArgument"},
		{"/b?prefix=a&prefix=a", "InvalidArgument"},
		{"/b?prefix&%70refix=a", "InvalidArgument"},
		{"/b?X-Amz-Date=1&x-amz-date=1", "InvalidArgument"},
		{"/b?X-Amz-Foo=1&x-amz-fOO=1", "InvalidArgument"},
	} {
		t.Run(test.target[:min(len(test.target), 40)], func(t *testing.T) {
			r := signed(t, "GET", "/b/k", nil)
			r.RequestURI = test.target
			refused(t, r, noon, test.code)
		})
	}
}

// headerCase changes a request that verifies, after it was signed.
type headerCase struct {
	name, code string
	change     func(*http.Request)
}

func set(name string, lines ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = lines }
}

func replace(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		auth := r.Header.Get("Authorization")
		if !strings.Contains(auth, from) {
			panic("nothing to replace in " + auth)
		}
		r.Header.Set("Authorization", strings.Replace(auth, from, to, 1))
	}
}

func all(changes ...func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		for _, change := range changes {
			change(r)
		}
	}
}

func target(s string) func(*http.Request) { return func(r *http.Request) { r.RequestURI = s } }

func TestRefusedAuthorizations(t *testing.T) {
	for _, test := range []headerCase{
		{"anonymous", "AccessDenied", func(r *http.Request) { r.Header.Del("Authorization") }},
		{"empty", "InvalidArgument", set("Authorization", "")},
		{"two", "InvalidRequest", set("Authorization", "AWS4-HMAC-SHA256 x", "AWS4-HMAC-SHA256 x")},
		{"bearer", "InvalidArgument", set("Authorization", "Bearer abc")},
		{"version 2", "InvalidRequest", set("Authorization", "AWS AKID:c2lnbmF0dXJl")},
		{"version 2 in the query", "InvalidRequest", all(func(r *http.Request) { r.Header.Del("Authorization") }, target("/b/k?AWSAccessKeyId=A&Signature=s&Expires=1"))},
		{"version 2 in the query, with a token", "InvalidRequest", all(func(r *http.Request) { r.Header.Del("Authorization") }, target("/b/k?AWSAccessKeyId=A&Signature=s&Expires=1&x-amz-security-token=t"))},
		{"version 4A", "NotImplemented", replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")},
		{"lower-case algorithm", "InvalidArgument", replace("AWS4-HMAC-SHA256", "aws4-hmac-sha256")},
		{"longer algorithm", "InvalidArgument", replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256-PAYLOAD")},
		{"algorithm alone", "AuthorizationHeaderMalformed", set("Authorization", "AWS4-HMAC-SHA256")},
		{"header and presigned", "InvalidArgument", target("/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256")},
		{"header and a credential in the query", "InvalidArgument", target("/b/k?x-amz-credential=A")},
		{"header and a token in the query", "InvalidArgument", target("/b/k?X-Amz-Security-Token=A")},
		{"header and version 2", "InvalidArgument", target("/b/k?Signature=A")},
		{"header and another x-amz- parameter", "InvalidArgument", target("/b/k?x-amz-acl=public-read")},
		{"Credential twice", "AuthorizationHeaderMalformed", replace("Signature=", "Credential=a, Signature=")},
		{"Signature twice", "AuthorizationHeaderMalformed", replace("Signature=", "Signature=a, Signature=")},
		{"no Signature", "AuthorizationHeaderMalformed", replace(", Signature=", ", signature=")},
		{"unknown field", "AuthorizationHeaderMalformed", replace("Signature=", "Expires=1, Signature=")},
		{"missing field", "AuthorizationHeaderMalformed", replace("SignedHeaders=host;x-amz-content-sha256;x-amz-date, ", "")},
		{"trailing comma", "AuthorizationHeaderMalformed", func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+",") }},
		{"short signature", "AuthorizationHeaderMalformed", func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-1])
		}},
		{"upper-case signature", "AuthorizationHeaderMalformed", func(r *http.Request) {
			a, b, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", a+"Signature="+strings.Repeat("A", len(b)))
		}},
		{"signature not hex", "AuthorizationHeaderMalformed", func(r *http.Request) {
			a, b, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", a+"Signature="+strings.Repeat("g", len(b)))
		}},
		{"another signature", "SignatureDoesNotMatch", func(r *http.Request) {
			a, b, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", a+"Signature="+strings.Repeat("0", len(b)))
		}},
	} {
		t.Run(test.name, func(t *testing.T) { refusedGet(t, test) })
	}
}

func refusedGet(t *testing.T, test headerCase) {
	r := signed(t, "GET", "/b/k", nil)
	r.RequestURI = "/b/k"
	test.change(r)
	refused(t, r, noon, test.code)
}

func TestRefusedCredentialsAndNames(t *testing.T) {
	const scope = "/20260304/us-east-1/s3/aws4_request"
	for _, test := range []headerCase{
		{"terminal", "AuthorizationHeaderMalformed", replace("aws4_request", "aws5_request")},
		{"scope too short", "AuthorizationHeaderMalformed", replace(scope, "/20260304/us-east-1/aws4_request")},
		{"scope too long", "AuthorizationHeaderMalformed", replace(scope, "/x"+scope)},
		{"no access key", "AuthorizationHeaderMalformed", replace(accessKey, "")},
		{"access key too long", "AuthorizationHeaderMalformed", replace(accessKey, strings.Repeat("A", 129))},
		{"access key with a space", "AuthorizationHeaderMalformed", replace(accessKey, "A A")},
		{"no region", "AuthorizationHeaderMalformed", replace("us-east-1", "")},
		{"every region", "AuthorizationHeaderMalformed", replace("us-east-1", "*")},
		{"another region", "SignatureDoesNotMatch", replace("us-east-1", "us-east-2")},
		{"another service", "AuthorizationHeaderMalformed", replace("/s3/", "/ec2/")},
		{"upper-case service", "AuthorizationHeaderMalformed", replace("/s3/", "/S3/")},
		{"sts with a path", "InvalidRequest", replace("/s3/", "/sts/")},
		{"another day", "AuthorizationHeaderMalformed", replace("20260304", "20260303")},
		{"no day", "AuthorizationHeaderMalformed", replace("20260304", "")},
		{"empty name", "AuthorizationHeaderMalformed", replace("host;", "host;;")},
		{"no names", "AuthorizationHeaderMalformed", replace("host;x-amz-content-sha256;x-amz-date", "")},
		{"upper-case name", "AuthorizationHeaderMalformed", replace("host;", "Host;")},
		{"name that is none", "AuthorizationHeaderMalformed", replace("host;", "ho st;")},
		{"names out of order", "AuthorizationHeaderMalformed", replace("host;x-amz-content-sha256", "x-amz-content-sha256;host")},
		{"name twice", "AuthorizationHeaderMalformed", replace("host;", "host;host;")},
		{"no host", "AuthorizationHeaderMalformed", replace("host;", "")},
		{"a name that is not there", "SignatureDoesNotMatch", replace("x-amz-date", "x-amz-date;x-amz-tagging")},
		{"the authorization itself", "SignatureDoesNotMatch", replace("host;", "authorization;host;")},
		{"a listed name only in the query", "SignatureDoesNotMatch", all(replace("host;", "delimiter;host;"), target("/b/k?delimiter=a"))},
	} {
		t.Run(test.name, func(t *testing.T) { refusedGet(t, test) })
	}
}

func TestRefusedHeaders(t *testing.T) {
	for _, test := range []headerCase{
		{"unsigned copy source", "AccessDenied", set("x-amz-copy-source", "/b/secret")},
		{"unsigned metadata", "AccessDenied", set("x-amz-meta-a", "b")},
		{"unsigned date", "AccessDenied", replace(";x-amz-date", "")},
		{"unsigned token", "AccessDenied", set("x-amz-security-token", "t")},
		{"unsigned If-None-Match", "AccessDenied", set("If-None-Match", "*")},
		{"unsigned If-Match", "AccessDenied", set("If-Match", `"e"`)},
		{"unsigned If-Anything", "AccessDenied", set("If-Anything", "a")},
		{"unsigned Content-MD5", "AccessDenied", set("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")},
		{"two x-amz-date", "InvalidRequest", set("x-amz-date", "20260304T120000Z", "20260304T120000Z")},
		{"two unsigned x-amz-meta", "AccessDenied", set("x-amz-meta-a", "1", "2")},
		{"two x-amz-meta-", "InvalidRequest", set("x-amz-meta-", "1", "2")},
		{"two x-amz-acl", "InvalidRequest", set("x-amz-acl", "private", "private")},
		{"two payloads", "InvalidRequest", set("x-amz-content-sha256", emptyDigest, sigv4.UnsignedPayload)},
		{"two Content-Type", "InvalidRequest", set("Content-Type", "a/b", "a/b")},
		{"two Range", "InvalidRequest", set("Range", "bytes=0-1", "bytes=1-2")},
		{"two If-Match", "InvalidRequest", set("If-Match", "a", "b")},
		{"two spellings", "InvalidRequest", func(r *http.Request) {
			r.Header["content-type"] = []string{"a"}
			r.Header["Content-Type"] = []string{"b"}
		}},
		{"no host", "InvalidRequest", func(r *http.Request) { r.Host = "" }},
		{"another host", "SignatureDoesNotMatch", func(r *http.Request) { r.Host = "evil.example" }},
		{"Connection names a header", "InvalidRequest", set("Connection", "close, x-amz-date")},
		{"Connection: upgrade", "InvalidRequest", set("Connection", "Upgrade")},
		{"Connection in a second line", "InvalidRequest", set("Connection", "close", "te")},
		{"Upgrade", "InvalidRequest", set("Upgrade", "h2c")},
		{"chunked", "MissingContentLength", func(r *http.Request) { r.TransferEncoding, r.ContentLength = []string{"chunked"}, -1 }},
		{"length unknown", "MissingContentLength", func(r *http.Request) { r.ContentLength = -1 }},
		{"length of another body", "InvalidRequest", set("Content-Length", "5")},
		{"length not a number", "InvalidRequest", set("Content-Length", "x")},
		{"too large", "EntityTooLarge", func(r *http.Request) { r.ContentLength = 5<<30 + 1 }},
		{"latin-1 that is used", "InvalidRequest", set("Content-Type", "text/\xe9")},
		{"framing without its form", "InvalidRequest", set("Content-Encoding", "gzip, AWS-chunked")},
		{"bad date", "AccessDenied", set("x-amz-date", "2026-03-04T12:00:00Z")},
		{"date with a fraction", "AccessDenied", set("x-amz-date", "20260304T120000.5Z")},
		{"empty date", "AccessDenied", set("x-amz-date", "")},
		{"impossible date", "AccessDenied", set("x-amz-date", "20260231T120000Z")},
		{"bad Date alone", "AccessDenied", func(r *http.Request) { r.Header.Del("X-Amz-Date"); r.Header.Set("Date", "yesterday") }},
		{"no date", "AccessDenied", func(r *http.Request) { r.Header.Del("X-Amz-Date") }},
		{"changed value", "SignatureDoesNotMatch", set("x-amz-date", "20260304T120001Z")},
		{"changed payload line", "SignatureDoesNotMatch", set("x-amz-content-sha256", emptyDigest)},
		{"no payload line", "SignatureDoesNotMatch", func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := signed(t, "PUT", "/b/k", nil)
			r.RequestURI = "/b/k"
			test.change(r)
			refused(t, r, noon, test.code)
		})
	}
}

// TestRefusedSignedHeaders has requests whose signature is right.
func TestRefusedSignedHeaders(t *testing.T) {
	trailer := func(more ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayloadTrailer)
			r.Header.Set("X-Amz-Decoded-Content-Length", "0")
			for i := 0; i < len(more); i += 2 {
				r.Header.Set(more[i], more[i+1])
			}
		}
	}
	without := func(r *http.Request) { trailer()(r); r.Header.Del("X-Amz-Decoded-Content-Length") }
	for _, test := range []struct {
		name, method, code string
		change             func(*http.Request)
	}{
		{"latin-1", "GET", "InvalidRequest", set("X-Amz-Meta-A", "\xe9")},
		{"signed chunks without length", "PUT", "MissingContentLength", set("X-Amz-Content-Sha256", signedPayload)},
		{"signed chunks with a trailer", "PUT", "InvalidRequest", trailer("X-Amz-Content-Sha256", signedPayload, "X-Amz-Trailer", "x-amz-checksum-crc32")},
		{"signed chunks with POST", "POST", "InvalidRequest", trailer("X-Amz-Content-Sha256", signedPayload)},
		{"signed trailer without one", "PUT", "MalformedTrailerError", trailer("X-Amz-Content-Sha256", signedPayloadTrailer)},
		{"signed trailer that is no checksum", "PUT", "InvalidRequest", trailer("X-Amz-Content-Sha256", signedPayloadTrailer, "X-Amz-Trailer", "x-amz-meta-a")},
		{"ECDSA chunks", "PUT", "NotImplemented", set("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")},
		{"ECDSA chunks and trailer", "PUT", "NotImplemented", set("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER")},
		{"unknown form", "PUT", "InvalidArgument", set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD")},
		{"lower-case form", "PUT", "InvalidArgument", set("X-Amz-Content-Sha256", "unsigned-payload")},
		{"upper-case digest", "PUT", "InvalidArgument", set("X-Amz-Content-Sha256", strings.ToUpper(emptyDigest))},
		{"short digest", "PUT", "InvalidArgument", set("X-Amz-Content-Sha256", emptyDigest[1:])},
		{"digest of something for nothing", "PUT", "XAmzContentSHA256Mismatch", set("X-Amz-Content-Sha256", strings.Repeat("0", 64))},
		{"trailer with POST", "POST", "InvalidRequest", trailer()},
		{"trailer with GET", "GET", "InvalidRequest", trailer()},
		{"trailer with DELETE", "DELETE", "InvalidRequest", trailer()},
		{"no decoded length", "PUT", "MissingContentLength", without},
		{"negative decoded length", "PUT", "MissingContentLength", trailer("X-Amz-Decoded-Content-Length", "-1")},
		{"signed decoded length", "PUT", "MissingContentLength", trailer("X-Amz-Decoded-Content-Length", "+1")},
		{"decoded length not decimal", "PUT", "MissingContentLength", trailer("X-Amz-Decoded-Content-Length", "0x1")},
		{"decoded length beyond 64 bits", "PUT", "MissingContentLength", trailer("X-Amz-Decoded-Content-Length", "18446744073709551617")},
		{"decoded length too large", "PUT", "EntityTooLarge", trailer("X-Amz-Decoded-Content-Length", "5368709121")},
		{"two trailers", "PUT", "InvalidRequest", trailer("X-Amz-Trailer", "x-amz-checksum-crc32,x-amz-checksum-sha1")},
		{"empty trailer", "PUT", "InvalidRequest", trailer("X-Amz-Trailer", "")},
		{"trailer that is no checksum", "PUT", "InvalidRequest", trailer("X-Amz-Trailer", "x-amz-meta-a")},
		{"unknown checksum", "PUT", "NotImplemented", trailer("X-Amz-Trailer", "x-amz-checksum-sha3")},
		{"trailer without its form", "PUT", "InvalidRequest", set("X-Amz-Trailer", "x-amz-checksum-crc32")},
		{"decoded length without its form", "PUT", "InvalidRequest", set("X-Amz-Decoded-Content-Length", "0")},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := signed(t, test.method, "/b/k", test.change)
			r.RequestURI = "/b/k"
			refused(t, r, noon, test.code)
		})
	}
}

func TestClock(t *testing.T) {
	const minute = time.Minute
	for _, test := range []struct {
		off  time.Duration
		code string
	}{
		{0, ""}, {15 * minute, ""}, {-15 * minute, ""},
		{15*minute + 1, "RequestTimeTooSkewed"}, {-15*minute - 1, "RequestTimeTooSkewed"}, {24 * 60 * minute, "RequestTimeTooSkewed"},
	} {
		r := signed(t, "GET", "/b/k", nil)
		r.RequestURI = "/b/k"
		if test.code != "" {
			refused(t, r, noon.Add(test.off), test.code)
		} else if _, err := verify(r, secretKey, noon.Add(test.off)); err != nil {
			t.Errorf("off by %v: %v", test.off, err)
		}
	}
}

// presign gives a presigned target, with the parameters in more set to
// something else; with "" they are left out.
func presign(t *testing.T, more ...string) *http.Request {
	t.Helper()
	r := drawn{method: "GET", path: "/b/k", header: http.Header{}}.presigned(t)
	q := r.URL.Query()
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
		if more[i+1] == "" {
			q.Del(more[i])
		}
	}
	r.RequestURI = "/b/k?" + strings.ReplaceAll(q.Encode(), "+", "%20")
	r.URL = new(url.URL)
	return r
}

func TestRefusedPresigned(t *testing.T) {
	const malformed = "AuthorizationQueryParametersError"
	for _, test := range []struct {
		name, code string
		more       []string
	}{
		{"no algorithm", malformed, []string{"X-Amz-Algorithm", ""}},
		{"version 4A", "NotImplemented", []string{"X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"}},
		{"no credential", malformed, []string{"X-Amz-Credential", ""}},
		{"no date", malformed, []string{"X-Amz-Date", ""}},
		{"bad date", malformed, []string{"X-Amz-Date", "Wed, 04 Mar 2026 12:00:00 GMT"}},
		{"another date", "SignatureDoesNotMatch", []string{"X-Amz-Date", "20260304T120001Z"}},
		{"another day", malformed, []string{"X-Amz-Date", "20260305T120000Z"}},
		{"no expiry", malformed, []string{"X-Amz-Expires", ""}},
		{"expiry 0", malformed, []string{"X-Amz-Expires", "0"}},
		{"expiry beyond a week", malformed, []string{"X-Amz-Expires", "604801"}},
		{"expiry negative", malformed, []string{"X-Amz-Expires", "-1"}},
		{"expiry not a number", malformed, []string{"X-Amz-Expires", "1h"}},
		{"longer expiry", "SignatureDoesNotMatch", []string{"X-Amz-Expires", "604800"}},
		{"no signed headers", malformed, []string{"X-Amz-SignedHeaders", ""}},
		{"host not signed", malformed, []string{"X-Amz-SignedHeaders", "range"}},
		{"a name only in the query", "SignatureDoesNotMatch", []string{"X-Amz-SignedHeaders", "host;x-amz-date"}},
		{"no signature", malformed, []string{"X-Amz-Signature", ""}},
		{"another signature", "SignatureDoesNotMatch", []string{"X-Amz-Signature", strings.Repeat("0", 64)}},
		{"lower-case parameter", malformed, []string{"X-Amz-Date", "", "x-amz-date", "20260304T120000Z"}},
		{"a header in the query", "SignatureDoesNotMatch", []string{"X-Amz-Acl", "public-read"}},
		{"a copy source in the query", "SignatureDoesNotMatch", []string{"x-amz-copy-source", "/b/other"}},
		{"a header of the framing in the query", malformed, []string{"x-amz-trailer", "x-amz-checksum-crc32"}},
		{"a value that no header has", malformed, []string{"x-amz-meta-a", "1\r\nX-Amz-Acl: public-read"}},
		{"a name that no header has", malformed, []string{"x-amz-meta-a b", "1"}},
		{"checksum mode not signed", "SignatureDoesNotMatch", []string{"x-amz-checksum-mode", "ENABLED"}},
		{"version 2 too", "InvalidArgument", []string{"AWSAccessKeyId", "A"}},
		{"another parameter", "SignatureDoesNotMatch", []string{"versionId", "1"}},
		{"token added", "SignatureDoesNotMatch", []string{"X-Amz-Security-Token", "t"}},
		{"streaming", "InvalidRequest", []string{"X-Amz-Content-Sha256", sigv4.UnsignedPayloadTrailer}},
		{"payload form added", "SignatureDoesNotMatch", []string{"X-Amz-Content-Sha256", sigv4.UnsignedPayload}},
	} {
		t.Run(test.name, func(t *testing.T) { refused(t, presign(t, test.more...), noon, test.code) })
	}
	for _, test := range []struct{ name, value, code string }{
		{"X-Amz-Date", "20260304T120000Z", "InvalidArgument"},
		{"X-Amz-Security-Token", "t", "InvalidArgument"},
		{"X-Amz-Content-Sha256", sigv4.UnsignedPayload, "AccessDenied"},
		{"X-Amz-Acl", "private", "AccessDenied"},
		{"Authorization", "AWS4-HMAC-SHA256 x", "InvalidArgument"},
		{"Authorization", "", "InvalidArgument"},
	} {
		t.Run("header "+test.name, func(t *testing.T) {
			r := presign(t)
			r.Header.Set(test.name, test.value)
			refused(t, r, noon, test.code)
		})
	}
}

func TestPresignedClock(t *testing.T) {
	for _, test := range []struct {
		off  time.Duration
		code string
	}{
		{-15 * time.Minute, ""}, {15 * time.Minute, ""}, // valid for 900 s
		{15*time.Minute + 1, "AccessDenied"}, {-15*time.Minute - 1, "AccessDenied"},
	} {
		v, err := verify(presign(t), secretKey, noon.Add(test.off))
		switch {
		case test.code == "" && err != nil:
			t.Errorf("off by %v: %v", test.off, err)
		case test.code != "":
			if v != nil {
				t.Errorf("off by %v: verified", test.off)
			}
			wantCode(t, err, test.code)
			if test.off > 0 && !strings.Contains(err.Error(), "Request has expired") {
				t.Errorf("%v does not say that it has expired", err)
			}
		}
	}
}
