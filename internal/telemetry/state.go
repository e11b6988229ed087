package telemetry

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A State is how the sidecar is at one moment.
type State struct {
	Digest    string // of the data map and the policies in force
	Policies  int
	Rules     int
	Labels    int // that have a location
	Locations int
	Orders    int       // revocations in force; negative: nobody can tell
	Expires   time.Time // of the certificate; zero: there is none
	Draining  bool
	Sinks     []Sink // that the audit log is delivered to
}

// A Sink is how far the delivery of the audit log to one place is.
type Sink struct {
	Name                               string
	Waiting                            uint64        // events that it has not taken
	Behind                             time.Duration // the age of the oldest of them
	Delivered, Refused, Lost, Failures uint64        // since the start
}

// stateGauges say what is told of a state. A value that is not known is left out.
var stateGauges = [...]struct {
	name, help string
	value      func(State) (v float64, known bool)
}{
	{"policy_policies", "Policies in force.", func(s State) (float64, bool) { return float64(s.Policies), true }},
	{"policy_rules", "Rules of the policies in force.", func(s State) (float64, bool) { return float64(s.Rules), true }},
	{"policy_labels", "Labels of the data map that have a location.", func(s State) (float64, bool) { return float64(s.Labels), true }},
	{"policy_locations", "Locations of the data map.", func(s State) (float64, bool) { return float64(s.Locations), true }},
	{"revocations", "Orders in force that end sessions or service keys.", func(s State) (float64, bool) { return float64(s.Orders), s.Orders >= 0 }},
	{"revocations_readable", "1 if the file of orders can be read; otherwise nobody is served.", func(s State) (float64, bool) { return truth(s.Orders >= 0), true }},
	{"certificate_expiry_timestamp_seconds", "When the certificate in use expires.", func(s State) (float64, bool) { return float64(s.Expires.Unix()), !s.Expires.IsZero() }},
	{"draining", "1 while requests are finished before the sidecar stops.", func(s State) (float64, bool) { return truth(s.Draining), true }},
}

// sinkMetrics are told of each sink.
var sinkMetrics = [...]struct {
	name, help string
	kind       prometheus.ValueType
	value      func(Sink) float64
}{
	{"audit_sink_waiting_events", "Events in the audit log that the sink has not taken.", prometheus.GaugeValue, func(s Sink) float64 { return float64(s.Waiting) }},
	{"audit_sink_lag_seconds", "Age of the oldest event that the sink has not taken.", prometheus.GaugeValue, func(s Sink) float64 { return s.Behind.Seconds() }},
	{"audit_sink_delivered_total", "Events that the sink has taken.", prometheus.CounterValue, func(s Sink) float64 { return float64(s.Delivered) }},
	{"audit_sink_refused_total", "Events that the sink will never take.", prometheus.CounterValue, func(s Sink) float64 { return float64(s.Refused) }},
	{"audit_sink_lost_total", "Events that were gone from the log before the sink took them.", prometheus.CounterValue, func(s Sink) float64 { return float64(s.Lost) }},
	{"audit_sink_failures_total", "Attempts to deliver that failed.", prometheus.CounterValue, func(s Sink) float64 { return float64(s.Failures) }},
}

// A stateCollector asks for the state whenever metrics are read.
type stateCollector struct {
	state  func() State
	digest *prometheus.Desc
	gauges [len(stateGauges)]*prometheus.Desc
	sinks  [len(sinkMetrics)]*prometheus.Desc
}

func newStateCollector(state func() State) *stateCollector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	}
	c := &stateCollector{state: state, digest: describe("policy_info", "The data map and the policies in force; the value is 1.", "digest")}
	for i, g := range stateGauges {
		c.gauges[i] = describe(g.name, g.help)
	}
	for i, m := range sinkMetrics {
		c.sinks[i] = describe(m.name, m.help, "sink")
	}
	return c
}

// Describe lists what Collect gives.
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.digest
	for _, d := range slices.Concat(c.gauges[:], c.sinks[:]) {
		to <- d
	}
}

// Collect gives the state of now.
func (c *stateCollector) Collect(to chan<- prometheus.Metric) {
	s := c.state()
	to <- prometheus.MustNewConstMetric(c.digest, prometheus.GaugeValue, 1, s.Digest)
	for i, g := range stateGauges {
		if v, known := g.value(s); known {
			to <- prometheus.MustNewConstMetric(c.gauges[i], prometheus.GaugeValue, v)
		}
	}
	for _, sink := range s.Sinks {
		for i, m := range sinkMetrics {
			to <- prometheus.MustNewConstMetric(c.sinks[i], m.kind, m.value(sink), sink.Name)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
