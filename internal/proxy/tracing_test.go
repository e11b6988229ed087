package proxy_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// A spanStore is a collector of traces, which takes nothing but what OTLP over
// HTTP specifies.
type spanStore struct {
	*httptest.Server
	mu       sync.Mutex // guards what follows
	status   int        // to answer with; 0: as it should be
	posts    int
	spans    []*tracepb.Span
	resource []string
	text     string
}

func newSpanStore(t *testing.T) *spanStore {
	s := &spanStore{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s with %q: %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.posts++
		if s.status != 0 {
			w.WriteHeader(s.status)
			return
		}
		var got tracepb.TracesData
		if err := proto.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		noUnknown(t, got.ProtoReflect())
		s.text += got.String()
		for _, resource := range got.ResourceSpans {
			for _, a := range resource.Resource.Attributes {
				s.resource = append(s.resource, a.Key+"="+a.Value.GetStringValue())
			}
			for _, scope := range resource.ScopeSpans {
				s.spans = append(s.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	return s
}

// noUnknown finds fields that the protocol does not have.
func noUnknown(t *testing.T, m protoreflect.Message) {
	if len(m.GetUnknown()) > 0 {
		t.Errorf("%s has unknown fields", m.Descriptor().FullName())
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				noUnknown(t, v.List().Get(i).Message())
			}
		default:
			noUnknown(t, v.Message())
		}
		return true
	})
}

// seen are the spans so far, by name.
func (s *spanStore) seen() map[string]*tracepb.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := map[string]*tracepb.Span{}
	for _, span := range s.spans {
		byName[span.Name] = span
	}
	return byName
}

func attributes(s *tracepb.Span) map[string]string {
	list := map[string]string{}
	for _, a := range s.Attributes {
		text, _ := json.Marshal(a.Value.GetIntValue())
		if v := a.Value.GetStringValue(); v != "" {
			text = []byte(v)
		}
		list[a.Key] = string(text)
	}
	return list
}

// startTraced runs a sidecar with tracing to spans.
func startTraced(t *testing.T, spans *spanStore, more string) *sidecar {
	return start(t, func(text string) string {
		return text + "tracing: {endpoint: '" + spans.URL + "'" + more + "}\n"
	})
}

const (
	theirTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	theirSpan   = "00f067aa0ba902b7"
	theirParent = "00-" + theirTrace + "-" + theirSpan + "-01"
)

// traced asks for an object with a traceparent, signed or added afterwards.
func (c *sidecar) traced(keys aws.Credentials, target, parent string, signed bool) *http.Response {
	c.t.Helper()
	r := must(http.NewRequest(http.MethodGet, c.URL()+target, nil))
	if signed {
		r.Header.Set("Traceparent", parent)
	}
	sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", sigv4.UnsignedPayload, time.Now())
	if !signed && parent != "" {
		r.Header.Set("Traceparent", parent)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	response.Body = io.NopCloser(bytes.NewReader(must(io.ReadAll(response.Body))))
	return response
}

func TestTracing(t *testing.T) {
	for name, signed := range map[string]bool{"signed": true, "unsigned": false} {
		t.Run(name, func(t *testing.T) {
			spans := newSpanStore(t)
			c := startTraced(t, spans, "")
			c.put("lake", "public/x", "text")
			keys := c.login(bob)
			var passedOn http.Header
			c.store.answerWith(func(_ http.ResponseWriter, r *http.Request) bool { passedOn = r.Header.Clone(); return false })
			if r := c.traced(keys, "/lake/public/x", theirParent, signed); r.StatusCode != http.StatusOK {
				t.Fatalf("%s %s", r.Status, must(io.ReadAll(r.Body)))
			}
			events := c.events()
			if len(events) != 2 || events[0].TraceID != theirTrace || events[1].TraceID != theirTrace {
				t.Fatalf("events: %+v", events)
			}
			if passedOn.Get("Traceparent") != "" {
				t.Errorf("traceparent %q was sent on", passedOn.Get("Traceparent"))
			}
			if err := c.stop(); err != nil {
				t.Fatal(err)
			}
			all := spans.seen()
			server, client := all["GetObject"], all["upstream GetObject"]
			if server == nil || client == nil || all["AssumeRoleWithWebIdentity"] == nil || len(all) != 3 {
				t.Fatalf("spans: %v", all)
			}
			ids := []string{hex.EncodeToString(server.TraceId), hex.EncodeToString(server.ParentSpanId), hex.EncodeToString(client.TraceId), hex.EncodeToString(client.ParentSpanId)}
			if diff := cmp.Diff([]string{theirTrace, theirSpan, theirTrace, hex.EncodeToString(server.SpanId)}, ids); diff != "" {
				t.Error(diff)
			}
			if server.Kind != tracepb.Span_SPAN_KIND_SERVER || client.Kind != tracepb.Span_SPAN_KIND_CLIENT {
				t.Errorf("kinds %v, %v", server.Kind, client.Kind)
			}
			if s, e := server.StartTimeUnixNano, server.EndTimeUnixNano; s > client.StartTimeUnixNano || e < client.EndTimeUnixNano || e-s > uint64(time.Minute) {
				t.Errorf("server %d to %d, client %d to %d", s, e, client.StartTimeUnixNano, client.EndTimeUnixNano)
			}
			if diff := cmp.Diff(map[string]string{
				"gimme.event.id": events[0].ID, "gimme.operation": "GetObject", "gimme.decision": "allowed", "http.request.method": "GET", "http.response.status_code": "200",
			}, attributes(server)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]string{
				"rpc.system": "aws-api", "rpc.service": "S3", "rpc.method": "GetObject", "server.address": strings.TrimPrefix(c.store.URL, "http://"),
				"http.response.status_code": "200", "aws.request_id": events[1].Upstream.RequestID,
			}, attributes(client)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"service.name=gimme", "service.version=test"}, slices.Compact(slices.Sorted(slices.Values(spans.resource)))); diff != "" {
				t.Error(diff)
			}
			for _, word := range []string{"bob", "alice", "lake", "public/x", keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, upstreamSecret, "arn:aws"} {
				if strings.Contains(spans.text, word) {
					t.Errorf("%q is in a span", word)
				}
			}
		})
	}
}

// A request that is refused has a span, and none of the upstream.
func TestTracingOfRefusals(t *testing.T) {
	spans := newSpanStore(t)
	c := startTraced(t, spans, "")
	keys := c.login(bob)
	c.traced(keys, "/lake/customers/x", "", false)
	e := c.wantOneRefusal("AccessDenied", "customer-data")
	c.wantNothingUpstream()
	r := must(http.NewRequest("CANARY", c.URL()+"/canary?canary", nil))
	response := must(http.DefaultTransport.RoundTrip(r))
	response.Body.Close()
	strange := c.events()[0]
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	all := spans.seen()
	if all["GetObject"] == nil || all["other"] == nil || len(all) != 3 {
		t.Fatalf("spans: %v", all)
	}
	if hex.EncodeToString(all["GetObject"].TraceId) != e.TraceID || e.TraceID == "" {
		t.Errorf("the event has trace %q", e.TraceID)
	}
	if diff := cmp.Diff(map[string]string{
		"gimme.event.id": e.ID, "gimme.operation": "GetObject", "gimme.decision": "blocked", "http.request.method": "GET", "http.response.status_code": "403", "error.type": "AccessDenied",
	}, attributes(all["GetObject"])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{
		"gimme.event.id": strange.ID, "gimme.operation": "other", "gimme.decision": "blocked", "http.request.method": "_OTHER", "http.response.status_code": "403", "error.type": "AccessDenied",
	}, attributes(all["other"])); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(strings.ToLower(spans.text), "canary") {
		t.Error("what a stranger sent is in a span")
	}
}

// What is not a traceparent begins a trace of its own.
func TestTraceparentsThatAreNone(t *testing.T) {
	spans := newSpanStore(t)
	c := startTraced(t, spans, "")
	c.put("lake", "public/x", "text")
	keys := c.login(bob)
	for name, parent := range map[string]string{
		"zero trace": "00-00000000000000000000000000000000-" + theirSpan + "-01",
		"zero span":  "00-" + theirTrace + "-0000000000000000-01",
		"capitals":   strings.ToUpper(theirParent),
		"short":      theirParent[:50],
		"long":       theirParent + "-x",
		"version":    "ff" + theirParent[2:],
		"text":       "canary; decision=allowed",
	} {
		t.Run(name, func(t *testing.T) {
			if r := c.traced(keys, "/lake/public/x", parent, false); r.StatusCode != http.StatusOK {
				t.Fatal(r.Status)
			}
			if e := c.events()[0]; len(e.TraceID) != 32 || e.TraceID == theirTrace || strings.Trim(e.TraceID, "0") == "" {
				t.Errorf("trace %q", e.TraceID)
			}
		})
	}
}

// Whether a request is traced is not the client's to say; that it names a trace
// is on record all the same.
func TestSamplingIsNotTheClients(t *testing.T) {
	spans := newSpanStore(t)
	c := startTraced(t, spans, ", sample: 0")
	c.put("lake", "public/x", "text")
	keys := c.login(bob)
	for _, test := range []struct{ parent, want string }{{theirParent, theirTrace}, {"", ""}} {
		c.traced(keys, "/lake/public/x", test.parent, false)
		if e := c.events()[0]; e.TraceID != test.want || e.Decision != audit.Allowed {
			t.Errorf("with %q: trace %q", test.parent, e.TraceID)
		}
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if all := spans.seen(); len(all) != 0 {
		t.Errorf("spans: %v", all)
	}
}

// A store that checks signatures takes a traceparent that is not signed, and it
// is that of the span.
func TestTraceparentIsSentOn(t *testing.T) {
	spans := newSpanStore(t)
	c := startTraced(t, spans, ", send_upstream: true")
	c.put("lake", "public/x", "text")
	keys := c.login(bob)
	var parent, signed string
	c.store.answerWith(func(_ http.ResponseWriter, r *http.Request) bool {
		parent, signed = r.Header.Get("Traceparent"), r.Header.Get("Authorization")
		return false
	})
	if r := c.traced(keys, "/lake/public/x", theirParent, true); r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	client := spans.seen()["upstream GetObject"]
	if client == nil || parent != "00-"+theirTrace+"-"+hex.EncodeToString(client.SpanId)+"-01" {
		t.Errorf("traceparent %q, span %v", parent, client)
	}
	if !strings.Contains(signed, "SignedHeaders=") || strings.Contains(signed, "traceparent") {
		t.Errorf("signed: %q", signed)
	}
}

// A collector that is down costs spans, and nobody's request.
func TestACollectorThatIsDown(t *testing.T) {
	spans := newSpanStore(t)
	spans.status = http.StatusBadRequest // which is not tried again
	c := startTraced(t, spans, "")
	c.put("lake", "public/x", "text")
	keys := c.login(bob)
	if r := c.traced(keys, "/lake/public/x", "", false); r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	for deadline := time.Now().Add(20 * time.Second); c.metrics().values["gimme_trace_spans_lost_total"] < 3; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("lost: %v", c.metrics().values["gimme_trace_spans_lost_total"])
		}
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.log.String(), "spans were not taken") || !strings.Contains(c.log.String(), "the collector answered 400") {
		t.Errorf("log: %s", c.log)
	}
	if spans.posts == 0 {
		t.Error("nothing was posted")
	}
}

// Without tracing nothing of a traceparent is kept.
func TestNoTracing(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "public/x", "text")
	keys := c.login(bob)
	c.traced(keys, "/lake/public/x", theirParent, false)
	for _, e := range c.events() {
		if e.TraceID != "" {
			t.Errorf("trace %q", e.TraceID)
		}
	}
}
