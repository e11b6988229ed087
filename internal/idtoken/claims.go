package idtoken

import (
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"
)

const (
	skew       = 60 * time.Second // by which clocks may differ
	defaultAge = 24 * time.Hour
	lastSecond = 253402300799 // the end of the year 9999
	maxSubject = 255          // bytes; OpenID Connect Core, section 2
	maxText    = 1024         // bytes
	maxGroups  = 1000
	maxGroup   = 256 // bytes
	maxAMR     = 32
)

// token judges the claims of a token whose signature is verified.
func (t *parsed) token(issuer string, e Expect) (*Token, error) {
	now := e.Now
	if now.IsZero() {
		now = time.Now()
	}
	got := &Token{Issuer: issuer}
	for _, check := range []func() error{
		t.isIDToken,
		func() error { return t.tenant(issuer) },
		func() error { return t.audience(e.ClientIDs, got) },
		func() error { return t.times(now, e.MaxAge, got) },
		func() error { return t.bindings(e) },
		func() error { return t.identity(got) },
		func() error { return t.authentication(now, got) },
		func() error { return t.anyGroups(e, got) },
		func() error { return t.meets(e.Require) },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// issuer holds iss against the provider's, byte for byte.
func (t *parsed) issuer(want string) error {
	got, err := t.claims.text("iss")
	if err != nil {
		return err
	}
	if got != want {
		return fault(Issuer, "the ID token is of issuer %.256q and not of %q", got, want)
	}
	return nil
}

// audience: the token is for one of ours. If it is for several, all are ours,
// and azp says which of them asked for it. OpenID Connect Core, section 3.1.3.7.
func (t *parsed) audience(ours []string, got *Token) error {
	list, err := t.claims.list("aud")
	if one, ok := t.claims["aud"].(string); ok {
		list, err = []string{one}, nil
	}
	if err != nil || len(list) == 0 {
		return fault(Claims, "the ID token names no audience")
	}
	for _, aud := range list {
		if !slices.Contains(ours, aud) {
			return fault(Audience, "the ID token is for client %.256q and not for %q", aud, ours)
		}
	}
	got.ClientID = list[0]
	azp, err := t.claims.optional("azp")
	if err != nil {
		return err
	}
	if _, there := t.claims["azp"]; there {
		if !slices.Contains(ours, azp) {
			return fault(Audience, "the ID token was issued to client %.256q and not to %q", azp, ours)
		}
		if len(list) > 1 {
			got.ClientID = azp
		}
	} else if len(list) > 1 {
		return fault(Audience, "the ID token is for %d clients and does not say to which it was issued", len(list))
	}
	return nil
}

// times: not expired, not issued too long ago, and not of the future.
func (t *parsed) times(now time.Time, age time.Duration, got *Token) error {
	if age == 0 {
		age = defaultAge
	}
	var err error
	if got.Expires, err = t.claims.time("exp"); err != nil {
		return err
	}
	if got.IssuedAt, err = t.claims.time("iat"); err != nil {
		return err
	}
	from := got.IssuedAt
	if _, there := t.claims["nbf"]; there {
		if from, err = t.claims.time("nbf"); err != nil {
			return err
		}
	}
	latest := now.Add(skew)
	switch {
	case !got.Expires.After(now):
		return fault(Expired, "the ID token expired at %s", stamp(got.Expires))
	case got.IssuedAt.Before(now.Add(-age)):
		return fault(Expired, "the ID token was issued at %s, longer ago than %s", stamp(got.IssuedAt), age)
	case got.IssuedAt.After(latest):
		return fault(NotYet, "the ID token is issued at %s, which is in the future; is the clock of this machine right?", stamp(got.IssuedAt))
	case from.After(latest):
		return fault(NotYet, "the ID token is not valid before %s; is the clock of this machine right?", stamp(from))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// bindings tie the token to a login: its nonce, its code, its access token.
func (t *parsed) bindings(e Expect) error {
	if e.Nonce != "" {
		nonce, ok := t.claims["nonce"].(string)
		if !ok || subtle.ConstantTimeCompare([]byte(nonce), []byte(e.Nonce)) != 1 {
			return fault(Nonce, "the ID token is not of this login: its nonce is another")
		}
	}
	for _, b := range []struct{ name, of string }{{"at_hash", e.AccessToken}, {"c_hash", e.Code}} {
		if _, there := t.claims[b.name]; !there || b.of == "" {
			continue
		}
		hash, ok := t.claims[b.name].(string)
		if !ok || subtle.ConstantTimeCompare([]byte(hash), []byte(halfHash(t.algorithm, b.of))) != 1 {
			return fault(Claims, "the ID token does not belong to what came with it: %s is another", b.name)
		}
	}
	return nil
}

// halfHash is the left half of a hash that goes with the algorithm. OpenID
// Connect Core, section 3.1.3.6; Ed25519 goes with SHA-512.
func halfHash(algorithm jose.SignatureAlgorithm, of string) string {
	var sum []byte
	switch {
	case strings.HasSuffix(string(algorithm), "256"):
		h := sha256.Sum256([]byte(of))
		sum = h[:]
	case strings.HasSuffix(string(algorithm), "384"):
		h := sha512.Sum384([]byte(of))
		sum = h[:]
	default:
		h := sha512.Sum512([]byte(of))
		sum = h[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// identity reads who it is.
func (t *parsed) identity(got *Token) error {
	var err error
	if got.Subject, err = t.claims.text("sub"); err != nil {
		return err
	}
	if !fits(got.Subject, maxSubject) {
		return fault(Claims, "claim sub has more than %d bytes or characters that no identifier has", maxSubject)
	}
	if got.Email, err = t.claims.optional("email"); err != nil {
		return err
	}
	if got.Name, err = t.claims.optional("name"); err != nil {
		return err
	}
	if got.SessionID, err = t.claims.optional("sid"); err != nil {
		return err
	}
	verified, _ := t.claims["email_verified"].(bool)
	got.EmailVerified = verified && got.Email != "" && (!isEntra(got.Issuer) || t.domainVerified())
	return nil
}

// authentication reads how and when the person proved who they are.
func (t *parsed) authentication(now time.Time, got *Token) error {
	var err error
	if got.ACR, err = t.claims.optional("acr"); err != nil {
		return err
	}
	if _, there := t.claims["amr"]; there {
		if got.AMR, err = t.claims.list("amr"); err != nil {
			return err
		}
		if len(got.AMR) > maxAMR || !all(got.AMR, maxGroup) {
			return fault(Claims, "claim amr is not a list of at most %d short texts", maxAMR)
		}
	}
	if _, there := t.claims["auth_time"]; there {
		if got.AuthTime, err = t.claims.time("auth_time"); err != nil {
			return err
		}
		if got.AuthTime.After(now.Add(skew)) {
			return fault(NotYet, "the ID token is of a login at %s, which is in the future; is the clock of this machine right?", stamp(got.AuthTime))
		}
	}
	return nil
}

func (t *parsed) anyGroups(e Expect, got *Token) error {
	if e.IgnoreGroups {
		return nil
	}
	if len(e.ClaimGroups) > 0 { // not both: a listed group could be named like one that is made
		return t.claimGroups(e.ClaimGroups, got)
	}
	return t.groups(e.GroupsClaim, got)
}

// groups reads the member that lists groups, which is a plain member name also
// when dots and slashes are in it. Entra leaves the groups out when there are
// more than 200, and points to where they can be asked for; a person without
// their groups would be taken for someone else, so that is refused.
func (t *parsed) groups(name string, got *Token) error {
	name = cmp.Or(name, "groups")
	if left, err := t.leftOut(name); err != nil {
		return err
	} else if left {
		return fault(Overage, "the provider left the groups (claim %s) out of the ID token, because there are too many; have it send only the groups that are assigned to this application, or application roles", name)
	}
	if _, there := t.claims[name]; !there {
		return nil
	}
	list, err := t.claims.list(name)
	if err != nil {
		return err
	}
	if len(list) > maxGroups || !all(list, maxGroup) {
		return fault(Claims, "claim %s is not a list of at most %d texts of 1 to %d bytes", name, maxGroups, maxGroup)
	}
	got.Groups = list
	return nil
}

func (t *parsed) leftOut(name string) (bool, error) {
	if has, there := t.claims["hasgroups"]; there && has != false && name == "groups" {
		return true, nil
	}
	if _, there := t.claims["_claim_names"]; !there {
		return false, nil
	}
	names, ok := t.claims["_claim_names"].(map[string]any)
	if !ok {
		return false, fault(Claims, "claim _claim_names is not an object")
	}
	_, left := names[name]
	return left, nil
}

// text is a claim that must be there and not be empty.
func (m members) text(name string) (string, error) {
	s, ok := m[name].(string)
	if !ok || s == "" {
		return "", fault(Claims, "the ID token has no claim %s, or it is not a text", name)
	}
	return s, nil
}

// optional is a claim that is a short text, or absent.
func (m members) optional(name string) (string, error) {
	v, there := m[name]
	s, ok := v.(string)
	if there && (!ok || s != "" && !fits(s, maxText)) {
		return "", fault(Claims, "claim %s is not a text of at most %d bytes without control characters", name, maxText)
	}
	return s, nil
}

func (m members) list(name string) ([]string, error) {
	values, ok := m[name].([]any)
	list := make([]string, len(values))
	for i, v := range values {
		var text bool
		list[i], text = v.(string)
		ok = ok && text
	}
	if !ok {
		return nil, fault(Claims, "claim %s is not a list of texts", name)
	}
	return list, nil
}

// time is a claim in seconds of Unix time. Fractions are cut off.
func (m members) time(name string) (time.Time, error) {
	n, ok := m[name].(float64)
	if !ok || n < 1 || n > lastSecond {
		return time.Time{}, fault(Claims, "the ID token has no claim %s, or it is not a time", name)
	}
	return time.Unix(int64(n), 0).UTC(), nil
}

// fits says whether s is 1 to most bytes without control characters, and
// without the character that stands for what could not be decoded.
func fits(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

func all(list []string, most int) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !fits(s, most) })
}
