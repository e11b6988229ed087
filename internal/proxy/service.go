package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// serviceIssuer stands where a person has an issuer. It is no URL, so no
// provider can be taken for it.
const serviceIssuer = "gimme"

// openService gives the holder of a service key. An access key id that is not
// configured takes as long as one that is.
func (s *Server) openService(signature *sigv4.Signature) (*holder, error) {
	key := s.serviceKey(signature.AccessKeyID)
	secretKey, err := s.keys.ServiceSecret(signature.AccessKeyID)
	if key == nil || err != nil {
		return nil, &refusal{Code: "InvalidAccessKeyId", Message: "The request is not signed with credentials of this sidecar. Log in: gimme s3 --profile NAME."}
	}
	root, err := session.RootOfServiceKey(signature.AccessKeyID)
	if err != nil {
		return nil, err // it cannot be: the secret was derived
	}
	return s.newHolder(session.Session{
		Key: root,
		Claims: session.Claims{
			Principal: session.Principal{Issuer: serviceIssuer, Subject: "service:" + key.Service.V},
			Role:      key.Role.V, Expires: key.expires, Method: methodServiceKey,
		},
		SecretAccessKey: secretKey,
	}, key), nil
}

// principal is the service, as policies see it.
func (k *ServiceKey) principal() *policy.Principal {
	return &policy.Principal{Issuer: serviceIssuer, Subject: "service:" + k.Service.V, Service: k.Service.V}
}

// serviceKey returns the configured service key of that id, or nil.
func (s *Server) serviceKey(accessKeyID string) *ServiceKey {
	for i := range s.config.ServiceKeys {
		if s.config.ServiceKeys[i].AccessKeyID.V == accessKeyID {
			return &s.config.ServiceKeys[i]
		}
	}
	return nil
}

// role returns the configured role of that ARN, or nil.
func (c *Config) role(arn string) *Role {
	for i := range c.Roles {
		if c.Roles[i].ARN.V == arn {
			return &c.Roles[i]
		}
	}
	return nil
}

// admitService judges a service that has proven to hold its key.
func (s *Server) admitService(x *exchange, held *holder, now time.Time) error {
	key := held.service
	if !now.Before(key.expires) {
		return &refusal{Code: "ExpiredToken", Message: fmt.Sprintf("Service key %s expired at %s. Ask whoever runs this sidecar for a new one.", key.AccessKeyID.V, moment(key.expires))}
	}
	if !key.mayBeUsedFrom(x.event.Client.IP) {
		return &refusal{Code: "AccessDenied", Message: fmt.Sprintf("Service key %s may not be used from %s. Whoever runs this sidecar can add the network to the key's entry.", key.AccessKeyID.V, x.event.Client.IP)}
	}
	if s.role(key.Role.V) == nil {
		return &refusal{Code: "InvalidAccessKeyId", Message: fmt.Sprintf("Role %s of service key %s is no longer one of this sidecar's. Tell whoever runs it.", key.Role.V, key.AccessKeyID.V)}
	}
	return s.refuseRevoked(x, held)
}

// mayBeUsedFrom says whether address is in one of the key's networks.
func (k *ServiceKey) mayBeUsedFrom(address string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(k.networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// moment writes a time for people.
func moment(t time.Time) string { return t.UTC().Format("15:04:05 MST on 2 January 2006") }

// A NewServiceKey is a service key that was just made: the entry for the
// configuration, and the secret, which can be had from nowhere else.
type NewServiceKey struct {
	AccessKeyID     string    `json:"access_key_id"`
	SecretAccessKey string    `json:"secret_access_key"`
	Service         string    `json:"service"`
	Role            string    `json:"role"`
	From            []string  `json:"from"`
	Expires         time.Time `json:"expires"`
}

// MakeServiceKey makes a key pair for service, which works once its entry stands
// in the configuration and the sidecar has been started anew. It reads the key
// file, or makes it if there is none, and writes nothing else. The error is
// strictyaml.Faults when the entry would not be accepted.
func (c *Config) MakeServiceKey(service, role string, from []string, expires time.Time) (NewServiceKey, error) {
	keys, err := session.OpenKeyring(c.path(c.Sessions.KeyFile.V), c.Sessions.Deployment.V)
	if err != nil {
		return NewServiceKey{}, err
	}
	made := NewServiceKey{AccessKeyID: keys.NewServiceKeyID(), Service: service, Role: role, From: from, Expires: expires.UTC().Truncate(time.Second)}
	entry := ServiceKey{Service: text{V: service}, Role: text{V: role}, Expires: text{V: made.Expires.Format(time.RFC3339)}, AccessKeyID: text{V: made.AccessKeyID}}
	for _, network := range from {
		entry.From = append(entry.From, text{V: network})
	}
	l := &faultList{file: "the new service key"}
	c.checkService(l, &entry)
	if err := l.found.Err(); err != nil {
		return NewServiceKey{}, err
	}
	secretKey, err := keys.ServiceSecret(made.AccessKeyID)
	made.SecretAccessKey = secretKey.Reveal()
	return made, err
}
