package idtoken_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

func logoutClaims() object {
	return object{
		"iss": issuerURL, "aud": clientID, "iat": now.Unix() - 10, "exp": now.Unix() + 120, "jti": "bWJq", "sub": "248289761001", "sid": "8c1f",
		"events": object{"http://schemas.openid.net/event/backchannel-logout": object{}},
	}
}

func logoutHeader(typ any) object {
	h := object{"alg": "RS256", "kid": "rsa", "typ": typ}
	if typ == nil {
		delete(h, "typ")
	}
	return h
}

func TestVerifyLogout(t *testing.T) {
	p := newProvider().discover(t)
	verify := func(header, claims object) (*idtoken.Logout, error) {
		return p.VerifyLogout(t.Context(), token(header, claims, rs256), []string{clientID}, now)
	}
	for _, typ := range []any{"logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", nil} {
		got, err := verify(logoutHeader(typ), logoutClaims())
		if err != nil {
			t.Errorf("type %v: %v", typ, err)
			continue
		}
		if got.ID != "bWJq" || got.SessionID != "8c1f" || got.Subject != "248289761001" || got.Issuer != issuerURL || got.IssuedAt.Unix() != now.Unix()-10 {
			t.Errorf("%+v", got)
		}
	}
	for name, row := range map[string]struct {
		header, claims object
		code           idtoken.Code
	}{
		"type of an event":        {logoutHeader("secevent+jwt"), logoutClaims(), idtoken.Type},
		"type of an access token": {logoutHeader("at+jwt"), logoutClaims(), idtoken.Type},
		"type is no text":         {logoutHeader(1), logoutClaims(), idtoken.Type},
		"an ID token":             {logoutHeader("JWT"), claims(), idtoken.Type},
		"nonce":                   {logoutHeader(nil), with(logoutClaims(), "nonce", "n"), idtoken.Type},
		"nonce that is null":      {logoutHeader(nil), with(logoutClaims(), "nonce", ""), idtoken.Type},
		"events is null":          {logoutHeader(nil), with(logoutClaims(), "events", object{"x": nil}), idtoken.Type},
		"audience":                {logoutHeader(nil), with(logoutClaims(), "aud", "other"), idtoken.Audience},
		"two audiences":           {logoutHeader(nil), with(logoutClaims(), "aud", []string{clientID, "other"}), idtoken.Audience},
		"azp":                     {logoutHeader(nil), with(logoutClaims(), "azp", "other"), idtoken.Audience},
		"issuer":                  {logoutHeader(nil), with(logoutClaims(), "iss", issuerURL+"/"), idtoken.Issuer},
		"no iat":                  {logoutHeader(nil), with(logoutClaims(), "iat", nil), idtoken.Claims},
		"too old":                 {logoutHeader(nil), with(logoutClaims(), "iat", now.Add(-5*time.Minute-time.Second).Unix()), idtoken.Expired},
		"too early":               {logoutHeader(nil), with(logoutClaims(), "iat", now.Add(61*time.Second).Unix()), idtoken.NotYet},
		"expired":                 {logoutHeader(nil), with(logoutClaims(), "exp", now.Unix()), idtoken.Expired},
		"exp is no time":          {logoutHeader(nil), with(logoutClaims(), "exp", "soon"), idtoken.Claims},
		"jti is no text":          {logoutHeader(nil), with(logoutClaims(), "jti", 1), idtoken.Claims},
		"jti too long":            {logoutHeader(nil), with(logoutClaims(), "jti", strings.Repeat("j", 1025)), idtoken.Claims},
		"sid is no text":          {logoutHeader(nil), with(logoutClaims(), "sid", 1), idtoken.Claims},
		"sub too long":            {logoutHeader(nil), with(logoutClaims(), "sub", strings.Repeat("s", 256)), idtoken.Claims},
		"crit":                    {with(logoutHeader(nil), "crit", []string{"x"}), logoutClaims(), idtoken.Malformed},
		"none":                    {with(logoutHeader(nil), "alg", "none"), logoutClaims(), idtoken.Algorithm},
		"HS256":                   {with(logoutHeader(nil), "alg", "HS256"), logoutClaims(), idtoken.Algorithm},
	} {
		_, err := verify(row.header, row.claims)
		e, ok := errors.AsType[*idtoken.Error](err)
		if !ok || e.Code != row.code || strings.Contains(e.Detail, "ID token") {
			t.Errorf("%s: want %s, got %v", name, row.code, err)
		}
	}
	if _, err := p.Verify(t.Context(), token(logoutHeader(nil), logoutClaims(), rs256), idtoken.Expect{ClientIDs: []string{clientID}, Now: now}); err == nil {
		t.Error("a logout token passes for an ID token")
	}
	if _, err := p.VerifyLogout(t.Context(), token(logoutHeader(nil), logoutClaims(), func(string) []byte { return make([]byte, 256) }), []string{clientID}, now); err == nil {
		t.Error("a forged token is taken")
	}
}

func FuzzVerifyLogout(f *testing.F) {
	p := newProvider().discover(f)
	f.Add(token(logoutHeader("logout+jwt"), logoutClaims(), rs256))
	f.Add(token(logoutHeader(nil), with(logoutClaims(), "sid", nil), rs256))
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		_, _ = idtoken.UnverifiedLogoutIssuer(raw)
		got, err := p.VerifyLogout(t.Context(), raw, []string{clientID}, now)
		if err == nil && (got.ID == "" || got.SessionID == "" && got.Subject == "") {
			t.Errorf("%+v", got)
		}
	})
}
