package s3api_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

func TestBucketOfHost(t *testing.T) {
	domains := []string{"example", "s3.example", "S3.Other.test"}
	for _, c := range []struct{ host, bucket string }{
		{"s3.example", ""}, {"S3.EXAMPLE:443", ""}, {"s3.example.", ""}, {"example", ""},
		{"bucket.s3.example", "bucket"}, {"bucket.s3.example:8443", "bucket"}, {"BUCKET.S3.Example", "bucket"}, {"bucket.s3.example.:1", "bucket"},
		{"a.b.s3.example", "a.b"}, // the longest domain, of which the bucket is what remains
		{"b.other.example", "b.other"},
		{"bucket.s3.other.test", "bucket"},
		{"xs3.other.test", ""}, {"other.test", ""}, {"127.0.0.1:9000", ""}, {"[::1]:9000", ""}, {"[::1]", ""}, {"", ""},
	} {
		bucket, virtual, err := s3api.BucketOfHost(c.host, domains)
		if err != nil || bucket != c.bucket || virtual != (c.bucket != "") {
			t.Errorf("%q: %q, %v, %v; want %q", c.host, bucket, virtual, err, c.bucket)
		}
	}
	for host, code := range map[string]string{
		".s3.example": "InvalidBucketName", "ab.s3.example": "InvalidBucketName", "a..b.s3.example": "InvalidBucketName", "-bucket.s3.example": "InvalidBucketName",
		"bucket/.s3.example": "InvalidBucketName", "bucket.s3.example:x": "InvalidURI", "x:bucket.s3.example": "InvalidURI", "b@x.s3.example": "InvalidBucketName",
		"name-s3alias.s3.example": "NotImplemented", "name--use1-az4--x-s3.s3.example": "NotImplemented",
	} {
		bucket, virtual, err := s3api.BucketOfHost(host, domains)
		if refusal, ok := errors.AsType[*s3api.Error](err); !ok || refusal.Code != code || bucket != "" || virtual {
			t.Errorf("%q: %q, %v, %v; want %s", host, bucket, virtual, err, code)
		}
	}
	if bucket, virtual, err := s3api.BucketOfHost("bucket.s3.example", []string{""}); bucket != "" || virtual || err != nil {
		t.Errorf("the empty domain has the bucket %q, %v", bucket, err)
	}
}

// In virtual-host style the path is that of the key alone, whatever it looks
// like, and the upstream is addressed in path style.
func TestVirtualHostStyle(t *testing.T) {
	for _, c := range []struct{ line, operation, key, path string }{
		{"GET /", "ListObjects", "", "/bucket"},
		{"GET /?location", "GetBucketLocation", "", "/bucket"},
		{"GET //", "GetObject", "/", "/bucket//"},
		{"GET /other/k", "GetObject", "other/k", "/bucket/other/k"},
		{"GET //other/k", "GetObject", "/other/k", "/bucket//other/k"},
		{"PUT /arn:aws:s3:::x", "PutObject", "arn:aws:s3:::x", "/bucket/arn:aws:s3:::x"},
		{"POST /WriteGetObjectResponse?uploads", "CreateMultipartUpload", "WriteGetObjectResponse", "/bucket/WriteGetObjectResponse"},
	} {
		r := request(c.line)
		r.Bucket = "bucket"
		call, err := s3api.Parse(r)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if call.Operation != c.operation || call.Bucket != "bucket" || call.Key != c.key || call.Path() != c.path {
			t.Errorf("%s is %s on %q/%q, sent to %q", c.line, call.Operation, call.Bucket, call.Key, call.Path())
		}
		for _, target := range call.Targets {
			if target.Bucket != "bucket" || target.Key != c.key {
				t.Errorf("%s touches %+v", c.line, target)
			}
		}
	}
	for _, c := range []struct{ bucket, line, code string }{
		{"bucket", "GET k", "InvalidURI"}, {"bucket", "GET ", "InvalidURI"}, {"bucket", "GET /a/../b", "InvalidArgument"}, {"bucket", "GET /..", "InvalidArgument"},
		{"Bucket", "GET /k", "InvalidBucketName"}, {"x-s3alias", "GET /k", "NotImplemented"},
		{"bucket", "GET /" + strings.Repeat("k", 1025), "KeyTooLongError"},
	} {
		r := request(c.line)
		r.Bucket = c.bucket
		call, err := s3api.Parse(r)
		if refusal, ok := errors.AsType[*s3api.Error](err); !ok || refusal.Code != c.code || call != nil {
			t.Errorf("%q of %q: %v, want %s", c.line, c.bucket, err, c.code)
		}
	}
}

// Dot segments pass where they are to be kept, byte for byte and wherever a key
// may stand, and nothing else passes with them.
func TestKeepDotSegments(t *testing.T) {
	for _, key := range []string{"a/../b", "..", "./a", "a/.", "../../other/k", "a/./b"} {
		for _, line := range []string{"GET /bucket/" + key, "GET /bucket?prefix=" + key} {
			r := request(line)
			if _, err := s3api.Parse(r); err == nil {
				t.Errorf("%s: accepted although dot segments are not kept", line)
			}
			r.KeepDotSegments = true
			call, err := s3api.Parse(r)
			if err != nil || len(call.Targets) != 1 || call.Targets[0].Key != key || call.Targets[0].Bucket != "bucket" {
				t.Errorf("%s: %+v, %v", line, call, err)
			}
		}
		r := request("PUT /bucket/k", "X-Amz-Copy-Source: source/"+key)
		if _, err := s3api.Parse(r); err == nil {
			t.Errorf("the source %s: accepted although dot segments are not kept", key)
		}
		r.KeepDotSegments = true
		call, err := s3api.Parse(r)
		if err != nil || call.Targets[1].Bucket != "source" || call.Targets[1].Key != key || call.Header.Get("X-Amz-Copy-Source") != "source/"+key {
			t.Errorf("the source %s: %+v, %v", key, call, err)
		}
		r = request("POST /bucket?delete")
		r.KeepDotSegments = true
		if call, err = s3api.Parse(r); err != nil {
			t.Fatal(err)
		}
		if err := call.SetBody([]byte("<Delete><Object><Key>" + key + "</Key></Object></Delete>")); err != nil || call.Targets[0].Key != key {
			t.Errorf("delete %s: %+v, %v", key, call.Targets, err)
		}
	}
	for _, line := range []string{"GET /bucket/a\x00b", "GET /bucket/\xff", "GET /../k", "GET /bucket/" + strings.Repeat("k", 1025)} {
		r := request(line)
		r.KeepDotSegments = true
		if _, err := s3api.Parse(r); err == nil {
			t.Errorf("%q is accepted", line)
		}
	}
}

func TestPromised(t *testing.T) {
	call, err := s3api.Parse(request("PUT /bucket/k", "Content-Md5: m", "X-Amz-Checksum-Crc32: c", "X-Amz-Checksum-Xxhash128: x",
		"X-Amz-Checksum-Algorithm: CRC32", "X-Amz-Checksum-Type: FULL_OBJECT", "X-Amz-Sdk-Checksum-Algorithm: CRC32"))
	if err != nil {
		t.Fatal(err)
	}
	want := []s3api.Param{{Name: "content-md5", Value: "m"}, {Name: "x-amz-checksum-crc32", Value: "c"}, {Name: "x-amz-checksum-xxhash128", Value: "x"}}
	if diff := cmp.Diff(want, call.Promised); diff != "" || len(call.Header) != 6 {
		t.Errorf("promised (-want +got):\n%s\n%v", diff, call.Header)
	}
	// Those of CompleteMultipartUpload speak of the object, those of documents are checked here.
	for _, line := range []string{"POST /bucket/k?uploadId=u", "POST /bucket?delete"} {
		if call, err = s3api.Parse(request(line, "X-Amz-Checksum-Crc32: c")); err != nil || call.Promised != nil {
			t.Errorf("%s: %v, %v", line, call, err)
		}
	}
}

func FuzzBucketOfHost(f *testing.F) {
	for _, host := range []string{"s3.example", "bucket.s3.example:443", "[::1]:1", "a.b.EXAMPLE.", "x:b.s3.example"} {
		f.Add(host, "s3.example", "example")
	}
	f.Fuzz(func(t *testing.T, host, one, other string) {
		bucket, virtual, err := s3api.BucketOfHost(host, []string{one, other})
		turned, _, _ := s3api.BucketOfHost(host, []string{other, one})
		if turned != bucket || virtual != (bucket != "") || err != nil && virtual {
			t.Fatalf("%q of %q and %q: %q, %q, %v, %v", host, one, other, bucket, turned, virtual, err)
		}
		if !virtual {
			return
		}
		if _, err := s3api.Parse(s3api.Request{Method: "GET", Path: "/", Bucket: bucket}); err != nil {
			t.Fatalf("the bucket %q of %q: %v", bucket, host, err)
		}
		if !strings.HasPrefix(strings.ToLower(host), bucket+".") {
			t.Fatalf("%q does not begin with %q", host, bucket)
		}
	})
}
