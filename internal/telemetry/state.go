package telemetry

import (
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

// A stateCollector asks for the state whenever metrics are read.
type stateCollector struct {
	state  func() State
	digest *prometheus.Desc
	gauges [len(stateGauges)]*prometheus.Desc
}

func newStateCollector(state func() State) *stateCollector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	}
	c := &stateCollector{state: state, digest: describe("policy_info", "The data map and the policies in force; the value is 1.", "digest")}
	for i, g := range stateGauges {
		c.gauges[i] = describe(g.name, g.help)
	}
	return c
}

// Describe lists what Collect gives.
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.digest
	for _, d := range c.gauges {
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
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
