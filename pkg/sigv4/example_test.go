package sigv4_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// A handler that serves only what was signed by a key that it knows. It acts
// on what was verified, never on the request.
func Example() {
	secrets := map[string]string{"AKEXAMPLE": "the secret of AKEXAMPLE"}

	authenticate := func(r *http.Request) (*sigv4.Verified, error) {
		signature, err := sigv4.Parse(r)
		if err != nil {
			return nil, err
		}
		secret, known := secrets[signature.AccessKeyID]
		verified, err := signature.Verify(secret, time.Now())
		if !known {
			return nil, &sigv4.Error{Code: "InvalidAccessKeyId", Message: "The access key id is not known here."}
		}
		return verified, err
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verified, err := authenticate(r)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(verified.Body(r.Body))
			if err == nil {
				fmt.Fprintf(w, "%s %s: %s", verified.Method(), verified.Path(), body)
				return
			}
		}
		if e, ok := errors.AsType[*sigv4.Error](err); ok {
			http.Error(w, e.Code, http.StatusForbidden)
		}
	}))
	defer server.Close()

	for _, secret := range []string{"the secret of AKEXAMPLE", "a guess"} {
		r, err := http.NewRequest("PUT", server.URL, strings.NewReader("hello"))
		if err != nil {
			panic(err)
		}
		r.URL.Path = "/bucket/a key"
		r.URL.RawPath = sigv4.EscapePath(r.URL.Path)
		c := sigv4.Credentials{AccessKeyID: "AKEXAMPLE", SecretAccessKey: secret}
		sigv4.Sign(r, c, "us-east-1", "s3", sigv4.UnsignedPayload, time.Now())
		response, err := server.Client().Do(r)
		if err != nil {
			panic(err)
		}
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			panic(err)
		}
		response.Body.Close()
		fmt.Println(strings.TrimSpace(string(answer)))
	}
	// Output:
	// PUT /bucket/a key: hello
	// SignatureDoesNotMatch
}
