package proxy

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// serveDiscovery tells anyone where people log in. It holds nothing secret, and
// nothing that could send credentials elsewhere than to this address.
func (s *Server) serveDiscovery(x *exchange) error {
	x.event.Request.Operation = "Discovery"
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return &refusal{Code: "MethodNotAllowed", Message: "The discovery document can be read, and nothing else."}
	}
	if err := x.allow(grounds{}); err != nil {
		return err
	}
	return x.sendJSON(s.issuers[0].config.document(s.config.Region.V))
}

// document is what clients are told of the issuer.
func (i Issuer) document(region string) discovery.Document {
	return discovery.Document{
		Version: discovery.Version, Issuer: i.Issuer.V, ClientID: i.ClientID.V, Scopes: i.Scopes, Region: region,
		IDP: i.IDP, RedirectHost: i.RedirectHost, Ports: i.Ports, ClientSecret: i.ClientSecret, Parameters: i.Parameters,
	}
}

// serveRoles tells people which roles they may take.
func (s *Server) serveRoles(x *exchange) error {
	x.event.Request.Operation = "Roles"
	if x.r.Method != http.MethodGet {
		return &refusal{Code: "MethodNotAllowed", Message: "The list of roles can be read, and nothing else."}
	}
	raw, ok := strings.CutPrefix(x.r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return &refusal{Code: "AccessDenied", Message: "The list of roles is shown to who presents an ID token."}
	}
	if err := s.logins.limit(x); err != nil {
		return err
	}
	from, token, err := s.verify(x.ctx, raw)
	if err != nil {
		return tokenFault(err)
	}
	groups := from.groups(token)
	x.event.Principal = &audit.Principal{Issuer: token.Issuer, Subject: token.Subject, Email: token.Email, Name: token.Name, Groups: groups}
	if err := x.allow(grounds{}); err != nil {
		return err
	}
	roles := discovery.Roles{Roles: []discovery.Role{}}
	for _, r := range s.config.Roles {
		if r.admits(groups) {
			roles.Roles = append(roles.Roles, discovery.Role{ARN: r.ARN.V})
		}
	}
	return x.sendJSON(roles)
}

func (x *exchange) sendJSON(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		x.w.Write(append(body, '\n'))
	}
	return nil
}
