package idtoken

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody is the largest body that a client of NewClient reads, in bytes.
const maxBody = 1 << 20

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxBody)

// NewClient returns a client for talking to providers and sidecars: it follows
// no redirects (the answer is the redirect itself), gives an error for a body
// of more than 1 MiB, gives up after 15 seconds, wants TLS 1.2 at least, and
// goes through the proxy that the environment names. Roots are the certificates
// it trusts; nil: the system's.
func NewClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout:       15 * time.Second,
		CheckRedirect: stay,
		Transport: capped{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  15 * time.Second,
			IdleConnTimeout:        30 * time.Second,
			MaxIdleConnsPerHost:    2,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
		}},
	}
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// A capped is a transport whose bodies end in an error when they are too large.
type capped struct{ *http.Transport }

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := c.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &cappedBody{answer.Body, maxBody}
	return answer, nil
}

type cappedBody struct {
	io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, errTooLarge
	}
	return n, err
}

// getJSON reads the JSON document at address, of at most limit bytes. Redirects
// are not followed, whatever c does. The errors say what went wrong at the
// provider, and not where.
func getJSON(ctx context.Context, c *http.Client, address string, limit int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	straight := *c
	straight.CheckRedirect = stay
	answer, err := straight.Do(r)
	if err != nil {
		return nil, reason(err)
	}
	defer answer.Body.Close()
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return nil, fmt.Errorf("it redirects (status %d), and redirects are not followed", answer.StatusCode)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers with status %d", answer.StatusCode)
	case kind != "application/json" && !strings.HasSuffix(kind, "+json"):
		return nil, fmt.Errorf("it answers with %.64q and not with JSON", kind)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case int64(len(body)) > limit || errors.Is(err, errTooLarge):
		return nil, fmt.Errorf("its answer is larger than %d bytes", limit)
	case err != nil:
		return nil, reason(err)
	}
	return body, nil
}

// reason takes the address off the errors of net/http.
func reason(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
