package proxy

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gimme-broker/gimme/internal/telemetry"
	"github.com/gimme-broker/gimme/internal/transport"
	"github.com/gimme-broker/gimme/internal/upstream"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// ownOperations are those that are not S3's.
var ownOperations = [...]string{"Discovery", "Roles", "BackchannelLogout", "AssumeRoleWithWebIdentity", getCallerIdentity}

// eyes are what shows how the server is doing.
type eyes struct {
	metrics  *telemetry.Metrics
	tracer   *telemetry.Tracer // nil: there is no tracing
	admin    *admin            // nil: health and metrics are not served
	draining *atomic.Bool
	counted  *atomic.Pointer[counts]
	lately   *lately // of the upstream
}

// A sighting is what is counted and traced of an exchange.
type sighting struct {
	ruled audit.Decision
	span  *telemetry.Span // nil: there is no tracing
}

// openEyes makes them, and opens the admin listener.
func (s *Server) openEyes(version string) (eyes, error) {
	operations := ownOperations[:]
	for o := range s3api.Operations() {
		operations = append(operations, o.Name)
	}
	e := eyes{
		metrics:  telemetry.NewMetrics(telemetry.Options{Operations: operations, Version: version, State: s.state}),
		draining: new(atomic.Bool), counted: new(atomic.Pointer[counts]), lately: new(lately),
	}
	e.tracer = s.newTracer(version, e.metrics)
	var err error
	e.admin, err = s.openAdmin(e.metrics)
	return e, err
}

// newTracer makes the tracer; nil when there is no tracing.
func (s *Server) newTracer(version string, m *telemetry.Metrics) *telemetry.Tracer {
	t := &s.config.Tracing
	if t.Endpoint.V == "" {
		return nil
	}
	failed := tally{log: s.log, message: "spans were not taken by the collector of traces"}
	return telemetry.NewTracer(telemetry.TraceOptions{
		Endpoint: t.tracesURL(), Sample: t.Sample.V, Version: version,
		Lost: func(spans int, why error) {
			m.SpansLost.Add(float64(spans))
			failed.count("cause", why.Error())
		},
	})
}

// state is how the server is now, for whoever reads the metrics.
func (s *Server) state() telemetry.State {
	rules := s.rules.Load()
	counts := s.countRules(rules)
	now := telemetry.State{
		Digest: rules.set.Digest(), Policies: counts.policies, Rules: counts.rules, Labels: counts.labels, Locations: counts.locations,
		Orders: -1, Draining: s.draining.Load(),
	}
	if orders, err := s.revoked.Orders(time.Now()); err == nil {
		now.Orders = len(orders)
	}
	if t := s.certificate; t != nil && t.current.Load().Leaf != nil {
		now.Expires = t.current.Load().Leaf.NotAfter
	}
	for _, d := range s.delivery.Status() {
		now.Sinks = append(now.Sinks, telemetry.Sink{
			Name: d.Sink, Waiting: d.Waiting, Behind: d.Behind, Delivered: d.Delivered, Refused: d.Refused, Lost: d.Lost, Failures: d.Failures,
		})
	}
	return now
}

// counts says how much there is in a set.
type counts struct {
	of                                 *rules
	policies, rules, labels, locations int
}

// countRules counts r, once.
func (s *Server) countRules(r *rules) *counts {
	if c := s.counted.Load(); c != nil && c.of == r {
		return c
	}
	type rule struct{ policy, rule string }
	policies, rules, labels := map[string]bool{}, map[rule]bool{}, map[string]bool{}
	for _, g := range r.set.Grants() {
		policies[g.Policy], rules[rule{g.Policy, g.Rule}] = true, true
	}
	locations := r.set.Locations()
	for _, l := range locations {
		labels[l.Label] = true
	}
	c := &counts{r, len(policies), len(rules), len(labels), len(locations)}
	s.counted.Store(c)
	return c
}

// observe begins what is counted and traced of the exchange.
func (x *exchange) observe(s *Server) {
	s.metrics.InFlight.Inc()
	if x.span = s.tracer.Start(x.r.Header, x.began); x.span != nil {
		x.event.TraceID = x.span.TraceID()
	}
}

// observed ends it, once the exchange has.
func (x *exchange) observed(s *Server) {
	operation, decision := x.event.Request.Operation, x.decision()
	s.metrics.InFlight.Dec()
	s.metrics.Request(telemetry.Request{
		Operation: operation, Access: telemetry.AccessOf(x.event.Request.Access), Decision: decision, Status: x.w.status,
		Duration: time.Since(x.began), Received: x.link.received.Load(), Sent: x.w.bytes, Objects: x.w.objects,
	})
	if x.span != nil {
		x.span.End(telemetry.SpanEnd{
			Event: x.event.ID, Operation: s.metrics.Known(operation), Method: x.r.Method, Decision: decision.String(), Status: x.w.status, Code: x.w.code,
		})
	}
}

// rule notes what was decided. Of a batch, of which each object is decided on,
// the last word is what lets some of it through.
func (x *exchange) rule(d audit.Decision) {
	if d == audit.WouldBlock || x.ruled != audit.WouldBlock && d != audit.Blocked || x.ruled == "" {
		x.ruled = d
	}
}

// decision is the last word on the exchange. What is not decided by policy, such
// as a login, was allowed if it was answered so.
func (x *exchange) decision() telemetry.Decision {
	switch d := cmp.Or(x.event.Decision, x.ruled); {
	case d == audit.WouldBlock:
		return telemetry.WouldBlock
	case d == audit.Allowed, d == "" && x.w.status > 0 && x.w.status < 400:
		return telemetry.Allowed
	}
	return telemetry.Blocked
}

// A calling is a request to the upstream that waits for its answer.
type calling struct {
	s      *Server
	x      *exchange
	access telemetry.Access
	began  time.Time
	span   *telemetry.Span
}

// calling begins what is counted and traced of a request to the upstream. What
// it adds to the header h is not signed, because h has been: stores pass over
// what they do not know.
func (s *Server) calling(x *exchange, e *errand, host string, h http.Header) calling {
	c := calling{s: s, x: x, access: telemetry.AccessOf(x.event.Request.Access), began: time.Now()}
	if x.span != nil {
		c.span = x.span.Upstream(s.metrics.Known(e.call.Operation), host)
		if s.config.Tracing.SendUpstream {
			c.span.Inject(h)
		}
	}
	return c
}

// answered ends it. A body that could not be read is the client's fault.
func (c calling) answered(response *http.Response, err error) {
	if err == nil {
		c.s.lately.note(true)
		c.s.metrics.Answered(c.access, response.StatusCode, time.Since(c.began))
		c.span.Answered(response.StatusCode, response.Header.Get("X-Amz-Request-Id"))
		return
	}
	why := telemetry.Client
	if _, unread := errors.AsType[*transport.BodyError](err); !unread && c.x.ctx.Err() == nil {
		why = telemetry.ReasonOf(err)
		c.s.lately.note(false)
	}
	c.s.metrics.Unanswered(why)
	c.span.Unanswered(why)
}

// closeEyes sends the spans that are left, and ends the admin listener.
func (s *Server) closeEyes() error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	if err := s.tracer.Close(ctx); err != nil {
		s.log.Warn("the last spans were not sent", "cause", err)
	}
	return s.admin.stop()
}

// abandonEyes closes what has seen nothing yet.
func (s *Server) abandonEyes() error {
	return errors.Join(s.tracer.Close(context.Background()), s.admin.close())
}

// counting counts a connection that there is room for, until leave is called.
func (s *Server) counting(leave func()) func() {
	if leave == nil {
		return nil
	}
	s.metrics.Connections.Inc()
	return func() {
		s.metrics.Connections.Dec()
		leave()
	}
}

// credentialsReasons are why there are no credentials, as metrics have it.
var credentialsReasons = [...]string{upstream.Unreachable: "unreachable", upstream.NoIdentity: "no-identity", upstream.Throttled: "throttled", upstream.Refused: "refused"}

// noCredentials counts that there were none for the upstream.
func (s *Server) noCredentials(err error) {
	cause := upstream.Unreachable
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		cause = e.Cause
	}
	s.metrics.Credentials.WithLabelValues(credentialsReasons[cause]).Inc()
}
