package proxy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// revocable makes what orders go by.
func (h *holder) revocable() *revocation.Holder {
	if h.service != nil {
		return &revocation.Holder{ID: h.id(), Key: h.Key, Service: h.service.Service.V}
	}
	p := h.Principal
	return &revocation.Holder{
		ID: h.id(), Key: h.Key, Issuer: p.Issuer, Subject: p.Subject, Email: p.Email,
		IdPSession: h.IdPSession, Role: h.Role, Issued: h.Issued,
	}
}

// refuseRevoked refuses a session or service key that an order has ended.
func (s *Server) refuseRevoked(x *exchange, held *holder) error {
	o, hit, err := s.revoked.Hitting(held.orders)
	switch {
	case err != nil:
		return unknownWhetherRevoked(err)
	case hit:
		x.event.Revocation = asEvent(o)
		return revokedRefusal(held, o)
	}
	return nil
}

// unknownWhetherRevoked is the answer when nobody can tell: the safe one.
func unknownWhetherRevoked(err error) error {
	return &refusal{Code: "ServiceUnavailable", Message: "The sidecar cannot tell which sessions were revoked, and serves nobody until it can. Tell whoever runs it.", cause: err}
}

// revokedRefusal says what happened, why, and what can be done about it.
func revokedRefusal(held *holder, o revocation.Order) *refusal {
	reason := strings.TrimRight(o.Reason, ".")
	switch {
	case held.service != nil:
		return &refusal{Code: "InvalidAccessKeyId", Message: fmt.Sprintf("Service key %s was revoked at %s: %s. Ask whoever runs this sidecar for a new one.", held.id(), moment(o.At), reason)}
	case o.Suspend:
		return &refusal{Code: "InvalidToken", Message: fmt.Sprintf("Your access was suspended at %s: %s. Ask whoever runs this sidecar.", moment(o.At), reason)}
	case o.Scope == revocation.Key:
		return &refusal{Code: "InvalidToken", Message: fmt.Sprintf("The key that your session was sealed with was revoked at %s: %s. Log in again once whoever runs this sidecar has changed it: gimme login --force --profile NAME.", moment(o.At), reason)}
	}
	return &refusal{Code: "InvalidToken", Message: fmt.Sprintf("Your session was revoked at %s: %s. Log in again%s: gimme login --force --profile NAME.", moment(o.At), reason, fromWhen(o))}
}

// fromWhen says from when a login counts, if that is not now.
func fromWhen(o revocation.Order) string {
	if first := o.NotBefore.Add(time.Second); first.After(time.Now()) {
		return " from " + first.UTC().Format("15:04:05 MST") + " on"
	}
	return ""
}

// asEvent is an order in an event.
func asEvent(o revocation.Order) *audit.Revocation {
	return &audit.Revocation{
		Order: o.ID, Scope: string(o.Scope), Session: o.Session, IdPSession: o.IdPSession, Subject: o.Subject, User: o.User, Issuer: o.Issuer,
		Role: o.Role, Service: o.Service, Key: o.Key, Suspend: o.Suspend, At: o.At, Before: o.Before, Reason: o.Reason, By: o.By,
	}
}

// issueTime gives the moment at which a session for the token's person and role
// is issued, or refuses: an order that is about them asks for a newer login. The
// moment is taken before the orders are looked at, so that an order which comes
// later than that hits the session, and it lies after every order that does not
// stand against the token, so that none hits what it permits.
func (s *Server) issueTime(x *exchange, token *idtoken.Token, role string) (time.Time, error) {
	claim := revocation.Claim{
		Key: s.keys.Active(), Issuer: token.Issuer, Subject: token.Subject, Email: token.Email, IdPSession: token.SessionID,
		Role: role, AuthTime: token.AuthTime, Issued: token.IssuedAt,
	}
	for range 10 { // orders that come while it waits ask for another look
		now := time.Now().Truncate(time.Second) // as the session keeps it
		o, barred, err := s.revoked.Barring(&claim)
		switch {
		case err != nil:
			return now, unknownWhetherRevoked(err)
		case barred:
			x.event.Revocation = asEvent(o)
			return now, barredRefusal(token, o)
		}
		o, hit, err := s.revoked.Hitting(&revocation.Holder{
			Key: claim.Key, Issuer: claim.Issuer, Subject: claim.Subject, Email: claim.Email, IdPSession: claim.IdPSession, Role: role, Issued: now,
		})
		if err != nil {
			return now, unknownWhetherRevoked(err)
		}
		if !hit {
			return now, nil
		}
		wait := time.Until(o.Before.Add(time.Second))
		if wait > 2*time.Second {
			return now, unknownWhetherRevoked(fmt.Errorf("order %s was given %v in the future: is the clock right?", o.ID, wait))
		}
		if err := sleep(x.ctx, wait); err != nil {
			return now, err
		}
	}
	return time.Time{}, unknownWhetherRevoked(errors.New("orders about one person do not cease"))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// barredRefusal says why an ID token gives no session. IDPRejectedClaim is what
// STS calls a token that was revoked; clients then offer a new login.
func barredRefusal(token *idtoken.Token, o revocation.Order) *refusal {
	reason := strings.TrimRight(o.Reason, ".")
	switch {
	case o.Suspend:
		return &refusal{Code: "AccessDenied", Message: fmt.Sprintf("The access of %s was suspended at %s: %s. Ask whoever runs this sidecar.", person(token), moment(o.At), reason)}
	case o.Scope == revocation.Key:
		return &refusal{Code: "ServiceUnavailable", Message: fmt.Sprintf("The key that sessions are sealed with was revoked at %s: %s. Whoever runs this sidecar has to make another one active.", moment(o.At), reason)}
	}
	return &refusal{
		Code: "IDPRejectedClaim", Status: 403,
		Message: fmt.Sprintf("The sessions of %s were revoked at %s: %s. This ID token is of a login before that. Log in again%s: gimme login --force --profile NAME.", person(token), moment(o.At), reason, fromWhen(o)),
	}
}

// checkRevocations judges an existing file of orders, and for a new one the
// folder, and makes neither.
func (c *Config) checkRevocations(l *faultList) {
	v := c.Sessions.Revocations
	if v.V == "" {
		return // then there is no key file either, which is said already
	}
	path := c.path(v.V)
	if err := revocation.Check(path); err != nil {
		l.at(v, "sessions.revocations: %v", err)
		return
	}
	if v.Line != 0 { // otherwise it is that of the key file
		checkFolder(l, v, filepath.Dir(path))
	}
}

// Revocations opens the file of orders, which is made if it does not exist. It
// refuses to do so as another user than the one that the sidecar's key file
// belongs to, because the sidecar could not read it then.
func (c *Config) Revocations() (*revocation.List, error) {
	if err := revocation.CheckOwner(c.path(c.Sessions.KeyFile.V)); err != nil {
		return nil, err
	}
	return revocation.Open(c.path(c.Sessions.Revocations.V))
}

// RevocationNote says what whoever gave an order should know: that it names
// nothing of this configuration, or what it does not do. Empty: nothing.
func (c *Config) RevocationNote(o revocation.Order) string {
	switch o.Scope {
	case revocation.Session:
		if len(o.Session) < 30 {
			return "Whoever held it can have another without a login. To make the person log in: --user."
		}
	case revocation.Role:
		if c.role(o.Role) == nil {
			return fmt.Sprintf("The configuration has no role %s.", o.Role)
		}
	case revocation.Service:
		if !slices.ContainsFunc(c.ServiceKeys, func(k ServiceKey) bool { return k.Service.V == o.Service }) {
			return fmt.Sprintf("The configuration has no key of service %s.", o.Service)
		}
		return "A new key of this service is refused, too, until the order is cleared."
	case revocation.User:
		if !o.Suspend {
			return "A login after " + o.NotBefore.Format(time.RFC3339) + " counts again. If the provider's ID tokens have no auth_time, a renewed one counts as a login: use --suspend to be sure."
		}
	case revocation.Key:
		return "No session is issued until another key is active in the key file and the sidecar has been started anew."
	}
	return ""
}
