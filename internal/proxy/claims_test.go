package proxy_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/proxy"
)

// What a CI job's token says of its job decides who it is: whose it may be at
// all, and which groups it is in.
func TestClaimsOfJobs(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.NewReplacer(
			"email_domains: [example.com]", `require: {owner_id: ["7"], event: [push, schedule]}, claim_groups: [repository, environment]`,
			"[data-engineering]", `["repository=acme/lake"]`,
		).Replace(config)
	})
	job := func(changes map[string]any) map[string]any {
		claims := map[string]any{"owner_id": "7", "event": "push", "repository": "acme/lake", "groups": []string{"repository=acme/vault"}}
		maps.Copy(claims, changes)
		return claims
	}
	if _, err := c.assume(roleEngineers, c.provider.token(t, job(nil))); err != nil {
		t.Fatal(err)
	}
	if e := c.events(); len(e) != 1 || cmp.Diff([]string{"repository=acme/lake"}, e[0].Principal.Groups) != "" {
		t.Errorf("got %+v", e)
	}
	for name, test := range map[string]struct {
		role    string
		changes map[string]any
		code    string
	}{
		"another owner":         {roleEveryone, map[string]any{"owner_id": "8"}, "IDPRejectedClaim"},
		"no owner":              {roleEveryone, map[string]any{"owner_id": ""}, "IDPRejectedClaim"},
		"another event":         {roleEveryone, map[string]any{"event": "pull_request"}, "IDPRejectedClaim"},
		"another repository":    {roleEngineers, map[string]any{"repository": "acme/other"}, "AccessDenied"},
		"a listed group counts": {roleEngineers, map[string]any{"repository": "acme/other", "groups": []string{"repository=acme/lake"}}, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := c.assume(test.role, c.provider.token(t, job(test.changes)))
			if err == nil {
				t.Fatalf("got %v", keys)
			}
			wantCode(t, err, test.code, "")
			c.wantNothingUpstream()
			c.wantOneRefusal(test.code, "")
		})
	}
}

// Issuers that speak for everybody are not accepted as they are.
func TestIssuersOfEverybody(t *testing.T) {
	for config, want := range map[string]string{
		`{issuer: "https://token.actions.githubusercontent.com", client_id: "https://s3.sidecar.example"}`:                                        "repository_owner_id",
		`{issuer: "https://agent.buildkite.com", client_id: "https://s3.sidecar.example"}`:                                                        "organization_id",
		`{issuer: "https://gitlab.com", client_id: "https://s3.sidecar.example"}`:                                                                 "namespace_id",
		`{issuer: "https://gitlab.com", client_id: "4f1c", client_ids: ["https://s3.sidecar.example"]}`:                                           "namespace_id",
		`{issuer: "https://idp.example", client_id: gimme, client_ids: [gimme]}`:                                                                  "stands twice",
		`{issuer: "https://idp.example", client_id: gimme, client_ids: [""]}`:                                                                     "empty",
		`{issuer: "https://idp.example", client_id: gimme, client_ids: [a, b], max_token_age: 5m, single_use: true}`:                              "",
		`{issuer: "https://idp.example", client_id: gimme, max_token_age: 1d}`:                                                                    "max_token_age",
		`{issuer: "https://login.microsoftonline.com/common/v2.0", client_id: gimme}`:                                                             "every tenant",
		`{issuer: "https://gitlab.com", client_id: "4f1c"}`:                                                                                       "",
		`{issuer: "https://token.actions.githubusercontent.com", client_id: "https://s3.sidecar.example", require: {repository_owner_id: ["7"]}}`: "",
		`{issuer: "https://idp.example", client_id: gimme, require: {a: []}}`:                                                                     `claim "a" lists no value`,
		`{issuer: "https://idp.example", client_id: gimme, claim_groups: ["a=b"]}`:                                                                "claim_groups",
		`{issuer: "https://idp.example", client_id: gimme, idp: octa}`:                                                                            `idp "octa"`,
		`{issuer: "https://idp.example", client_id: gimme, ports: [80]}`:                                                                          "port 80",
		`{issuer: "https://idp.example", client_id: gimme, redirect_host: evil.example}`:                                                          "redirect_host",
		`{issuer: "https://idp.example", client_id: gimme, parameters: {code_challenge: x}}`:                                                      "gimme's own",
	} {
		dir, write := folder(t)
		write("proxy.yaml", strings.Replace(goodConfig, `{issuer: "https://idp.example", client_id: gimme}`, config, 1))
		_, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

// Clients learn from the sidecar how its provider wants to be asked.
func TestDiscoveryOfTheLogin(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "email_domains: [example.com]", `idp: okta, redirect_host: localhost, ports: [18271], client_secret: public, parameters: {acr_values: mfa}`, 1)
	})
	got, err := discovery.Fetch(t.Context(), idtoken.NewClient(nil), c.URL())
	if err != nil {
		t.Fatal(err)
	}
	want := discovery.Document{
		Version: 1, Issuer: c.provider.URL, ClientID: "gimme", Scopes: []string{"openid", "email", "profile", "groups"}, Region: region,
		IDP: "okta", RedirectHost: "localhost", Ports: []int{18271}, ClientSecret: "public", Parameters: map[string]string{"acr_values": "mfa"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
