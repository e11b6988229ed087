package idtoken

import (
	"context"
	"errors"
	"strings"
	"time"
)

// MaxLogoutAge is how long ago a logout token may have been issued.
const MaxLogoutAge = 5 * time.Minute

// logoutEvent is what makes a token a logout token (OpenID Connect Back-Channel
// Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutTypes are what the header may call it. The specification recommends the
// first; many providers say JWT, or nothing.
var logoutTypes = [...]string{"logout+jwt", "application/logout+jwt", "JWT"}

// A Logout is what a logout token says, once everything about it is verified:
// that a session at the provider is over, or all of a person.
type Logout struct {
	Issuer    string
	ID        string // "jti"; the provider gives each token another
	SessionID string // "sid"; empty: all sessions of Subject are over
	Subject   string // empty: not said
	IssuedAt  time.Time
}

// VerifyLogout checks a logout token, which is for one of clientIDs, at now (zero:
// the clock's). Errors are *Error, as those of Verify are.
func (p *Provider) VerifyLogout(ctx context.Context, raw string, clientIDs []string, now time.Time) (*Logout, error) {
	if now.IsZero() {
		now = time.Now()
	}
	got, err := p.verifyLogout(ctx, raw, clientIDs, now)
	return got, ofLogout(err)
}

// ofLogout gives what is said of ID tokens the right name.
func ofLogout(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	return &Error{Code: e.Code, Detail: strings.NewReplacer("an ID token", "a logout token", "ID token", "logout token").Replace(e.Detail)}
}

// UnverifiedLogoutIssuer is UnverifiedIssuer for logout tokens.
func UnverifiedLogoutIssuer(raw string) (string, error) {
	t, err := parseAs(raw, logoutTypes[:]...)
	if err != nil {
		return "", ofLogout(err)
	}
	issuer, err := t.claims.text("iss")
	return issuer, ofLogout(err)
}

func (p *Provider) verifyLogout(ctx context.Context, raw string, clientIDs []string, now time.Time) (*Logout, error) {
	t, err := parseAs(raw, logoutTypes[:]...)
	if err != nil {
		return nil, err
	}
	if err := t.checkAlgorithm(nil); err != nil {
		return nil, err
	}
	if err := t.issuer(p.metadata.Issuer); err != nil {
		return nil, err
	}
	if err := p.checkSignature(ctx, t); err != nil {
		return nil, err
	}
	if err := t.audience(clientIDs, &Token{}); err != nil {
		return nil, err
	}
	return t.logout(p.metadata.Issuer, now)
}

// logout judges the claims that a logout token has besides (section 2.6).
func (t *parsed) logout(issuer string, now time.Time) (*Logout, error) {
	got := &Logout{Issuer: issuer}
	if err := t.isLogout(); err != nil {
		return nil, err
	}
	var err error
	if got.IssuedAt, err = t.claims.time("iat"); err != nil {
		return nil, err
	}
	switch {
	case got.IssuedAt.Before(now.Add(-MaxLogoutAge)):
		return nil, fault(Expired, "the ID token was issued at %s, longer ago than %s", stamp(got.IssuedAt), MaxLogoutAge)
	case got.IssuedAt.After(now.Add(skew)):
		return nil, fault(NotYet, "the ID token is issued at %s, which is in the future; is the clock of this machine right?", stamp(got.IssuedAt))
	}
	if _, there := t.claims["exp"]; there {
		expires, err := t.claims.time("exp")
		if err != nil {
			return nil, err
		}
		if !expires.After(now) {
			return nil, fault(Expired, "the ID token expired at %s", stamp(expires))
		}
	}
	if got.ID, err = t.claims.text("jti"); err != nil {
		return nil, err
	}
	for name, to := range map[string]*string{"sid": &got.SessionID, "sub": &got.Subject} {
		if *to, err = t.claims.optional(name); err != nil {
			return nil, err
		}
	}
	switch {
	case !fits(got.ID, maxText):
		return nil, fault(Claims, "claim jti has more than %d bytes or characters that no identifier has", maxText)
	case len(got.Subject) > maxSubject:
		return nil, fault(Claims, "claim sub has more than %d bytes or characters that no identifier has", maxSubject)
	case got.SessionID == "" && got.Subject == "":
		return nil, fault(Claims, "the ID token says neither whose session is over (sub) nor which (sid)")
	}
	return got, nil
}

// isLogout tells logout tokens from all others of the same provider.
func (t *parsed) isLogout() error {
	if _, there := t.claims["nonce"]; there {
		return fault(Type, "the token is not a logout token: it has a nonce")
	}
	events, ok := t.claims["events"].(map[string]any)
	if !ok {
		return fault(Type, "the token is not a logout token: its claim events is not an object")
	}
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return fault(Type, "the token is not a logout token: its claim events has no object %s", logoutEvent)
	}
	return nil
}
