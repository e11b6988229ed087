// Package idp knows what kinds of identity providers want of gimme: where they
// send the browser back, what to ask for, and what their administrators have to
// register. It is data; docs/identity-providers.md is the same for people.
package idp

import (
	"net/url"
	"slices"
	"strings"
)

// A Secret says whether gimme has to show a client secret, which in a program
// on people's machines is no secret.
type Secret int

const (
	Unneeded  Secret = iota // a public client
	Forbidden               // a public client, which the provider refuses if it shows one
	Required                // the provider insists; it is configuration like the client id
)

// A Preset is what is known of a kind of provider.
type Preset struct {
	Name  string // as in the setting idp, such as "entra"
	Title string // for people, such as "Microsoft Entra ID"

	RedirectHost string // "127.0.0.1" or "localhost": as the provider wants it spelled
	AnyPort      bool   // it passes over the port of a loopback address
	Ports        []int  // which are to be registered if it does not

	Secret Secret

	Scopes        []string // of a login
	RefreshScopes []string // to add when a refresh token is wanted

	// Parameters go with every authorization request, RefreshParameters when a
	// refresh token is wanted. They may be nil.
	Parameters, RefreshParameters map[string]string

	// IfListed says that RefreshScopes and RefreshParameters are for providers
	// whose metadata lists the scopes.
	IfListed bool

	GroupsClaim string // the usual name; empty: it has none
	Device      bool   // it can do the device flow

	issuer string   // how the issuer is written, for people
	client string   // what kind of client to register
	groups string   // how groups get into ID tokens
	token  string   // how long ID tokens last
	notes  []string // what else goes wrong
	guess  func(host, path string) bool
}

// ports are those that gimme wants registered where each one must be.
var ports = [...]int{18271, 28271, 38271, 48271, 58271}

// All gives every preset, the general one last.
func All() []Preset { return presets() }

// Find gives the preset of a name.
func Find(name string) (Preset, bool) {
	all := presets()
	i := slices.IndexFunc(all, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return Preset{}, false
	}
	return all[i], true
}

// Guess gives the preset that the issuer's form suggests, or the general one.
func Guess(issuer string) Preset {
	all := presets()
	u, err := url.Parse(issuer)
	if err == nil {
		for _, p := range all {
			if p.guess != nil && p.guess(strings.ToLower(u.Hostname()), u.Path) {
				return p
			}
		}
	}
	return all[len(all)-1]
}

// ends matches hosts that are domain or in it.
func ends(domains ...string) func(host, path string) bool {
	return func(host, _ string) bool {
		return slices.ContainsFunc(domains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
	}
}

// holds matches paths that hold one of the texts.
func holds(texts ...string) func(host, path string) bool {
	return func(_, path string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(path, t) })
	}
}
