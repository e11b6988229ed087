package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// logoutPath is where providers post logout tokens (OpenID Connect Back-Channel
// Logout 1.0).
const logoutPath = "/.well-known/gimme/backchannel-logout"

// maxLogout bounds the form, in bytes.
const maxLogout = 16 << 10

// serveLogout ends the sessions that a provider says are over. The logout token
// is all that the provider shows of itself. The answer comes once the order is on
// disk; whoever gets no 200 sends the token again.
func (s *Server) serveLogout(x *exchange) error {
	x.answer = answerLogout
	x.event.Kind, x.event.Request.Operation = audit.KindAdmin, "BackchannelLogout"
	if x.r.Method != http.MethodPost {
		return &refusal{Code: "MethodNotAllowed", Message: "Logout tokens are posted.", Status: http.StatusMethodNotAllowed}
	}
	if !s.logoutCalls.permits(x.event.Client.IP, logoutsPerMinute, time.Now()) {
		return &refusal{Code: "SlowDown", Message: "Too many logout tokens come from this address. Send this one again in a minute.", Status: http.StatusTooManyRequests}
	}
	raw, err := logoutToken(x)
	if err != nil {
		return err
	}
	logout, err := s.verifyLogout(x, raw)
	if err != nil {
		return err
	}
	o := revocation.New(logoutOrder(logout, x.event.ID), time.Now())
	if err := o.Check(); err != nil {
		return &refusal{Code: "InvalidRequest", Message: "The logout token is not accepted: " + err.Error() + "."}
	}
	if err := s.logOut(x, o); err != nil {
		return err
	}
	x.w.Header().Set("Cache-Control", "no-store")
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// logoutToken reads the form. Parameters that are not known are passed over, as
// the specification wants it.
func logoutToken(x *exchange) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxLogout))
	if err != nil {
		return "", &refusal{Code: "InvalidRequest", Message: fmt.Sprintf("The form could not be read, or is larger than %d bytes.", maxLogout)}
	}
	if kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return "", &refusal{Code: "InvalidRequest", Message: "The body is not a form: Content-Type application/x-www-form-urlencoded is wanted."}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["logout_token"]) != 1 {
		return "", &refusal{Code: "InvalidRequest", Message: "The form has not exactly one logout_token."}
	}
	return form.Get("logout_token"), nil
}

// verifyLogout checks a logout token against the issuer that it names.
func (s *Server) verifyLogout(x *exchange, raw string) (*idtoken.Logout, error) {
	identifier, err := idtoken.UnverifiedLogoutIssuer(raw)
	if err != nil {
		return nil, logoutFault(err)
	}
	from := s.issuerOf(identifier)
	if from == nil {
		return nil, logoutFault(&idtoken.Error{Code: idtoken.Issuer, Detail: fmt.Sprintf("issuer %.256q is not one that this sidecar accepts", identifier)})
	}
	provider, err := from.discover(x.ctx)
	if err != nil {
		return nil, logoutFault(err)
	}
	logout, err := provider.VerifyLogout(x.ctx, raw, from.config.clients(), time.Now())
	if err != nil {
		return nil, logoutFault(err)
	}
	return logout, nil
}

func logoutFault(err error) error {
	e, ok := errors.AsType[*idtoken.Error](err)
	if !ok || e.Code == idtoken.Communication {
		return &refusal{Code: "ServiceUnavailable", Message: "The identity provider could not be asked for its keys. Send the logout token again.", cause: err}
	}
	return &refusal{Code: "InvalidRequest", Message: "The logout token is not accepted: " + e.Detail + "."}
}

// logoutOrder ends one session at the provider if the token names it, and else
// all of the person. The provider's clock made both this time and those of the
// logins that are held against it, so no room is left between them.
func logoutOrder(t *idtoken.Logout, event string) revocation.Order {
	o := revocation.Order{
		Issuer: t.Issuer, NotBefore: t.IssuedAt, Token: t.ID, Event: event,
		Reason: "the login was ended at the identity provider", By: t.Issuer,
	}
	if t.SessionID != "" {
		o.Scope, o.IdPSession, o.Subject = revocation.Login, t.SessionID, t.Subject
	} else {
		o.Scope, o.User = revocation.User, t.Subject
	}
	return o
}

// logOut records the order and gives it, unless the same logout token has given
// it before.
func (s *Server) logOut(x *exchange, o revocation.Order) error {
	s.logouts.Lock()
	defer s.logouts.Unlock()
	before, seen, err := s.revoked.Given(o.Issuer, o.Token)
	if err != nil {
		return &refusal{Code: "ServiceUnavailable", Message: "The logout cannot be kept. Send the logout token again.", cause: err}
	}
	if seen {
		o = before
		x.event.Reasons = []audit.Reason{{Text: "this logout token came before; nothing was done"}}
	}
	x.event.Revocation = asEvent(o)
	e := x.event
	e.Time = time.Now()
	if err := x.events.Write(e); err != nil {
		return &refusal{Code: "ServiceUnavailable", Message: "The logout cannot be recorded. Send the logout token again.", cause: err}
	}
	if seen {
		return nil
	}
	if err := s.revoked.Give(x.ctx, o); err != nil {
		return &refusal{Code: "ServiceUnavailable", Message: "The logout cannot be kept. Send the logout token again.", cause: err}
	}
	s.running.look()
	return nil
}

// answerLogout sends a refusal as the specification wants it.
func answerLogout(w http.ResponseWriter, _ *http.Request, f *refusal, id string) {
	code := "invalid_request"
	if f.status() >= 500 || f.status() == http.StatusTooManyRequests {
		code = "temporarily_unavailable"
	}
	body, _ := json.Marshal(struct { // two texts, which cannot fail
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, sentence(f.Message, id)})
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if f.status() == http.StatusMethodNotAllowed {
		h.Set("Allow", http.MethodPost)
	}
	if f.status() == http.StatusTooManyRequests {
		h.Set("Retry-After", "60")
	}
	w.WriteHeader(f.status())
	w.Write(body)
}
