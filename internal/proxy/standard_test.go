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
