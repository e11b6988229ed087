package proxy

import (
	"maps"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/internal/idp"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// checkClaims judges what is asked of an issuer's tokens beyond what every
// token has.
func (i Issuer) checkClaims(l *faultList) {
	for n, c := range i.ClientIDs {
		if c.V == "" || c.V == i.ClientID.V || slices.ContainsFunc(i.ClientIDs[:n], func(other text) bool { return other.V == c.V }) {
			l.at(c, "client_ids: %q is empty or stands twice", c.V)
		}
	}
	for _, client := range slices.Sorted(maps.Keys(i.ClientMethods)) {
		method := i.ClientMethods[client]
		if !slices.Contains(i.clients(), client) {
			l.at(method, "client_methods: %q is not a client of this issuer%s", client, strictyaml.Meant(client, i.clients()))
		}
		if !slices.Contains(loginMethods, method.V) {
			l.at(method, "client_methods: %q is no way to log in; write browser, device or ci%s", method.V, strictyaml.Meant(method.V, loginMethods))
		}
	}
	if _, ok := idp.Find(i.IDP); i.IDP != "" && !ok {
		l.at(i.Issuer, "idp %q is not a kind of provider that gimme knows", i.IDP)
	}
	if i.public() && len(i.Require) == 0 {
		l.at(i.Issuer, "everybody can have a token of issuer %s for any audience: say with require whose are accepted, such as %s", i.Issuer.V, requireExample(i.Issuer.V))
	}
	for _, name := range slices.Sorted(maps.Keys(i.Require)) {
		if len(i.Require[name]) == 0 || slices.Contains(i.Require[name], "") {
			l.at(i.Issuer, "require: claim %q lists no value that it may have, or an empty one", name)
		}
	}
	if slices.ContainsFunc(i.ClaimGroups, func(name string) bool { return name == "" || strings.Contains(name, "=") }) {
		l.at(i.Issuer, "claim_groups: names of claims are wanted, such as repository")
	}
}

// public says whether the issuer gives a token for any audience to whoever has
// an account there.
func (i Issuer) public() bool {
	return requireExample(i.Issuer.V) != "" && (i.Issuer.V != gitlabCom || slices.ContainsFunc(i.clients(), func(id string) bool { return strings.Contains(id, "/") }))
}

// gitlabCom is also where people log in, with a client id that GitLab makes and
// that has no slash. Jobs choose their audience.
const gitlabCom = "https://gitlab.com"

func requireExample(issuer string) string {
	return map[string]string{
		"https://token.actions.githubusercontent.com": `{repository_owner_id: ["1234567"]}`,
		"https://agent.buildkite.com":                 `{organization_id: ["0184990a-..."]}`,
		"https://app.terraform.io":                    `{terraform_organization_id: ["org-..."]}`,
		gitlabCom:                                     `{namespace_id: ["72"]}`,
	}[issuer]
}
