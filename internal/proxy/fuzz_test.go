package proxy_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// Whatever arrives without a session reaches nobody, has exactly one event
// that says it was blocked, and gets an answer in XML.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /lake/customers/x HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 76\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken=a.b.c&RoleArn=x",
		"GET /lake?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=GM/20260101/us-east-1/s3/aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=" + strings.Repeat("0", 64) + "&X-Amz-Security-Token=g1.AAAA HTTP/1.1\r\nHost: h\r\n\r\n",
		"PUT /lake/customers/x HTTP/1.1\r\nHost: h\r\nAuthorization: AWS4-HMAC-SHA256 Credential=GM/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64) + "\r\nX-Amz-Date: 20260101T000000Z\r\nX-Amz-Security-Token: g1.AAAA\r\nContent-Length: 1\r\n\r\nx",
		"GET /.gimme/roles HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a.b.c\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	a := newArena(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.Contains(raw, []byte(" /.well-known/gimme")) {
			return // is for everybody
		}
		r, served := a.ask(string(raw))
		if !served {
			return
		}
		if len(r.events) != 1 || r.events[0].Decision != audit.Blocked || len(r.asked) != 0 {
			t.Errorf("events: %+v, asked %q", r.events, r.asked)
		}
		if r.answer.Code < 400 || !bytes.HasPrefix(raw, []byte("HEAD ")) && !strings.HasPrefix(r.answer.Body.String(), "<?xml") {
			t.Errorf("got %d %s", r.answer.Code, r.answer.Body)
		}
	})
}

// Whatever somebody with a session signs, the upstream is asked what was decided
// on, and nothing else.
func FuzzSigned(f *testing.F) {
	for _, s := range []struct{ method, target, header, body string }{
		{"GET", "/lake/customers/x?versionId=v1", "range: bytes=0-1", ""},
		{"PUT", "/lake/customers/x", "x-amz-copy-source: lake/public/%2e%2e/x", ""},
		{"PUT", "/lake/customers/x", "x-amz-acl: private\nx-amz-meta-a: b", "hello"},
		{"POST", "/lake?delete", "content-md5: x", objectsXML("public/a", "customers/x")},
		{"GET", "/lake?list-type=2&prefix=public/", "", ""},
		{"POST", "/lake/customers/x?uploadId=u", "", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"},
		{"GET", "/lake//customers/%2e%2e/x", "connection: x-amz-acl", ""},
	} {
		f.Add(s.method, s.target, s.header, s.body, false)
		f.Add(s.method, s.target, s.header, s.body, true)
	}
	a := newArena(f)
	f.Fuzz(func(t *testing.T, method, target, header, body string, presigned bool) {
		m := message{method: method, target: target, body: body}
		if header != "" {
			m.lines = strings.Split(header, "\n")
		}
		s := seal{keys: a.held["alice"]}
		raw := m.framed("h").sign(s).String()
		if presigned {
			raw = m.framed("h").presign(s).String()
		}
		r, served := a.ask(raw)
		if !served || target == "/.well-known/gimme" || target == "/.gimme/roles" || method == "POST" && strings.HasPrefix(target, "/?") || target == "/" {
			return
		}
		if allowed, _, _ := r.split(); len(allowed) == 1 && len(r.asked) > 0 && modelled(allowed[0].Request.Operation) {
			r.wantHeld(t, m)
		} else if len(allowed) == 0 && len(r.asked) > 0 || len(r.events) == 0 {
			t.Errorf("asked %q, events %+v", r.asked, r.events)
		}
	})
}

// modelled says whether question.name knows an operation.
func modelled(operation string) bool {
	switch operation {
	case "GetObject", "HeadObject", "PutObject", "DeleteObject", "CopyObject", "UploadPart", "UploadPartCopy", "CreateMultipartUpload", "CompleteMultipartUpload",
		"AbortMultipartUpload", "ListParts", "ListObjects", "ListObjectsV2", "DeleteObjects", "HeadBucket", "GetBucketLocation":
		return true
	}
	return false
}

// Whatever form is sent to the STS endpoint, who has no ID token gets no
// session, and an answer that says why.
func FuzzForm(f *testing.F) {
	for _, s := range []string{
		"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=x&RoleSessionName=ab&WebIdentityToken=a.b.c&DurationSeconds=900",
		"Action=GetCallerIdentity&Version=2011-06-15", "Action=%zz", "a;b=c", "Action=&Action=", "Version=2011-06-15&Policy={}",
		"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=x&RoleSessionName=ab&WebIdentityToken=eyJhbGciOiJub25lIn0.e30.",
	} {
		f.Add("application/x-www-form-urlencoded", s)
		f.Add("application/x-www-form-urlencoded; charset=utf-8", s)
	}
	a := newArena(f)
	f.Fuzz(func(t *testing.T, kind, body string) {
		r, served := a.ask(message{method: "POST", target: "/", body: body, lines: []string{"Content-Type: " + kind}}.framed("h").String())
		if !served {
			return
		}
		if len(r.events) != 1 || r.events[0].Decision != audit.Blocked || r.answer.Code < 400 || strings.Contains(r.answer.Body.String(), "SecretAccessKey>") {
			t.Errorf("got %d %s, events %+v", r.answer.Code, r.answer.Body, r.events)
		}
		if !whole(r.answer.Body.Bytes(), "ErrorResponse", "Error") {
			t.Errorf("got %s", r.answer.Body)
		}
	})
}

// Whatever the upstream answers, the client gets an answer or a cut connection,
// and nothing that is the upstream's alone.
func FuzzAnswer(f *testing.F) {
	for status, s := range map[int]string{
		200: "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", 404: "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>", 307: "<Error><Code>TemporaryRedirect</Code></Error>",
		201: "<DeleteResult><Deleted><Key>public/a</Key></Deleted><Error><Key>b</Key></Error></DeleteResult>", 500: "\n <Error><Code>&lt;</Code>", 206: "<CompleteMultipartUploadResult>",
		202: "<ListAllMyBucketsResult><Buckets><Bucket><Name>lake</Name></Bucket></Buckets><ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>", 304: "", 204: "",
	} {
		for kind := range 6 {
			f.Add(byte(kind), status, s)
		}
	}
	a := newArena(f)
	f.Fuzz(func(t *testing.T, kind byte, status int, body string) {
		if status < 200 || status > 599 {
			return // net/http would not let the upstream say so
		}
		m := []message{
			reading("/lake/customers/x"), reading("/"), batch(objectsXML("public/a", "public/b")), {method: "HEAD", target: "/lake/customers/x"},
			{method: "PUT", target: "/lake/customers/y", lines: []string{"x-amz-copy-source: lake/customers/x"}},
			{method: "POST", target: "/lake/customers/x?uploadId=u", body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"},
		}[kind%6]
		a.answer = func(w http.ResponseWriter, _ question) {
			w.Header().Set("Location", "https://canary.example/")
			w.Header().Set("X-Amz-Id-2", "canary")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
		r, _ := a.ask(m.framed("h").sign(seal{keys: a.held["alice"]}).String())
		allowed, blocked, outcomes := r.split()
		if len(allowed) != 1 || len(blocked) != 0 || len(outcomes) != 1 {
			t.Errorf("events: %+v", r.events)
		}
		h := r.answer.Header()
		if h.Get("Location") != "" || strings.Contains(strings.Join(h["X-Amz-Id-2"], ""), "canary") {
			t.Errorf("got %v", h)
		}
		if r.cut || m.method == "HEAD" {
			return
		}
		if code := r.answer.Code; code >= 300 && code != http.StatusNotModified && !whole(r.answer.Body.Bytes(), "Error") {
			t.Errorf("got %d %s", code, r.answer.Body)
		}
	})
}

// whole says whether document is XML to its end, with one of roots.
func whole(document []byte, roots ...string) bool {
	var v struct{ XMLName xml.Name }
	if xml.Unmarshal(document, &v) != nil {
		return false
	}
	return slices.Contains(roots, v.XMLName.Local)
}
