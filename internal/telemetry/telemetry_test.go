package telemetry_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/telemetry"
	"github.com/gimme-broker/gimme/pkg/audit"
)

func newMetrics() *telemetry.Metrics {
	return telemetry.NewMetrics(telemetry.Options{
		Operations: []string{"GetObject", "PutObject"}, Version: "test",
		State: func() telemetry.State { return telemetry.State{Digest: "d"} },
	})
}

func expose(t testing.TB, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestAccessOf(t *testing.T) {
	for kinds, want := range map[string]telemetry.Access{
		"": telemetry.None, "reads": telemetry.Reads, "reads updates": telemetry.Updates, "deletes reads": telemetry.Deletes,
		"updates manages deletes": telemetry.Manages, "nonsense": telemetry.None,
	} {
		if got := telemetry.AccessOf(strings.Fields(kinds)); got != want {
			t.Errorf("%q: got %v, want %v", kinds, got, want)
		}
	}
}

// What is not in the table of operations, and statuses that are none, make no
// series of their own.
func TestStrangersMakeNoSeries(t *testing.T) {
	m := newMetrics()
	for i := range 1000 {
		m.Request(telemetry.Request{Operation: fmt.Sprint("Steal", i), Status: i})
	}
	text := expose(t, m)
	if strings.Contains(text, "Steal") {
		t.Error("a stranger has made a series")
	}
	if n := strings.Count(text, "\ngimme_requests_total{"); n != 6 {
		t.Errorf("%d series", n)
	}
	if m.Known("Steal1") != "other" || m.Known("GetObject") != "GetObject" {
		t.Errorf("known: %s, %s", m.Known("Steal1"), m.Known("GetObject"))
	}
}

// Each sidecar of a process counts for itself.
func TestMetricsAreNotShared(t *testing.T) {
	a, b := newMetrics(), newMetrics()
	a.Request(telemetry.Request{Operation: "GetObject", Decision: telemetry.Allowed, Status: 200})
	if !strings.Contains(expose(t, a), `operation="GetObject"`) || strings.Contains(expose(t, b), `operation="GetObject"`) {
		t.Error("the metrics of one are those of the other")
	}
}

// What could not be recorded did not happen, and is counted as that.
func TestEventsThatCouldNotBeWritten(t *testing.T) {
	m := newMetrics()
	full := errors.New("no space left on device")
	m.Event(&audit.Event{Kind: audit.KindSession, Decision: audit.Allowed}, time.Millisecond, full)
	m.Event(&audit.Event{Kind: audit.KindPolicy}, time.Millisecond, full)
	m.Event(&audit.Event{Kind: audit.KindAdmin, Request: &audit.Request{Operation: "Revoke"}, Revocation: &audit.Revocation{}}, time.Millisecond, full)
	text := expose(t, m)
	for _, want := range []string{
		"\ngimme_audit_write_errors_total 3\n", "\ngimme_sessions_issued_total 0\n", "\ngimme_policy_last_reload_successful 0\n",
		`gimme_policy_reloads_total{result="failed"} 1`, `gimme_audit_events_total{kind="admin"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not %s", want)
		}
	}
	if strings.Contains(text, "gimme_revocation_orders_total{") {
		t.Error("an order without event is counted")
	}
}

func TestReasonOf(t *testing.T) {
	_, refused := net.DialTimeout("tcp", "127.0.0.1:1", time.Second)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = nil
	_, untrusted := (&http.Transport{}).RoundTrip(httptest.NewRequest(http.MethodGet, secure.URL, nil))
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, notTLS := tls.Dial("tcp", strings.TrimPrefix(plain.URL, "http://"), nil)
	for _, test := range []struct {
		err  error
		want telemetry.Reason
	}{
		{refused, telemetry.Connect}, {untrusted, telemetry.TLS}, {notTLS, telemetry.TLS},
		{context.DeadlineExceeded, telemetry.Timeout}, {os.ErrDeadlineExceeded, telemetry.Timeout},
		{fmt.Errorf("read: %w", syscall.ECONNRESET), telemetry.Broken}, {io.ErrUnexpectedEOF, telemetry.Broken}, {io.EOF, telemetry.Broken},
		{errors.New("x"), telemetry.Other},
	} {
		if got := telemetry.ReasonOf(test.err); got != test.want {
			t.Errorf("%v: got %v, want %v", test.err, got, test.want)
		}
	}
}

// A collector that is busy is asked again, as it says; one that refuses is not.
func TestSpansAreSentAgain(t *testing.T) {
	for name, test := range map[string]struct {
		answers []int
		posts   int32
		lost    int32
	}{
		"taken":          {[]int{200}, 1, 0},
		"busy once":      {[]int{503, 200}, 2, 0},
		"refused":        {[]int{400}, 1, 1},
		"always busy":    {[]int{429, 429, 429}, 3, 1},
		"sent elsewhere": {[]int{307}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var posts, lost atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n := int(posts.Add(1))
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(test.answers[min(n, len(test.answers))-1])
			}))
			defer server.Close()
			tracer := telemetry.NewTracer(telemetry.TraceOptions{Endpoint: server.URL, Sample: 1, Lost: func(spans int, why error) {
				lost.Add(int32(spans))
				if why == nil {
					t.Error("lost for no reason")
				}
			}})
			tracer.Start(nil, time.Now()).End(telemetry.SpanEnd{Operation: "GetObject"})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := tracer.Close(ctx); err != nil {
				t.Fatal(err)
			}
			if posts.Load() != test.posts || lost.Load() != test.lost {
				t.Errorf("%d posts, %d spans lost", posts.Load(), lost.Load())
			}
		})
	}
}

// About the share that is asked for is traced.
func TestSample(t *testing.T) {
	tracer := telemetry.NewTracer(telemetry.TraceOptions{Endpoint: "http://127.0.0.1:1", Sample: 0.25, Lost: func(int, error) {}})
	traced := 0
	for range 10_000 {
		if tracer.Start(nil, time.Now()).TraceID() != "" { // without End it is not sent
			traced++
		}
	}
	if traced < 2200 || traced > 2800 {
		t.Errorf("%d of 10000 were traced", traced)
	}
}

// Counting a request and its events does not allocate.
func TestCountingDoesNotAllocate(t *testing.T) {
	m := newMetrics()
	e := &audit.Event{Kind: audit.KindDecision, Decision: audit.Allowed, Reasons: []audit.Reason{{Policy: "p"}}}
	r := telemetry.Request{Operation: "GetObject", Access: telemetry.Reads, Decision: telemetry.Allowed, Status: 200, Duration: time.Millisecond, Sent: 4096}
	var none *telemetry.Tracer
	if n := testing.AllocsPerRun(1000, func() {
		m.Event(e, time.Microsecond, nil)
		m.Answered(telemetry.Reads, 200, time.Millisecond)
		m.Request(r)
		span := none.Start(nil, time.Time{})
		span.Upstream("GetObject", "h").Answered(200, "")
		span.End(telemetry.SpanEnd{})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMetrics is what metrics add to one request that is allowed: two
// events, an answer of the upstream, the request itself, and that there is no
// tracing.
func BenchmarkMetrics(b *testing.B) {
	m := newMetrics()
	e := &audit.Event{Kind: audit.KindDecision, Decision: audit.Allowed, Reasons: []audit.Reason{{Policy: "p"}}}
	var none *telemetry.Tracer
	b.ReportAllocs()
	for b.Loop() {
		m.InFlight.Inc()
		span := none.Start(nil, time.Time{})
		m.Event(e, time.Microsecond, nil)
		span.Upstream("GetObject", "h").Answered(200, "")
		m.Answered(telemetry.Reads, 200, time.Millisecond)
		m.Event(e, time.Microsecond, nil)
		m.Request(telemetry.Request{Operation: "GetObject", Access: telemetry.Reads, Decision: telemetry.Allowed, Status: 200, Duration: time.Millisecond, Sent: 4096})
		span.End(telemetry.SpanEnd{})
		m.InFlight.Dec()
	}
}

// BenchmarkSpans is what tracing adds to one request that is traced, and to one
// that is not by chance.
func BenchmarkSpans(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	for name, sample := range map[string]float64{"traced": 1, "not": 0} {
		b.Run(name, func(b *testing.B) {
			tracer := telemetry.NewTracer(telemetry.TraceOptions{Endpoint: server.URL, Sample: sample, Lost: func(int, error) {}})
			b.ReportAllocs()
			for b.Loop() {
				span := tracer.Start(nil, time.Now())
				span.Upstream("GetObject", "h").Answered(200, "id")
				span.End(telemetry.SpanEnd{Event: "id", Operation: "GetObject", Method: "GET", Decision: "allowed", Status: 200})
			}
		})
	}
}
