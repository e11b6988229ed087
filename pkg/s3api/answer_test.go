package s3api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

func TestErrorDocuments(t *testing.T) {
	doc := s3api.ErrorXML("AccessDenied", "a <b> & \x01", "/bucket/k", "id-1")
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		"<Error><Code>AccessDenied</Code><Message>a &lt;b&gt; &amp; \ufffd</Message><Resource>/bucket/k</Resource><RequestId>id-1</RequestId></Error>"
	if diff := cmp.Diff(want, string(doc)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, body := range []string{string(doc), "  \n\t" + string(doc), "<Error><Code>AccessDenied</Code><Message>a &lt;b&gt; &amp; \ufffd</Message><HostId>x</HostId></Error>"} {
		if code, message, ok := s3api.ParseErrorXML([]byte(body)); !ok || code != "AccessDenied" || message != "a <b> & \ufffd" {
			t.Errorf("%q: %q %q %v", body, code, message, ok)
		}
	}
	for _, body := range []string{"", "   ", "no", "<html></html>", "<Error></Error>", "<Error><Code>a b</Code></Error>", "<Error><Code>a",
		"<CompleteMultipartUploadResult><Error><Code>X</Code></Error></CompleteMultipartUploadResult>",
		"<Error><Code>" + strings.Repeat("a", 65) + "</Code></Error>"} {
		if code, _, ok := s3api.ParseErrorXML([]byte(body)); ok || code != "" {
			t.Errorf("%q is taken for an error", body)
		}
	}
}

func TestStatusOf(t *testing.T) {
	for code, status := range map[string]int{
		"InvalidIdentityToken": 400, "ExpiredTokenException": 400, "AccessDenied": 403, "IDPCommunicationError": 400, "ExpiredToken": 400,
		"InvalidToken": 400, "InvalidAccessKeyId": 403, "SignatureDoesNotMatch": 403, "RequestTimeTooSkewed": 403,
		"XAmzContentSHA256Mismatch": 400, "BadDigest": 400, "IncompleteBody": 400, "MissingContentLength": 411, "NotImplemented": 501,
		"ServiceUnavailable": 503, "SlowDown": 503, "InternalError": 500, "EntityTooLarge": 400, "MethodNotAllowed": 405, "NoSuchKey": 404,
		"PreconditionFailed": 412, "InvalidRange": 416, "MalformedXML": 400, "whatever": 400, "": 400,
	} {
		if got := s3api.StatusOf(code); got != status {
			t.Errorf("StatusOf(%q) = %d, want %d", code, got, status)
		}
	}
}

func TestDeleteResult(t *testing.T) {
	upstream := `
<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Deleted><Key>a&#x9;b</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted>
<Deleted><Key>c</Key><VersionId>v</VersionId></Deleted><Error><Key>d</Key><VersionId>w</VersionId><Code>InternalError</Code><Message>no</Message></Error></DeleteResult>`
	r, err := s3api.ParseDeleteResult([]byte(upstream))
	if err != nil {
		t.Fatal(err)
	}
	r.Block(exact(deletes, "DeleteObject", "x<y", ""), "not allowed")
	var sum s3api.DeleteResult
	sum.Add(r)
	want := s3api.DeleteResult{
		Deleted: []s3api.DeletedObject{{Key: "a\tb", DeleteMarker: new(true), DeleteMarkerVersionID: "m"}, {Key: "c", VersionID: "v"}},
		Errors:  []s3api.DeleteError{{"d", "w", "InternalError", "no"}, {"x<y", "", "AccessDenied", "not allowed"}},
	}
	if diff := cmp.Diff(want, sum); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := s3api.ParseDeleteResult(sum.XML())
	if diff := cmp.Diff(want, again); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"", "<Error><Code>X</Code></Error>", "<DeleteResult><Deleted>"} {
		if _, err := s3api.ParseDeleteResult([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a result", bad)
		}
	}
}

func TestBucketList(t *testing.T) {
	l, err := s3api.ParseListBuckets([]byte(`<?xml version="1.0"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Owner><ID>o</ID><DisplayName>d</DisplayName></Owner><Buckets><Bucket><Name>one</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate>
<BucketRegion>eu-west-1</BucketRegion><BucketArn>arn:aws:s3:::one</BucketArn></Bucket><Bucket><Name>hidden</Name></Bucket></Buckets>
<ContinuationToken>next</ContinuationToken><Prefix>p</Prefix></ListAllMyBucketsResult>`))
	if err != nil || l.ContinuationToken != "next" || len(l.Buckets) != 2 {
		t.Fatalf("%+v, %v", l, err)
	}
	doc := string(l.Filter(func(name string) bool { return name == "one" }).XML())
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>o</ID>` +
		`<DisplayName>d</DisplayName></Owner><Buckets><Bucket><Name>one</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate>` +
		`<BucketRegion>eu-west-1</BucketRegion><BucketArn>arn:aws:s3:::one</BucketArn></Bucket></Buckets><Prefix>p</Prefix></ListAllMyBucketsResult>`
	if diff := cmp.Diff(want, doc); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(l.Buckets) != 2 {
		t.Error("Filter changed the list it was called on")
	}
	if _, err := s3api.ParseListBuckets([]byte("<ListBucketResult/>")); err == nil {
		t.Error("another document is taken for a list of buckets")
	}
}

func TestCompleteResult(t *testing.T) {
	r, err := s3api.ParseCompleteResult([]byte(`<?xml version="1.0"?>

<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Location>https://upstream/b/k</Location><Bucket>b</Bucket><Key>k</Key>
<ETag>"e-2"</ETag><ChecksumCRC32>x==</ChecksumCRC32><ChecksumType>FULL_OBJECT</ChecksumType><Other>y</Other></CompleteMultipartUploadResult>`))
	want := s3api.CompleteResult{Location: "https://upstream/b/k", Bucket: "b", Key: "k", ETag: `"e-2"`,
		Checksums: []s3api.Checksum{{"ChecksumCRC32", "x=="}, {"ChecksumType", "FULL_OBJECT"}}}
	if diff := cmp.Diff(want, r); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	again, err := s3api.ParseCompleteResult(r.XML())
	if diff := cmp.Diff(want, again); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := s3api.ParseCompleteResult([]byte("<Error><Code>InternalError</Code></Error>")); err == nil {
		t.Error("an error is taken for a result")
	}
}

func TestResponseHeader(t *testing.T) {
	upstream := http.Header{"Etag": {`"e"`}, "Content-Type": {"text/plain"}, "X-Amz-Meta-A": {"1"}, "X-Amz-Checksum-Xxhash3": {"x"},
		"X-Amz-Version-Id": {"v"}, "Content-Range": {"bytes 0-1/2"}, "X-Amz-Server-Side-Encryption-Customer-Key-Md5": {"m"}}
	want := upstream.Clone()
	for _, name := range []string{"Location", "Set-Cookie", "Server", "X-Amz-Request-Id", "X-Amz-Id-2", "Connection", "Transfer-Encoding",
		"X-Amz-Unknown", "X-Amz-Meta-", "Access-Control-Allow-Origin", "X-Amz-Server-Side-Encryption-Customer-Key", "Www-Authenticate"} {
		upstream.Set(name, "x")
	}
	if diff := cmp.Diff(want, s3api.ResponseHeader(upstream)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
