package sigv4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// handSigned verifies a request whose raw form is head, with an Authorization
// over names that this test computes from the canonical request alone.
func handSigned(t *testing.T, head, names, canonical string) (*sigv4.Verified, error) {
	t.Helper()
	const scope = "20260304/us-east-1/s3/aws4_request"
	sum := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n20260304T120000Z\n" + scope + "\n" + hex.EncodeToString(sum[:])
	signature := hex.EncodeToString(hmacOf(hmacOf(hmacOf(hmacOf(hmacOf([]byte("AWS4"+secretKey), "20260304"), "us-east-1"), "s3"), "aws4_request"), text))
	raw := head + "Authorization: AWS4-HMAC-SHA256 Signature=" + signature + ",SignedHeaders=" + names + ",   Credential=" + accessKey + "/" + scope + "\r\n\r\n"
	return verify(received(t, raw), secretKey, noon)
}

func TestPathsAreReadOnce(t *testing.T) {
	for _, test := range []struct{ target, canonical, path string }{
		{"/b/k", "/b/k", "/b/k"},
		{"/b/%6B", "/b/k", "/b/k"},
		{"/b/a%2fb", "/b/a/b", "/b/a/b"},
		{"/b/a+b", "/b/a%2Bb", "/b/a+b"},
		{"/b/a%2bb", "/b/a%2Bb", "/b/a+b"},
		{"/b/a%20b", "/b/a%20b", "/b/a b"},
		{"/b/%252F", "/b/%252F", "/b/%2F"},
		{"/b/\u00e9", "/b/%C3%A9", "/b/\u00e9"},
		{"/b/%c3%a9", "/b/%C3%A9", "/b/\u00e9"},
		{"/b/*'()!", "/b/%2A%27%28%29%21", "/b/*'()!"},
		{"/b//a/../%2e%2e/.", "/b//a/../../.", "/b//a/../../."},
	} {
		v, err := handSigned(t, "GET "+test.target+" HTTP/1.1\r\nHost: h\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\nX-Amz-Date: 20260304T120000Z\r\n",
			"host;x-amz-date", "GET\n"+test.canonical+"\n\nhost:h\nx-amz-date:20260304T120000Z\n\nhost;x-amz-date\nUNSIGNED-PAYLOAD")
		if err != nil {
			t.Errorf("%s: %v", test.target, err)
		} else if v.Path() != test.path || sigv4.EscapePath(v.Path()) != test.canonical {
			t.Errorf("%s: path %q", test.target, v.Path())
		}
	}
}

func TestCanonicalHeadersAndQuery(t *testing.T) {
	head := "DELETE /?b=2&a&%61%2f=%7E+&a-=x HTTP/1.1\r\nHost: H:80\r\nDate: Wed, 04 Mar 2026 12:00:00 GMT\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n" +
		"Accept: one  two\r\nContent-Length: 0\r\naCCEPT:   three  \r\nX-Amz-Meta-Empty:\r\nConnection: Keep-Alive, close\r\n"
	v, err := handSigned(t, head, "accept;content-length;date;host;x-amz-meta-empty",
		"DELETE\n/\na=&a%2F=~%2B&a-=x&b=2\naccept:one two,three\ncontent-length:0\ndate:Wed, 04 Mar 2026 12:00:00 GMT\nhost:H:80\nx-amz-meta-empty:\n\n"+
			"accept;content-length;date;host;x-amz-meta-empty\nUNSIGNED-PAYLOAD")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sigv4.Param{{"a", ""}, {"a/", "~+"}, {"a-", "x"}, {"b", "2"}}, v.Query()); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(http.Header{"Accept": {"one  two", "three"}, "X-Amz-Meta-Empty": {""}}, v.Header()); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if v.Host() != "H:80" || v.Method() != "DELETE" {
		t.Errorf("%s on %s", v.Method(), v.Host())
	}
}

func TestMissingPayloadLine(t *testing.T) {
	_, err := handSigned(t, "GET / HTTP/1.1\r\nHost: h\r\nX-Amz-Date: 20260304T120000Z\r\n", "host;x-amz-date",
		"GET\n/\n\nhost:h\nx-amz-date:20260304T120000Z\n\nhost;x-amz-date\nUNSIGNED-PAYLOAD")
	wantCode(t, err, "InvalidRequest")
}

func TestUsableHeaders(t *testing.T) {
	extra := http.Header{
		"Cache-Control": {"no-cache"}, "Content-Disposition": {"inline"}, "Content-Language": {"de"}, "Content-Type": {"a/b"},
		"Expires": {"0"}, "Content-Encoding": {"gzip", "br"}, "Range": {"bytes=0-1"}, "If-Range": {`"e"`}, "Expect": {"100-continue"},
		"User-Agent": {"x"}, "X-Forwarded-For": {"10.0.0.1"}, "Proxy-Authorization": {"x"}, "X_amz_copy_source": {"/b/k"}, "Te": {"trailers"},
		"Accept-Encoding": {"identity"}, "Cookie": {"a=b"},
	}
	always := http.Header{"Cache-Control": {"no-cache"}, "Content-Disposition": {"inline"}, "Content-Language": {"de"}, "Content-Type": {"a/b"},
		"Expires": {"0"}, "Content-Encoding": {"gzip", "br"}}
	read := always.Clone()
	read["Range"], read["If-Range"] = extra["Range"], extra["If-Range"]

	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
		unsigned := extra.Clone()
		want := read
		if method != "GET" && method != "HEAD" {
			want = always
			unsigned.Del("If-Range")
		}
		r := signed(t, method, "/b/k", set("X-Amz-Meta-A", "1"))
		maps.Copy(r.Header, unsigned)
		r.RequestURI = "/b/k"
		v, err := verify(r, secretKey, noon)
		if err != nil {
			t.Fatal(method, err)
		}
		want = want.Clone()
		want.Set("X-Amz-Meta-A", "1")
		if diff := cmp.Diff(want, v.Header()); diff != "" {
			t.Errorf("%s, unsigned (-want +got):\n%s", method, diff)
		}
	}

	r := signed(t, "PUT", "/b/k", func(r *http.Request) {
		r.Header = http.Header{"If-None-Match": {"*"}, "Content-Md5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}, "Range": {"bytes=0-1"}, "Te": {"trailers"}, "Keep-Alive": {"1"}}
	})
	r.RequestURI = "/b/k"
	v, err := verify(r, secretKey, noon)
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{"If-None-Match": {"*"}, "Content-Md5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}, "Range": {"bytes=0-1"}}
	if diff := cmp.Diff(want, v.Header()); diff != "" {
		t.Errorf("signed (-want +got):\n%s", diff)
	}
}

func TestFramingIsNoEncoding(t *testing.T) {
	for _, test := range []struct{ lines, want []string }{
		{[]string{"aws-chunked"}, nil},
		{[]string{"aws-chunked,gzip"}, []string{"gzip"}},
		{[]string{"gzip, AWS-Chunked , br"}, []string{"gzip,br"}},
		{[]string{"aws-chunked", "gzip"}, []string{"gzip"}},
		{[]string{"gzip"}, []string{"gzip"}},
		{nil, nil},
	} {
		r := signed(t, "PUT", "/b/k", func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayloadTrailer)
			r.Header.Set("X-Amz-Decoded-Content-Length", "3")
			r.Header.Set("X-Amz-Trailer", "X-Amz-Checksum-CRC32")
			r.Header.Set("X-Amz-Sdk-Checksum-Algorithm", "CRC32")
			if test.lines != nil {
				r.Header["Content-Encoding"] = test.lines
			}
		})
		r.RequestURI = "/b/k"
		r.TransferEncoding, r.ContentLength = []string{"chunked"}, -1
		v, err := verify(r, secretKey, noon)
		if err != nil {
			t.Fatal(err)
		}
		want := http.Header{"X-Amz-Sdk-Checksum-Algorithm": {"CRC32"}}
		if test.want != nil {
			want["Content-Encoding"] = test.want
		}
		if diff := cmp.Diff(want, v.Header(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.lines, diff)
		}
		if want := (sigv4.Payload{Mode: sigv4.UnsignedTrailer, Length: 3, Trailer: "x-amz-checksum-crc32"}); v.Payload() != want {
			t.Errorf("payload %+v, want %+v", v.Payload(), want)
		}
	}
}

func TestVerifiedIsImmutable(t *testing.T) {
	r := signed(t, "GET", "/b/k", set("X-Amz-Meta-A", "1"))
	r.RequestURI = "/b/k"
	s, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	clear(r.Header)
	r.Host, r.Method, r.RequestURI = "evil", "DELETE", "/other"
	v, err := s.Verify(secretKey, noon)
	if err != nil {
		t.Fatal(err)
	}
	v.Header().Set("X-Amz-Meta-A", "2")
	if v.Header().Get("X-Amz-Meta-A") != "1" || v.Path() != "/b/k" || v.Method() != "GET" || v.Host() != "s3.example:8700" {
		t.Errorf("changed: %s %s on %s, %v", v.Method(), v.Path(), v.Host(), v.Header())
	}
}

// TestVerifiedHidesTheRequest keeps the raw request, and any way to make or
// change a Verified from outside, out of it.
func TestVerifiedHidesTheRequest(t *testing.T) {
	of := reflect.TypeFor[sigv4.Verified]()
	for f := range of.Fields() {
		if f.IsExported() || f.Type == reflect.TypeFor[*http.Request]() || f.Type.Kind() == reflect.Interface {
			t.Errorf("field %s %s", f.Name, f.Type)
		}
	}
	var methods []string
	for m := range reflect.PointerTo(of).Methods() {
		methods = append(methods, m.Name)
	}
	if diff := cmp.Diff([]string{"Body", "Header", "Host", "Method", "Path", "Payload", "Query"}, methods); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
}

func TestNothingVerifiesFromNothing(t *testing.T) {
	v, err := new(sigv4.Signature).Verify("", noon)
	if v != nil {
		t.Fatal("the zero Signature verifies")
	}
	wantCode(t, err, "InvalidRequest")
	v, err = (&sigv4.Signature{Service: "s3", Time: noon}).Verify("", noon)
	if v != nil {
		t.Fatal("a made-up Signature verifies")
	}
	wantCode(t, err, "InvalidRequest")
	n, err := new(sigv4.Verified).Body(strings.NewReader("x")).Read(make([]byte, 1))
	if n != 0 {
		t.Fatal("the zero Verified gives bytes")
	}
	wantCode(t, err, "InvalidRequest")
}

func TestPresignedExtras(t *testing.T) {
	d := drawn{method: "GET", path: "/b/k", token: "tok", params: []sigv4.Param{{"X-Amz-Content-Sha256", sigv4.UnsignedPayload}, {"versionId", "7"}, {"x-amz-checksum-mode", "ENABLED"}}}
	s, err := sigv4.Parse(received(t, sent(t, d.presigned(t))))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Presigned || s.Expires.Seconds() != 900 || s.SessionToken != "tok" || s.AccessKeyID != accessKey {
		t.Errorf("Parse gave %+v", s)
	}
	v, err := s.Verify(secretKey, noon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sigv4.Param{{"versionId", "7"}}, v.Query()); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}, v.Header()); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

// TestPresignedChecksums has checksums of a body in the query, where the
// JavaScript SDK puts that of nothing. They are signed, and say nothing.
func TestPresignedChecksums(t *testing.T) {
	d := drawn{method: "PUT", path: "/b/k", params: []sigv4.Param{
		{"X-Amz-Content-Sha256", sigv4.UnsignedPayload}, {"x-amz-checksum-crc32", "AAAAAA=="}, {"X-Amz-Checksum-Sha256", "bad"}, {"x-amz-sdk-checksum-algorithm", "CRC32"},
		{"x-amz-checksum-algorithm", "CRC32"}, {"x-amz-storage-class", "STANDARD_IA"},
	}}
	v, err := verify(received(t, sent(t, d.presigned(t))), secretKey, noon)
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{"X-Amz-Checksum-Algorithm": {"CRC32"}, "X-Amz-Storage-Class": {"STANDARD_IA"}}
	if diff := cmp.Diff(want, v.Header()); diff != "" || len(v.Query()) != 0 {
		t.Errorf("query %v, header (-want +got):\n%s", v.Query(), diff)
	}
	changed := received(t, sent(t, d.presigned(t)))
	changed.RequestURI = strings.Replace(changed.RequestURI, "AAAAAA", "BBBBBB", 1)
	_, err = verify(changed, secretKey, noon)
	wantCode(t, err, "SignatureDoesNotMatch")
}

// TestPresignedTwice has what stands in the query and is a signed header as well,
// or stands in the query in two spellings.
func TestPresignedTwice(t *testing.T) {
	d := drawn{method: "PUT", path: "/b/k", params: []sigv4.Param{{"x-amz-storage-class", "STANDARD"}, {"x-amz-checksum-crc32", "AAAAAA=="}}}
	query := d.presigned(t).URL.RawQuery
	for _, name := range []string{"X-Amz-Storage-Class", "X-Amz-Checksum-Crc32", "X-Amz-Acl"} {
		r := newRequest(t, "PUT", "/b/k", nil, "")
		r.RequestURI = "/b/k?" + strings.Replace(query, "X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3B"+strings.ToLower(name), 1)
		r.Header.Set(name, "STANDARD")
		_, err := sigv4.Parse(r)
		if name != "X-Amz-Acl" {
			wantCode(t, err, "InvalidArgument")
		} else if err != nil { // or the others are refused for another reason
			t.Error(err)
		}
	}
	for _, again := range []string{"X-Amz-Storage-Class=GLACIER", "x-amz-storage-class=STANDARD", "X-AMZ-CHECKSUM-CRC32=AAAAAA%3D%3D", "x-amz-expires=900", "X-Amz-Expires=901"} {
		r := newRequest(t, "PUT", "/b/k", nil, "")
		r.RequestURI = "/b/k?" + query + "&" + again
		_, err := sigv4.Parse(r)
		wantCode(t, err, "InvalidArgument")
	}
}

// TestPresignedPayloads has presigned requests whose signature is right.
func TestPresignedPayloads(t *testing.T) {
	presigned := func(method, param, header string) *http.Request {
		d := drawn{method: method, path: "/b/k", header: http.Header{}}
		if param != "" {
			d.params = []sigv4.Param{{"X-Amz-Content-Sha256", param}}
		}
		if header != "" {
			d.header.Set("X-Amz-Content-Sha256", header)
		}
		hash := param
		if hash == "" {
			hash = header
		}
		return received(t, sent(t, d.presignedOver(t, hash)))
	}
	for _, test := range []struct{ method, param, header, code string }{
		{"GET", emptyDigest, "", ""},
		{"GET", "", emptyDigest, ""},
		{"GET", emptyDigest, emptyDigest, ""},
		{"GET", sigv4.UnsignedPayload, emptyDigest, "InvalidArgument"},
		{"PUT", sigv4.UnsignedPayloadTrailer, "", "InvalidRequest"},
		{"PUT", signedPayload, "", "InvalidRequest"},
	} {
		v, err := verify(presigned(test.method, test.param, test.header), secretKey, noon)
		switch {
		case test.code != "":
			wantCode(t, err, test.code)
		case err != nil:
			t.Errorf("%q and %q: %v", test.param, test.header, err)
		case v.Payload().Mode != sigv4.Hashed || len(v.Query()) != 0:
			t.Errorf("%q and %q: %+v, %v", test.param, test.header, v.Payload(), v.Query())
		}
	}
}
