package idp_test

import (
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idp"
)

// page is docs/identity-providers.md, whose blocks are what gimme prints.
func page() string {
	var b strings.Builder
	b.WriteString(`# Identity providers

What an administrator registers at each kind of provider, and what people and the sidecar are then given.
` + "`gimme doctor --idp=NAME` prints the same, and `gimme doctor --idp --profile NAME` with your own values in it." + `

gimme guesses the kind from the issuer. Where it cannot, the setting ` + "`idp`" + ` says it. Settings of your own
(` + "`ports`, `redirect_host`, `scopes`, `parameters`" + `) come before all that stands here.
`)
	for _, p := range idp.All() {
		b.WriteString("\n## " + p.Title + " (`" + p.Name + "`)\n\n```\n" + p.Registration("CLIENT-ID", "https://ISSUER", nil) + "```\n")
	}
	return b.String()
}

func TestPage(t *testing.T) {
	const path = "../../docs/identity-providers.md"
	if os.Getenv("GIMME_WRITE_DOCS") != "" {
		if err := os.WriteFile(path, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != page() {
		t.Error("the page is not what gimme prints: GIMME_WRITE_DOCS=1 go test ./internal/idp writes it")
	}
}

func TestPresets(t *testing.T) {
	names := map[string]bool{}
	for _, p := range idp.All() {
		if names[p.Name] || p.Title == "" {
			t.Errorf("%q stands twice, or has no title", p.Name)
		}
		names[p.Name] = true
		if found, ok := idp.Find(p.Name); !ok || found.Title != p.Title {
			t.Errorf("%s is not found", p.Name)
		}
		if !slices.Contains(p.Scopes, "openid") {
			t.Errorf("%s: no openid among %v", p.Name, p.Scopes)
		}
		if p.AnyPort == (len(p.Ports) > 0) {
			t.Errorf("%s: either any port will do or some are named", p.Name)
		}
		for _, err := range []error{
			discovery.CheckRedirectHost(p.RedirectHost), discovery.CheckPorts(p.Ports),
			discovery.CheckParameters(p.Parameters), discovery.CheckParameters(p.RefreshParameters),
		} {
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	}
	for _, name := range []string{"entra", "okta", "google", "auth0", "pingam", "pingone", "keycloak", "dex", "gitlab", "generic"} {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
	if _, ok := idp.Find("octa"); ok {
		t.Error("octa was found")
	}
}

func TestGuess(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0": "entra",
		"https://acme.okta.com":                         "okta",
		"https://acme.okta.com/oauth2/default":          "okta",
		"https://accounts.google.com":                   "google",
		"https://acme.eu.auth0.com/":                    "auth0",
		"https://auth.pingone.eu/0e1f/as":               "pingone",
		"https://am.acme.example/am/oauth2/realms/root": "pingam",
		"https://sso.acme.example/realms/lake":          "keycloak",
		"https://dex.acme.example/dex":                  "dex",
		"https://gitlab.com":                            "gitlab",
		"https://gitlab.acme.example":                   "gitlab",
		"https://login.acme.example":                    "generic",
		"https://okta.com.evil.example":                 "generic",
		"https://notokta.com":                           "generic",
		"https://evil.example/accounts.google.com":      "generic",
		"::": "generic",
	} {
		if got := idp.Guess(issuer); got.Name != want {
			t.Errorf("%s: %s, want %s", issuer, got.Name, want)
		}
	}
}

// What is to be registered is what a login uses: the callback on the preset's
// host, on each of its ports.
func TestRegistration(t *testing.T) {
	for _, p := range idp.All() {
		for _, own := range [][]int{nil, {18401, 28401}} {
			text := p.Registration("client-7", "https://issuer.example", own)
			uris := p.RedirectURIs(own)
			want := len(own)
			if own == nil {
				want = max(1, len(p.Ports))
			}
			if len(uris) != want {
				t.Errorf("%s: %d addresses, want %d", p.Name, len(uris), want)
			}
			for _, uri := range uris {
				u, err := url.Parse(uri)
				if err != nil || u.Scheme != "http" || u.Hostname() != p.RedirectHost || u.Path != "/callback" || (u.Port() == "") != (own == nil && p.AnyPort) {
					t.Errorf("%s: %s, %v", p.Name, uri, err)
				}
				if !strings.Contains(text, uri) {
					t.Errorf("%s does not tell of %s", p.Name, uri)
				}
			}
			for _, word := range []string{"client-7", "https://issuer.example", "idp: " + p.Name, "--idp " + p.Name, "PKCE", p.Title} {
				if !strings.Contains(text, word) {
					t.Errorf("%s does not tell of %q", p.Name, word)
				}
			}
			if asks := strings.Contains(text, "client_secret"); asks != (p.Secret == idp.Required) {
				t.Errorf("%s: tells of a secret: %v", p.Name, asks)
			}
		}
	}
}
