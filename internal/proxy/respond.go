package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/internal/transport"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// maxDocument bounds an answer that is read whole: a page of buckets, the
// result of a copy, an error.
const maxDocument = 8 << 20

// ownFaults are what the upstream says when it does not accept the sidecar
// itself. Of these the person can do nothing, and their documents hold key ids
// and strings to sign.
var ownFaults = map[string]bool{
	"SignatureDoesNotMatch": true, "InvalidAccessKeyId": true, "InvalidToken": true, "ExpiredToken": true,
	"RequestTimeTooSkewed": true, "InvalidSecurity": true, "XAmzContentSHA256Mismatch": true, "PermanentRedirect": true, "TemporaryRedirect": true, "Redirect": true,
}

// stream sends an answer on as it arrives. If the upstream breaks off, so do
// we: a short body must never look like a whole one.
func (x *exchange) stream(response *http.Response) error {
	var body io.Reader = response.Body
	if x.r.Method != http.MethodHead {
		var err error
		if body, err = x.metered(response); err != nil {
			return err
		}
	}
	x.head(response)
	if length := response.ContentLength; length >= 0 {
		x.w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	}
	x.w.WriteHeader(response.StatusCode)
	if x.r.Method == http.MethodHead {
		return nil
	}
	x.link.stream()
	if err := x.pass(body); err != nil {
		if cause := context.Cause(x.ctx); cause != nil {
			err = cause
		}
		if f, ok := errors.AsType[*refusal](err); ok {
			x.blockLate(f)
		}
		x.event.Error = "the answer was cut: " + err.Error()
		panic(http.ErrAbortHandler)
	}
	return nil
}

// worthSplicing is the length from which a body is passed from connection to
// connection by the kernel, where neither speaks TLS.
const worthSplicing = 64 << 10

// pass sends what is left of a body.
func (x *exchange) pass(body io.Reader) error {
	if b, ok := body.(*transport.Body); ok && x.conn != nil {
		if x.conn.tls == nil && b.Left() >= worthSplicing {
			if could, err := b.Splice(x.w); could {
				return err
			}
		}
		x.conn.whole.expect(b.Left())
	}
	return pump(x.w, body)
}

// head copies the headers that are for the client.
func (x *exchange) head(response *http.Response) {
	h := x.w.Header()
	s3api.AddResponseHeader(h, response.Header)
	h.Set("X-Amz-Request-Id", x.event.ID)
	h.Set("X-Content-Type-Options", "nosniff")
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// pump copies until the end.
func pump(w io.Writer, r io.Reader) error {
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := r.Read(buffer[:])
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (x *exchange) sendXML(status int, document []byte) {
	h := x.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(document)))
	h.Set("X-Amz-Request-Id", x.event.ID)
	x.w.WriteHeader(status)
	x.w.Write(document)
}

// document reads an answer that has to be understood.
func document(response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		err = fmt.Errorf("the upstream's answer is larger than %d bytes", maxDocument)
	}
	if err != nil {
		return nil, &refusal{Code: "ServiceUnavailable", Message: "The real S3 broke off its answer.", cause: err}
	}
	return body, nil
}

// errorHeaders are those of an error that clients act on: that what is not
// there was deleted, how long an object is, when to come again.
var errorHeaders = [...]string{"X-Amz-Delete-Marker", "X-Amz-Version-Id", "Content-Range", "Last-Modified", "Retry-After"}

// upstreamRefused passes an error of the upstream on.
func (s *Server) upstreamRefused(x *exchange, e *errand, response *http.Response) error {
	if x.r.Method == http.MethodHead && response.StatusCode >= 400 {
		x.head(response)
		x.w.Header().Del("X-Amz-Bucket-Region") // SDKs would turn to that region, past the sidecar
		x.w.WriteHeader(response.StatusCode)
		return nil
	}
	body, err := document(response)
	if err != nil {
		return err
	}
	h := s3api.ResponseHeader(response.Header)
	for _, name := range errorHeaders {
		if values := h[name]; len(values) > 0 {
			x.w.Header()[name] = values
		}
	}
	return upstreamError(e.call, response.StatusCode, body)
}

// objectLocked is how S3 denies what an object lock forbids to everybody.
const objectLocked = "Access Denied because object protected by object lock."

// upstreamError is an error document of the upstream as the client gets it: its
// code, its sentence unchanged, and the details that are for the client.
func upstreamError(call *s3api.Call, status int, body []byte) error {
	code, message, understood := s3api.ParseErrorXML(body)
	if !understood || ownFaults[code] || strings.HasPrefix(code, "Authorization") || status < 400 {
		return &refusal{
			Code: "InternalError", Message: "The real S3 did not accept the sidecar's request. Tell whoever runs the sidecar.",
			cause: fmt.Errorf("upstream answered %d %s %q", status, code, message),
		}
	}
	if code == "AccessDenied" && message != objectLocked && (!namesOwner(call) || strings.TrimSuffix(message, ".") != "Access Denied") {
		return &refusal{Code: code, Message: "The sidecar's policy allows this, but the real S3 denies it to the role of your session.", Status: status}
	}
	f := &refusal{Code: code, Message: message, Standard: message, Status: status, Details: s3api.ParseErrorDetails(body)}
	if message == "" {
		f.Message = "The real S3 refuses this."
	}
	return f
}

// namesOwner says whether a call is to be denied when a bucket is not of the
// account that the client expects: then it is not the role that lacks a right.
func namesOwner(call *s3api.Call) bool {
	return call.Header.Get("X-Amz-Expected-Bucket-Owner")+call.Header.Get("X-Amz-Source-Expected-Bucket-Owner") != ""
}

// maxPages bounds how often the upstream is asked for more buckets.
const maxPages = 100

// sendBuckets lists the buckets in which the person may do something: all of
// them at once, because a token to continue from could give a hidden name away.
func (s *Server) sendBuckets(x *exchange, e *errand, response *http.Response) error {
	var all s3api.BucketList
	for range maxPages {
		body, err := document(response)
		if err != nil {
			return err
		}
		page, err := s3api.ParseListBuckets(body)
		if err != nil {
			return &refusal{Code: "InternalError", Message: "The real S3's answer was not understood.", cause: err}
		}
		page.Buckets = append(all.Buckets, page.Buckets...)
		all = page
		if all.ContinuationToken == "" {
			break
		}
		call, next := *e.call, *e
		call.Query = append(slices.Clone(call.Query), s3api.Param{Name: "continuation-token", Value: all.ContinuationToken})
		next.call = &call
		if response, err = s.send(x, &next); err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return s.upstreamRefused(x, e, response)
		}
	}
	x.sendXML(http.StatusOK, all.Filter(func(bucket string) bool { return x.mayUse(e.principal, bucket) }).XML())
	return nil
}

// mayUse says whether p may do anything at all in bucket.
func (x *exchange) mayUse(p *policy.Principal, bucket string) bool {
	return slices.ContainsFunc(ruling.Shown(bucket), func(q policy.Question) bool { return x.rules.set.Decide(p, &x.facts, q).Allowed })
}

// sendDeleted answers a batch of deletes: what the upstream says of those it
// was asked, and why the others were not.
func (s *Server) sendDeleted(x *exchange, e *errand, response *http.Response) error {
	body, err := document(response)
	if err != nil {
		return err
	}
	if code, _, ok := s3api.ParseErrorXML(body); ok {
		return upstreamError(e.call, s3api.StatusOf(code), body)
	}
	result, err := s3api.ParseDeleteResult(body)
	if err != nil {
		return &refusal{Code: "InternalError", Message: "The real S3's answer was not understood.", cause: err}
	}
	x.w.objects = len(x.event.Request.Keys) - len(result.Errors)
	x.noteErrors(result.Errors)
	e.decision.addErrors(&result, e.call, x.event.ID)
	x.sendXML(http.StatusOK, result.XML())
	return nil
}

// noteErrors records that the upstream has refused objects of a batch.
func (x *exchange) noteErrors(refused []s3api.DeleteError) {
	if len(refused) == 0 {
		return
	}
	var codes []string
	for _, e := range refused {
		codes = appendNew(codes, headerText(e.Code))
	}
	x.w.code = codes[0]
	x.event.Error = fmt.Sprintf("%s: the real S3 refused %d of %d objects", strings.Join(codes, ", "), len(refused), len(x.event.Request.Keys))
}
