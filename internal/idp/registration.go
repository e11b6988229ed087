package idp

import (
	"fmt"
	"strconv"
	"strings"
)

// CallbackPath is the path to which providers send the browser back.
const CallbackPath = "/callback"

// RedirectURIs are what has to be registered. Where the port does not matter
// there is one, without a port. ports replaces the preset's own; it may be nil.
func (p Preset) RedirectURIs(ports []int) []string {
	if p.AnyPort && len(ports) == 0 {
		return []string{"http://" + p.RedirectHost + CallbackPath}
	}
	if len(ports) == 0 {
		ports = p.Ports
	}
	var list []string
	for _, port := range ports {
		list = append(list, "http://"+p.RedirectHost+":"+strconv.Itoa(port)+CallbackPath)
	}
	return list
}

// Registration is what an administrator has to register at the provider, and
// what to give to gimme and to the sidecar afterwards. ports may be nil.
func (p Preset) Registration(clientID, issuer string, ports []int) string {
	var b strings.Builder
	row := func(name, text string) { fmt.Fprintf(&b, "%-15s%s\n", name, text) }
	fmt.Fprintf(&b, "What to register at %s\n\n", p.Title)
	row("Client", p.client)
	for i, uri := range p.RedirectURIs(ports) {
		name := "Redirect"
		if i > 0 {
			name = ""
		}
		if p.AnyPort && len(ports) == 0 {
			uri += "   (any port: the provider passes over it)"
		}
		row(name, uri)
	}
	row("PKCE", "S256, always")
	row("Secret", map[Secret]string{
		Unneeded:  "none",
		Forbidden: "none: the provider refuses a client that shows one here",
		Required:  "the one the provider makes, given to gimme as client_secret",
	}[p.Secret])
	row("Scopes", strings.Join(append(append([]string{}, p.Scopes...), p.RefreshScopes...), " "))
	row("Groups", p.groups)
	row("ID tokens", "last "+p.token)
	row("Issuer", p.issuer)
	for _, n := range p.notes {
		row("Note", n)
	}
	fmt.Fprintf(&b, "\nFor people without a sidecar:\n\n  gimme s3 --profile data --idp %s --issuer %s --client-id %s --role-arn arn:aws:iam::111122223333:role/data", p.Name, issuer, clientID)
	if p.Secret == Required {
		b.WriteString(" --client-secret SECRET")
	}
	if len(ports) > 0 {
		b.WriteString(" --ports " + joined(ports))
	}
	fmt.Fprintf(&b, "\n\nFor the sidecar, in proxy.yaml:\n\n%s", p.sidecar(clientID, issuer, ports))
	return b.String()
}

func (p Preset) sidecar(clientID, issuer string, ports []int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  issuers:\n    - issuer: %s\n      client_id: %s\n      idp: %s\n      scopes: [%s]\n", issuer, clientID, p.Name, strings.Join(p.Scopes, ", "))
	if p.GroupsClaim != "" && p.GroupsClaim != "groups" {
		fmt.Fprintf(&b, "      groups_claim: %s\n", p.GroupsClaim)
	}
	if p.Secret == Required {
		b.WriteString("      client_secret: SECRET\n")
	}
	if len(ports) > 0 {
		fmt.Fprintf(&b, "      ports: [%s]\n", strings.ReplaceAll(joined(ports), ",", ", "))
	}
	return b.String()
}

func joined(ports []int) string {
	texts := make([]string, len(ports))
	for i, p := range ports {
		texts[i] = strconv.Itoa(p)
	}
	return strings.Join(texts, ",")
}
