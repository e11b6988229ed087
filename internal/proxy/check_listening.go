package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// checkListening judges how the sidecar is reached, beyond the listener
// itself: its domains, the proxies in front of it, its limits.
func (c *Config) checkListening(l *faultList) {
	c.checkDomains(l)
	for _, v := range c.TrustedProxies {
		network, err := parseNetwork(v.V)
		switch {
		case err != nil:
			l.at(v, "trusted_proxies: %v", err)
		case network.Bits() == 0:
			l.at(v, "trusted_proxies: with %s everybody could write X-Forwarded-For, and be whoever they like; name the networks of the load balancers", network)
		}
	}
	for _, limit := range []struct {
		key string
		strictyaml.Value[int]
	}{{"limits.connections", c.Limits.Connections}, {"limits.connections_per_source", c.Limits.ConnectionsPerSource}} {
		if limit.V < 1 {
			l.found = append(l.found, limit.Fault(c.file, "%s is %d; at least 1 is wanted", limit.key, limit.V))
		}
	}
	if all, one := c.Limits.Connections, c.Limits.ConnectionsPerSource; one.V > all.V && all.V > 0 && one.Line != 0 {
		l.found = append(l.found, one.Fault(c.file, "limits.connections_per_source is %d, and there are no more than %d connections in all (limits.connections)", one.V, all.V))
	}
}

func (c *Config) checkDomains(l *faultList) {
	for i, d := range c.Domains {
		if err := checkDomain(d.V); err != nil {
			l.at(d, "domains: %v", err)
			continue
		}
		for _, other := range c.Domains[:i] {
			switch {
			case d.V == other.V:
				l.at(d, "domains: %q stands twice", d.V)
			case strings.HasSuffix(d.V, "."+other.V), strings.HasSuffix(other.V, "."+d.V):
				l.at(d, "domains: of %q and %q one is in the other, so that a host could be a domain or a bucket; keep one of them", other.V, d.V)
			}
		}
		// People would reach the address, and be told of a bucket.
		if u, err := url.Parse(c.Address.V); err == nil && strings.HasSuffix(strings.ToLower(u.Hostname()), "."+d.V) {
			l.at(d, "domains: %q covers the host of address, which would then be a bucket: use that host itself, or another domain", d.V)
		}
	}
}

// checkDomain accepts host names in lower case that can stand behind a bucket.
func checkDomain(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("%q is an address; a host name is wanted, such as s3.sidecar.example", name)
	}
	if host, _, err := net.SplitHostPort(name); err == nil {
		return fmt.Errorf("%q has a port; write %s", name, host)
	}
	// 63 for the bucket and a dot have to fit in front.
	wrong := fmt.Errorf("%q is not a host name in lower case, such as s3.sidecar.example", name)
	if name == "" || len(name) > 253-64 {
		return wrong
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return wrong
		}
		for _, b := range []byte(label) {
			if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
				return wrong
			}
		}
	}
	return nil
}

// listeningWarnings say what there is to consider about the certificate.
func (c *Config) listeningWarnings(now time.Time) []strictyaml.Fault {
	cert := c.loaded.certificate
	if cert == nil || cert.Leaf == nil {
		return nil
	}
	l := &faultList{file: c.file}
	for _, d := range c.Domains {
		for _, host := range []string{d.V, "bucket." + d.V} {
			if cert.Leaf.VerifyHostname(host) != nil {
				l.at(d, "the certificate in tls.cert_file does not cover %s: clients that put the bucket into the host will not connect", strings.Replace(host, "bucket.", "*.", 1))
			}
		}
	}
	if u, err := url.Parse(c.Address.V); err == nil && u.Scheme == "https" && cert.Leaf.VerifyHostname(u.Hostname()) != nil {
		l.at(c.TLS.CertFile, "the certificate in tls.cert_file does not cover %s, the host of address", u.Hostname())
	}
	switch left := cert.Leaf.NotAfter.Sub(now); {
	case left <= 0:
		l.at(c.TLS.CertFile, "the certificate in tls.cert_file has expired")
	case left < 14*24*time.Hour:
		l.at(c.TLS.CertFile, "the certificate in tls.cert_file expires at %s", cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return l.found
}
