package s3api_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

const (
	badXML  = "The XML you provided was not well-formed or did not validate against our published schema."
	badPart = "Part number must be an integer between 1 and 10000, inclusive."
)

func about(name, value string) []s3api.Detail {
	return []s3api.Detail{{Name: "ArgumentName", Value: name}, {Name: "ArgumentValue", Value: value}}
}

// told fails the test unless err is the refusal that S3 would give.
func told(t *testing.T, what string, err error, code, standard string, details ...s3api.Detail) {
	t.Helper()
	e, ok := errors.AsType[*s3api.Error](err)
	if !ok || e.Code != code || e.Standard != standard {
		t.Errorf("%s: %+v, want %s %q", what, e, code, standard)
		return
	}
	if diff := cmp.Diff(details, e.Details); diff != "" {
		t.Errorf("%s: details (-want +got):\n%s", what, diff)
	}
}

func TestStandardSentences(t *testing.T) {
	const copyTo = "PUT /bucket/k"
	for _, c := range []struct {
		line, header, code, standard string
		details                      []s3api.Detail
	}{
		{"GET /bucket/k?partNumber=-3", "", "InvalidArgument", badPart, about("partNumber", "-3")},
		{"PUT /bucket/k?partNumber=10001&uploadId=u", "", "InvalidArgument", badPart, about("partNumber", "10001")},
		{"PUT /aa", "", "InvalidBucketName", "The specified bucket is not valid.", []s3api.Detail{{Name: "BucketName", Value: "aa"}}},
		{copyTo, "X-Amz-Copy-Source: b/%ZZ", "InvalidArgument", "Invalid copy source encoding", about("x-amz-copy-source", "b/%ZZ")},
		{copyTo, "X-Amz-Copy-Source: 2001:db8::1/k", "InvalidArgument", "Invalid copy source bucket name", about("x-amz-copy-source", "2001:db8::1/k")},
		{copyTo, "X-Amz-Copy-Source: b@c/k", "InvalidArgument", "Invalid copy source bucket name", about("x-amz-copy-source", "b@c/k")},
		{copyTo, "X-Amz-Copy-Source: bucket", "InvalidArgument", "Invalid copy source object key", about("x-amz-copy-source", "")},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{c.header}
		}
		_, err := s3api.Parse(request(c.line, headers...))
		told(t, c.line+" "+c.header, err, c.code, c.standard, c.details...)
	}
	_, err := s3api.Parse(request(copyTo, copyOf, "X-Amz-Tagging-Directive: x"))
	told(t, "directive", err, "InvalidArgument", "Unknown tagging directive.", about("x-amz-tagging-directive", "x")...)
	_, err = s3api.Parse(request(copyTo, "X-Amz-Checksum-Crc32c: m0cB1Q==", "X-Amz-Sdk-Checksum-Algorithm: CRC32"))
	told(t, "another algorithm", err, "InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
}

func TestStandardSentencesOfDocuments(t *testing.T) {
	const (
		noPolicy  = "Policies must be valid JSON and the first byte must be '{'"
		badPolicy = "This policy contains invalid Json"
	)
	for _, c := range []struct {
		line, body, code, standard string
		details                    []s3api.Detail
	}{
		{"PUT /bucket/k?legal-hold", "", "MalformedXML", badXML, nil},
		{"PUT /bucket?object-lock", "", "MissingRequestBodyError", "Request Body is empty", nil},
		{"PUT /bucket?object-lock", "x", "MalformedXML", badXML, nil},
		{"PUT /bucket?acl", "<AccessControlPolicy><X/></AccessControlPolicy>", "MalformedACLError", badXML, nil},
		{"PUT /bucket?policy", "{true}", "MalformedPolicy", badPolicy, nil},
		{"PUT /bucket?policy", "false", "MalformedPolicy", noPolicy, nil},
		{"PUT /bucket?policy", "x", "MalformedPolicy", noPolicy, nil},
		{"POST /bucket/k?uploadId=u", "<CompleteMultipartUpload><Part><PartNumber>-4</PartNumber></Part></CompleteMultipartUpload>", "InvalidArgument",
			"PartNumber must be >= 1", about("PartNumber", "-4")},
		{"POST /bucket/k?uploadId=u", "<CompleteMultipartUpload><Part><PartNumber>0</PartNumber></Part></CompleteMultipartUpload>", "InvalidArgument",
			"PartNumber must be >= 1", about("PartNumber", "0")},
	} {
		call, err := s3api.Parse(request(c.line))
		if err != nil {
			t.Fatal(err)
		}
		told(t, c.line+" "+c.body, call.SetBody([]byte(c.body)), c.code, c.standard, c.details...)
		if call.EncodeBody(nil) != nil {
			t.Errorf("%s %s: there is something to send", c.line, c.body)
		}
	}
	body := []byte("<Delete><Object><Key>a</Key></Object></Delete>")
	sum := md5.Sum(body)
	other := md5.Sum(nil)
	otherText := base64.StdEncoding.EncodeToString(other[:])
	for header, want := range map[string]struct {
		code, standard string
		details        []s3api.Detail
	}{
		"Content-Md5: x": {"InvalidDigest", "The Content-Md5 you specified is not valid.", []s3api.Detail{{Name: "Content-MD5", Value: "x"}}},
		"Content-Md5: " + otherText: {"BadDigest", "The Content-MD5 you specified did not match what we received.",
			[]s3api.Detail{{Name: "CalculatedDigest", Value: base64.StdEncoding.EncodeToString(sum[:])}, {Name: "ExpectedDigest", Value: hex.EncodeToString(other[:])}}},
		"Content-Md5: uU0nuZNNPgilLlLX2n2r+s==": {"BadDigest", "The Content-MD5 you specified did not match what we received.", nil},
		"X-Amz-Checksum-Crc32: AAAAAA==":        {"BadDigest", "The CRC32 you specified did not match the calculated checksum.", nil},
		"X-Amz-Checksum-Sha256: x":              {"InvalidRequest", "Value for x-amz-checksum-sha256 header is invalid.", nil},
	} {
		told(t, header, deleteCall(t, header).SetBody(body), want.code, want.standard, want.details...)
	}
}

func TestEmptyAndRepeated(t *testing.T) {
	r := request("PUT /bucket/k?partNumber=1&uploadId=u")
	r.Header = http.Header{"X-Amz-Checksum-Crc32": {""}, "Content-Md5": {""}}
	call, err := s3api.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	// They promise nothing, and that is for who keeps promises to refuse.
	if diff := cmp.Diff([]s3api.Param{{Name: "content-md5"}, {Name: "x-amz-checksum-crc32"}}, call.Promised); diff != "" || len(call.Header) != 0 {
		t.Errorf("promised (-want +got):\n%s\n%v", diff, call.Header)
	}
	for _, c := range []struct {
		line       string
		sent, want http.Header
	}{
		{"PUT /bucket/k", http.Header{"X-Amz-Meta-A": {""}}, http.Header{"X-Amz-Meta-A": {""}}},
		{"PUT /bucket/k", http.Header{"X-Amz-Meta-A": {"1", "2", ""}}, http.Header{"X-Amz-Meta-A": {"1,2,"}}},
		{"GET /bucket/k?attributes", http.Header{"X-Amz-Object-Attributes": {"ETag", "ObjectSize"}}, http.Header{"X-Amz-Object-Attributes": {"ETag,ObjectSize"}}},
		{"GET /bucket/k?attributes", http.Header{"X-Amz-Object-Attributes": {""}}, http.Header{}},
		{"PUT /bucket/k", http.Header{"X-Amz-Meta-A": {"1"}, "x-amz-meta-a": {"2"}}, nil},
		{"PUT /bucket/k", http.Header{"X-Amz-Acl": {"private", "public-read"}}, nil},
		{"PUT /bucket/k", http.Header{"X-Amz-Acl": {""}}, nil},
		{"PUT /bucket/k", http.Header{"If-Match": {""}}, nil},
		{"PUT /bucket/k", http.Header{"X-Amz-Meta-": {""}}, nil},
	} {
		r := request(c.line)
		r.Header = c.sent
		call, err := s3api.Parse(r)
		if c.want == nil {
			if _, ok := errors.AsType[*s3api.Error](err); !ok {
				t.Errorf("%s %v: accepted as %v", c.line, c.sent, call)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %v: %v", c.line, c.sent, err)
			continue
		}
		if diff := cmp.Diff(c.want, call.Header); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", c.line, c.sent, diff)
		}
	}
}

// An empty version is none, but to what deletes.
func TestEmptyVersion(t *testing.T) {
	for _, line := range []string{"GET /bucket/k?versionId=", "PUT /bucket/k?retention&versionId=", "PUT /bucket/k?legal-hold&versionId="} {
		call, err := s3api.Parse(request(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		for _, p := range call.Query {
			if p.Name == "versionId" {
				t.Errorf("%s: sent on as %v", line, call.Query)
			}
		}
		if call.VersionID != "" || len(call.Targets) != 1 || call.Targets[0].VersionID != "" {
			t.Errorf("%s: %+v", line, call)
		}
	}
	for _, line := range []string{"DELETE /bucket/k?versionId=", "DELETE /bucket/k?tagging&versionId="} {
		_, err := s3api.Parse(request(line))
		if e, ok := errors.AsType[*s3api.Error](err); !ok || e.Code != "InvalidArgument" {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// Clients of S3 are told where a website would send readers of an object.
func TestWebsiteRedirectsAreTold(t *testing.T) {
	told := http.Header{"X-Amz-Website-Redirect-Location": {"/x"}, "X-Amz-Bucket-Arn": {"arn:aws:s3:::b"}}
	upstream := told.Clone()
	upstream.Set("Location", "http://upstream.example/")
	if diff := cmp.Diff(told, s3api.ResponseHeader(upstream)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
