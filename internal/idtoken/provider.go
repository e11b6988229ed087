package idtoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Metadata is what a provider says of itself (OpenID Connect Discovery, RFC
// 8414). Endpoints that it does not have are empty; those of an issuer of
// tokens for programs may have none but JWKSURI.
type Metadata struct {
	Issuer                      string
	AuthorizationEndpoint       string
	TokenEndpoint               string
	JWKSURI                     string
	EndSessionEndpoint          string
	RevocationEndpoint          string
	DeviceAuthorizationEndpoint string
	IssParameterSupported       bool     // answers to logins carry iss (RFC 9207)
	ScopesSupported             []string // nil: it does not say
	GrantTypesSupported         []string // nil: it does not say
}

// A Provider is one issuer: its metadata, and its keys, which are fetched when
// they are first needed and again when they have changed. It is safe for
// concurrent use.
type Provider struct {
	metadata Metadata
	keys     *keySet
}

// Discover reads the metadata of issuer, which is https, or http on loopback.
// The metadata must be of that issuer byte for byte, and its endpoints https,
// or http on loopback if the issuer is. Errors are *Error with code Issuer when
// the metadata is of another issuer, and Communication otherwise.
func Discover(ctx context.Context, c *http.Client, issuer string) (*Provider, error) {
	if err := CheckIssuer(issuer); err != nil {
		return nil, fault(Communication, "%v", err)
	}
	data, err := getJSON(ctx, c, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", maxBody)
	if err != nil {
		return nil, fault(Communication, "the metadata of issuer %s cannot be read: %v", issuer, err)
	}
	document, err := object(data)
	if err != nil {
		return nil, fault(Communication, "the metadata of issuer %s is malformed: %v", issuer, err)
	}
	if got, _ := document["issuer"].(string); got != issuer {
		return nil, fault(Issuer, "the metadata at %s is of issuer %.256q; the two must be the same, byte for byte", issuer, got)
	}
	m, err := readMetadata(document)
	if err != nil {
		return nil, err
	}
	return &Provider{m, &keySet{client: c, uri: m.JWKSURI, issuer: issuer}}, nil
}

func readMetadata(document members) (Metadata, error) {
	var m Metadata
	m.Issuer, _ = document["issuer"].(string)
	plain := strings.HasPrefix(m.Issuer, "http:")
	for _, e := range []struct {
		name string
		to   *string
	}{
		{"authorization_endpoint", &m.AuthorizationEndpoint},
		{"token_endpoint", &m.TokenEndpoint},
		{"jwks_uri", &m.JWKSURI},
		{"end_session_endpoint", &m.EndSessionEndpoint},
		{"revocation_endpoint", &m.RevocationEndpoint},
		{"device_authorization_endpoint", &m.DeviceAuthorizationEndpoint},
	} {
		v, there := document[e.name]
		if !there || v == nil {
			continue
		}
		var ok bool
		if *e.to, ok = v.(string); !ok || checkURL(*e.to, plain) != nil {
			return Metadata{}, fault(Communication, "the metadata of issuer %s is wrong: %s %.256q is not an https URL", m.Issuer, e.name, fmt.Sprint(v))
		}
	}
	if m.JWKSURI == "" {
		return Metadata{}, fault(Communication, "the metadata of issuer %s is wrong: it has no jwks_uri", m.Issuer)
	}
	m.IssParameterSupported, _ = document["authorization_response_iss_parameter_supported"].(bool)
	// These two only inform, so that a malformed one is as good as none.
	m.ScopesSupported, _ = document.list("scopes_supported")
	m.GrantTypesSupported, _ = document.list("grant_types_supported")
	return m, nil
}

// CheckIssuer says what is wrong with the identifier of a provider, or nil: it is
// an https URL without query and fragment, or http on a loopback address. At
// Entra it names one tenant.
func CheckIssuer(issuer string) error {
	if isEntra(issuer) && everyTenant(issuer) {
		return fmt.Errorf("issuer %.256q is every tenant of Entra: write your tenant's id instead", issuer)
	}
	if checkURL(issuer, true) != nil || strings.ContainsAny(issuer, "?#") {
		return fmt.Errorf("issuer %.256q is not an https URL (http is for loopback addresses alone)", issuer)
	}
	return nil
}

// checkURL wants an absolute https URL with a host and without user name, or
// plain http on loopback where that is permitted.
func checkURL(address string, loopback bool) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return err
	case u.Hostname() == "" || u.Opaque != "" || u.User != nil || u.Fragment != "":
		return errNotHTTPS
	case u.Scheme == "https", u.Scheme == "http" && loopback && IsLoopback(u.Hostname()):
		return nil
	}
	return errNotHTTPS
}

var errNotHTTPS = errors.New("not an https URL")

// IsLoopback says whether host is localhost or a loopback address.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Metadata returns what the provider says of itself.
func (p *Provider) Metadata() Metadata { return p.metadata }

// Verify checks an ID token, from its form over its signature to its claims,
// and gives what it says. Keys are fetched when they are needed, under ctx and
// the limits of the client. Errors are *Error, whose code names the first check
// that failed.
func (p *Provider) Verify(ctx context.Context, raw string, e Expect) (*Token, error) {
	t, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if err := t.checkAlgorithm(e.Algorithms); err != nil {
		return nil, err
	}
	// Before the signature, so that nobody else's tokens make us fetch keys.
	if err := t.issuer(p.metadata.Issuer); err != nil {
		return nil, err
	}
	if err := p.checkSignature(ctx, t); err != nil {
		return nil, err
	}
	return t.token(p.metadata.Issuer, e)
}

func (p *Provider) checkSignature(ctx context.Context, t *parsed) error {
	signed, err := jose.ParseSignedCompact(t.raw, []jose.SignatureAlgorithm{t.algorithm})
	if err != nil {
		return fault(Malformed, "the ID token is not a signature in compact form")
	}
	candidates, err := p.keys.find(ctx, t.kid, t.algorithm)
	if err != nil {
		return err
	}
	for _, k := range candidates {
		if payload, err := signed.Verify(k.public); err == nil && bytes.Equal(payload, t.payload) {
			return nil
		}
	}
	return fault(Signature, "the signature of the ID token is not that of issuer %s", p.metadata.Issuer)
}
