package sigv4_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/checksum"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// What a header promises of a body is refused in S3's words when it is not so,
// or promised twice.
func TestBrokenPromises(t *testing.T) {
	const several = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
	one, other := md5.Sum([]byte("hello")), md5.Sum(nil)
	type params = []sigv4.Param
	for name, test := range map[string]struct {
		trailer        string
		promised       params
		code, standard string
		details        params
	}{
		"another CRC":  {"", params{{"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}}, "BadDigest", "The CRC64NVME you specified did not match the calculated checksum.", nil},
		"nothing":      {"", params{{"x-amz-checksum-crc32", ""}}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid.", nil},
		"two":          {"", params{{"x-amz-checksum-crc32", "NhCmhg=="}, {"x-amz-checksum-crc32c", "mnG7TA=="}}, "InvalidRequest", several, nil},
		"two of none":  {"", params{{"x-amz-checksum-crc32", ""}, {"x-amz-checksum-sha1", ""}}, "InvalidRequest", several, nil},
		"also trailed": {"x-amz-checksum-crc32", params{{"x-amz-checksum-crc32", "NhCmhg=="}}, "InvalidRequest", several, nil},
		"another MD5": {"", params{{"content-md5", base64.StdEncoding.EncodeToString(other[:])}}, "BadDigest", "The Content-MD5 you specified did not match what we received.",
			params{{"CalculatedDigest", base64.StdEncoding.EncodeToString(one[:])}, {"ExpectedDigest", hex.EncodeToString(other[:])}}},
		"no MD5": {"", params{{"content-md5", ""}}, "InvalidDigest", "The Content-Md5 you specified is not valid.", params{{"Content-MD5", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			hash, body := sigv4.UnsignedPayload, "hello"
			if test.trailer != "" {
				hash, body = sigv4.UnsignedPayloadTrailer, "5\r\nhello\r\n0\r\n"+test.trailer+":"+sumOf(test.trailer, "hello")+"\r\n\r\n"
			}
			got, err := io.ReadAll(verifiedUpload(t, hash, 5, test.trailer).Body(strings.NewReader(body), test.promised...))
			e, ok := errors.AsType[*sigv4.Error](err)
			if !ok || e.Code != test.code || e.Standard != test.standard || len(got) >= 5 {
				t.Fatalf("%q, %+v", got, e)
			}
			if diff := cmp.Diff(test.details, e.Details); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
		})
	}
	// One of each kind is kept.
	for _, header := range checksum.Headers() {
		promised := params{{header, sumOf(header, "hello")}, {"content-md5", base64.StdEncoding.EncodeToString(one[:])}}
		if got, err := io.ReadAll(verifiedUpload(t, sigv4.UnsignedPayload, 5, "").Body(strings.NewReader("hello"), promised...)); err != nil || string(got) != "hello" {
			t.Errorf("%s: %q, %v", header, got, err)
		}
	}
}

// Lines of a list are signed joined by commas, in their order.
func TestRepeatedHeaders(t *testing.T) {
	head := "GET /b/k?attributes HTTP/1.1\r\nHost: h\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\nX-Amz-Date: 20260304T120000Z\r\n" +
		"X-Amz-Meta-A: 1\r\nx-amz-object-attributes: ETag\r\nx-amz-meta-a: 2\r\nX-Amz-Object-Attributes:  ObjectSize\r\n"
	const names = "host;x-amz-date;x-amz-meta-a;x-amz-object-attributes"
	canonical := "GET\n/b/k\nattributes=\nhost:h\nx-amz-date:20260304T120000Z\nx-amz-meta-a:1,2\nx-amz-object-attributes:ETag,ObjectSize\n\n" + names + "\nUNSIGNED-PAYLOAD"
	v, err := handSigned(t, head, names, canonical)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"X-Amz-Meta-A": {"1", "2"}, "X-Amz-Object-Attributes": {"ETag", "ObjectSize"}}, map[string][]string(v.Header())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = handSigned(t, head, names, strings.Replace(canonical, "1,2", "2,1", 1))
	wantCode(t, err, "SignatureDoesNotMatch")
	_, err = handSigned(t, head+"X-Amz-Acl: private\r\nX-Amz-Acl: public-read\r\n", names, canonical)
	wantCode(t, err, "InvalidRequest")
}

// Without its signature a trailer is one that was cut, in S3's words.
func TestATrailerWithoutItsSignature(t *testing.T) {
	v, framed := signedChunks(t, "x-amz-checksum-crc32", "hello")
	for _, changed := range []string{
		strings.Replace(framed, "x-amz-trailer-signature:", "x-amz-trailer-signature-", 1),
		strings.Replace(framed, "\r\nx-amz-trailer-signature", "\rx-amz-trailer-signature", 1),
	} {
		got, err := io.ReadAll(v.Body(strings.NewReader(changed)))
		e, ok := errors.AsType[*sigv4.Error](err)
		if !ok || e.Code != "IncompleteBody" || e.Standard != "The request body terminated unexpectedly" || len(got) >= 5 {
			t.Errorf("%q, %+v", got, e)
		}
	}
}
