package idtoken_test

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

func TestVerify(t *testing.T) {
	p := newProvider().discover(t)
	want := &idtoken.Token{
		Issuer: issuerURL, Subject: "248289761001", Email: "alice@example.com", EmailVerified: true, Name: "Alice Ærø",
		Groups: []string{"data-engineering", "staff"}, ClientID: clientID,
		IssuedAt: now.Add(-10 * time.Second), Expires: now.Add(time.Hour), AuthTime: now.Add(-20 * time.Second),
		AMR: []string{"pwd", "otp"}, ACR: "mfa", SessionID: "8c1f",
	}
	for _, row := range []struct {
		alg, kid string
		sign     func(string) []byte
	}{
		{"RS256", "rsa", rs256},
		{"RS384", "rsa", signRSA(rsaKey(), crypto.SHA384, false)},
		{"RS512", "rsa", signRSA(rsaKey(), crypto.SHA512, false)},
		{"PS256", "rsa", signRSA(rsaKey(), crypto.SHA256, true)},
		{"PS512", "rsa", signRSA(rsaKey(), crypto.SHA512, true)},
		{"ES256", "p256", signEC(p256(), crypto.SHA256)},
		{"ES384", "p384", signEC(p384(), crypto.SHA384)},
		{"EdDSA", "ed", signEd},
	} {
		t.Run(row.alg, func(t *testing.T) {
			raw := token(object{"alg": row.alg, "kid": row.kid, "typ": "JWT"}, claims(), row.sign)
			got, err := p.Verify(t.Context(), raw, expect())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if iss, err := idtoken.UnverifiedIssuer(raw); iss != issuerURL || err != nil {
				t.Errorf("UnverifiedIssuer = %q, %v", iss, err)
			}
		})
	}
}

// The form (J1, J2): nothing but three strict segments of JSON.
func TestForm(t *testing.T) {
	good := token(object{"alg": "RS256", "kid": "rsa"}, claims(), rs256)
	parts := strings.Split(good, ".")
	header := object{"alg": "RS256", "kid": "rsa"}
	nested := strings.Repeat(`{"a":`, 7) + "1" + strings.Repeat("}", 7)
	for name, raw := range map[string]string{
		"empty":                 "",
		"no segments":           "token",
		"two segments":          parts[0] + "." + parts[1],
		"four segments":         good + ".x",
		"five segments (JWE)":   good + ".x.x",
		"space before":          " " + good,
		"line end after":        good + "\n",
		"line end inside":       good[:30] + "\n" + good[30:],
		"padding":               parts[0] + "=." + parts[1] + "." + parts[2],
		"standard alphabet":     parts[0] + "." + parts[1] + ".+/" + parts[2],
		"spare bits":            parts[0] + "." + parts[1] + ".QR",
		"empty header":          "." + parts[1] + "." + parts[2],
		"empty claims":          parts[0] + ".." + parts[2],
		"JSON serialisation":    fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]),
		"general JSON":          fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, parts[1], parts[0], parts[2]),
		"too long":              token(header, with(claims(), "x", strings.Repeat("x", 20000)), rs256),
		"header no JSON":        token("header", claims(), rs256),
		"header a list":         token("[]", claims(), rs256),
		"header null":           token("null", claims(), rs256),
		"header and more":       token(`{"alg":"RS256"} {}`, claims(), rs256),
		"claims a text":         token(header, `"claims"`, rs256),
		"claims cut":            token(header, `{"iss":`, rs256),
		"claims not UTF-8":      token(header, "{\"iss\":\"\xff\"}", rs256),
		"number too large":      token(header, `{"exp":1e999}`, rs256),
		"duplicate sub":         token(header, `{"sub":"a","sub":"b"}`, rs256),
		"duplicate by escape":   token(header, `{"sub":"a","s\u0075b":"b"}`, rs256),
		"duplicate inside":      token(header, `{"x":[{"a":1,"a":2}]}`, rs256),
		"duplicate alg":         token(`{"alg":"none","alg":"RS256"}`, claims(), rs256),
		"nested too deeply":     token(header, `{"x":{"y":`+nested+`}}`, rs256),
		"nested far too deeply": token(header, strings.Repeat("[", 7000), rs256),
		"no algorithm":          token(object{"kid": "rsa"}, claims(), rs256),
		"algorithm a number":    token(object{"alg": 256}, claims(), rs256),
		"kid a number":          token(object{"alg": "RS256", "kid": 1}, claims(), rs256),
		"kid too long":          token(object{"alg": "RS256", "kid": strings.Repeat("k", 257)}, claims(), rs256),
		"crit":                  token(object{"alg": "RS256", "kid": "rsa", "crit": []string{"exp"}}, claims(), rs256),
		"empty crit":            token(object{"alg": "RS256", "kid": "rsa", "crit": []string{}}, claims(), rs256),
		"b64":                   token(object{"alg": "RS256", "kid": "rsa", "b64": false}, claims(), rs256),
		"zip":                   token(object{"alg": "RS256", "kid": "rsa", "zip": "DEF"}, claims(), rs256),
		"enc":                   token(object{"alg": "RS256", "kid": "rsa", "enc": "A256GCM"}, claims(), rs256),
	} {
		t.Run(name, func(t *testing.T) {
			fake := newProvider()
			got, err := fake.discover(t).Verify(t.Context(), raw, expect())
			refused(t, got, err, idtoken.Malformed, raw)
			if fake.count() != 0 {
				t.Error("the keys were fetched")
			}
			iss, err := idtoken.UnverifiedIssuer(raw)
			refused(t, nil, err, idtoken.Malformed, raw)
			if iss != "" {
				t.Errorf("an issuer was read: %q", iss)
			}
		})
	}
	deepest := token(header, with(claims(), "x", object{"y": []any{[]any{[]any{[]any{[]any{object{}}}}}}}), rs256)
	if _, err := newProvider().discover(t).Verify(t.Context(), deepest, expect()); err != nil {
		t.Errorf("a token nested eight deep: %v", err)
	}
}

// Header and signature (J3, J4, J5).
func TestHeaderAndSignature(t *testing.T) {
	rsaPEM := []byte("-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(publicDER(rsaKey().Public())) + "\n-----END PUBLIC KEY-----\n")
	evil := jwk("evil", otherRSA().Public())
	bySomeoneElse := signRSA(otherRSA(), crypto.SHA256, false)
	for name, row := range map[string]struct {
		header object
		sign   func(string) []byte
		code   idtoken.Code // empty: accepted
	}{
		"none":                         {object{"alg": "none", "kid": "rsa"}, unsigned, idtoken.Algorithm},
		"None":                         {object{"alg": "None", "kid": "rsa"}, unsigned, idtoken.Algorithm},
		"none with a signature":        {object{"alg": "none", "kid": "rsa"}, rs256, idtoken.Algorithm},
		"HS256 with the public key":    {object{"alg": "HS256", "kid": "rsa"}, signHMAC(publicDER(rsaKey().Public())), idtoken.Algorithm},
		"HS256 with the PEM":           {object{"alg": "HS256", "kid": "rsa"}, signHMAC(rsaPEM), idtoken.Algorithm},
		"HS256 with the client id":     {object{"alg": "HS256", "kid": clientID}, signHMAC([]byte(clientID)), idtoken.Algorithm},
		"ES256K":                       {object{"alg": "ES256K", "kid": "p256"}, rs256, idtoken.Algorithm},
		"rs256":                        {object{"alg": "rs256", "kid": "rsa"}, rs256, idtoken.Algorithm},
		"no signature":                 {object{"alg": "RS256", "kid": "rsa"}, unsigned, idtoken.Signature},
		"someone else's":               {object{"alg": "RS256", "kid": "rsa"}, bySomeoneElse, idtoken.Signature},
		"unknown key":                  {object{"alg": "RS256", "kid": "other"}, bySomeoneElse, idtoken.Signature},
		"no key id, several keys":      {object{"alg": "RS256"}, rs256, idtoken.Signature},
		"RSA key as ES256":             {object{"alg": "ES256", "kid": "rsa"}, rs256, idtoken.Signature},
		"EC key as RS256":              {object{"alg": "RS256", "kid": "p256"}, signEC(p256(), crypto.SHA256), idtoken.Signature},
		"P-384 key as ES256":           {object{"alg": "ES256", "kid": "p384"}, signEC(p384(), crypto.SHA256), idtoken.Signature},
		"Ed25519 key as RS256":         {object{"alg": "RS256", "kid": "ed"}, signEd, idtoken.Signature},
		"PS256 signed as RS256":        {object{"alg": "PS256", "kid": "rsa"}, rs256, idtoken.Signature},
		"embedded key":                 {object{"alg": "RS256", "kid": "rsa", "jwk": evil}, bySomeoneElse, idtoken.Signature},
		"embedded key alone":           {object{"alg": "RS256", "jwk": evil}, bySomeoneElse, idtoken.Signature},
		"link to keys":                 {object{"alg": "RS256", "kid": "evil", "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert"}, bySomeoneElse, idtoken.Signature},
		"link to keys, rightly signed": {object{"alg": "RS256", "kid": "rsa", "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert", "jwk": evil}, rs256, ""},
		"no type":                      {object{"alg": "RS256", "kid": "rsa"}, rs256, ""},
		"type in lower case":           {object{"alg": "RS256", "kid": "rsa", "typ": "jwt"}, rs256, ""},
		"logout token":                 {object{"alg": "RS256", "kid": "rsa", "typ": "logout+jwt"}, rs256, idtoken.Type},
		"access token":                 {object{"alg": "RS256", "kid": "rsa", "typ": "at+jwt"}, rs256, idtoken.Type},
		"event":                        {object{"alg": "RS256", "kid": "rsa", "typ": "secevent+jwt"}, rs256, idtoken.Type},
		"DPoP":                         {object{"alg": "RS256", "kid": "rsa", "typ": "dpop+jwt"}, rs256, idtoken.Type},
		"empty type":                   {object{"alg": "RS256", "kid": "rsa", "typ": ""}, rs256, idtoken.Type},
		"type a number":                {object{"alg": "RS256", "kid": "rsa", "typ": 1}, rs256, idtoken.Type},
	} {
		t.Run(name, func(t *testing.T) {
			raw := token(row.header, claims(), row.sign)
			got, err := newProvider().discover(t).Verify(t.Context(), raw, expect())
			if row.code != "" {
				refused(t, got, err, row.code, raw)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A change of any character makes a token another one.
func TestEveryCharacterMatters(t *testing.T) {
	p := newProvider().discover(t)
	raw := token(object{"alg": "ES256", "kid": "p256"}, claims(), signEC(p256(), crypto.SHA256))
	for i := range raw {
		changed := []byte(raw)
		if changed[i] ^= 1; changed[i] == '.' || raw[i] == '.' {
			continue
		}
		if _, err := p.Verify(t.Context(), string(changed), expect()); err == nil {
			t.Fatalf("character %d changed, and the token is still accepted", i)
		}
	}
}

func TestAlgorithmsCanBeNarrowedButNotWidened(t *testing.T) {
	p := newProvider().discover(t)
	e := expect()
	e.Algorithms = []string{"ES256", "HS256", "none"}
	raw := token(object{"alg": "RS256", "kid": "rsa"}, claims(), rs256)
	got, err := p.Verify(t.Context(), raw, e)
	refused(t, got, err, idtoken.Algorithm, raw)
	raw = token(object{"alg": "HS256", "kid": "rsa"}, claims(), signHMAC(publicDER(rsaKey().Public())))
	got, err = p.Verify(t.Context(), raw, e)
	refused(t, got, err, idtoken.Algorithm, raw)
	raw = token(object{"alg": "none", "kid": "rsa"}, claims(), unsigned)
	got, err = p.Verify(t.Context(), raw, e)
	refused(t, got, err, idtoken.Algorithm, raw)
	raw = token(object{"alg": "ES256", "kid": "p256"}, claims(), signEC(p256(), crypto.SHA256))
	if _, err := p.Verify(t.Context(), raw, e); err != nil {
		t.Error(err)
	}
	e.Algorithms = []string{}
	got, err = p.Verify(t.Context(), raw, e)
	refused(t, got, err, idtoken.Algorithm, raw)
}

func FuzzVerify(f *testing.F) {
	p := newProvider().discover(f)
	// A known key and no randomness: every process that takes part has the same token.
	good := token(object{"alg": "EdDSA", "kid": "ed"}, claims(), signEd)
	f.Add(good)
	f.Add(token(object{"alg": "none"}, claims(), unsigned))
	f.Add(token(`{"alg":"RS256","alg":"none"}`, `{"sub":"a","sub":"b"}`, unsigned))
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := p.Verify(t.Context(), raw, expect())
		if (err == nil) != (raw == good) {
			t.Errorf("Verify(%q) = %v, %v", raw, got, err)
		}
		if err != nil {
			code := err.(*idtoken.Error).Code
			if !slices.Contains([]idtoken.Code{idtoken.Malformed, idtoken.Algorithm, idtoken.Type, idtoken.Issuer, idtoken.Claims, idtoken.Signature}, code) {
				t.Errorf("code %s without a signature", code)
			}
		}
		if _, err := idtoken.UnverifiedIssuer(raw); err == nil && strings.Count(raw, ".") != 2 {
			t.Errorf("an issuer was read from %q", raw)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	p := newProvider().discover(b)
	for _, row := range []struct{ name, raw string }{
		{"RS256", token(object{"alg": "RS256", "kid": "rsa"}, claims(), rs256)},
		{"ES256", token(object{"alg": "ES256", "kid": "p256"}, claims(), signEC(p256(), crypto.SHA256))},
	} {
		b.Run(row.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Verify(b.Context(), row.raw, expect()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
