package proxy

import (
	"fmt"
	"net/netip"
	"regexp"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// serviceName is compiled when it is first needed.
var serviceName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) })

// How far away an expiry is, for warnings.
const (
	expiresSoon = 14 * 24 * time.Hour
	expiresLate = 366 * 24 * time.Hour
)

// checkServiceKeys judges the service keys, and keeps what it has read of them.
func (c *Config) checkServiceKeys(l *faultList) {
	seen := map[string]bool{}
	for i := range c.ServiceKeys {
		k := &c.ServiceKeys[i]
		if l.need(k.AccessKeyID, k.Service, "access_key_id", "what gimme proxy service-key new has printed") {
			if _, err := session.RootOfServiceKey(k.AccessKeyID.V); err != nil {
				l.at(k.AccessKeyID, "access_key_id %q is %v", k.AccessKeyID.V, err)
			}
			if seen[k.AccessKeyID.V] {
				l.at(k.AccessKeyID, "service key %s stands twice", k.AccessKeyID.V)
			}
			seen[k.AccessKeyID.V] = true
		}
		c.checkService(l, k)
	}
}

// checkService judges what stands in an entry beside its access key id.
func (c *Config) checkService(l *faultList, k *ServiceKey) {
	if l.need(k.Service, k.AccessKeyID, "service", "the name under which policies know who signs with this key") && !serviceName().MatchString(k.Service.V) {
		l.at(k.Service, "service %q: 1 to 64 letters, digits, dots, hyphens and underscores are wanted, of which the first is a letter or digit", k.Service.V)
	}
	if l.need(k.Role, k.AccessKeyID, "role", "the role that requests with this key are made with") && c.role(k.Role.V) == nil {
		l.at(k.Role, "role %q is not one of roles", k.Role.V)
	}
	if len(k.From) == 0 {
		l.at(k.AccessKeyID, "from is missing: the networks that this key may be used from, such as 10.20.0.0/16")
	}
	k.networks = nil
	for _, from := range k.From {
		network, err := parseNetwork(from.V)
		if err != nil {
			l.at(from, "from: %v", err)
			continue
		}
		k.networks = append(k.networks, network)
	}
	if l.need(k.Expires, k.AccessKeyID, "expires", "the moment from which this key is refused, such as 2027-06-30T00:00:00Z") {
		at, err := time.Parse(time.RFC3339, k.Expires.V)
		if err != nil {
			l.at(k.Expires, "expires %q is not a moment such as 2027-06-30T00:00:00Z", k.Expires.V)
		}
		k.expires = at
	}
}

// parseNetwork reads a network in CIDR notation, in the one spelling that it
// has.
func parseNetwork(s string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(s)
	if err != nil {
		if address, bad := netip.ParseAddr(s); bad == nil {
			return network, fmt.Errorf("%q is one address; write %s/%d if that is meant", s, s, address.BitLen())
		}
		return network, fmt.Errorf("%q is not a network, such as 10.20.0.0/16", s)
	}
	if network.Addr().Is4In6() {
		return network, fmt.Errorf("%q: write it as a network of IPv4", s)
	}
	if network.Masked() != network {
		return network, fmt.Errorf("%q names an address inside its network; write %s", s, network.Masked())
	}
	return network, nil
}

// checkServiceRoots asks whether the keys that service keys are derived from are
// there. Keys is nil when there is no key file yet.
func (c *Config) checkServiceRoots(l *faultList, keys *session.Keyring) {
	for _, k := range c.ServiceKeys {
		root, err := session.RootOfServiceKey(k.AccessKeyID.V)
		if err != nil {
			continue // said already
		}
		if keys != nil {
			_, err = keys.ServiceSecret(k.AccessKeyID.V)
		}
		if keys == nil || err != nil {
			l.at(k.AccessKeyID, "service key %s is dead: key %s, which it is derived from, is not in sessions.key_file; remove the entry, or make a new one with gimme proxy service-key new", k.AccessKeyID.V, root)
		}
	}
}

// serviceWarnings say of each service key what there is to consider.
func (c *Config) serviceWarnings(now time.Time) []strictyaml.Fault {
	l := &faultList{file: c.file}
	for i := range c.ServiceKeys {
		k := &c.ServiceKeys[i]
		until := k.expires.UTC().Format(time.RFC3339)
		l.at(k.AccessKeyID, "service key %s of %q is a static pair: whoever has the secret is that service, until %s", k.AccessKeyID.V, k.Service.V, until)
		switch left := k.expires.Sub(now); {
		case left <= 0:
			l.at(k.Expires, "service key %s of %q has expired; remove it", k.AccessKeyID.V, k.Service.V)
		case left <= expiresSoon:
			l.at(k.Expires, "service key %s of %q expires in %.0f days; make its successor with gimme proxy service-key new", k.AccessKeyID.V, k.Service.V, left.Hours()/24)
		case left > expiresLate:
			l.at(k.Expires, "service key %s of %q expires only after more than a year", k.AccessKeyID.V, k.Service.V)
		}
		for n, network := range k.networks {
			if network.Bits() == 0 {
				l.at(k.From[n], "service key %s of %q may be used from everywhere (%s)", k.AccessKeyID.V, k.Service.V, network)
			}
		}
	}
	return l.found
}
