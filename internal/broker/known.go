package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

// Login makes sure that somebody is logged in, without taking a role. Errors
// are *Error, or ctx's own.
func (b *Broker) Login(ctx context.Context, r Request) (*store.Login, error) {
	t, err := b.aimAtPerson(ctx, r)
	if err != nil {
		return nil, err
	}
	who, err := b.logIn(ctx, t)
	if err != nil {
		return nil, err
	}
	l, err := b.Store.Login(who.login)
	if err != nil {
		return nil, storeError(err)
	}
	if l == nil {
		l = &store.Login{Issuer: who.issuer, ClientID: t.ClientID, Subject: who.subject, Email: who.email, Flow: who.source, At: time.Now()}
	}
	return l, nil
}

func (b *Broker) aimAtPerson(ctx context.Context, r Request) (target, error) {
	if r.isWorkload() {
		return target{}, &Error{Kind: Wrong, Err: errors.New("a workload has an ID token of its own and does not log in"), Hint: "with --identity person somebody logs in"}
	}
	return b.aim(ctx, r)
}

// Roles are the ARNs of the roles that the sidecar has for whoever is logged
// in, or logs in for that. Without a sidecar it is the one of the request.
func (b *Broker) Roles(ctx context.Context, r Request) ([]string, error) {
	t, err := b.aim(ctx, r)
	if err != nil {
		return nil, err
	}
	if t.Address == "" {
		return []string{t.Role}, nil
	}
	who, err := b.identify(ctx, t)
	if err != nil {
		return nil, err
	}
	return b.roles(ctx, t, who)
}

func (b *Broker) roles(ctx context.Context, t target, who *identity) ([]string, error) {
	got, err := discovery.FetchRoles(ctx, b.HTTP, t.sts, who.token)
	if err != nil {
		return nil, orInterrupted(ctx, sidecarError(err))
	}
	arns := make([]string, len(got.Roles))
	for i, r := range got.Roles {
		arns[i] = r.ARN
	}
	return arns, nil
}

// Known is what the store has for r, from files alone: who logged in, and the
// credentials, however old. Either may be nil.
func (b *Broker) Known(r Request) (*store.Login, *store.Credentials, error) {
	c, err := b.Store.Credentials(r.Key())
	if err != nil {
		return nil, nil, err
	}
	if r.isWorkload() {
		return nil, c, nil
	}
	if c != nil && c.Login != "" {
		if l, err := b.Store.Login(c.Login); l != nil || err != nil {
			return l, c, err
		}
	}
	l, err := b.Store.Login(r.personKey())
	return l, c, err
}

// A Farewell says what a logout did.
type Farewell struct {
	Login       *store.Login // who it was; nil: nobody
	Credentials bool         // credentials were dropped; they stay valid until they expire
	Token       bool         // a refresh token was dropped
	Revoked     bool         // and the provider has forgotten it
	Why         error        // why it has not; nil: it has, or there was none
	EndSession  string       // where a browser ends the session at the provider; empty: not offered
}

// Logout drops what is kept for r and has the provider forget the refresh
// token. What is kept goes also when nobody can be reached; Farewell.Why says
// so. Errors are *Error, or ctx's own.
func (b *Broker) Logout(ctx context.Context, r Request) (*Farewell, error) {
	l, c, err := b.Known(r)
	if err != nil {
		return nil, storeError(err)
	}
	f := &Farewell{Login: l, Credentials: c != nil}
	if err := b.Store.DropCredentials(r.Key()); err != nil {
		return nil, storeError(err)
	}
	if l == nil {
		return f, nil
	}
	t := target{Request: r, person: r.personKey()}
	t.Issuer, t.ClientID = l.Issuer, l.ClientID
	if aimed, err := b.aim(ctx, r); err == nil && aimed.Issuer == l.Issuer {
		t = aimed
	}
	unlock, err := b.lock(ctx, "login-"+store.Key(t.Issuer, t.ClientID), nil)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := b.forget(ctx, t, f); err != nil {
		return nil, err
	}
	return f, nil
}

// forget takes leave of the provider, and drops the login in any case.
func (b *Broker) forget(ctx context.Context, t target, f *Farewell) error {
	key := t.loginKey()
	token, err := b.Store.RefreshToken(ctx, key)
	f.Token = err == nil && !token.Empty()
	if p, err := idtoken.Discover(ctx, b.HTTP, t.Issuer); err != nil {
		f.Why = err
	} else {
		f.EndSession, _ = login.EndSessionURL(p, t.ClientID, secret.Text{})
		if f.Token {
			f.Why = login.Revoke(ctx, login.Options{Provider: p, ClientID: t.ClientID, ClientSecret: t.ClientSecret, HTTP: b.HTTP}, token)
			f.Revoked = f.Why == nil
		}
	}
	if !f.Token {
		f.Why = nil
	}
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), quick)
	defer cancel()
	err = cmp.Or(
		b.Store.DropLogin(key),
		b.Store.DropLogin(t.person),
		b.Store.DropRefreshToken(whole, key),
	)
	if err != nil {
		return storeError(fmt.Errorf("forget the login: %w", err))
	}
	return orNil(ctx)
}
