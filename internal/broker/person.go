package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/store"
)

// logIn gets an ID token of a person: one that came a moment ago for another
// role, by refreshing, or by asking. One process does so at a provider at a
// time: refresh tokens change with their use, and providers mix up logins that
// happen at once.
func (b *Broker) logIn(ctx context.Context, t target) (*identity, error) {
	anew := b.Ask != nil && b.Ask.Fresh
	key := t.loginKey()
	var kept *identity
	look := func() bool {
		if l, err := b.Store.Login(key); err == nil && l != nil && !anew {
			kept = known(l, key)
		}
		return kept != nil
	}
	unlock, err := b.lock(ctx, "login-"+store.Key(t.Issuer, t.ClientID), look)
	if err != nil || kept != nil {
		return kept, err
	}
	defer unlock()
	if look() {
		return kept, nil
	}
	a := &admission{b: b, target: t, key: key}
	if t.Remember && !anew {
		if who, err := a.refresh(ctx); who != nil || err != nil {
			return who, err
		}
	}
	return a.ask(ctx)
}

// known is who logged in a moment ago, while the ID token still is at hand.
func known(l *store.Login, key string) *identity {
	token, ok := l.FreshIDToken(time.Now())
	if !ok {
		return nil
	}
	return &identity{token, l.Issuer, l.Subject, l.Email, l.Flow, key}
}

// An admission is one way through the provider's door, under its lock.
type admission struct {
	b      *Broker
	target target
	key    string // of the login in the store
	p      *idtoken.Provider
}

// options are those of the login. The provider is asked about itself once.
func (a *admission) options(ctx context.Context) (login.Options, error) {
	t := a.target
	if a.p == nil {
		p, err := idtoken.Discover(ctx, a.b.HTTP, t.Issuer)
		if err != nil {
			return login.Options{}, orInterrupted(ctx, loginError(t, err))
		}
		a.p = p
	}
	scopes, parameters := t.asks(a.p.Metadata().ScopesSupported)
	return login.Options{
		Provider: a.p, ClientID: t.ClientID, ClientSecret: t.ClientSecret, Scopes: scopes, HTTP: a.b.HTTP,
		RedirectHost: t.RedirectHost, Ports: t.Ports, Parameters: parameters,
	}, nil
}

// refresh gets an ID token without asking anybody. Nil without an error means
// that somebody has to be asked.
func (a *admission) refresh(ctx context.Context) (*identity, error) {
	kept, err := a.b.Store.Login(a.key)
	if err != nil || kept == nil || kept.Subject == "" {
		return nil, nil // nobody knows whose refresh token it would be
	}
	token, err := a.b.Store.RefreshToken(ctx, a.key)
	if err != nil || token.Empty() {
		return nil, orNil(ctx)
	}
	o, err := a.options(ctx)
	if err != nil {
		return nil, err
	}
	// The provider may spend the token as it answers, and who is interrupted
	// then would lose both: from here on it is done whole.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), quick)
	defer cancel()
	for again := false; ; again = true {
		got, err := login.Refresh(whole, o, token, kept.Subject)
		if got != nil && !got.RefreshToken.Equal(token) {
			a.keepRefreshToken(whole, got)
		}
		if err == nil {
			a.b.notify(Notice{Step: Refreshed})
			return a.keep(got, "refresh"), orNil(ctx)
		}
		if spent := isRefusal(err, "invalid_grant"); spent && !again {
			// Another program with the same keyring may have had it changed.
			newer, err := a.b.Store.RefreshToken(whole, a.key)
			if err == nil && !newer.Empty() && !newer.Equal(token) {
				token = newer
				continue
			}
		}
		return nil, a.refused(whole, err)
	}
}

// refused says whether a refresh that failed leads to asking, which is nil.
func (a *admission) refused(ctx context.Context, err error) error {
	refusal, ok := errors.AsType[*login.Refusal](err)
	switch {
	case ok && (refusal.Code == "temporarily_unavailable" || refusal.Code == "server_error" || refusal.Code == "slow_down"):
	case ok && refusal.Code != "invalid_grant":
		return nil
	case ok, errors.Is(err, login.ErrNoIDToken), isVerdict(err):
		a.b.Store.DropRefreshToken(ctx, a.key) // what cannot be dropped is refused again
		return nil
	}
	// The network: a browser would not get any further.
	return loginError(a.target, fmt.Errorf("refresh: %w", err))
}

// isVerdict says whether an ID token came and is no good.
func isVerdict(err error) bool {
	fault, ok := errors.AsType[*idtoken.Error](err)
	return ok && fault.Code != idtoken.Communication
}

func isRefusal(err error, code string) bool {
	r, ok := errors.AsType[*login.Refusal](err)
	return ok && r.Code == code
}

// orNil is the reason for which ctx ended, if it did.
func orNil(ctx context.Context) error { return ctx.Err() }

// ask has the person log in.
func (a *admission) ask(ctx context.Context) (*identity, error) {
	pause, err := a.b.Store.Pause(a.key)
	if err != nil {
		return nil, storeError(err)
	}
	how := a.b.Ask
	if how == nil || how.Patient && time.Now().Before(pause.Until) {
		return nil, a.needed(pause)
	}
	o, err := a.options(ctx)
	if err != nil {
		return nil, err
	}
	o.Flow, o.OpenBrowser, o.Notify, o.Lines, o.Timeout, o.Fresh = how.Flow, how.OpenBrowser, how.Notify, how.Lines, how.Timeout, how.Fresh
	// Written first: a login that is killed counts as one that failed. One that
	// the person stops counts too. The pause keeps back only those whom nobody
	// called by name, and the person meant them as well.
	if err := a.b.Store.BeginAttempt(a.key, time.Now()); err != nil {
		return nil, storeError(err)
	}
	got, err := login.Run(ctx, o)
	if err != nil {
		return nil, orInterrupted(ctx, loginError(a.target, err))
	}
	// What the person did is kept, also when it is stopped now.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), quick)
	defer cancel()
	if a.target.Remember && !got.RefreshToken.Empty() {
		a.keepRefreshToken(whole, got)
	}
	who := a.keep(got, string(got.Flow))
	if err := a.b.Store.EndAttempt(a.key); err != nil {
		a.b.notify(Notice{Step: NotKept, Err: err})
	}
	return who, orNil(ctx)
}

// needed says that a person has to log in.
func (a *admission) needed(pause store.Pause) *Error {
	e := &Error{Kind: LoginNeeded, Err: fmt.Errorf("a login at %s is needed", a.target.Issuer), Until: pause.Until, Hint: "log in: gimme login"}
	if !time.Now().Before(pause.Until) {
		e.Until = time.Time{}
		return e
	}
	e.Err = fmt.Errorf("a login at %s is needed, but the last one was not finished, and nobody is asked again before %s", a.target.Issuer, pause.Until.Local().Format("15:04:05"))
	e.Hint = "gimme login asks at once"
	return e
}

// keepRefreshToken puts the new token in the place of the old one, which stays
// until then.
func (a *admission) keepRefreshToken(ctx context.Context, got *login.Result) {
	rest, err := a.b.Store.PutRefreshToken(ctx, a.key, got.RefreshToken)
	switch {
	case err != nil:
		a.b.notify(Notice{Step: NotKept, Err: fmt.Errorf("the refresh token could not be kept, so that a login will be needed again: %w", err)})
	case rest.First:
		a.b.notify(Notice{Step: Remembered, Rest: rest})
	}
}

// keep writes down who it is.
func (a *admission) keep(got *login.Result, source string) *identity {
	t := got.Token
	l := &store.Login{
		Issuer: t.Issuer, ClientID: a.target.ClientID, Subject: t.Subject, Email: t.Email, Name: t.Name, Flow: source,
		At: time.Now(), IDToken: got.IDToken, IDTokenExpires: t.Expires,
	}
	err := a.b.Store.PutLogin(a.key, l)
	if err == nil {
		err = a.b.Store.PutLogin(a.target.person, withoutToken(l))
	}
	if err != nil {
		a.b.notify(Notice{Step: NotKept, Err: fmt.Errorf("the login could not be kept: %w", err)})
	}
	return &identity{got.IDToken, t.Issuer, t.Subject, t.Email, source, a.key}
}

func withoutToken(l *store.Login) *store.Login {
	bare := *l
	bare.IDToken, bare.IDTokenExpires = store.Login{}.IDToken, time.Time{}
	return &bare
}

// Answers of a provider after which the same person may well log in.
var retryable = [...]string{"access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required", "expired_token"}

func loginError(t target, err error) *Error {
	e := &Error{Err: fmt.Errorf("log in at %s: %w", t.Issuer, err)}
	if errors.Is(err, login.ErrTimeout) {
		e.Kind, e.Hint = LoginNeeded, "run it again; --timeout gives more time, --no-browser prints the address to open"
		return e
	}
	if refusal, ok := errors.AsType[*login.Refusal](err); ok {
		e.Hint = "the provider's log says more; its administrator may have to admit you or the client " + t.ClientID
		if slices.Contains(retryable[:], refusal.Code) {
			e.Kind = LoginNeeded
		}
		return e
	}
	if fault, ok := errors.AsType[*idtoken.Error](err); ok {
		e.Hint = tokenHint(fault.Code)
	}
	if _, ok := errors.AsType[*login.PortsError](err); ok {
		e.Hint = "end the program that holds one, or have further ports registered at the provider and name them with --ports"
	}
	if errors.Is(err, login.ErrNotOffered) {
		e.Hint = "log in another way: --flow browser, or --flow paste on a machine without one"
	}
	return e
}

func tokenHint(code idtoken.Code) string {
	switch code {
	case idtoken.Communication:
		return "is the issuer right, to the last slash, and can this machine reach it?"
	case idtoken.Issuer:
		return "the issuer must be written exactly as the provider writes it, to the last slash"
	case idtoken.Audience:
		return "the provider issued the token for another client; is the client id right?"
	case idtoken.Expired, idtoken.NotYet:
		return "is the clock of this machine right?"
	case idtoken.Overage:
		return "the provider's administrator can limit the groups claim to the groups of this application"
	}
	return ""
}
