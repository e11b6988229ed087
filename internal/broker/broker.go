// Package broker is the client's spine: from where a person wants to go to
// credentials for S3. It finds out where to log in, has the person log in,
// chooses the role and exchanges the ID token at an STS, which is the sidecar's
// or AWS's own: both speak the same call.
//
// It prints nothing and writes no file.
package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/secret"
)

// DefaultRegion is used where neither the person nor the sidecar names one.
const DefaultRegion = "us-east-1"

// A Broker gets credentials. HTTP is required; it must not follow redirects, as
// idtoken.NewClient does not, for ID tokens are sent with it.
type Broker struct {
	HTTP        *http.Client
	OpenBrowser func(ctx context.Context, url string) error // see login.Options
	Notify      func(login.Notice)                          // see login.Options
	Timeout     time.Duration                               // of the login; 0: login.DefaultTimeout
}

// A Request says what credentials are for: a sidecar's Address, or an Issuer,
// ClientID and Role at an STS.
type Request struct {
	Address string

	Issuer      string
	ClientID    string
	STSEndpoint string // empty: AWS's own in Region

	Role     string        // ARN; with a sidecar also its last part, or empty for the only one
	Region   string        // empty: the sidecar's, or DefaultRegion
	Scopes   []string      // empty: the sidecar's alone, or openid, email and profile
	Duration time.Duration // 0: as the STS has it
}

// Credentials are for S3, until they expire.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text
	Expires         time.Time

	Role     string // ARN
	Region   string
	Endpoint string // the sidecar's address; empty: S3 itself

	Issuer, Subject, Email string // who logged in; Email may be empty
}

// An Error is what went wrong, with what a person can do about it.
type Error struct {
	Kind Kind
	Err  error
	Hint string // may be empty
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// A Kind says what sort of remedy an error has.
type Kind int

const (
	Failed      Kind = iota // none that is sure
	Wrong                   // the request itself has to be another
	LoginNeeded             // a person has to log in, and did not
)

// Credentials gets credentials for r. Errors are *Error, or ctx's own.
func (b *Broker) Credentials(ctx context.Context, r Request) (*Credentials, error) {
	t, err := b.aim(ctx, r)
	if err != nil {
		return nil, err
	}
	who, err := b.logIn(ctx, t)
	if err != nil {
		return nil, err
	}
	role, err := b.role(ctx, t, who)
	if err != nil {
		return nil, err
	}
	return b.exchange(ctx, t, who, role)
}

// A target is a request with all that was found out about it.
type target struct {
	Request
	sts string // empty: AWS's own
}

// aim finds out where to log in and where to exchange.
func (b *Broker) aim(ctx context.Context, r Request) (target, error) {
	t := target{Request: r, sts: r.STSEndpoint}
	if r.Address != "" {
		d, err := discovery.Fetch(ctx, b.HTTP, r.Address)
		if err != nil {
			return target{}, orInterrupted(ctx, sidecarError(err))
		}
		t.Issuer, t.ClientID, t.sts = d.Issuer, d.ClientID, strings.TrimSuffix(r.Address, "/")
		t.Scopes = slices.Concat(r.Scopes, d.Scopes)
		t.Region = cmp.Or(r.Region, d.Region)
	} else if r.Issuer == "" || r.ClientID == "" || r.Role == "" {
		return target{}, &Error{Kind: Wrong, Err: errors.New("neither a sidecar's address nor an issuer, client id and role is given")}
	}
	if len(t.Scopes) == 0 {
		t.Scopes = []string{"openid", "email", "profile"}
	}
	slices.Sort(t.Scopes)
	t.Scopes = slices.Compact(t.Scopes)
	t.Region = cmp.Or(t.Region, DefaultRegion)
	return t, nil
}

// sidecarError puts what could not be asked of a sidecar into our form.
func sidecarError(err error) *Error {
	if e, ok := errors.AsType[*discovery.Error](err); ok {
		return &Error{Err: fmt.Errorf("the sidecar at %s: %s", e.Address, e.Reason), Hint: e.Remedy}
	}
	return &Error{Err: err}
}

// logIn has the person log in.
func (b *Broker) logIn(ctx context.Context, t target) (*login.Result, error) {
	provider, err := idtoken.Discover(ctx, b.HTTP, t.Issuer)
	if err != nil {
		return nil, orInterrupted(ctx, loginError(t, err))
	}
	who, err := login.Run(ctx, login.Options{
		Provider: provider, ClientID: t.ClientID, Scopes: t.Scopes,
		HTTP: b.HTTP, OpenBrowser: b.OpenBrowser, Notify: b.Notify, Timeout: b.Timeout,
	})
	if err != nil {
		return nil, orInterrupted(ctx, loginError(t, err))
	}
	return who, nil
}

// Answers of a provider after which the same person may well log in.
var retryable = []string{"access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required"}

func loginError(t target, err error) *Error {
	e := &Error{Err: fmt.Errorf("log in at %s: %w", t.Issuer, err)}
	if errors.Is(err, login.ErrTimeout) {
		e.Kind, e.Hint = LoginNeeded, "run it again; --timeout gives more time, --no-browser prints the address to open"
		return e
	}
	if refusal, ok := errors.AsType[*login.Refusal](err); ok {
		e.Hint = "the provider's log says more; its administrator may have to admit you or the client " + t.ClientID
		if slices.Contains(retryable, refusal.Code) {
			e.Kind = LoginNeeded
		}
		return e
	}
	if fault, ok := errors.AsType[*idtoken.Error](err); ok {
		e.Hint = tokenHints[fault.Code]
	}
	return e
}

var tokenHints = map[idtoken.Code]string{
	idtoken.Communication: "is the issuer right, to the last slash, and can this machine reach it?",
	idtoken.Issuer:        "the issuer must be written exactly as the provider writes it, to the last slash",
	idtoken.Audience:      "the provider issued the token for another client; is the client id right?",
	idtoken.Expired:       "is the clock of this machine right?",
	idtoken.NotYet:        "is the clock of this machine right?",
	idtoken.Overage:       "the provider's administrator can limit the groups claim to the groups of this application",
}

// orInterrupted prefers the reason that the person stopped it.
func orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
