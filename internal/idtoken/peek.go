package idtoken

import (
	"time"
)

// Peeked is what a token says, as far as it can be read. Nothing of it is
// verified: it is for messages to whoever holds the token.
type Peeked struct {
	Issuer          string
	Subject         string
	Audience        []string
	AuthorizedParty string    // "azp"
	IssuedAt        time.Time // zero: not said, or not a time
	Expires         time.Time // likewise
	Email           string

	// Overage says that the provider left the groups out because there are too
	// many, as Entra ID does above 200.
	Overage bool

	// Further are other claims that trust policies name, if they are there and
	// texts: "oaud", "repository", "environment" and their like.
	Further map[string]string
}

// peeked are the claims of Further. With those of CI systems go what AWS offers
// as condition keys.
var peeked = [...]string{
	"amr", "oaud", "hd", "tid", "actor", "actor_id", "environment", "job_workflow_ref", "ref", "repository", "repository_id",
	"repository_owner", "repository_owner_id", "repository_visibility", "workflow", "project_path", "namespace_path", "organization_slug", "pipeline_slug",
}

// Peek reads what raw says without verifying it. Errors are *Error with code
// Malformed or Type, and hold nothing of the token.
func Peek(raw string) (*Peeked, error) {
	t, err := parse(raw)
	if err != nil {
		return nil, err
	}
	p := &Peeked{Further: map[string]string{}}
	for name, to := range map[string]*string{"iss": &p.Issuer, "sub": &p.Subject, "azp": &p.AuthorizedParty, "email": &p.Email} {
		*to = t.claims.glimpse(name)
	}
	for _, name := range peeked {
		if s := t.claims.glimpse(name); s != "" {
			p.Further[name] = s
		}
	}
	if one := t.claims.glimpse("aud"); one != "" {
		p.Audience = []string{one}
	} else if list, err := t.claims.list("aud"); err == nil && all(list, maxText) {
		p.Audience = list
	}
	// What is not a time stays zero.
	p.IssuedAt, _ = t.claims.time("iat")
	p.Expires, _ = t.claims.time("exp")
	left, err := t.leftOut("groups")
	p.Overage = left || err != nil
	return p, nil
}

// glimpse is a claim if it is a short text, and else empty.
func (m members) glimpse(name string) string {
	s, ok := m[name].(string)
	if !ok || !fits(s, maxText) {
		return ""
	}
	return s
}
