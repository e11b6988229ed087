package proxy

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// Admin says where health and metrics are served. What is there tells nobody's
// names, keys or data, but how busy the sidecar is, and what its policies are
// called.
type Admin struct {
	// Listen is an address and a port of its own; off: none. Default
	// 127.0.0.1:8701.
	Listen text `yaml:"listen"`

	// InsecureOpen permits an address that is not loopback. Whoever reaches the
	// port can read it, without TLS and without a login. Default false.
	InsecureOpen bool `yaml:"insecure_open"`
}

// Tracing says where spans go.
type Tracing struct {
	// Endpoint is the URL of a collector that speaks OTLP over HTTP, such as
	// https://collector.example:4318; /v1/traces is added to one without a path.
	// Default none: there is no tracing.
	Endpoint text `yaml:"endpoint"`

	// Sample is the share of requests that are traced, from 0 to 1. Default 1.
	Sample strictyaml.Value[float64] `yaml:"sample"`

	// SendUpstream sends traceparent to the upstream, too. Default false.
	SendUpstream bool `yaml:"send_upstream"`

	// InsecurePlainHTTP permits http to a collector that is not on loopback.
	// Default false.
	InsecurePlainHTTP bool `yaml:"insecure_plain_http"`
}

const adminOff = "off"

func (c *Config) setAdminDefaults() {
	if c.Admin.Listen.V == "" {
		c.Admin.Listen.V = "127.0.0.1:8701"
	}
	if c.Tracing.Sample.Line == 0 {
		c.Tracing.Sample.V = 1
	}
}

// checkAdmin judges where health, metrics and traces go.
func (c *Config) checkAdmin(l *faultList) {
	c.checkAdminListener(l)
	t := &c.Tracing
	if s := t.Sample; s.V < 0 || s.V > 1 || s.V != s.V {
		l.found = append(l.found, s.Fault(c.file, "tracing.sample is %v; a share from 0 to 1 is wanted", s.V))
	}
	if t.Endpoint.V == "" {
		if t.SendUpstream || t.InsecurePlainHTTP || t.Sample.Line != 0 {
			l.at(t.Endpoint, "tracing.endpoint is missing: the URL of a collector that speaks OTLP over HTTP")
		}
		return
	}
	u, err := url.Parse(t.Endpoint.V)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http":
		l.at(t.Endpoint, "tracing.endpoint %q: an https URL is wanted, such as https://collector.example:4318", t.Endpoint.V)
	case !secureURL(u) && !t.InsecurePlainHTTP:
		l.at(t.Endpoint, "tracing.endpoint %q is plain HTTP, and not on loopback: use https, or tracing.insecure_plain_http: true", t.Endpoint.V)
	}
}

func (c *Config) checkAdminListener(l *faultList) {
	a := c.Admin
	if a.Listen.V == adminOff {
		return
	}
	host, port, err := net.SplitHostPort(a.Listen.V)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		l.at(a.Listen, "admin.listen %q is neither host:port nor off", a.Listen.V)
		return
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil && host != "":
		l.at(a.Listen, "admin.listen %q: an address is wanted, such as 127.0.0.1:%s", a.Listen.V, port)
	case !a.InsecureOpen && (err != nil || !ip.IsLoopback()):
		l.at(a.Listen, "admin.listen %q is not a loopback address, and everybody who reaches it can read it: use 127.0.0.1:%s, or admin.insecure_open: true on a network that only monitoring reaches", a.Listen.V, port)
	}
	if _, data, err := net.SplitHostPort(c.Listen.V); err == nil && data == port && port != "0" {
		l.at(a.Listen, "admin.listen %q has the port of listen: it needs one of its own", a.Listen.V)
	}
}

// tracesURL is where spans are posted.
func (t *Tracing) tracesURL() string {
	u, err := url.Parse(t.Endpoint.V)
	if err == nil && strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
		return u.String()
	}
	return t.Endpoint.V
}

// adminWarnings say what there is to consider about an admin listener that
// others can reach.
func (c *Config) adminWarnings() []strictyaml.Fault {
	l := &faultList{file: c.file}
	host, _, err := net.SplitHostPort(c.Admin.Listen.V)
	if ip, bad := netip.ParseAddr(host); err == nil && (bad != nil || !ip.IsLoopback()) {
		l.at(c.Admin.Listen, "admin.listen: whoever reaches %s can read the metrics and the names of policies and labels; let only monitoring reach it", c.Admin.Listen.V)
	}
	return l.found
}
