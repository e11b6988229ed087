package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// An exchange is one request on its way through the sidecar, and what is known
// of it so far. Its event grows as the request is understood.
type exchange struct {
	r       *http.Request
	ctx     context.Context // ends when the client goes away, or when the request is to be cut
	w       *meter
	link    *link
	host    string    // as the client addressed it
	tls     uint16    // the version that the client speaks; 0: none, or it is not known
	conn    *doorConn // nil: it came through no door
	began   time.Time
	rules   *rules       // in force when the request arrived, and for all of it
	facts   policy.Facts // what it can be judged by; the zero value before it is understood
	event   audit.Event
	events  *recorder
	decided bool     // the decision event is written
	asked   bool     // what was decided on has gone upstream
	spender *spender // nil: nothing that it uses is limited
	unwatch func()   // ends what watch began; nil before it
	answer  func(w http.ResponseWriter, r *http.Request, f *refusal, id string)

	sighting
}

// ServeHTTP is the one door. Paths are compared as they were sent: nothing here
// cleans, decodes or redirects.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.begin(w, r)
	x.observe(s)
	defer x.end(s)
	if len(r.TransferEncoding) > 0 {
		// There may have been a Content-Length too, which net/http drops: what
		// follows may be a body to a proxy in front, and a request to us.
		w.Header().Set("Connection", "close")
	}
	err := checkHead(r)
	switch {
	case err != nil:
		x.link.hangUp()
		w.Header().Set("Connection", "close")
	case s.isBucketHost(r.Host) && r.ProtoAtLeast(1, 1):
		err = s.serveS3(x)
	case r.RequestURI == discovery.Path:
		err = s.serveDiscovery(x)
	case r.RequestURI == discovery.RolesPath:
		err = s.serveRoles(x)
	case r.RequestURI == logoutPath:
		err = s.serveLogout(x)
	case isSTS(r.Method, r.RequestURI):
		x.answer = answerSTS
		err = s.serveSTS(x)
	case !r.ProtoAtLeast(1, 1):
		// To HTTP/1.0 an answer that is cut looks whole.
		err = &refusal{Code: "InvalidRequest", Message: "HTTP/1.1 is wanted."}
	default:
		err = s.serveS3(x)
	}
	if err != nil {
		x.refuse(s, err)
	}
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request) *exchange {
	rules := s.rules.Load()
	l := &link{control: http.NewResponseController(w), times: &s.times}
	if r.Body != http.NoBody {
		_ = l.writeUntil(time.Time{}) // that of the request before, for the word that the body is wanted
		// Also for what the handler leaves unread: net/http reads some of it
		// before it answers.
		_ = l.readUntil(time.Now().Add(s.times.progress))
	}
	conn, _ := r.Context().Value(connKey{}).(*doorConn)
	return &exchange{
		conn: conn,
		r:    r, ctx: r.Context(), w: &meter{ResponseWriter: w, link: l}, link: l, host: r.Host, tls: clientTLS(r, s.trusted), began: time.Now(), rules: rules, events: s.events, answer: answerS3,
		event: audit.Event{
			ID:           newID(),
			Kind:         audit.KindDecision,
			Client:       &audit.Client{IP: clientIP(r, s.trusted), UserAgent: r.UserAgent()},
			Request:      &audit.Request{Method: r.Method, Bytes: max(r.ContentLength, 0)},
			PolicyDigest: rules.set.Digest(),
		},
	}
}

// know records whose session or service key it is, once the signature has proven it.
func (x *exchange) know(held *holder) {
	p := held.Principal
	x.event.Principal = &audit.Principal{Issuer: p.Issuer, Subject: p.Subject, Email: p.Email, Name: p.Name, Groups: held.Groups}
	x.event.Session = &audit.Session{ID: held.id(), Issued: held.Issued.UTC(), Expires: held.Expires.UTC()}
	if held.service != nil {
		x.event.Principal.Service = held.service.Service.V
	}
	x.event.Role = held.Role
}

// describe records what is asked.
func (x *exchange) describe(call *s3api.Call) {
	q := x.event.Request
	q.Operation, q.Bucket, q.Key, q.VersionID = call.Operation, call.Bucket, call.Key, call.VersionID
	q.Actions, q.Access = nil, nil
	for _, t := range call.Targets {
		q.Actions = appendNew(q.Actions, t.Action)
		q.Access = appendNew(q.Access, string(t.Access))
		switch {
		case call.Operation == "DeleteObjects":
			q.Keys = appendNew(q.Keys, t.Key)
		case t.Bucket != call.Bucket && t.Access != s3api.Reads: // where a configuration sends data
			q.Destination = t.Bucket
		case t.Bucket != call.Bucket || t.Key != call.Key && t.Scope == s3api.Exact:
			q.Source = t.Bucket + "/" + t.Key
		}
	}
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// allow writes the decision to let the request through. Nothing may happen
// before it has returned nil.
func (x *exchange) allow(g grounds) error {
	return x.decide(audit.Allowed, g, "")
}

// decide writes a decision event.
func (x *exchange) decide(answer audit.Decision, g grounds, fault string) error {
	if answer != audit.Blocked {
		x.event.Labels = merged(x.event.Labels, g.labels) // for the outcome
	}
	e := x.event
	e.Time, e.Decision, e.Labels, e.Reasons, e.Error = x.moment(), answer, g.labels, forEvent(g.reasons), fault
	if err := x.events.Write(e); err != nil {
		return &refusal{Code: "ServiceUnavailable", Message: "The request cannot be recorded, and what is not recorded is not served. Tell whoever runs this sidecar.", cause: err}
	}
	x.decided = x.decided || answer != audit.Blocked
	x.rule(answer)
	return nil
}

// merged are all of both, sorted.
func merged(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// moment is the one by which the request was judged, so that its event is enough
// to judge it again, or now.
func (x *exchange) moment() time.Time {
	if x.facts.Now.IsZero() {
		return time.Now()
	}
	return x.facts.Now
}

func forEvent(reasons []policy.Reason) []audit.Reason {
	list := make([]audit.Reason, len(reasons))
	for i, r := range reasons {
		list[i] = audit.Reason{Policy: r.Policy, Rule: r.Rule, Label: r.Label, Access: string(r.Access), Severity: string(r.Severity), Text: r.Text, Need: r.Need}
	}
	return list
}

// refuse is the one exit for whatever is not served: it records why, and tells
// the person. After an answer has begun it can only cut the connection, so that
// nobody takes a part for the whole.
func (x *exchange) refuse(s *Server, err error) {
	f := asRefusal(err)
	if f.cause != nil {
		s.log.Error(f.Code, "id", x.event.ID, "cause", f.cause)
	}
	x.event.Error = f.Error()
	if !x.decided && x.events.Write(x.refused(f)) != nil {
		s.log.Error("a refusal could not be recorded", "id", x.event.ID)
	}
	if x.decided {
		x.blockLate(f)
	}
	if x.w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	x.w.code = f.Code
	if len(x.r.Header["Expect"]) > 0 && !x.decided {
		// The client waits for leave to send, and does not get it.
		x.link.hangUp()
		x.w.Header().Set("Connection", "close")
	}
	if f.RetryAfter > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	x.answer(x.w, x.r, f, x.event.ID)
}

// blockLate has the outcome say that the policy has ended what it allowed, as
// limits on what is sent do.
func (x *exchange) blockLate(f *refusal) {
	if len(f.grounds.reasons) > 0 {
		x.event.Decision, x.event.Labels, x.event.Reasons = audit.Blocked, f.grounds.labels, forEvent(f.grounds.reasons)
	}
}

func (x *exchange) refused(f *refusal) audit.Event {
	e := x.event
	e.Time, e.Decision, e.Labels, e.Reasons = x.moment(), audit.Blocked, f.grounds.labels, forEvent(f.grounds.reasons)
	e.Response = &audit.Response{Status: f.status(), Code: f.Code, DurationMS: milliseconds(time.Since(x.began))}
	return e
}

// end writes the outcome of what was allowed, also when a fault of ours or a
// connection that was cut unwinds the stack.
func (x *exchange) end(s *Server) {
	fault := recover()
	if x.unwatch != nil {
		x.unwatch()
	}
	x.link.release()
	x.spender.settle(x.asked, x.w.bytes)
	if fault != nil && fault != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
		x.event.Error = fmt.Sprintf("internal fault: %v", fault)
		s.log.Error("internal fault", "id", x.event.ID, "fault", fault)
		if !x.decided && x.events.Write(x.refused(&refusal{Code: "InternalError", Message: x.event.Error})) != nil {
			s.log.Error("a fault could not be recorded", "id", x.event.ID)
		}
		fault = http.ErrAbortHandler
	}
	if x.decided {
		e := x.event
		e.Time, e.Kind = time.Now(), audit.KindOutcome
		e.Response = &audit.Response{Status: x.w.status, Code: x.w.code, Bytes: x.w.bytes, Objects: x.w.objects, Hidden: x.w.hidden, DurationMS: milliseconds(time.Since(x.began))}
		if err := x.events.Write(e); err != nil {
			s.log.Error("an outcome could not be recorded", "id", e.ID, "cause", err)
		}
	}
	x.observed(s)
	if fault != nil {
		panic(fault)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// A refusal is an answer other than the one that was asked for.
type refusal struct {
	Code    string // AWS's
	Message string // one sentence for the person
	Told    string // what the person is told instead; Message is then for the log alone
	Status  int    // 0: the one that belongs to Code
	// Standard is S3's own sentence, where clients know one: it is sent as it is,
	// and Message stands in the element Reason and the header X-Gimme-Reason.
	Standard string
	Details  []s3api.Detail // further elements of the document
	// RetryAfter is when to try again; 0: the client is not told.
	RetryAfter time.Duration
	grounds    grounds
	cause      error // for the operator's log alone
}

func (f *refusal) Error() string { return f.Code + ": " + f.Message }

func (f *refusal) status() int {
	if f.Status != 0 {
		return f.Status
	}
	return s3api.StatusOf(f.Code)
}

// asRefusal knows the errors that say what to tell the person. Any other is a
// fault of ours, of which the person learns only that it happened.
func asRefusal(err error) *refusal {
	if f, ok := errors.AsType[*refusal](err); ok {
		return f
	}
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		f := &refusal{Code: e.Code, Message: e.Message, Standard: e.Standard}
		for _, d := range e.Details {
			f.Details = append(f.Details, s3api.Detail(d))
		}
		return f
	}
	if e, ok := errors.AsType[*s3api.Error](err); ok {
		return &refusal{Code: e.Code, Message: e.Message, Status: e.Status, Standard: e.Standard, Details: e.Details}
	}
	return &refusal{Code: "InternalError", Message: "The sidecar failed. Tell whoever runs it the id of this request.", cause: err}
}

// answerS3 sends a refusal as S3 sends errors. A HEAD has no body, so the
// sentence also stands in a header.
func answerS3(w http.ResponseWriter, r *http.Request, f *refusal, id string) {
	reason := sentence(cmp.Or(f.Told, f.Message), id)
	h := w.Header()
	h.Set("X-Amz-Request-Id", id)
	h.Set("X-Gimme-Reason", headerText(f.Code+": "+reason))
	h.Set("Content-Type", "application/xml")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.status())
	if r.Method != http.MethodHead {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		details := f.Details
		if f.Standard != "" && f.Standard != f.Message {
			details = append(slices.Clone(details), s3api.Detail{Name: "Reason", Value: reason})
		}
		w.Write(s3api.ErrorXML(f.Code, cmp.Or(f.Standard, reason), path, id, details...))
	}
}

func sentence(message, id string) string { return message + " Event " + id + "." }

// headerText makes s fit for a header: visible ASCII, of bounded length.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 1024)]
}
