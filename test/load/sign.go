package load

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// A signer signs with one pair of credentials. There is one for each, because
// the SDK's keeps the key that it derived for the last pair alone.
type signer struct {
	credentials aws.Credentials
	region      string
	v4          *v4.Signer
}

func newSigner(c aws.Credentials, region string) *signer {
	return &signer{c, region, v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
}

// sign returns the request that op is on host, signed now.
func (s *signer) sign(ctx context.Context, op *Operation, host string) (*http.Request, error) {
	r := &http.Request{
		Method: op.Method,
		URL:    &url.URL{Scheme: "http", Host: host, Path: op.Path, RawPath: sigv4.EscapePath(op.Path), RawQuery: op.Query},
		Host:   host,
		Header: make(http.Header, 8),
	}
	payload := sigv4.UnsignedPayload
	if b := op.Body; b != nil {
		payload = b.payload
		r.ContentLength = int64(len(b.framed))
		for _, h := range b.header {
			r.Header[h[0]] = []string{h[1]}
		}
	}
	r.Header["X-Amz-Content-Sha256"] = []string{payload}
	return r, s.v4.SignHTTP(ctx, s.credentials, r, payload, "s3", s.region, time.Now())
}
