package sigv4_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// What S3 has a sentence for is said in that sentence too, with the details
// that stand beside it in S3's document.
func TestStandardSentences(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	header := func(change func(r *http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/b/k", nil)
		sigv4.Sign(r, sigv4.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, "us-east-1", "s3", sigv4.UnsignedPayload, now)
		change(r)
		return r
	}
	edit := func(old, new string) *http.Request {
		return header(func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		})
	}
	const begin = "The authorization header is malformed; "
	for name, test := range map[string]struct {
		request *http.Request
		want    string
		detail  sigv4.Param
	}{
		"another key":       {header(func(*http.Request) {}), "The request signature we calculated does not match the signature you provided. Check your key and signing method.", sigv4.Param{Name: "AWSAccessKeyId", Value: "AKID"}},
		"another service":   {edit("/s3/", "/ec2/"), begin + `incorrect service "ec2". This endpoint belongs to "s3".`, sigv4.Param{}},
		"another terminal":  {edit("aws4_request", "aws5_request"), begin + `incorrect terminal "aws5_request". This endpoint uses "aws4_request".`, sigv4.Param{}},
		"no day":            {edit("20260304", "2026"), begin + `incorrect date format "2026". This date in the credential must be in the format "yyyyMMdd".`, sigv4.Param{}},
		"another day":       {edit("20260304", "20260303"), begin + begin + "Invalid credential date. Date is not the same as X-Amz-Date.", sigv4.Param{}},
		"no equals sign":    {edit("SignedHeaders=", "SignedHeaders-"), begin + `the authorization component "SignedHeaders-ho..." is malformed.`, sigv4.Param{}},
		"another component": {edit("Credential=", "Credentials="), begin + "missing Credential.", sigv4.Param{}},
		"two components":    {edit(", SignedHeaders=", ";"), begin + "the authorization header requires three components: Credential, SignedHeaders, and Signature.", sigv4.Param{}},
		"another scheme":    {edit("AWS4-HMAC-SHA256", "Bearer"), "Unsupported Authorization Type", sigv4.Param{Name: "ArgumentValue", Value: "Bearer"}},
		"not signed": {header(func(r *http.Request) { r.Header.Set("X-Amz-Tagging", "a"); r.Header.Set("X-Amz-Acl", "a") }),
			"There were headers present in the request which were not signed", sigv4.Param{Name: "HeadersNotSigned", Value: "x-amz-acl, x-amz-tagging"}},
		"no expiry": {httptest.NewRequest(http.MethodGet, "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256", nil),
			"Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.", sigv4.Param{}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sigv4.Parse(test.request)
			if err == nil {
				var v *sigv4.Verified
				if v, err = s.Verify("another secret", now); err == nil {
					_, err = io.Copy(io.Discard, v.Body(nil))
				}
			}
			e, ok := errors.AsType[*sigv4.Error](err)
			if !ok || e.Standard != test.want {
				t.Fatalf("got %v, in S3's words %q\nwant %q", err, e.Standard, test.want)
			}
			if test.detail != (sigv4.Param{}) && e.Details[len(e.Details)-1] != test.detail {
				t.Errorf("details: %v", e.Details)
			}
		})
	}
}
