// Package idtoken verifies ID tokens of OpenID Connect providers, strictly. The
// client and the sidecar both stand on it.
//
// It accepts less than the standards permit and less than libraries do: compact
// serialisation alone, asymmetric algorithms alone, every limit set. JSON Web
// Signatures themselves are checked by go-jose.
package idtoken

import (
	"fmt"
	"time"
)

// A Token is what an ID token says, once everything about it is verified.
// Issuer and Subject together are the identity; no other claim identifies.
type Token struct {
	Issuer        string
	Subject       string
	Email         string // empty when there is none
	EmailVerified bool   // the provider says so, with the boolean true; Entra says so with xms_edov besides
	Name          string
	Groups        []string // as the provider names them; nil when it names none
	ClientID      string   // the one of Expect.ClientIDs that it is for
	IssuedAt      time.Time
	Expires       time.Time
	AuthTime      time.Time // zero: not given
	AMR           []string  // how the person proved who they are (RFC 8176)
	ACR           string
	SessionID     string // "sid", the provider's session
}

// Expect is what a token must be. With the zero value no token is accepted,
// because it names no client.
type Expect struct {
	ClientIDs   []string            // it is for one of these
	Nonce       string              // empty: not compared
	AccessToken string              // compared with at_hash when both are there
	Code        string              // compared with c_hash when both are there
	GroupsClaim string              // the member that lists groups; empty: "groups"
	Require     map[string][]string // claims that must be there, with one of these values; nil: none
	ClaimGroups []string            // claims of which groups are made, such as repository=acme/lake, and which then alone make groups
	Algorithms  []string            // nil: RS256, PS256, ES256 with their 384 and 512 forms, and EdDSA
	Now         time.Time           // zero: the clock's
	MaxAge      time.Duration       // how long ago it may have been issued; 0: 24 hours

	// IgnoreGroups leaves the groups out of the judgement and of the Token: for
	// a client, to which it is all one whether the provider names them all.
	IgnoreGroups bool
}

// A Code says which check a token failed.
type Code string

const (
	Malformed     Code = "Malformed"     // not a signed token in compact form, or not within the limits
	Algorithm     Code = "Algorithm"     // not an algorithm that is accepted
	Signature     Code = "Signature"     // not signed by a key of the provider
	Issuer        Code = "Issuer"        // of another provider
	Audience      Code = "Audience"      // for another client
	Expired       Code = "Expired"       // too late, or issued too long ago
	NotYet        Code = "NotYet"        // too early
	Nonce         Code = "Nonce"         // of another login
	Type          Code = "Type"          // another kind of token
	Claims        Code = "Claims"        // a claim is missing or not as it should be
	Requirement   Code = "Requirement"   // a claim is not what Expect.Require wants of it
	Overage       Code = "Overage"       // the provider left the groups out because there are too many
	Communication Code = "Communication" // the provider cannot be reached, or answers wrongly
)

// An Error says why a token is refused or a provider cannot be used.
type Error struct {
	Code   Code
	Detail string // for people; never holds a token
}

func (e *Error) Error() string { return e.Detail }

func fault(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// UnverifiedIssuer returns the issuer that raw names, for choosing the provider
// that verifies it. Nothing but the form of raw has been checked. Errors are
// *Error with code Malformed or Claims.
func UnverifiedIssuer(raw string) (string, error) {
	t, err := parse(raw)
	if err != nil {
		return "", err
	}
	return t.claims.text("iss")
}
