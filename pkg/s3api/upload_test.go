package s3api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

func TestUpload(t *testing.T) {
	const (
		kms     = "X-Amz-Server-Side-Encryption: aws:kms"
		kmsKey  = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: arn:aws:kms:eu-west-1:111122223333:key/1"
		own     = "X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256"
		ownSum  = "X-Amz-Server-Side-Encryption-Customer-Key-Md5: x"
		tags    = "X-Amz-Tagging: class=public&owner=a%40b"
		arn     = "arn:aws:kms:eu-west-1:111122223333:key/1"
		aKMSDoc = "<ObjectEncryption><SSE-KMS><KMSKeyArn>" + arn + "</KMSKeyArn></SSE-KMS></ObjectEncryption>"
	)
	none, two := map[string]string{}, map[string]string{"class": "public", "owner": "a@b"}
	for _, c := range []struct {
		name, line string
		headers    []string
		document   string
		want       *s3api.Upload
	}{
		{"that says nothing", "PUT /bucket/k", nil, "", &s3api.Upload{Tags: none}},
		{"with tags", "PUT /bucket/k", []string{tags}, "", &s3api.Upload{Tags: two}},
		{"that S3 encrypts", "PUT /bucket/k", []string{"X-Amz-Server-Side-Encryption: AES256"}, "", &s3api.Upload{Encryption: "AES256", Tags: none}},
		{"with a key of KMS", "POST /bucket/k?uploads", []string{kms, kmsKey, tags}, "", &s3api.Upload{Encryption: "aws:kms", KMSKey: arn, Tags: two}},
		{"with a key of its own", "PUT /bucket/k", []string{own}, "", &s3api.Upload{Encryption: "SSE-C", Tags: none}},
		{"with a sum of a key alone", "PUT /bucket/k", []string{ownSum}, "", &s3api.Upload{Encryption: "SSE-C", Tags: none}},
		{"with two encryptions", "PUT /bucket/k", []string{kms, own}, "", &s3api.Upload{Tags: none}},
		{"with two keys", "PUT /bucket/k", []string{kmsKey, own}, "", &s3api.Upload{Tags: none}},
		{"in the query", "PUT /bucket/k?x-amz-server-side-encryption=AES256&X-Amz-Tagging=a=b", nil, "", &s3api.Upload{Encryption: "AES256", Tags: map[string]string{"a": "b"}}},
		{"copied with its tags", "PUT /bucket/k", []string{copyOf}, "", &s3api.Upload{}},
		{"copied, and tags that do not count", "PUT /bucket/k", []string{copyOf, tags, kms}, "", &s3api.Upload{Encryption: "aws:kms"}},
		{"copied, and so told", "PUT /bucket/k", []string{copyOf, tags, "X-Amz-Tagging-Directive: COPY"}, "", &s3api.Upload{}},
		{"copied with other tags", "PUT /bucket/k", []string{copyOf, tags, replace}, "", &s3api.Upload{Tags: two}},
		{"copied with no tags", "PUT /bucket/k", []string{copyOf, replace}, "", &s3api.Upload{Tags: none}},
		{"of tags", "PUT /bucket/k?tagging", nil, "<Tagging><TagSet><Tag><Key>class</Key><Value>public</Value></Tag><Tag><Key>owner</Key><Value>a@b</Value></Tag></TagSet></Tagging>",
			&s3api.Upload{Tags: two, TagsAlone: true}},
		{"of no tags", "DELETE /bucket/k?tagging", nil, "", &s3api.Upload{Tags: none, TagsAlone: true}},
		{"of another key", "PUT /bucket/k?encryption", nil, aKMSDoc, &s3api.Upload{Encryption: "aws:kms", KMSKey: arn}},
		{"of S3's key", "PUT /bucket/k?encryption", nil, "<ObjectEncryption><SSE-S3/></ObjectEncryption>", &s3api.Upload{Encryption: "AES256"}},
		{"of two keys", "PUT /bucket/k?encryption", nil, "<ObjectEncryption><SSE-S3/><SSE-KMS><KMSKeyArn>" + arn + "</KMSKeyArn></SSE-KMS></ObjectEncryption>", &s3api.Upload{}},
		{"of a part", "PUT /bucket/k?partNumber=1&uploadId=u", nil, "", nil},
		{"of a copied part", "PUT /bucket/k?partNumber=1&uploadId=u", []string{copyOf}, "", nil},
		{"that is complete", "POST /bucket/k?uploadId=u", nil, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>", nil},
		{"of a bucket's tags", "PUT /bucket?tagging", nil, "<Tagging><TagSet/></Tagging>", nil},
		{"that is none", "GET /bucket/k", nil, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, err := s3api.Parse(request(c.line, c.headers...))
			if err == nil && c.document != "" {
				err = call.SetBody([]byte(c.document))
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, call.Upload()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Tags are sent on in the one form that has one reading, and what has two is
// refused.
func TestTagging(t *testing.T) {
	for value, want := range map[string]struct {
		sent string
		tags map[string]string
	}{
		"a=b":               {"a=b", map[string]string{"a": "b"}},
		"a=b+c":             {"a=b%20c", map[string]string{"a": "b c"}},
		"a=b%2Bc":           {"a=b%2Bc", map[string]string{"a": "b+c"}},
		"a=b=c":             {"a=b%3Dc", map[string]string{"a": "b=c"}},
		"a":                 {"a", map[string]string{"a": ""}},
		"a=":                {"a=", map[string]string{"a": ""}},
		"a=%c3%bc&b=x%3By":  {"a=%C3%BC&b=x%3By", map[string]string{"a": "ü", "b": "x;y"}},
		"b=2&a=1":           {"b=2&a=1", map[string]string{"a": "1", "b": "2"}},
		"aws%3Acreated=x":   {"aws%3Acreated=x", map[string]string{"aws:created": "x"}},
		"&a=b&&c=d&":        {"a=b&c=d", map[string]string{"a": "b", "c": "d"}},
		"&&":                {"", map[string]string{}},
		"a=https://x.y/z?q": {"a=https%3A//x.y/z%3Fq", map[string]string{"a": "https://x.y/z?q"}},
	} {
		c, err := s3api.Parse(request("PUT /bucket/k", "X-Amz-Tagging: "+value))
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if got := c.Header.Get("X-Amz-Tagging"); got != want.sent {
			t.Errorf("%q is sent as %q, want %q", value, got, want.sent)
		}
		if diff := cmp.Diff(want.tags, c.Upload().Tags); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
	const sentence = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."
	for _, value := range []string{"a=1&a=2", "a=1&%61=2", "=", "=b", "a=b&=", "a=%zz", "a=%f", "a=%ff", "a=b;c=d", "a;b=c", "a=%00", "a=%0d%0ab", "a+b=1&a%20b=2"} {
		_, err := s3api.Parse(request("PUT /bucket/k", "X-Amz-Tagging: "+value))
		told(t, value, err, "InvalidArgument", sentence, about("x-amz-tagging", value)...)
	}
	for name, tags := range map[string]string{
		"twice":   "<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag>",
		"no name": "<Tag><Value>1</Value></Tag>",
		"empty":   "<Tag><Key></Key><Value>1</Value></Tag>",
	} {
		for _, line := range []string{"PUT /bucket/k?tagging", "PUT /bucket?tagging"} {
			c, err := s3api.Parse(request(line))
			if err != nil {
				t.Fatal(err)
			}
			told(t, line+" "+name, c.SetBody([]byte("<Tagging><TagSet>"+tags+"</TagSet></Tagging>")), "InvalidTag", "Cannot provide multiple Tags with the same key")
			if c.EncodeBody(nil) != nil {
				t.Errorf("%s %s: it is sent on", line, name)
			}
		}
	}
}
