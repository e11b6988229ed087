package s3api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// request makes a Request of "METHOD path?query", decoded, and header lines.
func request(line string, headers ...string) s3api.Request {
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	r := s3api.Request{Method: method, Path: path, Header: http.Header{}}
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			r.Query = append(r.Query, s3api.Param{Name: name, Value: value})
		}
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func exact(access s3api.Access, action, key, version string) s3api.Target {
	return s3api.Target{Access: access, Action: "s3:" + action, Bucket: "bucket", Key: key, VersionID: version, Scope: s3api.Exact}
}

func under(action, prefix string) s3api.Target {
	return s3api.Target{Access: s3api.Reads, Action: "s3:" + action, Bucket: "bucket", Key: prefix, Scope: s3api.Under}
}

func some(action string) s3api.Target {
	return s3api.Target{Access: s3api.Reads, Action: "s3:" + action, Bucket: "bucket", Scope: s3api.Some}
}

func from(action, bucket, key, version string) s3api.Target {
	return s3api.Target{Access: s3api.Reads, Action: "s3:" + action, Bucket: bucket, Key: key, VersionID: version, Scope: s3api.Exact}
}

const (
	reads, updates, deletes, manages = s3api.Reads, s3api.Updates, s3api.Deletes, s3api.Manages

	copyOf  = "X-Amz-Copy-Source: source/k"
	replace = "X-Amz-Tagging-Directive: REPLACE"
)

func TestOperationAndTargets(t *testing.T) {
	type targets = []s3api.Target
	put := exact(updates, "PutObject", "k", "")
	for _, c := range []struct {
		line      string
		headers   []string
		operation string
		targets   targets
	}{
		{"GET /", nil, "ListBuckets", nil},
		{"GET /?prefix=a&bucket-region=b&max-buckets=1&x-id=DeleteObject", nil, "ListBuckets", nil},
		{"HEAD /bucket", nil, "HeadBucket", targets{some("ListBucket")}},
		{"HEAD /bucket/", nil, "HeadBucket", targets{some("ListBucket")}},
		{"GET /bucket?location", nil, "GetBucketLocation", targets{some("GetBucketLocation")}},
		{"GET /bucket", nil, "ListObjects", targets{under("ListBucket", "")}},
		{"GET /bucket/?list-type=2&prefix=a/b", nil, "ListObjectsV2", targets{under("ListBucket", "a/b")}},
		{"GET /bucket?uploads&prefix=a/", nil, "ListMultipartUploads", targets{under("ListBucketMultipartUploads", "a/")}},
		{"POST /bucket?delete", nil, "DeleteObjects", nil},
		{"GET /bucket/k", nil, "GetObject", targets{exact(reads, "GetObject", "k", "")}},
		{"GET /bucket//", nil, "GetObject", targets{exact(reads, "GetObject", "/", "")}},
		{"GET /bucket/a//b/", nil, "GetObject", targets{exact(reads, "GetObject", "a//b/", "")}},
		{"GET /bucket/k?versionId=v1&x-id=PutObject", nil, "GetObject", targets{exact(reads, "GetObjectVersion", "k", "v1")}},
		{"HEAD /bucket/k?partNumber=1", nil, "HeadObject", targets{exact(reads, "GetObject", "k", "")}},
		{"GET /bucket/k?tagging", nil, "GetObjectTagging", targets{exact(reads, "GetObjectTagging", "k", "")}},
		{"GET /bucket/k?tagging&versionId=null", nil, "GetObjectTagging", targets{exact(reads, "GetObjectVersionTagging", "k", "null")}},
		{"PUT /bucket/k", nil, "PutObject", targets{put}},
		{"PUT /bucket/k", []string{"X-Amz-Acl: private"}, "PutObject", targets{put, exact(updates, "PutObjectAcl", "k", "")}},
		{"PUT /bucket/k", []string{"X-Amz-Acl: bucket-owner-full-control"}, "PutObject", targets{put, exact(updates, "PutObjectAcl", "k", "")}},
		{"PUT /bucket/k", []string{"X-Amz-Acl: public-read"}, "PutObject", targets{put, exact(manages, "PutObjectAcl", "k", "")}},
		{"PUT /bucket/k", []string{"X-Amz-Acl: Private"}, "PutObject", targets{put, exact(manages, "PutObjectAcl", "k", "")}},
		{"PUT /bucket/k?x-amz-acl=public-read", nil, "PutObject", targets{put, exact(manages, "PutObjectAcl", "k", "")}},
		{"PUT /bucket/k", []string{"X-Amz-Grant-Read: id=1", "X-Amz-Grant-Write-Acp: id=2"}, "PutObject",
			targets{put, exact(manages, "PutObjectAcl", "k", "")}},
		{"PUT /bucket/k", []string{"X-Amz-Tagging: a=b"}, "PutObject", targets{put, exact(updates, "PutObjectTagging", "k", "")}},
		{"PUT /bucket/k", []string{"X-Amz-Object-Lock-Mode: GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date: x"}, "PutObject",
			targets{put, exact(updates, "PutObjectRetention", "k", "")}},
		{"POST /bucket/k?uploads", []string{"X-Amz-Object-Lock-Legal-Hold: ON"}, "CreateMultipartUpload",
			targets{put, exact(updates, "PutObjectLegalHold", "k", "")}},
		{"PUT /bucket/k", []string{copyOf}, "CopyObject",
			targets{put, from("GetObject", "source", "k", ""), from("GetObjectTagging", "source", "k", "")}},
		{"PUT /bucket/k?x-amz-copy-source=source/k", nil, "CopyObject",
			targets{put, from("GetObject", "source", "k", ""), from("GetObjectTagging", "source", "k", "")}},
		{"PUT /bucket/k", []string{copyOf + "?versionId=7", "X-Amz-Tagging-Directive: COPY"}, "CopyObject",
			targets{put, from("GetObjectVersion", "source", "k", "7"), from("GetObjectVersionTagging", "source", "k", "7")}},
		{"PUT /bucket/k", []string{copyOf, replace, "X-Amz-Tagging: a=b"}, "CopyObject",
			targets{put, from("GetObject", "source", "k", ""), exact(updates, "PutObjectTagging", "k", "")}},
		{"PUT /bucket/k", []string{copyOf + "?versionId=7", replace, "X-Amz-Object-Annotation-Directive: COPY"}, "CopyObject",
			targets{put, from("GetObjectVersion", "source", "k", "7"), exact(updates, "PutObjectAnnotation", "k", ""), from("GetObjectAnnotation", "source", "k", "7")}},
		{"GET /bucket/k?annotation&annotationName=n", nil, "GetObjectAnnotation", targets{exact(reads, "GetObjectAnnotation", "k", "")}},
		{"GET /bucket/k?annotation&annotationName=n&versionId=7", nil, "GetObjectAnnotation", targets{exact(reads, "GetObjectVersionAnnotation", "k", "7")}},
		{"DELETE /bucket/k?annotation&annotationName=n&versionId=7", nil, "DeleteObjectAnnotation", targets{exact(updates, "DeleteObjectVersionAnnotation", "k", "7")}},
		{"PUT /bucket/k?partNumber=1&uploadId=u", nil, "UploadPart", targets{put}},
		{"PUT /bucket/k?partNumber=1&uploadId=u", []string{copyOf}, "UploadPartCopy", targets{put, from("GetObject", "source", "k", "")}},
		{"POST /bucket/k?uploadId=u", nil, "CompleteMultipartUpload", targets{put}},
		{"DELETE /bucket/k?uploadId=u", nil, "AbortMultipartUpload", targets{exact(updates, "AbortMultipartUpload", "k", "")}},
		{"GET /bucket/k?uploadId=u", nil, "ListParts", targets{exact(reads, "ListMultipartUploadParts", "k", "")}},
		{"DELETE /bucket/k", nil, "DeleteObject", targets{exact(deletes, "DeleteObject", "k", "")}},
		{"DELETE /bucket/k?versionId=v", []string{"X-Amz-Bypass-Governance-Retention: true"}, "DeleteObject",
			targets{exact(deletes, "DeleteObjectVersion", "k", "v"), exact(manages, "BypassGovernanceRetention", "k", "v")}},
	} {
		call, err := s3api.Parse(request(c.line, c.headers...))
		if err != nil {
			t.Errorf("%s %q: %v", c.line, c.headers, err)
			continue
		}
		if call.Operation != c.operation {
			t.Errorf("%s %q is taken for %s", c.line, c.headers, call.Operation)
		}
		if diff := cmp.Diff(c.targets, call.Targets); diff != "" {
			t.Errorf("%s %q targets (-want +got):\n%s", c.line, c.headers, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("k", 1025)
	for _, c := range []struct {
		line    string
		headers []string
		code    string
		names   string // what the message must name
	}{
		// verbs and sub-resources
		{"POST /bucket", nil, "NotImplemented", "PostObject"},
		{"POST /", nil, "NotImplemented", "POST"},
		{"HEAD /", nil, "NotImplemented", "HEAD"},
		{"get /bucket/k", nil, "NotImplemented", "get"},
		{"OPTIONS /bucket/k", nil, "NotImplemented", "Preflight"},
		{"PATCH /bucket/k", nil, "NotImplemented", "PATCH"},
		{"GET /bucket?session", nil, "NotImplemented", "CreateSession"},
		{"GET /bucket/k?torrent", nil, "NotImplemented", "GetObjectTorrent"},
		{"POST /bucket/k?select&select-type=2", nil, "NotImplemented", "SelectObjectContent"},
		{"PUT /bucket/k?renameObject", nil, "NotImplemented", "RenameObject"},
		{"GET /bucket?list-type=3", nil, "NotImplemented", "?list-type"},
		{"GET /bucket?location=x", nil, "NotImplemented", "?location"},
		{"PUT /bucket/k?uploadId=u", nil, "NotImplemented", "?uploadId"},
		{"PUT /bucket/k?partNumber=1", nil, "NotImplemented", "?partNumber"},
		{"PUT /bucket/k?partNumber=1&uploadId=", nil, "NotImplemented", "?partNumber"},
		{"DELETE /bucket/k?uploadId=", nil, "NotImplemented", "?uploadId"},
		// two at once
		{"GET /bucket?location&uploads", nil, "InvalidArgument", "?location"},
		{"GET /bucket?list-type=2&versions", nil, "InvalidArgument", "?versions"},
		{"GET /bucket/k?tagging&acl", nil, "InvalidArgument", "?acl"},
		{"POST /bucket/k?uploads&uploadId=u", nil, "InvalidArgument", "?uploads"},
		{"POST /bucket?delete&policy", nil, "InvalidArgument", "?policy"},
		{"GET /bucket/k?uploadId=u&partNumber=1", nil, "InvalidArgument", "?partNumber"},
		// parameters
		{"GET /bucket/k?foo=bar", nil, "InvalidArgument", "foo"},
		{"GET /bucket/k?versionid=1", nil, "InvalidArgument", "versionid"},
		{"DELETE /bucket/k?versionId=", nil, "InvalidArgument", "version"},
		{"GET /bucket/k?versionId=a\nb", nil, "InvalidArgument", "version"},
		{"GET /bucket/k?versionId=a&versionId=b", nil, "InvalidArgument", "versionId"},
		{"GET /bucket/k?x-id=a&x-id=b", nil, "InvalidArgument", "x-id"},
		{"GET /bucket?prefix=a&prefix=b", nil, "InvalidArgument", "prefix"},
		{"GET /bucket?start-after=a", nil, "InvalidArgument", "start-after"},
		{"GET /?continuation-token=t", nil, "InvalidArgument", "continuation-token"},
		{"GET /bucket/k?partNumber=0", nil, "InvalidArgument", "0"},
		{"PUT /bucket/k?partNumber=10001&uploadId=u", nil, "InvalidArgument", "10001"},
		{"PUT /bucket/k?partNumber=+1&uploadId=u", nil, "InvalidArgument", "+1"},
		{"DELETE /bucket/k?uploadId=u&versionId=v", nil, "InvalidArgument", "versionId"},
		{"PUT /bucket/k?versionId=v", nil, "InvalidArgument", "versionId"},
		{"GET /bucket/k?response-content-type=a\r\nb", nil, "InvalidArgument", "response-content-type"},
		{"PUT /bucket/k?response-content-type=a", nil, "InvalidArgument", "response-content-type"},
		// headers
		{"GET /", []string{"X-Amz-Expected-Bucket-Owner: 1"}, "NotImplemented", "X-Amz-Expected-Bucket-Owner"},
		{"PUT /bucket", []string{"X-Amz-Expected-Bucket-Owner: 1"}, "NotImplemented", "X-Amz-Expected-Bucket-Owner"},
		{"PUT /bucket/k", []string{"X-Amz-Rename-Source: a/b"}, "NotImplemented", "X-Amz-Rename-Source"},
		{"GET /bucket/k", []string{copyOf}, "NotImplemented", "X-Amz-Copy-Source"},
		{"PUT /bucket/k", []string{"X-Amz-Copy-Source-If-Match: e"}, "NotImplemented", "X-Amz-Copy-Source-If-Match"},
		{"PUT /bucket/k", []string{"X-Amz-Meta-: e"}, "NotImplemented", "X-Amz-Meta-"},
		{"GET /bucket/k", []string{"X-Amz-Acl: private"}, "NotImplemented", "X-Amz-Acl"},
		{"PUT /bucket/k?partNumber=1&uploadId=u", []string{"X-Amz-Acl: private"}, "NotImplemented", "X-Amz-Acl"},
		{"GET /bucket", []string{"If-Match: e"}, "NotImplemented", "If-Match"},
		{"PUT /bucket/k", []string{"If-Range: e"}, "NotImplemented", "If-Range"},
		{"PUT /bucket/k", []string{"Range: bytes=0-1"}, "NotImplemented", "Range"},
		{"PUT /bucket/k", []string{"X-Amz-Acl: private", "X-Amz-Acl: public-read"}, "InvalidArgument", "X-Amz-Acl"},
		{"GET /bucket/k", []string{"Range: bytes=0-1", "Range: bytes=2-3"}, "InvalidArgument", "Range"},
		{"PUT /bucket/k?X-Amz-Acl=public-read", []string{"X-Amz-Acl: private"}, "InvalidArgument", "X-Amz-Acl"},
		{"PUT /bucket/k?X-Amz-Acl=private&x-amz-acl=public-read", nil, "InvalidArgument", "X-Amz-Acl"},
		{"PUT /bucket/k?x-amz-meta-a=b\r\nc", nil, "InvalidArgument", "x-amz-meta-a"},
		{"PUT /bucket/k?x-amz-meta-a b=c", nil, "InvalidArgument", "x-amz-meta-a b"},
		{"GET /bucket/k?X-Amz-Security-Token=t", nil, "InvalidArgument", "X-Amz-Security-Token"},
		{"PUT /bucket/k?X-Amz-Content-Sha256=00", nil, "InvalidArgument", "X-Amz-Content-Sha256"},
		// names
		{"GET bucket/k", nil, "InvalidURI", "bucket/k"},
		{"GET ", nil, "InvalidURI", ""},
		{"GET //bucket/k", nil, "InvalidBucketName", ""},
		{"GET /ab", nil, "InvalidBucketName", "ab"},
		{"GET /.../k", nil, "InvalidBucketName", "..."},
		{"GET /../k", nil, "InvalidBucketName", ".."},
		{"GET /a..b/k", nil, "InvalidBucketName", "a..b"},
		{"GET /-ab/k", nil, "InvalidBucketName", "-ab"},
		{"GET /Bucket/k", nil, "InvalidBucketName", "Bucket"},
		{"GET /buc_ket/k", nil, "InvalidBucketName", "buc_ket"},
		{"GET /bücket/k", nil, "InvalidBucketName", ""},
		{"POST /WriteGetObjectResponse", nil, "NotImplemented", "WriteGetObjectResponse"},
		{"GET /" + strings.Repeat("b", 64), nil, "InvalidBucketName", "bbb"},
		{"GET /arn:aws:s3:::bucket/k", nil, "NotImplemented", "arn:"},
		{"GET /ap-1234-s3alias/k", nil, "NotImplemented", "-s3alias"},
		{"GET /name--ol-s3/k", nil, "NotImplemented", "--ol-s3"},
		{"GET /name--use1-az4--x-s3/k", nil, "NotImplemented", "--x-s3"},
		{"GET /abcdefg.mrap/k", nil, "NotImplemented", ".mrap"},
		{"GET /bucket/" + long, nil, "KeyTooLongError", "1025"},
		{"GET /bucket/a/../b", nil, "InvalidArgument", `".."`},
		{"GET /bucket/..", nil, "InvalidArgument", `".."`},
		{"GET /bucket/./a", nil, "InvalidArgument", `"."`},
		{"GET /bucket/a/.", nil, "InvalidArgument", `"."`},
		{"GET /bucket/a\x00b", nil, "InvalidArgument", "NUL"},
		{"GET /bucket/a\xffb", nil, "InvalidArgument", "UTF-8"},
		{"GET /bucket?prefix=public/../private/", nil, "InvalidArgument", `".."`},
		{"GET /bucket?prefix=..", nil, "InvalidArgument", `".."`},
		{"GET /bucket?list-type=2&prefix=" + long, nil, "KeyTooLongError", "1025"},
		{"PUT /bucket/k", []string{copyOf, "X-Amz-Tagging-Directive: replace"}, "InvalidArgument", "replace"},
	} {
		call, err := s3api.Parse(request(c.line, c.headers...))
		refusal, ok := errors.AsType[*s3api.Error](err)
		if !ok || call != nil {
			t.Errorf("%s %q is accepted as %+v", c.line, c.headers, call)
			continue
		}
		if refusal.Code != c.code || refusal.Status != s3api.StatusOf(c.code) || !strings.Contains(refusal.Message, c.names) {
			t.Errorf("%s %q: %v; want %s naming %q", c.line, c.headers, refusal, c.code, c.names)
		}
	}
}

func TestWhatIsSentOn(t *testing.T) {
	c, err := s3api.Parse(request("PUT /bucket/a+b/ü?x-id=GetObject&x-amz-meta-b=2",
		"Content-Encoding: gzip, aws-chunked", "Content-Type: text/plain", "X-Amz-Meta-A: 1", "X-Amz-Trailer: x-amz-checksum-crc32",
		"X-Amz-Decoded-Content-Length: 3", "User-Agent: x", "Cookie: c", "X-Forwarded-For: 10.0.0.1", "X_amz_acl: public-read",
		"X-Amz-Server-Side-Encryption: aws:kms", "If-None-Match: *"))
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"text/plain"}, "X-Amz-Meta-A": {"1"}, "X-Amz-Meta-B": {"2"},
		"X-Amz-Server-Side-Encryption": {"aws:kms"}, "If-None-Match": {"*"}}
	if diff := cmp.Diff(want, c.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if len(c.Query) != 0 || c.Path() != "/bucket/a+b/ü" || c.Body != s3api.StreamBody {
		t.Errorf("%q %q %v", c.Query, c.Path(), c.Body)
	}
	if c, err = s3api.Parse(request("PUT /bucket/k", "Content-Encoding: aws-chunked")); err != nil || len(c.Header) != 0 {
		t.Errorf("%v, %v", c, err)
	}
	c, err = s3api.Parse(request("GET /bucket?list-type=2&max-keys=5&prefix=a"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]s3api.Param{{Name: "list-type", Value: "2"}, {Name: "max-keys", Value: "5"}, {Name: "prefix", Value: "a"}}, c.Query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if c, err = s3api.Parse(request("GET /?prefix=a&max-buckets=1")); err != nil || len(c.Query) != 1 || c.Path() != "/" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestCopySource(t *testing.T) {
	for _, c := range []struct{ value, bucket, key, version, again string }{
		{"source/k", "source", "k", "", "source/k"},
		{"/source/k", "source", "k", "", "source/k"},
		{"source%2Fk", "source", "k", "", "source/k"},
		{"%2Fsource%2fk", "source", "k", "", "source/k"},
		{"source//k", "source", "/k", "", "source//k"},
		{"source/a b", "source", "a b", "", "source/a%20b"},
		{"source/a%20b%2Bc", "source", "a b+c", "", "source/a%20b%2Bc"},
		{"source/a%252Fb", "source", "a%2Fb", "", "source/a%252Fb"},
		{"source/a%3Fb?versionId=v.1_2", "source", "a?b", "v.1_2", "source/a%3Fb?versionId=v.1_2"},
		{"source/ü", "source", "ü", "", "source/%C3%BC"},
		{"source/k?versionId=a%2Bb", "source", "k", "a+b", "source/k?versionId=a%2Bb"},
		{"source/k?versionId=null", "source", "k", "null", "source/k?versionId=null"},
	} {
		for _, target := range []string{"PUT /bucket/k", "PUT /bucket/k?partNumber=1&uploadId=u"} {
			call, err := s3api.Parse(request(target, "X-Amz-Copy-Source: "+c.value))
			if err != nil {
				t.Errorf("%q: %v", c.value, err)
				continue
			}
			action := "GetObject"
			if c.version != "" {
				action = "GetObjectVersion"
			}
			if diff := cmp.Diff(from(action, c.bucket, c.key, c.version), call.Targets[1]); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.value, diff)
			}
			if got := call.Header.Get("X-Amz-Copy-Source"); got != c.again {
				t.Errorf("%q is sent as %q, want %q", c.value, got, c.again)
			}
		}
	}
	for value, code := range map[string]string{
		"": "InvalidArgument", "/": "InvalidArgument", "source": "InvalidArgument", "source/": "InvalidArgument", "//source/k": "InvalidArgument",
		"source/a+b": "InvalidArgument", "source/%zz": "InvalidArgument", "source/%4": "InvalidArgument", "source/%": "InvalidArgument",
		"source/k?": "InvalidArgument", "source/k?versionId=": "InvalidArgument", "source/k?versionid=1": "InvalidArgument",
		"source/k?versionId=1&acl": "InvalidArgument", "source/k?acl": "InvalidArgument", "source/k?versionId=1?versionId=2": "InvalidArgument",
		"source/k?versionId=%0a": "InvalidArgument", "source/a%2F..%2Fb": "InvalidArgument", "source/../b": "InvalidArgument",
		"source/%00": "InvalidArgument", "source/%ff": "InvalidArgument", "Source/k": "InvalidArgument", "so%3Aurce/k": "InvalidArgument",
		"arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/k":           "NotImplemented",
		"arn%3Aaws%3As3%3Aus-east-1%3A111122223333%3Aaccesspoint/ap/object/k": "NotImplemented",
		"/arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/k":          "NotImplemented",
		"ap-1-s3alias/k": "NotImplemented",
	} {
		call, err := s3api.Parse(request("PUT /bucket/k", "X-Amz-Copy-Source: "+value))
		if refusal, ok := errors.AsType[*s3api.Error](err); !ok || call != nil || refusal.Code != code {
			t.Errorf("%q: %v, %v; want %s", value, call, err, code)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("GET", "/bucket/a//b", "versionId", "v", "X-Amz-Acl", "private")
	f.Add("PUT", "/bucket/k", "x-amz-acl", "public-read", "X-Amz-Copy-Source", "source/k?versionId=1")
	f.Add("POST", "/bucket/", "delete", "", "Content-Md5", "x")
	f.Add("GET", "/bucket", "prefix", "a/../b", "If-Match", "e")
	f.Fuzz(func(t *testing.T, method, path, name, value, header, headerValue string) {
		r := s3api.Request{Method: method, Path: path, Query: []s3api.Param{{Name: name, Value: value}}, Header: http.Header{header: {headerValue}}}
		c, err := s3api.Parse(r)
		if err != nil {
			if _, ok := errors.AsType[*s3api.Error](err); !ok || c != nil {
				t.Fatalf("%v, %v", c, err)
			}
			return
		}
		if c.Path() != path && c.Path()+"/" != path {
			t.Fatalf("%q became %q", path, c.Path())
		}
		if len(c.Targets) == 0 && c.Operation != "ListBuckets" && c.Operation != "DeleteObjects" {
			t.Fatalf("%s touches nothing", c.Operation)
		}
		again, err := s3api.Parse(s3api.Request{Method: method, Path: c.Path(), Query: c.Query, Header: c.Header})
		if err != nil {
			t.Fatalf("what is sent on is refused: %v", err)
		}
		if diff := cmp.Diff([]any{c.Operation, c.Targets, c.Query, c.Header}, []any{again.Operation, again.Targets, again.Query, again.Header}); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzCopySource(f *testing.F) {
	for _, v := range []string{"source/k", "/source/a%2Fb?versionId=1", "source%2Fk", "arn:aws:s3:::b/k", "source/a%20b%2B", "source/../x"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		parse := func(value string) (*s3api.Call, error) {
			return s3api.Parse(s3api.Request{Method: "PUT", Path: "/bucket/k", Header: http.Header{"X-Amz-Copy-Source": {value}}})
		}
		c, err := parse(value)
		if err != nil {
			return
		}
		sent := c.Header.Get("X-Amz-Copy-Source")
		again, err := parse(sent)
		if err != nil || again.Header.Get("X-Amz-Copy-Source") != sent || !cmp.Equal(again.Targets, c.Targets) {
			t.Fatalf("%q is sent as %q, which reads otherwise: %v", value, sent, err)
		}
	})
}

// BenchmarkParse is what it takes to know what a request is.
func BenchmarkParse(b *testing.B) {
	for name, r := range map[string]s3api.Request{
		"PutObject": request("PUT /bucket/a/b/c?x-id=PutObject", "Content-Type: text/plain", "X-Amz-Sdk-Checksum-Algorithm: CRC32",
			"X-Amz-Checksum-Crc32: AAAAAA==", "X-Amz-Meta-A: 1", "User-Agent: x"),
		"GetObject":     request("GET /bucket/a/b/c?x-id=GetObject", "Accept-Encoding: identity", "Amz-Sdk-Invocation-Id: x", "Amz-Sdk-Request: attempt=1"),
		"ListObjectsV2": request("GET /bucket?list-type=2&prefix=a/b/&delimiter=/&max-keys=1000", "User-Agent: x"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c, err := s3api.Parse(r); err != nil || c.Operation != name {
					b.Fatal(c, err)
				}
			}
		})
	}
}

func BenchmarkResponseHeader(b *testing.B) {
	upstream := http.Header{
		"Accept-Ranges": {"bytes"}, "Content-Length": {"4096"}, "Content-Type": {"application/octet-stream"}, "Date": {"Wed, 04 Mar 2026 12:00:00 GMT"},
		"Etag": {`"x"`}, "Last-Modified": {"Wed, 04 Mar 2026 12:00:00 GMT"}, "Server": {"AmazonS3"}, "X-Amz-Request-Id": {"x"},
		"X-Amz-Server-Side-Encryption": {"AES256"}, "X-Amz-Meta-A": {"1"},
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(s3api.ResponseHeader(upstream)) == 0 {
			b.Fatal("nothing is left")
		}
	}
}
