package sigv4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

const identityForm = "Action=GetCallerIdentity&Version=2011-06-15"

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// forSTS signs a form post that names its payload in the header, as some
// clients do.
func forSTS(t *testing.T, path, hash string) *sigv4.Signature {
	t.Helper()
	s, err := parseForSTS(t, path, hash)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parseForSTS(t *testing.T, path, hash string) (*sigv4.Signature, error) {
	t.Helper()
	r := newRequest(t, "POST", path, nil, identityForm)
	sigv4.Sign(r, keys, "us-east-1", "sts", hash, noon)
	return sigv4.Parse(received(t, sent(t, r)))
}

func TestSTS(t *testing.T) {
	s := forSTS(t, "/", digestOf(identityForm))
	v, err := s.VerifyBody(secretKey, []byte(identityForm), noon)
	if err != nil {
		t.Fatal(err)
	}
	if v.Payload().Mode != sigv4.Hashed || v.Path() != "/" || v.Method() != "POST" {
		t.Errorf("%s %s, %+v", v.Method(), v.Path(), v.Payload())
	}
}

func TestRefusedSTS(t *testing.T) {
	_, err := parseForSTS(t, "/other", digestOf(identityForm))
	wantCode(t, err, "InvalidRequest")
	_, err = parseForSTS(t, "/", sigv4.UnsignedPayload)
	wantCode(t, err, "InvalidRequest")
	_, err = parseForSTS(t, "/", sigv4.UnsignedPayloadTrailer)
	wantCode(t, err, "InvalidRequest")

	v, err := forSTS(t, "/", digestOf("another form")).VerifyBody(secretKey, []byte(identityForm), noon)
	wantCode(t, err, "XAmzContentSHA256Mismatch")
	if v != nil {
		t.Error("verified")
	}
	v, err = forSTS(t, "/", digestOf("short")).VerifyBody(secretKey, []byte("short"), noon)
	wantCode(t, err, "IncompleteBody")
	if v != nil {
		t.Error("verified")
	}
}

// TestVerifyBodyForS3 proves the body of a request that names its payload.
func TestVerifyBodyForS3(t *testing.T) {
	r := signed(t, "PUT", "/b/k", func(r *http.Request) {
		r.Header.Set("X-Amz-Content-Sha256", digestOf("hello"))
		r.ContentLength = 5
	})
	r.RequestURI = "/b/k"
	s, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.VerifyBody(secretKey, []byte("hello"), noon); err != nil {
		t.Error(err)
	}
	for body, code := range map[string]string{"hellO": "XAmzContentSHA256Mismatch", "hell": "IncompleteBody", "hello!": "IncompleteBody"} {
		v, err := s.VerifyBody(secretKey, []byte(body), noon)
		wantCode(t, err, code)
		if v != nil {
			t.Errorf("%q verified", body)
		}
	}
}
