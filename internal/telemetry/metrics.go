// Package telemetry is what the sidecar tells monitoring systems: metrics in
// Prometheus's form, and traces by OpenTelemetry's protocol.
//
// Neither says who asked for what: no person, key, bucket or address stands in a
// metric or a span. Values of labels come from the table of operations, from
// this package, or from the names of labels and policies, so that nobody who
// sends requests can make new ones. docs/operating.md lists the metrics.
package telemetry

import (
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what NewMetrics needs.
type Options struct {
	Operations []string // all whose names may stand in a metric
	Version    string   // of the program
	State      func() State
}

// Metrics count what happens at one sidecar. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	operations map[string]int // by name: their places in counted; other is 0
	names      []string
	requests   *prometheus.CounterVec
	counted    []atomic.Pointer[prometheus.Counter] // children of requests that were needed, by place
	durations  [accesses]prometheus.Observer
	upstream   [accesses]prometheus.Observer
	answers    [classes]prometheus.Counter
	failures   [reasons]prometheus.Counter
	objects    [accesses]prometheus.Counter
	received   prometheus.Counter
	sent       prometheus.Counter

	InFlight           prometheus.Gauge
	Connections        prometheus.Gauge
	ConnectionsRefused prometheus.Counter
	HandshakesFailed   prometheus.Counter
	Credentials        *prometheus.CounterVec // by reason
	SpansLost          prometheus.Counter

	events eventMetrics
}

// Of an answer only the class of its status is told.
const classes = 6

var classNames = [classes]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// class is the place of a status in classNames. An answer that was cut before it
// began has none.
func class(status int) int {
	if c := status / 100; c > 0 && c < classes {
		return c
	}
	return 0
}

// An Access is the strongest thing that a request does to data.
type Access int

// The kinds of access, the weakest first.
const (
	None Access = iota // not an S3 request, or not understood
	Reads
	Updates
	Deletes
	Manages
	accesses int = iota
)

var accessNames = [accesses]string{"none", "reads", "updates", "deletes", "manages"}

// AccessOf is the strongest of the kinds of access, as the policy names them.
func AccessOf(kinds []string) Access {
	strongest := None
	for _, k := range kinds {
		for a := strongest + 1; int(a) < accesses; a++ {
			if accessNames[a] == k {
				strongest = a
			}
		}
	}
	return strongest
}

// A Decision is what was decided on a request.
type Decision int

// The decisions.
const (
	Blocked Decision = iota // also what could not be understood
	Allowed
	WouldBlock
	decisions int = iota
)

var decisionNames = [decisions]string{"blocked", "allowed", "would-block"}

// String gives the decision as events have it.
func (d Decision) String() string { return decisionNames[d] }

// Buckets in seconds: requests from a millisecond to the five minutes that an
// upstream is waited for, and writes of events from ten microseconds to seconds.
var (
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	writeBuckets   = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 5}
)

// other stands for names that are not in the table of operations.
const other = "other"

// NewMetrics makes metrics of their own: nothing in them is shared with others
// in the process.
func NewMetrics(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), operations: map[string]int{}, names: append([]string{other}, o.Operations...)}
	for i, name := range m.names {
		m.operations[name] = i
	}
	m.counted = make([]atomic.Pointer[prometheus.Counter], len(m.names)*decisions*classes)
	f := factory{m.registry}
	m.requests = f.counters("requests_total", "Requests that have ended.", "operation", "decision", "status")
	m.InFlight = f.gauge("requests_in_flight", "Requests under way.")
	durations := f.histograms("request_duration_seconds", "From a request's head to the end of its answer.", requestBuckets, "access")
	upstream := f.histograms("upstream_duration_seconds", "From a request to the upstream to the head of its answer.", requestBuckets, "access")
	objects := f.counters("objects_total", "Objects that requests for several have named or deleted.", "access")
	for i, name := range accessNames {
		m.durations[i], m.upstream[i], m.objects[i] = durations.WithLabelValues(name), upstream.WithLabelValues(name), objects.WithLabelValues(name)
	}
	answers := f.counters("upstream_responses_total", "Answers of the upstream.", "status")
	for i, name := range classNames[1:] {
		m.answers[i+1] = answers.WithLabelValues(name)
	}
	failures := f.counters("upstream_errors_total", "Requests to the upstream that were not answered.", "reason")
	for i, name := range reasonNames {
		m.failures[i] = failures.WithLabelValues(name)
	}
	m.Credentials = f.counters("upstream_credentials_errors_total", "Credentials for the upstream that could not be had.", "reason")
	m.received = f.counter("request_body_bytes_total", "Bytes of bodies that came from clients.")
	m.sent = f.counter("response_body_bytes_total", "Bytes of bodies that were sent to clients.")
	m.Connections = f.gauge("connections", "Connections of clients that are open.")
	m.ConnectionsRefused = f.counter("connections_refused_total", "Connections that were closed at once, because there were too many.")
	m.HandshakesFailed = f.counter("tls_handshake_errors_total", "TLS handshakes that failed.")
	m.SpansLost = f.counter("trace_spans_lost_total", "Spans that the collector of traces did not take.")
	m.events.init(f)
	build := f.gauges("build_info", "The program; the value is 1.", "version", "goversion")
	build.WithLabelValues(o.Version, runtime.Version()).Set(1)
	m.registry.MustRegister(newStateCollector(o.State), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics. What goes wrong is in log.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	})
}

// A Request is what is counted of one that has ended.
type Request struct {
	Operation string
	Access    Access
	Decision  Decision
	Status    int // 0: there was no answer
	Duration  time.Duration
	Received  int64
	Sent      int64
	Objects   int
}

// Request counts r. It does not allocate once there was a request like it.
func (m *Metrics) Request(r Request) {
	place := (m.operations[r.Operation]*decisions+int(r.Decision))*classes + class(r.Status)
	c := m.counted[place].Load()
	if c == nil {
		made := m.requests.WithLabelValues(m.names[m.operations[r.Operation]], r.Decision.String(), classNames[class(r.Status)])
		c = &made
		m.counted[place].Store(c)
	}
	(*c).Inc()
	m.durations[r.Access].Observe(r.Duration.Seconds())
	m.received.Add(float64(r.Received))
	m.sent.Add(float64(r.Sent))
	if r.Objects > 0 {
		m.objects[r.Access].Add(float64(r.Objects))
	}
}

// factory makes metrics of the program's in a registry.
type factory struct{ registry *prometheus.Registry }

const namespace = "gimme"

func register[C prometheus.Collector](f factory, c C) C {
	f.registry.MustRegister(c)
	return c
}

func (f factory) counter(name, help string) prometheus.Counter {
	return register(f, prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}))
}

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return register(f, prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels))
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	return register(f, prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}))
}

func (f factory) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return register(f, prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels))
}

func (f factory) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return register(f, prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels))
}

// Known gives the operation if it may stand in a metric or a span, else "other".
func (m *Metrics) Known(operation string) string { return m.names[m.operations[operation]] }
