package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// newTransport connects to the upstream and nowhere else: no proxy from the
// environment, no compression that would change bytes, HTTP/1.1 as S3 speaks
// it. Redirects are not followed, because only http.Client does that.
func newTransport(roots *x509.CertPool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		DisableCompression:     true,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    512,
		IdleConnTimeout:        50 * time.Second,
		ResponseHeaderTimeout:  5 * time.Minute, // completing a large upload takes that long
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        64 << 10,
		ReadBufferSize:         64 << 10,
		Protocols:              protocols,
	}
}

// An errand is a call that was allowed, with what it takes to run it.
type errand struct {
	method      string
	call        *s3api.Call
	payload     sigv4.Payload
	body        io.Reader // StreamBody alone: decoded, verified to the last byte
	credentials sigv4.Credentials
	decision    ruling
	principal   *policy.Principal
}

// send signs the errand's request, sends it, and returns the answer's head.
func (s *Server) send(x *exchange, e *errand) (*http.Response, error) {
	ctx, cancel := context.WithCancel(x.ctx)
	request, body, err := s.outbound(ctx, e)
	if err != nil {
		cancel()
		return nil, err
	}
	x.event.Upstream = &audit.Upstream{Endpoint: s.config.Upstream.Endpoint.V}
	response, err := s.transport.RoundTrip(request)
	if err == nil {
		x.event.Upstream.RequestID = response.Header.Get("X-Amz-Request-Id")
		response.Body = &lively{ReadCloser: response.Body, cancel: cancel}
		return response, nil
	}
	cancel()
	switch {
	case body.fault() != nil:
		return nil, bodyFault(body.fault())
	case x.ctx.Err() != nil:
		return nil, &refusal{Code: "RequestTimeout", Message: "The client went away."}
	}
	return nil, &refusal{Code: "ServiceUnavailable", Message: "The real S3 cannot be reached.", cause: err}
}

// forward runs the errand upstream and streams the answer back.
func (s *Server) forward(x *exchange, e *errand) error {
	response, err := s.send(x, e)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode >= 300 && response.StatusCode != http.StatusNotModified:
		return s.upstreamRefused(x, e, response)
	case e.call.Operation == "ListBuckets":
		return s.sendBuckets(x, e, response)
	case e.call.Operation == "DeleteObjects":
		return s.sendDeleted(x, e, response)
	case lateErrors[e.call.Operation]:
		return s.sendLate(x, e, response)
	}
	return x.stream(response)
}

// A lively body ends in an error when the upstream sends nothing of it for too
// long.
type lively struct {
	io.ReadCloser
	cancel context.CancelFunc // of the request
}

func (l *lively) Read(p []byte) (int, error) {
	watch := time.AfterFunc(progressTimeout, l.cancel)
	defer watch.Stop()
	return l.ReadCloser.Read(p)
}

func (l *lively) Close() error {
	defer l.cancel()
	return l.ReadCloser.Close()
}
