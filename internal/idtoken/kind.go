package idtoken

import (
	"fmt"
	"strings"
)

// isIDToken tells other tokens of the same provider by their claims, for
// providers that do not tell them by the type in the header: access, refresh and
// logout tokens can be for our client, too.
func (t *parsed) isIDToken() error {
	for _, c := range []struct {
		name    string
		ofID    []string // what it is in an ID token; nil: not there
		meaning string
	}{
		{"events", nil, "an event or a logout token"}, // RFC 8417, section 2.2
		{"scp", nil, "an access token"},               // of Entra and Okta
		{"token_use", []string{"id"}, "an access token"},
		{"typ", []string{"ID", "JWT"}, "another kind of token"}, // of Keycloak: Bearer, Refresh, Logout
	} {
		v, there := t.claims[c.name]
		if !there {
			continue
		}
		text, _ := v.(string)
		if !contains(c.ofID, text) {
			return fault(Type, "the token is not an ID token: its claim %s %.32q is that of %s", c.name, fmt.Sprint(v), c.meaning)
		}
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if strings.EqualFold(have, s) {
			return true
		}
	}
	return false
}

// isEntra says whether issuer is a tenant of Microsoft Entra ID, all of which
// are signed for with the same keys.
func isEntra(issuer string) bool {
	for _, prefix := range []string{
		"https://login.microsoftonline.com/", "https://login.microsoftonline.us/", "https://login.partner.microsoftonline.cn/", "https://sts.windows.net/",
	} {
		if strings.HasPrefix(issuer, prefix) {
			return true
		}
	}
	return false
}

// everyTenant says whether an Entra issuer stands for more than one tenant.
func everyTenant(issuer string) bool {
	for segment := range strings.SplitSeq(issuer, "/") {
		if contains([]string{"common", "organizations", "consumers", "{tenantid}"}, segment) {
			return true
		}
	}
	return false
}

// tenant holds the tenant of an Entra token against that of the issuer.
func (t *parsed) tenant(issuer string) error {
	if !isEntra(issuer) {
		return nil
	}
	tid, err := t.claims.text("tid")
	if err != nil {
		return err
	}
	if !strings.Contains(issuer+"/", "/"+tid+"/") {
		return fault(Issuer, "the ID token is of tenant %.64q, and not of that of issuer %s", tid, issuer)
	}
	return nil
}

// domainVerified says whether Entra has seen that the domain of the address is
// the tenant's. Its own email_verified does not: an administrator of any tenant
// can write any address.
func (t *parsed) domainVerified() bool {
	switch v := t.claims["xms_edov"].(type) {
	case bool:
		return v
	case float64: // as which it also comes
		return v == 1
	case string:
		return v == "1" || strings.EqualFold(v, "true")
	}
	return false
}
