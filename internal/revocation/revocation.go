// Package revocation keeps the orders that end sessions and service keys before
// their time: in a file that is looked at for every request, so that an order
// holds from the next request on.
//
// docs/revocation.md specifies what each order hits, and the file.
package revocation

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Skew is by how much the clocks of providers may differ from the sidecar's.
const Skew = 60 * time.Second

// longest is how long a session can last, with the clocks' difference on top.
const longest = 12*time.Hour + 2*Skew

// A Scope says what an order hits.
type Scope string

// The scopes.
const (
	Session Scope = "session" // one session, or one service key by its access key id
	Login   Scope = "login"   // the sessions of one session at a provider ("sid")
	User    Scope = "user"    // the sessions of a person
	Role    Scope = "role"    // the sessions for a role
	Service Scope = "service" // the keys of a service
	Key     Scope = "key"     // all that was sealed with, or is derived from, one key of the key file
	Issuer  Scope = "issuer"  // the sessions of one issuer's people
	All     Scope = "all"     // all sessions
)

// An Order ends what it hits. Times are in whole seconds.
type Order struct {
	ID    string `json:"id"`
	Scope Scope  `json:"scope"`

	Session    string `json:"session,omitempty"`     // Session: the id that events name
	IdPSession string `json:"idp_session,omitempty"` // Login: the provider's id of it
	Subject    string `json:"subject,omitempty"`     // Login: whose it is, if that is known
	User       string `json:"user,omitempty"`        // User: a subject or an e-mail address
	Issuer     string `json:"issuer,omitempty"`      // Login and Issuer, and User unless anyone's
	Role       string `json:"role,omitempty"`        // Role: the ARN
	Service    string `json:"service,omitempty"`
	Key        string `json:"key,omitempty"`     // Key: its id in the key file
	Suspend    bool   `json:"suspend,omitempty"` // User: no login counts until the order is cleared

	At        time.Time `json:"at"`         // when it was given
	Before    time.Time `json:"before"`     // sessions issued then or earlier are hit
	NotBefore time.Time `json:"not_before"` // who logged in then or earlier gets no session
	Reason    string    `json:"reason"`
	By        string    `json:"by"`

	Token string `json:"token,omitempty"` // of a logout token: its id ("jti"), so that it counts once
	Event string `json:"event,omitempty"` // the event that tells of the order; empty: the sidecar writes one
}

// A Holder is who signs a request. Only one of Service and Issuer is there.
type Holder struct {
	ID         string // of the session; of a service key, the access key id
	Key        string // of the key file
	Service    string
	Issuer     string
	Subject    string
	Email      string
	IdPSession string
	Role       string
	Issued     time.Time
}

// A Claim is an ID token for which a session is wanted.
type Claim struct {
	Key        string // that would seal the session
	Issuer     string
	Subject    string
	Email      string
	IdPSession string
	Role       string
	AuthTime   time.Time // zero: the provider does not say
	Issued     time.Time // of the token
}

// concerns says whether the order is about the person, the role or the login,
// whenever it was.
func (o *Order) concerns(issuer, subject, email, idpSession, role string) bool {
	switch o.Scope {
	case Login:
		if o.Issuer != issuer {
			return false
		}
		if idpSession == "" { // then the subject is all there is to go by
			return o.Subject != "" && o.Subject == subject
		}
		return o.IdPSession == idpSession
	case User:
		return (o.Issuer == "" || o.Issuer == issuer) && (o.User == subject || email != "" && strings.EqualFold(o.User, email))
	case Role:
		return o.Role == role
	case Issuer:
		return o.Issuer == issuer
	}
	return o.Scope == All
}

// hits says whether the order ends what h holds.
func (o *Order) hits(h *Holder) bool {
	switch {
	case o.Scope == Session:
		return o.Session == h.ID
	case o.Scope == Key:
		return o.Key == h.Key
	case o.Scope == Service || h.Service != "":
		return o.Scope == Service && o.Service == h.Service
	}
	return (o.Suspend || !h.Issued.After(o.Before)) && o.concerns(h.Issuer, h.Subject, h.Email, h.IdPSession, h.Role)
}

// bars says whether the order keeps c from becoming a session.
func (o *Order) bars(c *Claim) bool {
	switch {
	case o.Scope == Session || o.Scope == Service:
		return false
	case o.Scope == Key:
		return o.Key == c.Key
	case !o.concerns(c.Issuer, c.Subject, c.Email, c.IdPSession, c.Role):
		return false
	case o.Suspend:
		return true
	}
	since := c.AuthTime
	if since.IsZero() {
		if o.Scope == Login && c.IdPSession != "" {
			return true // the session at the provider is over, whenever the token was made
		}
		since = c.Issued
	}
	return !since.After(o.NotBefore)
}

// lasts says whether the order can still hit anything at now. What a person
// orders keeps old logins out for as long as refresh tokens last, which nobody
// here knows, so it stays until it is cleared.
func (o *Order) lasts(now time.Time) bool {
	switch {
	case o.Scope == Login, o.Token != "", o.Scope == Session && !isServiceKey(o.Session):
		return now.Before(o.At.Add(longest))
	}
	return true
}

func isServiceKey(id string) bool { return strings.HasPrefix(id, "GS") && len(id) == 30 }

// What orders name, in the one spelling that it has.
var (
	sessionID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Za-z0-9_-]{22}|GS[A-Z2-7]{28})$`) })
	rootID    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{8}$`) })
)

// maxText bounds what an order names, in bytes.
const maxText = 1024

// MaxReason is the length of the longest reason, in bytes.
const MaxReason = 300

// Check says what is wrong with an order that is to be given.
func (o *Order) Check() error {
	named := map[Scope]string{
		Session: o.Session, Login: o.IdPSession, User: o.User, Role: o.Role, Service: o.Service, Key: o.Key, Issuer: o.Issuer, All: string(All),
	}
	name, known := named[o.Scope]
	switch {
	case !known:
		return fmt.Errorf("%q is nothing that can be revoked", o.Scope)
	case name == "":
		return fmt.Errorf("the order names no %s", o.Scope)
	case o.Scope == Session && !sessionID().MatchString(name):
		return fmt.Errorf("%q is not the id of a session, as events show it, nor the access key id of one or of a service key", name)
	case o.Scope == Key && !rootID().MatchString(name):
		return fmt.Errorf("%q is not the id of a key, 8 lower-case hexadecimal digits as in the key file", name)
	case o.Scope == Login && o.Issuer == "":
		return errors.New("the order names no issuer")
	case o.Suspend && o.Scope != User:
		return errors.New("only a person can be suspended")
	case o.Reason == "" || len(o.Reason) > MaxReason:
		return fmt.Errorf("a reason of 1 to %d bytes is wanted", MaxReason)
	case o.By == "" || o.At.IsZero() || o.Before.IsZero() || o.NotBefore.IsZero():
		return errors.New("the order does not say by whom and when")
	case o.Before.After(o.At):
		return errors.New("the order is about sessions of the future")
	}
	for _, s := range []string{o.ID, o.Session, o.IdPSession, o.Subject, o.User, o.Issuer, o.Role, o.Service, o.Reason, o.By, o.Token, o.Event} {
		if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("text %.64q is longer than %d bytes, or has control characters", s, maxText)
		}
	}
	return nil
}

// New completes an order that is given at now: its id, its times. With a Before
// that is set, sessions issued after it are spared. NotBefore, unless it is set,
// leaves room for a provider whose clock is ahead.
func New(o Order, now time.Time) Order {
	now = now.UTC().Truncate(time.Second)
	o.ID, o.At = newID(), now
	if o.Before.IsZero() {
		o.Before = now
	}
	if o.NotBefore.IsZero() {
		o.NotBefore = o.Before.Add(Skew)
	}
	o.Before, o.NotBefore = o.Before.UTC().Truncate(time.Second), o.NotBefore.UTC().Truncate(time.Second)
	return o
}
