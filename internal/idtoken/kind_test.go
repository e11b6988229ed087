package idtoken_test

import (
	"net/http"
	"testing"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

// Other tokens of the same provider, which are for our client as well (J5).
func TestOtherTokensOfTheProvider(t *testing.T) {
	for name, row := range map[string]struct {
		claims object
		good   bool
	}{
		"logout token without a type":      {change("events", object{"http://schemas.openid.net/event/backchannel-logout": object{}}), false},
		"events of no type":                {change("events", []string{}), false},
		"access token of Entra":            {change("scp", "user_impersonation"), false},
		"access token of Okta":             {change("scp", []string{"openid"}), false},
		"access token of Cognito":          {change("token_use", "access"), false},
		"ID token of Cognito":              {change("token_use", "id"), true},
		"access token of Keycloak":         {change("typ", "Bearer"), false},
		"refresh token of Keycloak":        {change("typ", "Refresh"), false},
		"logout token of Keycloak":         {change("typ", "Logout"), false},
		"ID token of Keycloak":             {change("typ", "ID"), true},
		"a claim typ that is no text":      {change("typ", []string{"ID"}), false},
		"a claim token_use that is a list": {change("token_use", []string{"id"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, raw, err := verify(t, row.claims, expect())
			if !row.good {
				refused(t, got, err, idtoken.Type, raw)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

const tenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// entra is a provider that is a tenant of Entra.
func entra(t *testing.T) *idtoken.Provider {
	t.Helper()
	fake := newProvider()
	issuer := "https://login.microsoftonline.com/" + tenant + "/v2.0"
	fake.metadata["issuer"] = issuer
	got, err := idtoken.Discover(t.Context(), &http.Client{Transport: elsewhere{fake}}, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// elsewhere has a provider answer in place of Entra.
type elsewhere struct{ *provider }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "login.microsoftonline.com" {
		r = r.Clone(r.Context())
		r.URL.Host, r.URL.Path = "idp.example", "/.well-known/openid-configuration"
	}
	return e.provider.RoundTrip(r)
}

// The tenants of Entra sign with the same keys (J8).
func TestTenant(t *testing.T) {
	p := entra(t)
	issuer := p.Metadata().Issuer
	for name, row := range map[string]struct {
		claims object
		code   idtoken.Code
	}{
		"ours":             {both(change("iss", issuer), "tid", tenant), ""},
		"another":          {both(change("iss", issuer), "tid", "72f988bf-86f1-41af-91ab-2d7cd011db47"), idtoken.Issuer},
		"part of ours":     {both(change("iss", issuer), "tid", tenant[:8]), idtoken.Issuer},
		"missing":          {change("iss", issuer), idtoken.Claims},
		"of a list":        {both(change("iss", issuer), "tid", []string{tenant}), idtoken.Claims},
		"issuer of anyone": {both(change("iss", "https://login.microsoftonline.com/common/v2.0"), "tid", tenant), idtoken.Issuer},
	} {
		t.Run(name, func(t *testing.T) {
			raw := token(object{"alg": "RS256", "kid": "rsa"}, row.claims, rs256)
			got, err := p.Verify(t.Context(), raw, expect())
			if row.code != "" {
				refused(t, got, err, row.code, raw)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	for _, everyone := range []string{"common", "organizations", "consumers", "Common", "{tenantid}"} {
		if err := idtoken.CheckIssuer("https://login.microsoftonline.com/" + everyone + "/v2.0"); err == nil {
			t.Errorf("tenant %s is accepted", everyone)
		}
	}
	for _, good := range []string{issuer, "https://sts.windows.net/" + tenant + "/", "https://idp.example/common/v2.0"} {
		if err := idtoken.CheckIssuer(good); err != nil {
			t.Error(err)
		}
	}
}

// What an administrator of some tenant wrote into an account is no address of
// the person (J16).
func TestAddressesAtEntra(t *testing.T) {
	p := entra(t)
	base := both(change("iss", p.Metadata().Issuer), "tid", tenant)
	for name, row := range map[string]struct {
		edov any
		want bool
	}{
		"not said": {nil, false}, "false": {false, false}, "true": {true, true}, "one": {1, true}, "two": {2, false}, "as text": {"true", true}, "0": {"0", false}, "list": {[]bool{true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			raw := token(object{"alg": "RS256", "kid": "rsa"}, with(base, "xms_edov", row.edov), rs256)
			got, err := p.Verify(t.Context(), raw, expect())
			if err != nil || got.EmailVerified != row.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	raw := token(object{"alg": "RS256", "kid": "rsa"}, with(with(base, "xms_edov", true), "email_verified", nil), rs256)
	if got, err := p.Verify(t.Context(), raw, expect()); err != nil || got.EmailVerified {
		t.Errorf("xms_edov alone: %v, %v", got, err)
	}
}
