package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TraceOptions are what NewTracer needs.
type TraceOptions struct {
	Endpoint string  // URL to which spans are posted
	Sample   float64 // share of requests of which there are spans, from 0 to 1
	Version  string  // of the program
	// Lost is told of spans that the collector did not take.
	Lost func(spans int, why error)
}

// A Tracer makes a span of each request and one of each request to the upstream.
// A nil Tracer makes none, at no cost.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// NewTracer makes a tracer. It connects to nobody before there are spans.
func NewTracer(o TraceOptions) *Tracer {
	exporter := otlptrace.NewUnstarted(newCollector(o.Endpoint, o.Lost))
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "gimme"), attribute.String("service.version", o.Version))),
		// What a client says of sampling counts for nothing: the header is not
		// signed, and spans cost.
		sdk.WithSampler(sdk.ParentBased(share(o.Sample), sdk.WithRemoteParentSampled(share(o.Sample)), sdk.WithRemoteParentNotSampled(share(o.Sample)))),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/gimme-broker/gimme/internal/proxy")}
}

// Close sends what there is, as long as ctx lasts.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// A share samples by chance. By the trace id, as others do, a client could
// choose to be sampled.
type share float64

func (s share) ShouldSample(sdk.SamplingParameters) sdk.SamplingResult {
	if rand.Float64() < float64(s) {
		return sdk.SamplingResult{Decision: sdk.RecordAndSample}
	}
	return sdk.SamplingResult{Decision: sdk.Drop}
}

func (s share) Description() string { return fmt.Sprintf("share{%g}", float64(s)) }

const traceparent = "Traceparent"

// A Span is one of a request, or of a request to the upstream. A nil Span is none.
type Span struct {
	tracer *Tracer
	ctx    context.Context // in which OpenTelemetry keeps the span
	span   trace.Span
	theirs bool // the client has named the trace
}

// Start begins the span of a request. Of its header only a well-formed
// traceparent counts, and of that only the ids.
func (t *Tracer) Start(h http.Header, began time.Time) *Span {
	if t == nil {
		return nil
	}
	ctx := context.Background()
	if values := h[traceparent]; len(values) == 1 {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": values[0]})
	}
	theirs := trace.SpanContextFromContext(ctx).IsValid()
	ctx, span := t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(began))
	return &Span{tracer: t, ctx: ctx, span: span, theirs: theirs}
}

// TraceID is for events: the id of the trace if anybody keeps one.
func (s *Span) TraceID() string {
	if s == nil || !s.theirs && !s.span.IsRecording() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// A SpanEnd is what the span of a request says of it.
type SpanEnd struct {
	Event     string // the id of its event
	Operation string // one of the table, or empty
	Method    string
	Decision  string
	Status    int
	Code      string // of an error
}

// methods are the values that http.request.method has by convention.
var methods = map[string]bool{"GET": true, "HEAD": true, "PUT": true, "POST": true, "DELETE": true, "OPTIONS": true}

// End ends the span of a request.
func (s *Span) End(e SpanEnd) {
	if s == nil {
		return
	}
	if s.span.IsRecording() {
		name, method := e.Operation, e.Method
		if name == "" {
			name = other
		}
		if !methods[method] {
			method = "_OTHER"
		}
		s.span.SetName(name)
		s.span.SetAttributes(attribute.String("gimme.event.id", e.Event), attribute.String("gimme.operation", name),
			attribute.String("gimme.decision", e.Decision), attribute.String("http.request.method", method))
		s.status(e.Status, e.Status == 0 || e.Status >= 500)
		if e.Code != "" {
			s.span.SetAttributes(attribute.String("error.type", e.Code))
		}
	}
	s.span.End()
}

// Upstream begins the span of a request to the upstream, under that of the
// request.
func (s *Span) Upstream(operation, host string) *Span {
	if s == nil {
		return nil
	}
	ctx, span := s.tracer.tracer.Start(s.ctx, "upstream "+operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("rpc.system", "aws-api"), attribute.String("rpc.service", "S3"),
			attribute.String("rpc.method", operation), attribute.String("server.address", host)))
	return &Span{tracer: s.tracer, ctx: ctx, span: span, theirs: s.theirs}
}

// Inject has the span go on at whoever gets h.
func (s *Span) Inject(h http.Header) {
	if s == nil {
		return
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(s.ctx, carrier)
	h.Set(traceparent, carrier["traceparent"])
}

// Answered ends the span of a request to the upstream. requestID is the
// upstream's own.
func (s *Span) Answered(status int, requestID string) {
	if s == nil {
		return
	}
	s.span.SetAttributes(attribute.String("aws.request_id", requestID))
	s.status(status, status >= 500)
	s.span.End()
}

// Unanswered ends the span of a request that the upstream did not answer.
func (s *Span) Unanswered(why Reason) {
	if s == nil {
		return
	}
	s.span.SetAttributes(attribute.String("error.type", why.String()))
	s.span.SetStatus(codes.Error, "")
	s.span.End()
}

func (s *Span) status(status int, failed bool) {
	if status > 0 {
		s.span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if failed {
		s.span.SetStatus(codes.Error, "")
	}
}
