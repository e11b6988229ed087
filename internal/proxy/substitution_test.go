package proxy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signAs signs claims under a header type; "" has none.
func signAs(t testing.TB, p *provider, typ string, claims map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k1"}}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(must(json.Marshal(claims)))
	if err != nil {
		t.Fatal(err)
	}
	return must(signed.CompactSerialize())
}

// T34, T37: tokens of every issuer, named as every issuer, for every audience and
// of every kind. Only an issuer's own ID token for one of its own clients is a
// session, and its groups are never another issuer's.
func TestTokensAreNotSubstituted(t *testing.T) {
	type party struct {
		*provider
		alias   string
		clients []string
		claims  map[string]any // beyond those of everybody's tokens
	}
	parties := []party{
		{newProvider(t), "people", []string{"gimme", "gimme-web"}, map[string]any{"groups": []string{"admin"}}},
		{newProvider(t), "partner", []string{"partner-app"}, map[string]any{"groups": []string{"admin"}}},
		{newProvider(t), "ci", []string{"https://s3.sidecar.example"}, map[string]any{"owner_id": "7", "repository": "admin"}},
	}
	stranger := newProvider(t)
	role := func(alias string) string { return "arn:aws:iam::111122223333:role/of-" + alias }
	c := &sidecar{t: t, folder: t.TempDir(), provider: parties[0].provider, store: newStore(t)}
	c.launch(func(config string) string {
		before, after, _ := strings.Cut(config, "issuers:")
		_, after, _ = strings.Cut(after, "sessions:")
		return before + fmt.Sprintf(`issuers:
  - {issuer: %q, client_id: gimme, client_ids: [gimme-web], alias: people}
  - {issuer: %q, client_id: partner-app, alias: partner}
  - {issuer: %q, client_id: "https://s3.sidecar.example", alias: ci, require: {owner_id: ["7"]}, claim_groups: [repository]}
limits: {logins_per_minute: 1000000}
roles:
  - {arn: %q, groups: ["people:admin"]}
  - {arn: %q, groups: ["partner:admin"]}
  - {arn: %q, groups: ["ci:repository=admin"]}
`, parties[0].URL, parties[1].URL, parties[2].URL, role("people"), role("partner"), role("ci")) + "sessions:" + after
	})
	logout := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	kinds := map[string]struct {
		typ     string
		changes map[string]any
		isID    bool
	}{
		"an ID token":              {"JWT", nil, true},
		"an ID token without type": {"", nil, true},
		"an access token":          {"at+jwt", nil, false},
		"an untyped access token":  {"JWT", map[string]any{"scp": "openid"}, false},
		"a bearer of Keycloak":     {"JWT", map[string]any{"typ": "Bearer"}, false},
		"a logout token":           {"logout+jwt", map[string]any{"events": logout}, false},
		"an untyped logout token":  {"", map[string]any{"events": logout}, false},
		"a security event":         {"secevent+jwt", nil, false},
	}
	audiences := []any{"gimme", "gimme-web", "partner-app", "https://s3.sidecar.example", "sts.amazonaws.com", []string{"gimme", "partner-app"}}
	signers := append([]party{{stranger, "stranger", nil, map[string]any{"groups": []string{"admin"}}}}, parties...)
	now := time.Now()
	tried, given := 0, 0
	refusals := map[int]bool{400: true, 403: true}
	for _, signer := range signers {
		for _, named := range parties {
			for _, body := range parties { // whose claims it has
				for _, audience := range audiences {
					for kind, k := range kinds {
						claims := map[string]any{"iss": named.URL, "sub": "someone", "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
						maps.Copy(claims, body.claims)
						maps.Copy(claims, k.changes)
						token := signAs(t, signer.provider, k.typ, claims)
						ours := signer.alias == named.alias && k.isID && (body.alias == "ci") == (named.alias == "ci")
						text, plain := audience.(string)
						ours = ours && plain && slices.Contains(named.clients, text)
						for _, asked := range parties {
							tried++
							form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role(asked.alias)}, "RoleSessionName": {"me"}, "WebIdentityToken": {token}}
							response, text := c.call("POST", "/", formType, form.Encode())
							want := ours && asked.alias == named.alias
							if got := response.StatusCode == 200 && strings.Contains(text, "SecretAccessKey>"); got != want || !got && !refusals[response.StatusCode] {
								t.Fatalf("%s signed by %s as %s with claims of %s for %v asked for the role of %s: got %d %s; want a session: %v",
									kind, signer.alias, named.alias, body.alias, audience, asked.alias, response.StatusCode, text, want)
							}
							if want {
								given++
							}
						}
					}
				}
			}
		}
	}
	if tried != 4*3*3*6*8*3 || given != 2*(2*2+2+1) {
		t.Errorf("%d tried, %d given", tried, given)
	}
	c.wantNothingUpstream()
}
