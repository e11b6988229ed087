// Package discovery has the document in which a sidecar says how to log in to
// it, and the list of roles that it has for a person. The sidecar serves both,
// the client reads them. docs/discovery.md is the specification.
package discovery

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

const (
	Path      = "/.well-known/gimme" // of the document; anyone may read it
	RolesPath = "/.gimme/roles"      // of the list of roles; with an ID token as bearer
)

// Version is the one version of the document that there is.
const Version = 1

// Limits on what is read.
const (
	maxBody   = 64 << 10
	maxRoles  = 1000
	maxScopes = 32
	maxARN    = 2048
)

// A Document says how to log in to a sidecar.
type Document struct {
	Version  int      `json:"version"`   // 1
	Issuer   string   `json:"issuer"`    // of the provider at which people log in
	ClientID string   `json:"client_id"` // there
	Scopes   []string `json:"scopes"`    // to ask for; "openid" is among them
	Region   string   `json:"region"`    // to sign for

	// How the login differs from what the issuer's kind of provider usually
	// wants. All may be left out.
	IDP          string            `json:"idp,omitempty"`           // the kind of provider, a name of package idp
	RedirectHost string            `json:"redirect_host,omitempty"` // 127.0.0.1, localhost or [::1]
	Ports        []int             `json:"ports,omitempty"`         // to wait at for the browser, in order
	ClientSecret string            `json:"client_secret,omitempty"` // for providers that insist on one; it is public here
	Parameters   map[string]string `json:"parameters,omitempty"`    // further ones of the authorization request
}

// Roles are what a person may choose from, perhaps none.
type Roles struct {
	Roles []Role `json:"roles"`
}

// A Role is one that the person may take.
type Role struct {
	ARN string `json:"arn"`
}

// What ends up in a request, on a terminal or in a configuration file has no
// room for control characters, quotes or line ends.

// scopeForm is that of RFC 6749, section 3.3.
func scopeForm(s string) bool {
	return word(s, 256) && !strings.ContainsAny(s, `"\`)
}

// word says whether s is 1 to most visible characters of ASCII.
func word(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// only says whether s is made of letters, digits and what stands in others.
func only(s, others string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune(others, r)
	})
}

func regionForm(s string) bool {
	return s != "" && len(s) <= 64 && s[0] != '_' && s[0] != '-' && only(s, "_-")
}

func roleForm(s string) bool {
	rest, ok := strings.CutPrefix(s, "arn:")
	return ok && rest != "" && len(s) <= maxARN && only(rest, "_+=,.@:/-")
}

// Check says what is wrong with the document, or nil.
func (d Document) Check() error {
	if d.Version != Version {
		return fmt.Errorf("version is %d; this program knows version %d", d.Version, Version)
	}
	if err := idtoken.CheckIssuer(d.Issuer); err != nil {
		return err
	}
	switch {
	case !word(d.ClientID, 256):
		return fmt.Errorf("client_id %.64q is not 1 to 256 visible characters of ASCII", d.ClientID)
	case len(d.Scopes) > maxScopes:
		return fmt.Errorf("scopes has %d entries; at most %d are read", len(d.Scopes), maxScopes)
	case !slices.Contains(d.Scopes, "openid"):
		return fmt.Errorf("scopes has no %q", "openid")
	case !regionForm(d.Region):
		return fmt.Errorf("region %.64q is not 1 to 64 letters, digits, hyphens and underscores", d.Region)
	}
	for _, s := range d.Scopes {
		if !scopeForm(s) {
			return fmt.Errorf("scope %.64q is not a scope", s)
		}
	}
	return d.checkLogin()
}

// Check says what is wrong with the list, or nil.
func (r Roles) Check() error {
	if len(r.Roles) > maxRoles {
		return fmt.Errorf("%d roles; at most %d are read", len(r.Roles), maxRoles)
	}
	for _, role := range r.Roles {
		if !roleForm(role.ARN) {
			return fmt.Errorf("role %.256q is not an ARN", role.ARN)
		}
	}
	return nil
}

// CheckAddress says what is wrong with the address of a sidecar, or nil: it is
// a scheme, a host and perhaps a port, without anything after them, and the
// scheme is https, or http on a loopback address.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("address %.256q is not a URL such as https://s3.sidecar.example", address)
	}
	plain := u.Scheme + "://" + u.Host
	switch {
	case u.User != nil:
		return fmt.Errorf("the address holds a user name or password; write %s", plain)
	case address != plain:
		return fmt.Errorf("address %.256q has more than scheme, host and port; write %s", address, plain)
	case u.Hostname() == "" || strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`%"'<>\`, r) }):
		return fmt.Errorf("address %.256q has no host, or one that is not a host name", address)
	case !isPort(u):
		return fmt.Errorf("address %.256q has a port that is not 1 to 65535", address)
	case u.Scheme == "http" && !idtoken.IsLoopback(u.Hostname()):
		return fmt.Errorf("address %.256q is plain http, which is for loopback addresses alone; write https://%s", address, u.Host)
	}
	return nil
}

func isPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.Atoi(u.Port())
	return err == nil && n >= 1 && n <= 65535
}
