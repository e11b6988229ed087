package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gimme-broker/gimme/internal/transport"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// newTransport connects to the upstream and nowhere else.
func newTransport(roots *x509.CertPool, t times) *transport.Transport {
	return &transport.Transport{
		Dial:     (&net.Dialer{KeepAlive: 30 * time.Second, Control: notLinkLocal}).DialContext,
		TLS:      &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		Connect:  10 * time.Second,
		Proceed:  t.proceed,
		Progress: t.progress,
		Answer:   t.answer,
		Idle:     50 * time.Second,
		MaxIdle:  512,
	}
}

// An errand is a call that was allowed, with what it takes to run it.
type errand struct {
	method      string
	call        *s3api.Call
	payload     sigv4.Payload
	body        io.Reader // StreamBody alone: decoded, verified to the last byte
	credentials sigv4.Credentials
	decision    verdict
	principal   *policy.Principal
	listing     *listing // that is filtered; nil: the answer is no such listing
}

// forward runs the errand upstream and streams the answer back.
func (s *Server) forward(x *exchange, e *errand) error {
	x.asked = true
	if e.listing != nil {
		return s.sendListing(x, e)
	}
	response, err := s.send(x, e)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode < 200: // another protocol, which nobody asked for
		return &refusal{Code: "InternalError", Message: "The real S3's answer was not understood.", cause: fmt.Errorf("upstream answered %d", response.StatusCode)}
	case response.StatusCode == http.StatusPreconditionFailed && e.decision.byETag && !e.decision.conditional:
		return &refusal{Code: "SlowDown", Message: "Another object was put in the place of this one while it was decided on. Try again.", RetryAfter: time.Second}
	case response.StatusCode >= 300 && response.StatusCode != http.StatusNotModified:
		return s.upstreamRefused(x, e, response)
	case e.call.Operation == "ListBuckets":
		return s.sendBuckets(x, e, response)
	case e.call.Operation == "DeleteObjects":
		return s.sendDeleted(x, e, response)
	case lateErrors[e.call.Operation] && response.StatusCode != http.StatusNotModified:
		return s.sendLate(x, e, response)
	case e.call.Operation == "CreateBucket":
		x.w.Header().Set("Location", "/"+e.call.Bucket) // the upstream's own may be an address
	}
	return x.stream(response)
}

// maxAttempts bounds how often one errand is sent: once more when the bucket
// turns out to be in another region, and once more when the upstream does not
// want to be asked before a body.
const maxAttempts = 3

// send signs the errand's request, sends it, and returns the answer's head.
// Answers that say that the bucket is elsewhere are resolved here, as long as
// nothing of a body has been sent.
func (s *Server) send(x *exchange, e *errand) (*http.Response, error) {
	region, known := s.regions.of(e.call.Bucket)
	if !known {
		region = s.config.Upstream.Region.V
	}
	ask := !known || e.payload.Length >= worthAsking
	for attempt := 1; ; attempt++ {
		response, body, err := s.sendOnce(x, e, s.destination(region, ask))
		if err != nil {
			return nil, err
		}
		if response.StatusCode == http.StatusExpectationFailed && ask && !e.spent(body) && attempt < maxAttempts {
			response.Body.Close()
			ask = false
			continue
		}
		elsewhere := s.elsewhere(x, e, response, region)
		if elsewhere == "" {
			if !known && response.StatusCode < 300 {
				s.regions.learn(e.call.Bucket, region)
			}
			return response, x.settle(response, body)
		}
		response.Body.Close()
		s.regions.learn(e.call.Bucket, elsewhere)
		region, known = elsewhere, true
		if e.spent(body) || attempt == maxAttempts {
			x.dropBody(body)
			return nil, &refusal{Code: "ServiceUnavailable", Message: "The region of the bucket was not known yet, and is now. Send the request again."}
		}
	}
}

// spent says whether the client's body has been read, and cannot be sent again.
func (e *errand) spent(body *sending) bool {
	return e.call.Body == s3api.StreamBody && e.payload.Length > 0 && body.hasBegun()
}

// sendOnce sends the errand's request to one destination.
func (s *Server) sendOnce(x *exchange, e *errand, to destination) (*http.Response, *sending, error) {
	request, body, err := s.outbound(e, to)
	if err != nil {
		return nil, nil, err
	}
	x.event.Upstream = &audit.Upstream{Endpoint: s.upstream.Scheme + "://" + to.host}
	called := s.calling(x, e, to.host, request.Header)
	response, err := s.transport.Do(x.ctx, request)
	called.answered(response, err)
	if err == nil {
		x.event.Upstream.RequestID = response.Header.Get("X-Amz-Request-Id")
		return response, body, nil
	}
	unread, ok := errors.AsType[*transport.BodyError](err)
	switch gone := context.Cause(x.ctx); {
	case gone != nil && !errors.Is(gone, context.Canceled):
		return nil, nil, x.cutShort()
	case ok: // which may have ended the context as well
		return nil, nil, bodyFault(unread.Err)
	case gone != nil:
		return nil, nil, x.cutShort()
	}
	return nil, nil, &refusal{Code: "ServiceUnavailable", Message: "The real S3 cannot be reached.", cause: err}
}

// settle looks after the client's body once the upstream has answered. A refusal
// may come before it was sent: the client then learns it at once, however slowly
// it sends. A success cannot.
func (x *exchange) settle(response *http.Response, body *sending) error {
	if body.isWhole() {
		return nil
	}
	x.dropBody(body)
	if response.StatusCode < 300 {
		response.Body.Close()
		return &refusal{Code: "ServiceUnavailable", Message: "The real S3 answered before the body was sent."}
	}
	return nil
}

// dropBody gives up what the client has still to send, and so its connection.
func (x *exchange) dropBody(body *sending) {
	if body.isWhole() {
		return
	}
	x.link.hangUp()
	x.w.Header().Set("Connection", "close")
}

// watch cuts the exchange, in both directions, as soon as its context ends.
func (x *exchange) watch() {
	ctx := x.ctx
	stop := context.AfterFunc(ctx, func() { x.link.end(context.Cause(ctx)) })
	x.unwatch = func() { stop() }
}

// cutShort is why the exchange's context has ended, for the client if it is
// still there.
func (x *exchange) cutShort() error {
	cause := context.Cause(x.ctx)
	if f, ok := errors.AsType[*refusal](cause); ok {
		return f
	}
	if errors.Is(cause, context.Canceled) {
		return &refusal{Code: "RequestTimeout", Message: "The client went away."}
	}
	return &refusal{Code: "ServiceUnavailable", Message: "The request was cut: " + cause.Error() + "."}
}
