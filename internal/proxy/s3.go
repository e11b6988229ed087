package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// serveS3 is the life of a request, top to bottom. Each step stands on the ones
// before it; nothing goes upstream before the decision is on record.
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
	verified, err := signature.Verify(held.SecretAccessKey.Reveal(), now)
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
	call, err := x.parse(request)
	if err != nil {
		return err
	}
	body, err := x.body(call, verified)
	if err != nil {
		return err
	}
	decision, err := x.judge(call, principal)
	if err != nil {
		return err
	}
	if decision.answered {
		return nil
	}
	if err := x.allow(decision.allowed); err != nil {
		return err
	}
	credentials, err := s.credentials(x.ctx, held)
	if err != nil {
		return err
	}
	return s.forward(x, &errand{method: verified.Method(), call: call, payload: verified.Payload(), body: body, credentials: credentials, decision: decision, principal: principal})
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

// A verdict is what was decided on a call.
type verdict struct {
	allowed  grounds
	blocked  map[object]grounds // of a batch: what is left out, and why
	answered bool               // nothing is left to forward, and the client has been told
}

// Grounds are what an event and a person are told of a decision.
type grounds struct {
	labels  []string
	reasons []policy.Reason
}

func groundsOf(d policy.Decision) grounds { return grounds{d.Labels(), d.Reasons()} }

// An object is a key with its version.
type object struct{ key, version string }

// judge decides on everything that the call touches. One blocked target blocks
// the call; only a batch of deletes is answered key by key.
func (x *exchange) judge(call *s3api.Call, p *policy.Principal) (verdict, error) {
	switch call.Operation {
	case "ListBuckets": // anyone may ask; the answer is filtered
		return verdict{}, nil
	case "DeleteObjects":
		return x.judgeBatch(call, p)
	}
	d := x.rules.set.Decide(p, nil, ruling.Questions(call.Targets)...)
	if !d.Allowed {
		return verdict{}, blocked(p, call.Operation, "s3://"+strings.TrimSuffix(call.Bucket+"/"+call.Key, "/"), groundsOf(d))
	}
	return verdict{allowed: groundsOf(d)}, nil
}

// judgeBatch decides key by key. What is blocked has an event of its own, so
// that a search for blocked requests finds it.
func (x *exchange) judgeBatch(call *s3api.Call, p *policy.Principal) (verdict, error) {
	r := verdict{blocked: map[object]grounds{}}
	targets := map[object][]s3api.Target{}
	for _, t := range call.Targets {
		o := object{t.Key, t.VersionID}
		targets[o] = append(targets[o], t)
	}
	var no grounds
	var allowedKeys, blockedKeys []string
	for _, t := range call.Targets {
		o := object{t.Key, t.VersionID}
		if targets[o] == nil {
			continue // done
		}
		d := x.rules.set.Decide(p, nil, ruling.Questions(targets[o])...)
		targets[o] = nil
		if d.Allowed {
			allowedKeys = append(allowedKeys, o.key)
			r.allowed = r.allowed.join(d)
			continue
		}
		blockedKeys = append(blockedKeys, o.key)
		r.blocked[o] = groundsOf(d)
		no = no.join(d)
	}
	if len(blockedKeys) > 0 {
		x.event.Request.Keys = blockedKeys
		if err := x.decide(audit.Blocked, no, fmt.Sprintf("AccessDenied: %d of %d objects", len(blockedKeys), len(blockedKeys)+len(allowedKeys))); err != nil {
			return verdict{}, err
		}
		x.event.Request.Keys = allowedKeys
	}
	if len(allowedKeys) == 0 {
		r.answered = true
		result := s3api.DeleteResult{}
		r.addErrors(&result, call, p, x.event.ID)
		x.sendXML(http.StatusOK, result.XML())
	}
	return r, nil
}

// join gathers decisions on the objects of a batch: each ground is told once a
// label, not once a key.
func (g grounds) join(d policy.Decision) grounds {
	for _, l := range d.Labels() {
		g.labels = appendNew(g.labels, l)
	}
	for _, r := range d.Reasons() {
		r.Path = ""
		if !contains(g.reasons, r) {
			g.reasons = append(g.reasons, r)
		}
	}
	return g
}

func contains(list []policy.Reason, r policy.Reason) bool {
	return slices.ContainsFunc(list, func(have policy.Reason) bool {
		return have.Label != "" && have.Policy == r.Policy && have.Rule == r.Rule && have.Label == r.Label && have.Access == r.Access
	})
}

// addErrors tells of each object that was blocked, in the order of the request.
func (r verdict) addErrors(result *s3api.DeleteResult, call *s3api.Call, p *policy.Principal, id string) {
	told := map[object]bool{}
	for _, t := range call.Targets {
		o := object{t.Key, t.VersionID}
		d, no := r.blocked[o]
		if !no || told[o] {
			continue
		}
		told[o] = true
		result.Block(t, sentence(blocked(p, "DeleteObject", "s3://"+t.Bucket+"/"+t.Key, d).Message, id))
	}
}

// blocked is the refusal of what the policy blocks.
func blocked(p *policy.Principal, operation, resource string, g grounds) *refusal {
	return &refusal{Code: "AccessDenied", Message: ruling.Blocked(p, operation, resource, g.reasons), grounds: g}
}
