// Package session seals and opens the credentials that the sidecar issues:
// shaped like AWS's, meaningful to the sidecar alone, and opened by any replica
// that has the same key file. There is no database of sessions.
//
// The format, its derivations and the key file are specified in
// docs/session.md, with test vectors in testdata/vectors.json.
package session

import (
	"errors"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// MaxToken is the length of the longest session token, in characters.
const MaxToken = 4096

// ErrInvalid says that a token is not one that this keyring sealed for that
// access key id. It does not say why: a wrong key, deployment, version, access
// key id or length, and every change to a token, look the same.
var ErrInvalid = errors.New("the session token is not valid")

// A Principal is who a session speaks for. Issuer and Subject together are the
// identity; Email and Name are for people to read.
type Principal struct {
	Issuer       string
	Subject      string
	Email        string
	Name         string
	EmailDecides bool // Email is verified, and policies may go by it
}

// Claims is what a session says. Times are kept in whole seconds.
type Claims struct {
	ID         [16]byte // names the session; the zero value means that none is given yet
	Principal  Principal
	Groups     []string // nil and empty are the same
	Role       string   // ARN
	Issued     time.Time
	Expires    time.Time
	AuthTime   time.Time // when the person last proved who they are; zero: unknown
	AMR        []string  // how, as the provider says (RFC 8176)
	ACR        string
	Method     string // how the ID token was obtained
	IdPSession string // the provider's own session id ("sid")
	Name       string // what the client called the session (RoleSessionName); nobody has verified it. Empty: it has none

	// Upstream are the credentials that go upstream in this session, where each
	// session has its own; nil: the sidecar obtains some when it needs them.
	Upstream *UpstreamCredentials
}

// UpstreamCredentials are those of an assumed role. None of the three is empty.
// They must not expire before the session does.
type UpstreamCredentials struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text
}

// Credentials are what a client signs with.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text
	Expires         time.Time
	ID              string // the session's id, base64url without padding
}

// A Session is an opened token: what it claims, and the key with which its
// holder signs. Whether it has expired is a question of its own.
type Session struct {
	Claims
	Key             string // the id of the key of the key file that sealed it, 8 hexadecimal digits
	SecretAccessKey secret.Text
}

// Expired says whether the session is over at now. The moment of expiry itself
// is over.
func (s *Session) Expired(now time.Time) bool { return !now.Before(s.Expires) }
