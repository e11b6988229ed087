package proxy

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/internal/upstream"
)

// maxSpent is how many ID tokens are remembered as used.
const maxSpent = 1 << 17

// logins are what the STS endpoint keeps between calls.
type logins struct {
	limiter  *limiter
	upstream *upstream.Exchange // where ID tokens are exchanged; nil: nowhere

	mu    sync.Mutex // guards spent
	spent map[[sha256.Size]byte]time.Time
}

func newLogins(c *Config) (*logins, error) {
	l := &logins{limiter: newLimiter(c.Limits.LoginsPerMinute.V), spent: map[[sha256.Size]byte]time.Time{}}
	if c.Upstream.Credentials.V != credentialsWebIdentity {
		return l, nil
	}
	var err error
	if l.upstream, err = upstream.WebIdentity(upstream.WebIdentityOptions{Endpoint: c.Upstream.WebIdentity.STSEndpoint.V, Region: c.Upstream.Region.V}); err != nil {
		return nil, fmt.Errorf("upstream credentials: %w", err)
	}
	return l, nil
}

// spend uses an ID token up, where its issuer's are good for one session. What is
// remembered is what is signed, because of some algorithms anyone can make another
// signature out of one.
func (l *logins) spend(from *issuer, token *idtoken.Token, raw secret.Text, now time.Time) error {
	if !from.config.SingleUse {
		return nil
	}
	text := raw.Reveal()
	key := sha256.Sum256([]byte(text[:strings.LastIndexByte(text, '.')+1]))
	until := token.Expires
	if old := token.IssuedAt.Add(from.maxAge() + time.Second); old.Before(until) {
		until = old
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spent) >= maxSpent {
		for k, over := range l.spent {
			if !now.Before(over) {
				delete(l.spent, k)
			}
		}
	}
	if over, used := l.spent[key]; used && now.Before(over) {
		return &refusal{Code: "InvalidIdentityToken", Message: "The ID token has been used already, and those of its issuer are good for one session. Log in again: gimme s3 --profile NAME."}
	}
	if len(l.spent) >= maxSpent {
		return &refusal{Code: "Throttling", Message: "There are more logins than this sidecar can remember. Try again in a minute."}
	}
	l.spent[key] = until
	return nil
}

// exchange gives the ID token to the upstream's STS, where that is how sessions
// come by credentials. The session ends no later than they do.
func (l *logins) exchange(x *exchange, claims *session.Claims, raw secret.Text) error {
	if l.upstream == nil {
		return nil
	}
	got, err := l.upstream.Credentials(x.ctx, claims.Role, raw, asPrincipal(claims), claims.Expires.Sub(claims.Issued))
	if err != nil {
		return exchangeFault(err)
	}
	if end := got.Expires.Truncate(time.Second); end.Before(claims.Expires) {
		claims.Expires = end
	}
	claims.Upstream = &session.UpstreamCredentials{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: secret.New(got.SecretAccessKey), SessionToken: secret.New(got.SessionToken),
	}
	return nil
}

// exchangeFault tells the person what the upstream's STS said, in its own code
// where clients know it from this call.
func exchangeFault(err error) error {
	f := &refusal{Code: "ServiceUnavailable", Message: "The sidecar could not exchange your ID token at AWS. Try again; if it stays, tell whoever runs it.", cause: err}
	e, ok := errors.AsType[*upstream.Error](err)
	if !ok {
		return f
	}
	switch {
	case e.Cause == upstream.Throttled:
		f.Code, f.Message = "Throttling", "AWS is asked too often for credentials. Try again in a moment."
	case e.Cause != upstream.Refused && e.Code != "ExpiredTokenException":
	default:
		if status, known := exchangeCodes[e.Code]; known {
			f.Code, f.Status = e.Code, status
			f.Message = fmt.Sprintf("AWS does not give role %s for this ID token: %s.", e.Role, strings.TrimRight(e.Detail, "."))
		}
	}
	return f
}

// exchangeCodes are those with which AssumeRoleWithWebIdentity can fail.
var exchangeCodes = map[string]int{
	"AccessDenied": http.StatusForbidden, "ExpiredTokenException": http.StatusBadRequest, "IDPCommunicationError": http.StatusBadRequest,
	"IDPRejectedClaim": http.StatusForbidden, "InvalidIdentityToken": http.StatusBadRequest, "PackedPolicyTooLarge": http.StatusBadRequest,
	"RegionDisabledException": http.StatusForbidden, "ValidationError": http.StatusBadRequest,
}

func asPrincipal(c *session.Claims) upstream.Principal {
	p := c.Principal
	return upstream.Principal{Issuer: p.Issuer, Subject: p.Subject, Email: p.Email, Name: p.Name, Groups: c.Groups}
}
