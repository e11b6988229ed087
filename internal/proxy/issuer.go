package proxy

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/policy"
)

const (
	retryDiscovery   = 5 * time.Second  // how long a provider that could not be reached is left alone
	discoveryTimeout = 15 * time.Second // for it to answer
	metadataIsFresh  = 24 * time.Hour   // then it is asked again
	retryMetadata    = 10 * time.Minute // when that fails, and the old metadata serve on
)

// An issuer is an OpenID provider, asked for its metadata when a token of it
// first arrives, so that the sidecar starts, and serves the sessions it has
// issued, while a provider is down.
type issuer struct {
	config Issuer
	client *http.Client

	flight singleflight.Group // so that it is asked once

	mu       sync.Mutex // guards what follows
	provider *idtoken.Provider
	found    time.Time // when it said what it is
	failed   time.Time
	failure  error
}

func newIssuers(c *Config) []*issuer {
	list := make([]*issuer, len(c.Issuers))
	for i, entry := range c.Issuers {
		var roots *x509.CertPool
		if i < len(c.loaded.issuerRoots) {
			roots = c.loaded.issuerRoots[i]
		}
		list[i] = &issuer{config: entry, client: idtoken.NewClient(roots)}
	}
	return list
}

// issuerOf returns the configured issuer of that identifier, or nil.
func (s *Server) issuerOf(identifier string) *issuer {
	for _, i := range s.issuers {
		if i.config.Issuer.V == identifier {
			return i
		}
	}
	return nil
}

// discover gives the provider, asking it for its metadata when that is due.
func (i *issuer) discover(ctx context.Context) (*idtoken.Provider, error) {
	if provider, err, due := i.look(); !due {
		return provider, err
	}
	// Whoever asked first may go away; the others still want to know.
	done := i.flight.DoChan("", func() (any, error) {
		i.ask(context.WithoutCancel(ctx))
		return nil, nil
	})
	select {
	case <-done:
		provider, err, _ := i.look()
		return provider, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// look gives what is known, and says whether it is time to ask.
func (i *issuer) look() (_ *idtoken.Provider, _ error, due bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	since := time.Since(i.failed)
	if i.provider != nil {
		return i.provider, nil, time.Since(i.found) >= metadataIsFresh && since >= retryMetadata
	}
	return nil, i.failure, since >= retryDiscovery
}

func (i *issuer) ask(ctx context.Context) {
	if _, _, due := i.look(); !due { // someone just did
		return
	}
	ctx, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	provider, err := idtoken.Discover(ctx, i.client, i.config.Issuer.V)
	i.mu.Lock()
	defer i.mu.Unlock()
	if err != nil {
		i.failed, i.failure = time.Now(), err
		return
	}
	i.provider, i.found = provider, time.Now()
}

// verify checks an ID token against the issuer that it names.
func (s *Server) verify(ctx context.Context, raw string) (*issuer, *idtoken.Token, error) {
	identifier, err := idtoken.UnverifiedIssuer(raw)
	if err != nil {
		return nil, nil, err
	}
	from := s.issuerOf(identifier)
	if from == nil {
		return nil, nil, &idtoken.Error{Code: idtoken.Issuer, Detail: fmt.Sprintf("issuer %.256q is not one that this sidecar accepts", identifier)}
	}
	provider, err := from.discover(ctx)
	if err != nil {
		return nil, nil, err
	}
	token, err := provider.Verify(ctx, raw, idtoken.Expect{
		ClientIDs:   from.config.clients(),
		GroupsClaim: from.config.GroupsClaim,
		ClaimGroups: from.config.ClaimGroups,
		Require:     from.config.Require,
		Now:         time.Now(),
		MaxAge:      from.maxAge(),
	})
	return from, token, err
}

// maxTokenAge is how old an ID token may be, unless the issuer's entry says
// otherwise: it is a bearer credential.
const maxTokenAge = time.Hour

func (i *issuer) maxAge() time.Duration { return i.config.MaxTokenAge.Or(maxTokenAge) }

// clients are those for which tokens are accepted.
func (i Issuer) clients() []string {
	list := []string{i.ClientID.V}
	for _, c := range i.ClientIDs {
		list = append(list, c.V)
	}
	return list
}

// method is how the sidecar takes an ID token for a client to have been obtained:
// the token itself does not say.
func (i Issuer) method(client string) string {
	switch {
	case i.ClientMethods[client].V != "":
		return i.ClientMethods[client].V
	case len(i.Require) > 0:
		return methodCI
	}
	return methodBrowser
}

// qualify puts the issuer's alias before a name of its own.
func (i *issuer) qualify(name string) string {
	if a := i.config.Alias.V; a != "" {
		return a + ":" + name
	}
	return name
}

// groups are a token's groups as roles and policies name them.
func (i *issuer) groups(t *idtoken.Token) []string {
	list := make([]string, len(t.Groups))
	for n, g := range t.Groups {
		list[n] = i.qualify(g)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// emailDecides says whether a policy may go by the token's e-mail address: the
// provider has verified it, and is the authority for its domain.
func (i *issuer) emailDecides(t *idtoken.Token) bool { return t.EmailVerified && i.ownsDomain(t.Email) }

// ownsDomain says whether the provider is the authority for an e-mail address.
func (i *issuer) ownsDomain(address string) bool {
	_, domain, ok := strings.Cut(address, "@")
	return ok && slices.ContainsFunc(i.config.EmailDomains, func(d string) bool { return strings.EqualFold(d, domain) })
}

// principal is who a session speaks for, as policies see it. A subject that
// looks like an e-mail address counts only where the address would: some
// providers let people choose their subjects.
func (i *issuer) principal(c session.Claims) *policy.Principal {
	p := &policy.Principal{
		Issuer: c.Principal.Issuer, Subject: c.Principal.Subject, Email: c.Principal.Email, Name: c.Principal.Name,
		Groups: c.Groups,
	}
	if !strings.Contains(p.Subject, "@") || i.config.Alias.V != "" || i.ownsDomain(p.Subject) {
		p.Users = append(p.Users, i.qualify(p.Subject))
	}
	if c.Principal.EmailDecides {
		p.Users = append(p.Users, p.Email)
	}
	return p
}

// role returns the configured role of that ARN, or nil.
func (s *Server) role(arn string) *Role {
	for i := range s.config.Roles {
		if s.config.Roles[i].ARN.V == arn {
			return &s.config.Roles[i]
		}
	}
	return nil
}

// admits says whether a member of groups may take the role.
func (r *Role) admits(groups []string) bool {
	return r.Everyone || slices.ContainsFunc(r.Groups, func(g text) bool { return slices.Contains(groups, g.V) })
}
