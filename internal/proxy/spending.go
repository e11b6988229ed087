package proxy

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gimme-broker/gimme/internal/budget"
	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// A bill is what a request uses of the data of labels, and the limits on it.
type bill struct {
	uses   []budget.Use
	limits []policy.Limit
}

// add adds what a decision allows. Of each kind of access objects says how many
// are used; that several policies bound it does not make it more.
func (b *bill) add(d policy.Decision, objects func(policy.Access) int64) {
	var counted []budget.Use
	for _, l := range d.Limits() {
		if !slices.ContainsFunc(b.limits, func(have policy.Limit) bool { return sameLimit(have, l) }) {
			b.limits = append(b.limits, l)
		}
		u := budget.Use{Label: l.Label, Access: l.Access}
		if slices.Contains(counted, u) {
			continue
		}
		counted = append(counted, u)
		b.use(u).Objects += objects(l.Access)
	}
}

func sameLimit(a, b policy.Limit) bool {
	return a.Policy == b.Policy && a.Label == b.Label && a.Access == b.Access && a.Monitored == b.Monitored && a.Rows == b.Rows && slices.Equal(a.Budgets, b.Budgets)
}

// use is the use of a label by a kind of access.
func (b *bill) use(of budget.Use) *budget.Use {
	i := slices.IndexFunc(b.uses, func(u budget.Use) bool { return u.Label == of.Label && u.Access == of.Access })
	if i < 0 {
		i = len(b.uses)
		b.uses = append(b.uses, of)
	}
	return &b.uses[i]
}

// bytes is what it comes to when n bytes are moved by a kind of access, and
// nothing else is used.
func (b bill) bytes(access policy.Access, n int64) []budget.Use {
	var list []budget.Use
	for _, u := range b.uses {
		if u.Access == access {
			list = append(list, budget.Use{Label: u.Label, Access: access, Bytes: n})
		}
	}
	return list
}

// ofParts are the operations on an upload in parts whose object was counted when
// it began.
var ofParts = map[string]bool{"UploadPart": true, "UploadPartCopy": true, "CompleteMultipartUpload": true, "AbortMultipartUpload": true, "ListParts": true}

// objectsOf is how many objects a call uses by a kind of access, of those with
// one label.
func objectsOf(call *s3api.Call, access policy.Access) int64 {
	if call.Key == "" || ofParts[call.Operation] && (access != policy.Reads || call.Operation == "ListParts") {
		return 0
	}
	return 1
}

// A spender takes what one exchange uses from budgets, and knows what to give
// back of it.
type spender struct {
	counts *budget.Counts
	who    budget.Who
	person string // for people to read
	what   string // is done: operation and resource
	brief  bool   // the person is told neither label nor policy
	bill   bill

	begun   *budget.Reservation // objects, and the bytes of an upload
	upload  int64               // those bytes
	took    atomic.Int64        // of them, what has come
	answer  *budget.Reservation // the bytes of an answer
	answers int64
}

// spend takes what v lets the call use, before anything of it goes upstream.
func (s *Server) spend(x *exchange, v *verdict, p *policy.Principal, upload int64) error {
	if len(v.bill.limits) == 0 {
		return nil
	}
	a := s.newSpender(x, v.call, p)
	a.bill = v.bill
	uses := slices.Clone(v.bill.uses)
	if v.call.Body == s3api.StreamBody && upload > 0 {
		a.upload = upload
		for i := range uses {
			if uses[i].Access == policy.Updates {
				uses[i].Bytes = upload
			}
		}
	}
	held, noted, short := a.counts.Reserve(a.who, uses, a.bill.limits, time.Now())
	if short != nil {
		f := a.refusal(short)
		f.grounds.labels = v.labels()
		return f
	}
	a.begun = held
	v.note(reasonsOf(noted))
	x.spender = a
	return nil
}

func (s *Server) newSpender(x *exchange, call *s3api.Call, p *policy.Principal) *spender {
	return &spender{
		counts: s.budgets, who: budget.Who{Issuer: p.Issuer, Subject: p.Subject}, person: ruling.Who(p), brief: x.rules.brief,
		what: call.Operation + " s3://" + strings.TrimSuffix(call.Bucket+"/"+call.Key, "/"),
	}
}

// labels are all that the verdict is about.
func (v *verdict) labels() []string {
	labels := slices.Concat(v.allowed.labels, v.noted.labels)
	slices.Sort(labels)
	return slices.Compact(labels)
}

// count has the body of an upload counted as it comes.
func (a *spender) count(body io.Reader) io.Reader {
	if a == nil || body == nil {
		return body
	}
	return &counted{body, a}
}

// A counted body says how much of it has come.
type counted struct {
	io.Reader
	spender *spender
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.spender.took.Add(int64(n))
	return n, err
}

// charge takes n bytes of an answer. Beyond the limits of what is only monitored
// it notes, beyond others it is the error of the answer.
func (x *exchange) charge(n int64) error {
	a := x.spender
	held, noted, short := a.counts.Reserve(a.who, a.bill.bytes(policy.Reads, n), a.bill.limits, time.Now())
	x.noteLate(reasonsOf(noted))
	if short != nil {
		return a.refusal(short)
	}
	a.answer = held
	return nil
}

// metered returns the body of an answer as it is to be sent, once there is room
// for it. Of one whose length nobody has said, what arrives is taken piece by
// piece.
func (x *exchange) metered(response *http.Response) (io.Reader, error) {
	if x.spender == nil || response.StatusCode == http.StatusNotModified {
		return response.Body, nil
	}
	if length := response.ContentLength; length >= 0 {
		x.spender.answers = length
		return response.Body, x.charge(length)
	}
	// The first of it still comes before the head that we send.
	first := make([]byte, minProgress)
	n, err := response.Body.Read(first)
	if err != nil && err != io.EOF {
		return nil, &refusal{Code: "ServiceUnavailable", Message: "The real S3 broke off its answer.", cause: err}
	}
	return io.MultiReader(bytes.NewReader(first[:n]), &chargedBody{response.Body, x}), x.charge(int64(n))
}

// A chargedBody ends in an error when there is no more room for it.
type chargedBody struct {
	io.Reader
	x *exchange
}

func (c *chargedBody) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if n > 0 {
		if short := c.x.charge(int64(n)); short != nil {
			return 0, short
		}
	}
	return n, err
}

// settle gives back what was taken and not used: all of it if nothing went
// upstream, otherwise the bytes that were not moved.
func (a *spender) settle(asked bool, sent int64) {
	if a == nil {
		return
	}
	if !asked {
		a.begun.Cancel()
		return
	}
	a.begun.ReturnBytes(a.upload - a.took.Load())
	a.answer.ReturnBytes(a.answers - sent)
}
