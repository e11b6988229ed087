package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// Where S3 has a sentence of its own the client gets it, unchanged, and beside
// it what is to be done here.
func TestRefusalsInS3sOwnWords(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	keys.SecretAccessKey += "x"
	response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	id := response.Header.Get("X-Amz-Request-Id")
	for _, want := range []string{
		"<Message>The request signature we calculated does not match the signature you provided. Check your key and signing method.</Message>",
		"<AWSAccessKeyId>" + keys.AccessKeyID + "</AWSAccessKeyId>",
		"<Reason>The signature does not match the request: check the secret access key", " Event " + id + ".</Reason>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in %s", want, body)
		}
	}
	if why := response.Header.Get("X-Gimme-Reason"); !strings.HasPrefix(why, "SignatureDoesNotMatch: The signature does not match the request") {
		t.Errorf("the header says %q", why)
	}
	c.wantNothingUpstream()
	c.wantOneRefusal("SignatureDoesNotMatch", "The signature does not match the request")
}

// So it is for what is wrong with the request itself.
func TestRequestsThatAreNotUnderstoodInS3sOwnWords(t *testing.T) {
	c := start(t, nil)
	response, body := c.raw(c.login(nil), http.MethodGet, "/lake/customers/x?partNumber=-3", sigv4.UnsignedPayload, nil)
	for _, want := range []string{
		"<Code>InvalidArgument</Code><Message>Part number must be an integer between 1 and 10000, inclusive.</Message>",
		"<ArgumentName>partNumber</ArgumentName><ArgumentValue>-3</ArgumentValue>", `<Reason>The part number &#34;-3&#34; is not a number`,
	} {
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%q is not in %d %s", want, response.StatusCode, body)
		}
	}
	c.wantNothingUpstream()
	c.wantOneRefusal("InvalidArgument", `The part number "-3"`)
}

// The upstream's Location may be an address that is for nobody.
func TestTheLocationOfANewBucket(t *testing.T) {
	c := start(t, nil)
	c.write("policies/customers.yaml", policies+"    manages: [{data: [SENSITIVE]}]\n")
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Location", "http://canary.example/secret-bucket")
		w.Header().Set("X-Amz-Bucket-Arn", "arn:aws:s3:::secret-bucket")
		return true
	})
	response, body := c.raw(c.login(nil), http.MethodPut, "/secret-bucket", sigv4.UnsignedPayload, nil)
	if response.StatusCode != http.StatusOK || response.Header.Get("Location") != "/secret-bucket" || response.Header.Get("X-Amz-Bucket-Arn") != "arn:aws:s3:::secret-bucket" {
		t.Errorf("got %d %v %s", response.StatusCode, response.Header, body)
	}
}
