package idtoken_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

// change is a claims object with one member changed, or without it.
func change(name string, value any) object { return with(claims(), name, value) }

func both(m object, name string, value any) object { return with(m, name, value) }

// verify verifies a token of those claims.
func verify(t *testing.T, c any, e idtoken.Expect) (*idtoken.Token, string, error) {
	t.Helper()
	raw := token(object{"alg": "RS256", "kid": "rsa"}, c, rs256)
	got, err := newProvider().discover(t).Verify(t.Context(), raw, e)
	return got, raw, err
}

func TestClaims(t *testing.T) {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, row := range []struct {
		name   string
		claims object
		code   idtoken.Code // empty: accepted
	}{
		// J8: the issuer, byte for byte.
		{"issuer missing", change("iss", nil), idtoken.Claims},
		{"issuer a list", change("iss", []string{issuerURL}), idtoken.Claims},
		{"issuer with a slash", change("iss", issuerURL+"/"), idtoken.Issuer},
		{"issuer in upper case", change("iss", strings.ToUpper(issuerURL)), idtoken.Issuer},
		{"another issuer", change("iss", "https://evil.example"), idtoken.Issuer},
		{"another tenant", change("iss", "https://login.microsoftonline.com/common/v2.0"), idtoken.Issuer},

		// J9: the audience.
		{"audience missing", change("aud", nil), idtoken.Claims},
		{"audience empty", change("aud", ""), idtoken.Audience},
		{"audience an empty list", change("aud", []string{}), idtoken.Claims},
		{"audience a number", change("aud", 1), idtoken.Claims},
		{"audience of mixed types", change("aud", []any{clientID, 1}), idtoken.Claims},
		{"audience a list of ours", change("aud", []string{clientID}), ""},
		{"audience another", change("aud", "other"), idtoken.Audience},
		{"audience in upper case", change("aud", "GIMME"), idtoken.Audience},
		{"audience ours and another", change("aud", []string{clientID, "other"}), idtoken.Audience},
		{"audience ours and another, azp ours", both(change("aud", []string{clientID, "other"}), "azp", clientID), idtoken.Audience},
		{"azp ours", change("azp", clientID), ""},
		{"azp another", change("azp", "other"), idtoken.Audience},
		{"azp empty", change("azp", ""), idtoken.Audience},
		{"azp a list", change("azp", []string{clientID}), idtoken.Claims},

		// J10: the times.
		{"exp missing", change("exp", nil), idtoken.Claims},
		{"exp a text", change("exp", "1772446200"), idtoken.Claims},
		{"exp negative", change("exp", -1), idtoken.Claims},
		{"exp beyond 9999", change("exp", 1e15), idtoken.Claims},
		{"exp now", change("exp", at(0)), idtoken.Expired},
		{"exp in a second", change("exp", at(time.Second)), ""},
		{"exp with a fraction", change("exp", float64(at(time.Hour))+0.5), ""},
		{"expired", change("exp", at(-time.Second)), idtoken.Expired},
		{"iat missing", change("iat", nil), idtoken.Claims},
		{"iat null", func() object { c := claims(); c["iat"] = (*int)(nil); return c }(), idtoken.Claims},
		{"iat a minute ahead", change("iat", at(60*time.Second)), ""},
		{"iat more than a minute ahead", change("iat", at(61*time.Second)), idtoken.NotYet},
		{"iat a day ago", change("iat", at(-24*time.Hour)), ""},
		{"iat more than a day ago", change("iat", at(-24*time.Hour-time.Second)), idtoken.Expired},
		{"nbf a minute ahead", change("nbf", at(60*time.Second)), ""},
		{"nbf more than a minute ahead", change("nbf", at(61*time.Second)), idtoken.NotYet},
		{"nbf a text", change("nbf", "0"), idtoken.Claims},

		// J11: the login.
		{"nonce missing", change("nonce", nil), idtoken.Nonce},
		{"nonce another", change("nonce", "n-0S6_WzA2Mk"), idtoken.Nonce},
		{"nonce longer", change("nonce", "n-0S6_WzA2Mj."), idtoken.Nonce},
		{"nonce a list", change("nonce", []string{"n-0S6_WzA2Mj"}), idtoken.Nonce},

		// J12: the login's time.
		{"auth_time missing", change("auth_time", nil), ""},
		{"auth_time a text", change("auth_time", "x"), idtoken.Claims},
		{"auth_time in the future", change("auth_time", at(2*time.Minute)), idtoken.NotYet},

		// J13: the subject.
		{"sub missing", change("sub", nil), idtoken.Claims},
		{"sub empty", change("sub", ""), idtoken.Claims},
		{"sub a number", change("sub", 7), idtoken.Claims},
		{"sub of 255 bytes", change("sub", strings.Repeat("s", 255)), ""},
		{"sub of 256 bytes", change("sub", strings.Repeat("s", 256)), idtoken.Claims},
		{"sub of 254 bytes and a letter of two", change("sub", strings.Repeat("s", 254)+"é"), idtoken.Claims},
		{"sub with a line end", change("sub", "a\nb"), idtoken.Claims},
		{"sub with NUL", change("sub", "a\x00"), idtoken.Claims},
		{"sub with a C1 control", change("sub", "a\u0085"), idtoken.Claims},
		{"sub with what could not be decoded", change("sub", "a\ufffd"), idtoken.Claims},
		{"sub of auth0", change("sub", "auth0|5f7c8ec7c33c6c004bbafe82"), ""},

		// J14: the groups.
		{"groups a text", change("groups", "admin"), idtoken.Claims},
		{"groups null", func() object { c := claims(); c["groups"] = (*int)(nil); return c }(), idtoken.Claims},
		{"groups an object", change("groups", object{"admin": true}), idtoken.Claims},
		{"groups with a number", change("groups", []any{"a", 1}), idtoken.Claims},
		{"groups with a list", change("groups", []any{"a", []any{"b"}}), idtoken.Claims},
		{"groups with an empty name", change("groups", []string{"a", ""}), idtoken.Claims},
		{"groups with a line end", change("groups", []string{"a\nb"}), idtoken.Claims},
		{"groups with 256 bytes", change("groups", []string{strings.Repeat("g", 256)}), ""},
		{"groups with 257 bytes", change("groups", []string{strings.Repeat("g", 257)}), idtoken.Claims},
		{"1000 groups", change("groups", slices.Repeat([]string{"g"}, 1000)), ""},
		{"1001 groups", change("groups", slices.Repeat([]string{"g"}, 1001)), idtoken.Claims},

		// J15: groups that were left out.
		{"hasgroups", both(change("groups", nil), "hasgroups", true), idtoken.Overage},
		{"hasgroups as a text", both(change("groups", nil), "hasgroups", "true"), idtoken.Overage},
		{"hasgroups beside groups", change("hasgroups", true), idtoken.Overage},
		{"hasgroups false", change("hasgroups", false), ""},
		{"groups elsewhere", both(both(change("groups", nil), "_claim_names", object{"groups": "src1"}), "_claim_sources", object{"src1": object{"endpoint": "https://graph.example"}}), idtoken.Overage},
		{"groups elsewhere, without source", change("_claim_names", object{"groups": "src1"}), idtoken.Overage},
		{"something else elsewhere", change("_claim_names", object{"address": "src1"}), ""},
		{"_claim_names a text", change("_claim_names", "groups"), idtoken.Claims},

		// What is for people to read.
		{"email a list", change("email", []string{"a@b"}), idtoken.Claims},
		{"email with a line end", change("email", "a@b\r\n"), idtoken.Claims},
		{"name too long", change("name", strings.Repeat("n", 1025)), idtoken.Claims},
		{"name with an escape sequence", change("name", "\x1b[2J"), idtoken.Claims},
		{"name empty", change("name", ""), ""},
		{"sid a number", change("sid", 1), idtoken.Claims},
		{"acr a number", change("acr", 1), idtoken.Claims},
		{"amr a text", change("amr", "pwd"), idtoken.Claims},
		{"amr of numbers", change("amr", []int{1}), idtoken.Claims},
		{"33 amr", change("amr", slices.Repeat([]string{"a"}, 33)), idtoken.Claims},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, raw, err := verify(t, row.claims, expect())
			if row.code != "" {
				refused(t, got, err, row.code, raw)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAudienceOfSeveralClients(t *testing.T) {
	e := expect()
	e.ClientIDs = []string{"gimme", "gimme-ci"}
	for _, row := range []struct {
		name     string
		aud, azp any
		client   string
		code     idtoken.Code
	}{
		{"first", "gimme", nil, "gimme", ""},
		{"second", "gimme-ci", nil, "gimme-ci", ""},
		{"both, issued to the second", []string{"gimme", "gimme-ci"}, "gimme-ci", "gimme-ci", ""},
		{"both, not said to whom", []string{"gimme", "gimme-ci"}, nil, "", idtoken.Audience},
		{"both, issued to another", []string{"gimme", "gimme-ci"}, "other", "", idtoken.Audience},
		{"both and another", []string{"gimme", "gimme-ci", "other"}, "gimme", "", idtoken.Audience},
		{"twice the same, not said to whom", []string{"gimme", "gimme"}, nil, "", idtoken.Audience},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, raw, err := verify(t, both(change("aud", row.aud), "azp", row.azp), e)
			if row.code != "" {
				refused(t, got, err, row.code, raw)
			} else if err != nil || got.ClientID != row.client {
				t.Errorf("got %v, %v; want client %s", got, err, row.client)
			}
		})
	}
	e.ClientIDs = nil
	got, raw, err := verify(t, claims(), e)
	refused(t, got, err, idtoken.Audience, raw)
}

// J16: an address counts as verified only when the provider says so with the
// boolean true.
func TestEmailVerified(t *testing.T) {
	for name, row := range map[string]struct {
		claims object
		want   bool
	}{
		"true":             {claims(), true},
		"false":            {change("email_verified", false), false},
		"absent":           {change("email_verified", nil), false},
		"text":             {change("email_verified", "true"), false},
		"number":           {change("email_verified", 1), false},
		"list":             {change("email_verified", []bool{true}), false},
		"without address":  {change("email", nil), false},
		"of empty address": {change("email", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := verify(t, row.claims, expect())
			if err != nil || got.EmailVerified != row.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestGroupsClaim(t *testing.T) {
	const namespaced = "https://gimme.example/groups.v1"
	e := expect()
	e.GroupsClaim = namespaced
	for name, row := range map[string]struct {
		claims object
		want   []string
		code   idtoken.Code
	}{
		"namespaced":       {change(namespaced, []string{"a", "b"}), []string{"a", "b"}, ""},
		"absent":           {claims(), nil, ""},
		"empty":            {change(namespaced, []string{}), []string{}, ""},
		"is no path":       {change("https://gimme", object{"example/groups": object{"v1": []string{"a"}}}), nil, ""},
		"elsewhere":        {change("_claim_names", object{namespaced: "src1"}), nil, idtoken.Overage},
		"others elsewhere": {both(change("_claim_names", object{"groups": "src1"}), "hasgroups", true), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, raw, err := verify(t, row.claims, e)
			if row.code != "" {
				refused(t, got, err, row.code, raw)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got.Groups); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever ignores the groups sees none, and everything else is judged all the
// same.
func TestGroupsThatAreIgnored(t *testing.T) {
	e := expect()
	e.IgnoreGroups, e.ClaimGroups = true, []string{"repository"}
	for name, c := range map[string]object{
		"there":     claims(),
		"left out":  both(change("groups", nil), "hasgroups", true),
		"elsewhere": change("_claim_names", object{"groups": "src1"}),
		"a text":    change("groups", "admin"),
	} {
		got, _, err := verify(t, c, e)
		if err != nil || got.Groups != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	got, raw, err := verify(t, both(change("hasgroups", true), "nonce", "x"), e)
	refused(t, got, err, idtoken.Nonce, raw)
}

func TestHashes(t *testing.T) {
	const code, access = "SplxlOBeZQQYbYS6WxSbIA", "SlAV32hkKG"
	half := func(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]) }
	s256 := func(of string) string { h := sha256.Sum256([]byte(of)); return half(h[:]) }
	s512 := func(of string) string { h := sha512.Sum512([]byte(of)); return half(h[:]) }
	e := expect()
	e.Code, e.AccessToken = code, access
	for _, row := range []struct {
		name, alg, kid string
		sign           func(string) []byte
		claims         object
		code           idtoken.Code
	}{
		{"absent", "RS256", "rsa", rs256, claims(), ""},
		{"right", "RS256", "rsa", rs256, both(change("at_hash", s256(access)), "c_hash", s256(code)), ""},
		{"right, with SHA-512", "EdDSA", "ed", signEd, both(change("at_hash", s512(access)), "c_hash", s512(code)), ""},
		{"of another algorithm", "EdDSA", "ed", signEd, change("at_hash", s256(access)), idtoken.Claims},
		{"another access token", "RS256", "rsa", rs256, change("at_hash", s256("other")), idtoken.Claims},
		{"another code", "RS256", "rsa", rs256, change("c_hash", s256("other")), idtoken.Claims},
		{"at_hash empty", "RS256", "rsa", rs256, change("at_hash", ""), idtoken.Claims},
		{"c_hash a number", "RS256", "rsa", rs256, change("c_hash", 1), idtoken.Claims},
		{"at_hash the whole hash", "RS256", "rsa", rs256, change("at_hash", fmt.Sprintf("%x", sha256.Sum256([]byte(access)))), idtoken.Claims},
	} {
		t.Run(row.name, func(t *testing.T) {
			raw := token(object{"alg": row.alg, "kid": row.kid}, row.claims, row.sign)
			got, err := newProvider().discover(t).Verify(t.Context(), raw, e)
			if row.code != "" {
				refused(t, got, err, row.code, raw)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	// The example of OpenID Connect Core, appendix A.3.
	const example = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
	e.AccessToken = example
	if _, _, err := verify(t, change("at_hash", "77QmUPtjPfzWtF2AnpK9RQ"), e); err != nil {
		t.Errorf("the example of the specification: %v", err)
	}
	// Without the access token the hash is not compared.
	if _, _, err := verify(t, change("at_hash", "x"), expect()); err != nil {
		t.Error(err)
	}
}

func TestExpectDefaults(t *testing.T) {
	e := idtoken.Expect{ClientIDs: []string{clientID}}
	got, raw, err := verify(t, claims(), e) // by the clock of this machine, the token is of another time
	if err == nil {
		t.Error("a token of 2026-03-02 is accepted at any time")
	} else if code := err.(*idtoken.Error).Code; code != idtoken.Expired && code != idtoken.NotYet {
		refused(t, got, err, idtoken.Expired, raw)
	}
	clock := time.Now().Unix()
	if _, _, err := verify(t, both(both(change("iat", clock), "exp", clock+60), "auth_time", nil), e); err != nil {
		t.Errorf("a token of now: %v", err)
	}
	e = expect()
	e.MaxAge = time.Hour
	got, raw, err = verify(t, change("iat", now.Add(-time.Hour-time.Second).Unix()), e)
	refused(t, got, err, idtoken.Expired, raw)
	if _, _, err := verify(t, change("iat", now.Add(-time.Hour).Unix()), e); err != nil {
		t.Error(err)
	}
}

func TestUnverifiedIssuer(t *testing.T) {
	for name, row := range map[string]struct {
		claims object
		want   string
		code   idtoken.Code
	}{
		"there":   {claims(), issuerURL, ""},
		"another": {change("iss", "https://other.example"), "https://other.example", ""},
		"missing": {change("iss", nil), "", idtoken.Claims},
		"empty":   {change("iss", ""), "", idtoken.Claims},
		"number":  {change("iss", 1), "", idtoken.Claims},
	} {
		t.Run(name, func(t *testing.T) {
			raw := token(object{"alg": "RS256"}, row.claims, unsigned)
			got, err := idtoken.UnverifiedIssuer(raw)
			if got != row.want {
				t.Errorf("got %q", got)
			}
			if row.code != "" {
				refused(t, nil, err, row.code, raw)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
