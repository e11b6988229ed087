package sigv4_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

const (
	accessKey   = "AKIAIOSFODNN7EXAMPLE"
	secretKey   = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

var (
	keys = sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
)

// received reads raw as a server does.
func received(t testing.TB, raw string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(newReader(raw))
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", raw, err)
	}
	return r
}

// newReader reads s as http.ReadRequest wants it.
func newReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

// sent gives the bytes that a client writes for r.
func sent(t testing.TB, r *http.Request) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// newRequest makes an unsigned request for a decoded path.
func newRequest(t testing.TB, method, path string, params []sigv4.Param, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://s3.example:8700", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL = &url.URL{Scheme: "http", Host: "s3.example:8700", Path: path, RawPath: sigv4.EscapePath(path), RawQuery: sigv4.EncodeQuery(params)}
	return r
}

// signed makes a request that verifies, after change was applied to it before
// it was signed.
func signed(t testing.TB, method, path string, change func(*http.Request)) *http.Request {
	t.Helper()
	r := newRequest(t, method, path, nil, "")
	if change != nil {
		change(r)
	}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		hash = sigv4.UnsignedPayload
	}
	sigv4.Sign(r, keys, "us-east-1", "s3", hash, noon)
	return r
}

func verify(r *http.Request, secret string, now time.Time) (*sigv4.Verified, error) {
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	if s.NeedsBody() {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return s.VerifyBody(secret, body, now)
	}
	return s.Verify(secret, now)
}

// wantCode asserts that err is an *Error with code, and says something.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[*sigv4.Error](err)
	if !ok {
		t.Fatalf("got error %v, want *Error with code %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("got code %s (%s), want %s", e.Code, e.Message, code)
	}
	if !strings.HasSuffix(e.Message, ".") || strings.Contains(e.Message, secretKey) {
		t.Fatalf("message %q is not a sentence for the person", e.Message)
	}
	if errors.Is(err, io.EOF) {
		t.Fatal("a refusal is io.EOF")
	}
}

func hmacOf(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
