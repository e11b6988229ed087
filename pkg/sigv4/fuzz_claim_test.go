package sigv4_test

import (
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/checksum"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// isRefusal fails unless err is an *Error that says something.
func isRefusal(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*sigv4.Error](err); !ok || e.Code == "" || e.Message == "" || strings.Contains(e.Message, secretKey) {
		t.Fatalf("%T %v", err, err)
	}
}

// FuzzTarget reads arbitrary targets: what is understood is UTF-8, names nothing
// twice, and is understood in the same way when it is written anew.
func FuzzTarget(f *testing.F) {
	for _, path := range oddPaths {
		f.Add(path)
		f.Add(sigv4.EscapePath(path) + "?a=%2f&b&list-type=2")
	}
	f.Add("/b/k?X-Amz-Date=1&x-amz-date=2")
	f.Add("/b/k?a=1;b=2")
	f.Add("http://evil.example/b/k")
	f.Fuzz(func(t *testing.T, target string) {
		path, params, err := sigv4.Target(target)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if !strings.HasPrefix(path, "/") || !utf8.ValidString(path) || strings.Contains(path, "\x00") {
			t.Fatalf("path %q", path)
		}
		names := map[string]bool{}
		for _, p := range params {
			if p.Name == "" || names[p.Name] || !utf8.ValidString(p.Name+p.Value) || strings.Contains(p.Name+p.Value, "\x00") {
				t.Fatalf("parameters %q", params)
			}
			names[p.Name] = true
		}
		anew, again, err := sigv4.Target(sigv4.EscapePath(path) + "?" + sigv4.EncodeQuery(params))
		if err != nil || anew != path || !slices.Equal(again, params) {
			t.Fatalf("%q is read as %q %q, and then as %q %q, %v", target, path, params, anew, again, err)
		}
	})
}

// FuzzAuthorization reads arbitrary Authorization and date headers: what is
// understood is the same when it is written anew, and nothing else than what was
// signed with the secret holds.
func FuzzAuthorization(f *testing.F) {
	good := signed(f, "GET", "/b/k", nil).Header
	f.Add(good.Get("Authorization"), good.Get("X-Amz-Date"), "")
	f.Add(strings.ReplaceAll(good.Get("Authorization"), ", ", ","), "", "Wed, 04 Mar 2026 12:00:00 GMT")
	f.Add("AWS AKID:c2lnbmF0dXJl", "", "")
	f.Add("AWS4-ECDSA-P256-SHA256 Credential=a", "", "")
	f.Add("AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=", "", "")
	f.Fuzz(func(t *testing.T, authorization, amzDate, date string) {
		read := func(authorization string) (*sigv4.Signature, error) {
			r := newRequest(t, "GET", "/b/k", nil, "")
			r.RequestURI = "/b/k"
			r.Header = http.Header{"Authorization": {authorization}, "X-Amz-Content-Sha256": {sigv4.UnsignedPayload}}
			if amzDate != "" {
				r.Header.Set("X-Amz-Date", amzDate)
			}
			if date != "" {
				r.Header.Set("Date", date)
			}
			return sigv4.Parse(r)
		}
		s, err := read(authorization)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if s.Presigned || s.Expires != 0 || s.AccessKeyID == "" || !slices.IsSorted(sigv4.SignedNames(s)) || !slices.Contains(sigv4.SignedNames(s), "host") {
			t.Fatalf("%+v", s)
		}
		scope := s.Time.Format("20060102") + "/" + s.Region + "/" + s.Service + "/aws4_request"
		right := hex.EncodeToString(sigv4.SignatureOf(sigv4.CanonicalOf(s), secretKey, s.Region, s.Service, s.Time))
		anew, err := read("AWS4-HMAC-SHA256 Credential=" + s.AccessKeyID + "/" + scope + ", SignedHeaders=" + strings.Join(sigv4.SignedNames(s), ";") + ", Signature=" + right)
		if err != nil || anew.AccessKeyID != s.AccessKeyID || anew.Region != s.Region || anew.Service != s.Service || !anew.Time.Equal(s.Time) || sigv4.CanonicalOf(anew) != sigv4.CanonicalOf(s) {
			t.Fatalf("%q: %+v, written anew %+v, %v", authorization, s, anew, err)
		}
		if v, err := s.Verify(secretKey, s.Time); (err == nil) != (v != nil) || err == nil && sigv4.SignatureIn(s) != right {
			t.Fatalf("%q: %v, %v", authorization, v, err)
		}
		if _, err := anew.Verify(secretKey, s.Time); err != nil && !anew.NeedsBody() {
			t.Fatalf("%q written anew: %v", authorization, err)
		}
	})
}

// FuzzPresigned reads arbitrary queries: one that is understood holds with its
// right signature and with no other, for its time and no longer, and leaves no
// x-amz- parameter but as a header, and none that is the checksum of a body.
func FuzzPresigned(f *testing.F) {
	for _, params := range [][]sigv4.Param{nil, {{"versionId", "7"}, {"x-amz-checksum-mode", "ENABLED"}, {"x-amz-checksum-crc32", "AAAAAA=="}, {"x-amz-sdk-checksum-algorithm", "CRC32"}}, {{"X-Amz-Content-Sha256", emptyDigest}}} {
		r := drawn{method: "GET", path: "/b/k", token: "tok", params: params}.presigned(f)
		f.Add(r.URL.RawQuery)
		f.Add(strings.Replace(r.URL.RawQuery, "X-Amz-Date", "x-amz-date", 1))
		f.Add(strings.Replace(r.URL.RawQuery, "X-Amz-Expires=900", "X-Amz-Expires=604801", 1))
	}
	f.Add("AWSAccessKeyId=a&Signature=b&Expires=1")
	f.Fuzz(func(t *testing.T, query string) {
		read := func(query string) (*sigv4.Signature, error) {
			r := newRequest(t, "GET", "/b/k", nil, "")
			r.RequestURI = "/b/k?" + query
			return sigv4.Parse(r)
		}
		s, err := read(query)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if !s.Presigned || s.Expires <= 0 || s.Expires > 7*24*time.Hour {
			t.Fatalf("%+v", s)
		}
		if s.NeedsBody() {
			return
		}
		_, params, err := sigv4.Target("/b/k?" + query)
		if err != nil {
			t.Fatal(err)
		}
		right := hex.EncodeToString(sigv4.SignatureOf(sigv4.CanonicalOf(s), secretKey, s.Region, s.Service, s.Time))
		for i, p := range params {
			if p.Name == "X-Amz-Signature" {
				params[i].Value = right
			}
		}
		if v, _ := s.Verify(secretKey, s.Time); v != nil && sigv4.SignatureIn(s) != right {
			t.Fatalf("%q holds", query)
		}
		anew, err := read(sigv4.EncodeQuery(params))
		if err != nil {
			t.Fatal(err)
		}
		v, err := anew.Verify(secretKey, s.Time.Add(s.Expires))
		if err != nil {
			t.Fatalf("%q with the right signature: %v", query, err)
		}
		if v, _ := anew.Verify(secretKey, s.Time.Add(s.Expires+time.Second)); v != nil {
			t.Fatalf("%q holds for too long", query)
		}
		header, rest := hoisted(params)
		if diff := cmp.Diff(header, v.Header()); diff != "" || !slices.Equal(rest, v.Query()) {
			t.Fatalf("%q: %q, header (-want +got):\n%s", query, v.Query(), diff)
		}
	})
}

// hoisted parts the parameters of a presigned URL into those that are headers and
// those that are parameters, without the protocol's own and checksums of a body.
func hoisted(params []sigv4.Param) (http.Header, []sigv4.Param) {
	own := append(checksum.Headers(), "x-amz-sdk-checksum-algorithm", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires",
		"x-amz-signedheaders", "x-amz-signature", "x-amz-security-token", "x-amz-content-sha256")
	header := http.Header{}
	var rest []sigv4.Param
	for _, p := range params {
		switch name := strings.ToLower(p.Name); {
		case !strings.HasPrefix(name, "x-amz-"):
			rest = append(rest, p)
		case !slices.Contains(own, name):
			header.Set(p.Name, strings.Trim(p.Value, " "))
		}
	}
	return header, rest
}
