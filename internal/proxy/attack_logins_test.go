package proxy_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// loginForm is a call of AssumeRoleWithWebIdentity, with a form that edit has
// changed.
func (a *attack) loginForm(token string, edit func(url.Values)) string {
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleEveryone}, "RoleSessionName": {"mallory"}, "WebIdentityToken": {token}}
	if edit != nil {
		edit(form)
	}
	m := message{method: "POST", target: "/", body: form.Encode(), lines: []string{"Content-Type: application/x-www-form-urlencoded"}}
	return m.framed(a.host).String()
}

// logins attacks how one comes by a session.
func (a *attack) logins() {
	a.forgedTokens()
	good := a.provider.token(a.t, nil)
	a.secrets = append(a.secrets, good, good[strings.LastIndex(good, ".")+1:])
	invalid := want{status: 400, code: "ValidationError"}
	for name, value := range map[string]string{"Policy": `{"Statement":[]}`, "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/AdministratorAccess", "Tags.member.1.Key": "admin",
		"SourceIdentity": "root", "ProviderId": "x", "policy": "{}", "RoleArn": roleEngineers, "Groups": "data-engineering", "Subject": "root"} {
		row := "advisory 7"
		if name == "RoleArn" || name == "Groups" || name == "Subject" || name == "SourceIdentity" {
			row = "advisory 9"
		}
		a.refused(row+"/"+name, a.loginForm(good, func(form url.Values) { form.Add(name, value) }), invalid)
	}
	for _, action := range []string{"", "AssumeRole", "AssumeRoleWithSAML", "GetSessionToken", "GetFederationToken", "assumerolewithwebidentity"} {
		a.refused("advisory 7/action "+action, a.loginForm(good, func(form url.Values) { form.Set("Action", action) }), want{status: 400, code: "InvalidAction"})
	}
	guest := a.provider.token(a.t, bob)
	for _, arn := range []string{"*", "", "arn:aws:iam::111122223333:role/*", strings.ToUpper(roleEveryone), roleEveryone + "/", " " + roleEveryone, roleEveryone + "\n", "lake-reader",
		"arn:aws:iam::999999999999:role/lake-reader", roleEngineers} {
		a.refused(fmt.Sprintf("T30/%q", arn), a.loginForm(guest, func(form url.Values) { form.Set("RoleArn", arn) }), want{status: 403, code: "AccessDenied", who: "bob"})
	}
	for _, groups := range []any{nil, []string{}, "data-engineering", []string{"Data-Engineering"}, []string{"data-engineering "}, []string{"data-engineering,x"}, []any{[]string{"data-engineering"}}, map[string]any{"data-engineering": true}} {
		a.run(fmt.Sprintf("T30/groups %v", groups), func(t *testing.T) {
			token := a.provider.token(t, map[string]any{"groups": groups})
			_, err := a.assume(roleEngineers, token)
			if err == nil {
				t.Error("the role was given")
			}
			if events := a.newEvents(); len(events) != 1 {
				t.Errorf("events: %+v", events)
			}
		})
	}
}

// forgedTokens: an ID token is signed by its issuer, with a key of its issuer,
// in a way that its issuer uses.
func (a *attack) forgedTokens() {
	now := time.Now()
	claims := map[string]any{"iss": a.provider.URL, "aud": "gimme", "sub": "alice-1", "email": "alice@example.com", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&a.provider.key.PublicKey))}))
	forge := func(header map[string]any, key string) string {
		text := encoded(header) + "." + encoded(claims)
		if key == "" {
			return text + "."
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(hmacOf([]byte(key), text))
	}
	for name, token := range map[string]string{
		"advisory 59/none":                              forge(map[string]any{"alg": "none"}, ""),
		"advisory 59/None":                              forge(map[string]any{"alg": "None", "typ": "JWT", "kid": "k1"}, ""),
		"advisory 59/no algorithm":                      forge(map[string]any{"kid": "k1"}, ""),
		"advisory 59/RS256 without a signature":         forge(map[string]any{"alg": "RS256", "kid": "k1"}, ""),
		"advisory 4/HMAC with the public key":           forge(map[string]any{"alg": "HS256", "kid": "k1"}, public),
		"advisory 4/HMAC with the client's id":          forge(map[string]any{"alg": "HS256", "kid": "gimme"}, "gimme"),
		"advisory 4/HMAC with the modulus":              forge(map[string]any{"alg": "HS256", "kid": "k1"}, string(a.provider.key.N.Bytes())),
		"advisory 4/a key that the token brings itself": forge(map[string]any{"alg": "HS256", "jwk": map[string]any{"kty": "oct", "k": "c2VjcmV0"}}, "secret"),
		"advisory 4/a key from elsewhere":               forge(map[string]any{"alg": "RS256", "jku": "https://evil.example/jwks", "kid": "evil"}, "secret"),
	} {
		a.refused(name, a.loginForm(token, nil), want{status: 400, code: "InvalidIdentityToken"})
	}
	a.run("advisory 4/nothing is fetched for it", func(t *testing.T) {
		if strings.Contains(a.log.String(), "evil.example/jwks") {
			t.Error("the address in a token was asked")
		}
	})
}

func encoded(v any) string {
	return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v)))
}
