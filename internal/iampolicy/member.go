package iampolicy

import (
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// A member is a kind of principal that may take the role: the people of one
// issuer, or one service. Nobody is of two kinds.
type member struct {
	service string
	issuer  *Issuer
	own     []string // with OwnGroups: the groups that its people may be in
	apart   bool     // with OwnGroups
}

// members are all kinds of principals that may take the role.
func (w World) members(ownGroups bool) []member {
	var all []member
	for i := range w.Issuers {
		issuer := &w.Issuers[i]
		if w.Role.Everyone || slices.ContainsFunc(w.Role.Groups, issuer.hasGroup) {
			all = append(all, member{issuer: issuer, own: w.Role.Groups, apart: ownGroups})
		}
	}
	for _, s := range w.Role.Services {
		all = append(all, member{service: s})
	}
	return all
}

// hasGroup says whether policies may name a group of the issuer so.
func (i *Issuer) hasGroup(name string) bool {
	return i.Alias == "" || strings.HasPrefix(name, i.Alias+":")
}

// hasUser says whether policies may name one of the issuer's people so: by the
// subject, behind the alias, or by an address of the issuer's domains.
func (i *Issuer) hasUser(name string) bool {
	if i.Alias != "" && strings.HasPrefix(name, i.Alias+":") {
		return true
	}
	_, domain, isAddress := strings.Cut(name, "@")
	if isAddress {
		return slices.ContainsFunc(i.EmailDomains, func(d string) bool { return strings.EqualFold(d, domain) })
	}
	return i.Alias == ""
}

// mayUse says whether the rule of the grant could speak for one of the kind.
func (m member) mayUse(g *policy.Grant) bool {
	switch {
	case g.Everyone:
		return true
	case m.issuer == nil:
		return slices.Contains(g.Services, m.service)
	}
	return slices.ContainsFunc(g.Users, m.issuer.hasUser) || slices.ContainsFunc(g.Groups, m.mayBeIn)
}

func (m member) mayBeIn(group string) bool {
	return m.issuer.hasGroup(group) && (!m.apart || slices.Contains(m.own, group))
}
