package proxy

import (
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// A verdict is what was decided on a call that may go on, be it for some of the
// objects of a batch alone.
type verdict struct {
	call   *s3api.Call // as it is to be sent: it reads nothing but what was decided on
	byETag bool        // that hangs on a condition of which the client knows nothing
	// conditional says that conditions of the client's own may fail, too.
	conditional bool
	fault       error // why it is not sent after all: a condition of the client's does not hold
	allowed     ruled
	noted       ruled             // what would be blocked, were it not for monitor mode
	left        ruled             // of a batch: what is left out
	blocked     map[object]string // the same, and what the person is told
	answered    bool              // nothing is left to forward, and the client has been told
	bill        bill
}

// A ruled part of a verdict is what an event says of it.
type ruled struct {
	grounds
	keys []string // of a batch
}

// Grounds are what an event is told of a decision.
type grounds struct {
	labels  []string
	reasons []policy.Reason
}

// A decided question has two wordings: the log holds no tags, and the person
// learns nothing of tags that they may not read.
type decided struct {
	policy.Decision
	logged, told []policy.Reason
}

func (d decided) grounds() grounds { return grounds{d.Labels(), d.logged} }

// ask puts questions to the policy. tags are those of existing objects, by the
// paths of the questions, as far as they were looked up.
func (x *exchange) ask(p *policy.Principal, tags map[string]map[string]string, qs []policy.Question) decided {
	facts := x.facts
	facts.ObjectTags = tags
	d := decided{Decision: x.rules.set.Decide(p, &facts, qs...)}
	d.told = d.Reasons()
	d.logged = d.told
	for _, t := range tags {
		d.logged = untagged(d.logged, t)
	}
	if u := facts.Upload; u != nil {
		d.logged = untagged(d.logged, u.Tags)
	}
	return d
}

// judge decides on everything that the call touches. One blocked target blocks
// the call; only a batch of deletes is answered key by key.
func (s *Server) judge(x *exchange, call *s3api.Call, p *policy.Principal, held *holder) (verdict, error) {
	switch call.Operation {
	case "ListBuckets": // anyone may ask; the answer is filtered
		return verdict{call: call}, nil
	case "DeleteObjects":
		return s.judgeBatch(x, call, p, held)
	}
	questions := ruling.Asked(call, x.rules.strict)
	x.event.Request.Targets = asTargets(questions)
	v, d := verdict{call: call, conditional: call.Conditional()}, x.ask(p, nil, questions)
	if wanted := d.WantsTags(); len(wanted) > 0 {
		found := s.lookUp(x, call, held, call.Targets, wanted)
		s.pinAll(x, &v, found)
		told := d.told // nobody learns what is there who may not
		d = x.ask(p, tagsOf(call.Targets, found), questions)
		d.told = told
	}
	if !d.Allowed {
		return verdict{}, x.hinted(x.blocked(p, call.Operation, "s3://"+strings.TrimSuffix(call.Bucket+"/"+call.Key, "/"), d), call, p)
	}
	v.add(d, "")
	v.bill.add(d.Decision, func(access policy.Access) int64 { return objectsOf(call, access) })
	return v, nil
}

// pinAll makes v's call one that reads what was found. What cannot be pinned is
// as if it had not been found.
func (s *Server) pinAll(x *exchange, v *verdict, found map[existing]finding) {
	for _, t := range v.call.Targets {
		f, ok := found[existingOf(t)]
		if !ok || v.fault != nil {
			continue
		}
		pinned, byETag, ok, err := pin(v.call, t, f)
		if !ok {
			s.log.Warn("tags were looked up, but nothing holds the request to the object that has them", "id", x.event.ID, "operation", v.call.Operation)
			delete(found, existingOf(t))
			continue
		}
		v.call, v.byETag, v.fault = pinned, v.byETag || byETag, err
	}
}

// add adds a decision that lets something through; key is that of an object of a
// batch.
func (v *verdict) add(d decided, key string) {
	to := &v.allowed
	if d.WouldBlock {
		to = &v.noted
	}
	if key == "" {
		to.grounds = d.grounds()
		return
	}
	to.keys = append(to.keys, key)
	to.grounds = to.join(d.grounds())
}

// note adds reasons for which all of it would be blocked.
func (v *verdict) note(reasons []policy.Reason) {
	if len(reasons) == 0 {
		return
	}
	for _, l := range v.allowed.labels {
		v.noted.labels = appendNew(v.noted.labels, l)
	}
	slices.Sort(v.noted.labels)
	v.noted.reasons = append(v.noted.reasons, reasons...)
	v.noted.keys = append(v.allowed.keys, v.noted.keys...)
	v.allowed = ruled{}
}

// record writes the decision to let the call through. Of a batch whose objects
// are decided on differently each answer has an event.
func (x *exchange) record(v verdict) error {
	if err := x.recordLeft(v); err != nil {
		return err
	}
	if len(v.noted.reasons) > 0 {
		x.event.Request.Keys = v.noted.keys
		if err := x.decide(audit.WouldBlock, v.noted.grounds, ""); err != nil {
			return err
		}
	}
	if len(v.noted.reasons) == 0 || len(v.allowed.keys) > 0 {
		x.event.Request.Keys = v.allowed.keys
		if err := x.allow(v.allowed.grounds); err != nil {
			return err
		}
	}
	x.event.Request.Keys = slices.Concat(v.allowed.keys, v.noted.keys)
	return nil
}

// blocked is the refusal of what the policy blocks.
func (x *exchange) blocked(p *policy.Principal, operation, resource string, d decided) *refusal {
	return &refusal{
		Code: "AccessDenied", grounds: d.grounds(),
		Message: ruling.Blocked(p, operation, resource, d.logged),
		Told:    x.told(p, operation, resource, d.told),
	}
}

// told is what a person is told who was blocked.
func (x *exchange) told(p *policy.Principal, operation, resource string, reasons []policy.Reason) string {
	if x.rules.brief {
		return ruling.BlockedBriefly(p, operation, resource)
	}
	return ruling.Blocked(p, operation, resource, reasons)
}
