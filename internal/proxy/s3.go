package proxy

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// serveS3 is the life of a request, top to bottom. Each step stands on the ones
// before it; nothing goes upstream before the decision is on record, but for the
// look at an object's tags that a decision may need.
func (s *Server) serveS3(x *exchange) error {
	now := time.Now()
	signature, err := sigv4.Parse(x.r)
	if err != nil {
		return err
	}
	held, err := s.open(signature)
	if err != nil {
		return err
	}
	verified, err := held.verify(signature, now)
	if err != nil {
		return err
	}
	x.know(held)
	defer s.whileGood(x, held)()
	request, err := s.apiRequest(verified)
	if err != nil {
		return err
	}
	x.address(request)
	principal, err := s.admit(x, held, signature, "s3", now)
	if err != nil {
		return err
	}
	x.event.Principal.Users = principal.Users
	call, err := x.parse(request)
	if err != nil {
		return err
	}
	body, err := x.body(call, verified)
	if err != nil {
		return err
	}
	x.gather(held, signature, call)
	decision, err := s.judge(x, call, principal, held)
	if err != nil {
		return err
	}
	if decision.answered {
		return nil
	}
	listing, err := s.listing(x, call, principal)
	if err != nil {
		return err
	}
	if err := s.spend(x, &decision, principal, verified.Payload().Length); err != nil {
		return err
	}
	if err := x.record(decision); err != nil {
		return err
	}
	if decision.fault != nil {
		return decision.fault
	}
	credentials, err := s.credentials(x.ctx, held)
	if err != nil {
		return err
	}
	return s.forward(x, &errand{method: verified.Method(), call: decision.call, payload: verified.Payload(), body: x.spender.count(body), credentials: credentials, decision: decision, principal: principal, listing: listing})
}

// apiRequest is the request as s3api reads it. The bucket may stand in the host,
// which is signed.
func (s *Server) apiRequest(v *sigv4.Verified) (s3api.Request, error) {
	bucket, _, err := s3api.BucketOfHost(v.Host(), s.domains)
	if err != nil {
		return s3api.Request{}, err
	}
	query := v.Query()
	params := make([]s3api.Param, len(query))
	for i, p := range query {
		params[i] = s3api.Param(p)
	}
	return s3api.Request{
		Method: v.Method(), Path: v.Path(), Bucket: bucket, Query: params, Header: v.Header(),
		KeepDotSegments: s.config.Upstream.DotSegments.V == dotSegmentsKeep,
	}, nil
}

// address records what is addressed, should the request not be understood.
func (x *exchange) address(r s3api.Request) {
	path := strings.TrimPrefix(r.Path, "/")
	if r.Bucket != "" {
		path = r.Bucket + "/" + path
	}
	x.event.Request.Bucket, x.event.Request.Key, _ = strings.Cut(path, "/")
}

// parse says what is asked. The event of an operation that is recognised and
// not served has its name, too.
func (x *exchange) parse(r s3api.Request) (*s3api.Call, error) {
	call, err := s3api.Parse(r)
	if e, ok := errors.AsType[*s3api.Error](err); ok {
		x.event.Request.Operation = e.Operation
	}
	if err != nil {
		return nil, err
	}
	x.describe(call)
	return call, nil
}

// body returns the verified body of what is streamed. A body that says what is
// touched is read here, whole and bounded; all others are first read after the
// decision.
func (x *exchange) body(call *s3api.Call, verified *sigv4.Verified) (io.Reader, error) {
	payload := verified.Payload()
	x.event.Request.Bytes = payload.Length
	if call.Body != s3api.StreamBody && payload.Mode != sigv4.Hashed && payload.Mode != sigv4.Unsigned {
		return nil, &refusal{
			Code: "InvalidRequest", Message: fmt.Sprintf("The payload form %s is for uploads, and not for %s.", payload.Mode, call.Operation),
			Standard: "The value of x-amz-content-sha256 header is invalid.",
		}
	}
	x.watch()
	promised := make([]sigv4.Param, len(call.Promised))
	for i, p := range call.Promised {
		promised[i] = sigv4.Param(p)
	}
	stream := verified.Body(x.patient(x.r.Body), promised...)
	switch call.Body {
	case s3api.StreamBody:
		return stream, nil
	case s3api.XMLBody:
		if payload.Length > call.MaxBody() {
			return nil, &refusal{Code: "MaxMessageLengthExceeded", Message: fmt.Sprintf("The body of %s is larger than %d bytes.", call.Operation, call.MaxBody())}
		}
		xml, err := io.ReadAll(stream)
		if err != nil {
			return nil, bodyFault(err)
		}
		if err := call.SetBody(xml); err != nil {
			return nil, err
		}
		x.describe(call)
		return nil, nil
	}
	if payload.Length > 0 {
		return nil, &refusal{Code: "InvalidRequest", Message: fmt.Sprintf("%s takes no body.", call.Operation)}
	}
	if _, err := io.Copy(io.Discard, stream); err != nil { // a digest of nothing is still to be right
		return nil, bodyFault(err)
	}
	return nil, nil
}

// bodyFault passes on what the verifier says of a body; anything else is a
// client that went away.
func bodyFault(err error) error {
	if f := asRefusal(err); f.Code != "InternalError" {
		return f
	}
	return &refusal{Code: "IncompleteBody", Message: "The body ended before it was whole."}
}
