package idp

import "strings"

// presets is a function and not a variable so that it costs nothing at start.
func presets() []Preset {
	openid := []string{"openid", "email", "profile"}
	offline := []string{"offline_access"}
	return []Preset{
		{
			Name: "entra", Title: "Microsoft Entra ID", RedirectHost: "localhost", AnyPort: true, Secret: Forbidden,
			Scopes: openid, RefreshScopes: offline, GroupsClaim: "groups", Device: true,
			issuer: "https://login.microsoftonline.com/TENANT-ID/v2.0, with the tenant's own id; common and organizations do not work",
			client: `an app registration whose platform is "Mobile and desktop applications", with "Allow public client flows" for the device flow; no secret and no certificate`,
			groups: `Token configuration, Add groups claim, "Groups assigned to the application"; they come as object ids`,
			token:  "about an hour",
			notes: []string{
				"Above 200 groups Entra leaves all of them out of the token, and the sidecar refuses such a login: assign groups to the application, or use application roles and groups_claim: roles.",
				"The platform Single-page application does not work: tokens are then refused to programs (AADSTS9002327).",
				"Conditional access often blocks the device flow.",
			},
			guess: ends("login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"),
		},
		{
			Name: "okta", Title: "Okta", RedirectHost: "127.0.0.1", Ports: ports[:],
			Scopes: append(openid, "groups"), RefreshScopes: offline, GroupsClaim: "groups", Device: true,
			issuer: "https://ORG.okta.com, or https://ORG.okta.com/oauth2/default for a custom authorization server; the two are different issuers",
			client: "an application of type Native, with the grants Authorization Code, Refresh Token and, if wanted, Device Authorization; client authentication None, PKCE required",
			groups: "a groups claim in the ID token, with a filter; at most 100 groups fit",
			token:  "an hour",
			notes:  []string{"Redirect addresses are compared exactly, with the port: register each of these."},
			guess:  ends("okta.com", "oktapreview.com", "okta-emea.com"),
		},
		{
			Name: "google", Title: "Google", RedirectHost: "127.0.0.1", AnyPort: true, Secret: Required,
			Scopes: openid, RefreshParameters: map[string]string{"access_type": "offline", "prompt": "consent"}, Device: false,
			issuer: "https://accounts.google.com",
			client: "an OAuth client id of type Desktop app; other types refuse the redirect to loopback",
			groups: "none: ID tokens of Google carry no groups; name people by e-mail in policies, with the domain in email_domains",
			token:  "an hour",
			notes: []string{
				"A desktop client has a secret that Google insists on and that is not confidential: give it as client_secret.",
				"Set the consent screen to Internal, so that only accounts of your organisation can log in.",
			},
			guess: ends("accounts.google.com"),
		},
		{
			Name: "auth0", Title: "Auth0", RedirectHost: "127.0.0.1", Ports: ports[:],
			Scopes: openid, RefreshScopes: offline, GroupsClaim: "https://gimme/groups", Device: true,
			issuer: "https://TENANT.REGION.auth0.com/, with the slash at the end",
			client: "an application of type Native, token endpoint authentication None, with the grants Authorization Code, Refresh Token and, if wanted, Device Code",
			groups: "an Action after the login: api.idToken.setCustomClaim(\"https://gimme/groups\", event.authorization.roles); the name must be a URL",
			token:  "ten hours; set it lower in the application",
			notes:  []string{"Callback addresses are compared exactly, with the port: register each of these."},
			guess:  ends("auth0.com"),
		},
		{
			Name: "pingone", Title: "PingOne", RedirectHost: "127.0.0.1", AnyPort: true,
			Scopes: openid, RefreshScopes: offline, GroupsClaim: "groups", Device: true,
			issuer: "https://auth.pingone.REGION/ENVIRONMENT-ID/as",
			client: "an application of type Native, response type Code, PKCE S256_REQUIRED, token authentication None, with the grants Authorization Code and Refresh Token",
			groups: "an attribute mapping groups = Group Names",
			token:  "as the application's policy says",
			notes:  []string{"Add the scope offline_access to the application's resources, beside openid, email and profile."},
			guess:  ends("pingone.com", "pingone.eu", "pingone.ca", "pingone.asia", "pingone.com.au", "pingone.sg"),
		},
		{
			Name: "pingam", Title: "PingAM (ForgeRock)", RedirectHost: "127.0.0.1", Ports: ports[:],
			Scopes: openid, GroupsClaim: "groups", Device: true,
			issuer: "https://HOST/am/oauth2/realms/root/realms/REALM, as the realm's metadata writes it",
			client: "an OAuth 2.0 client of type Public, token endpoint authentication method none, with the grants Authorization Code, Refresh Token and, if wanted, Device Code",
			groups: "a claims script that adds groups to the ID token",
			token:  "an hour by default",
			notes: []string{
				"Redirect addresses are compared exactly, unless the provider has \"Allow wildcard ports in redirection URIs\".",
				"ID tokens must not be encrypted: ID Token Encryption has to be off for this client.",
			},
			guess: holds("/am/oauth2", "/openam/oauth2"),
		},
		{
			Name: "keycloak", Title: "Keycloak", RedirectHost: "127.0.0.1", AnyPort: true,
			Scopes: openid, GroupsClaim: "groups", Device: true,
			issuer: "https://HOST/realms/REALM",
			client: "a client with Client authentication off and Standard flow on, PKCE method S256, and if wanted the OAuth 2.0 Device Authorization Grant",
			groups: "a mapper Group Membership with the claim name groups, Full group path off, Add to ID token on",
			token:  "five minutes by default, as the access token; gimme exchanges it at once",
			guess:  holds("/realms/"),
		},
		{
			Name: "dex", Title: "Dex", RedirectHost: "127.0.0.1", AnyPort: true,
			Scopes: append(openid, "groups"), RefreshScopes: offline, GroupsClaim: "groups", Device: true,
			issuer: "https://HOST/dex, as issuer stands in its configuration",
			client: "a static client with public: true and without redirectURIs, which then may use any loopback address",
			groups: "the scope groups, where the connector has them",
			token:  "24 hours by default; set expiry.idTokens lower",
			guess:  func(_, path string) bool { return strings.HasSuffix(strings.TrimSuffix(path, "/"), "/dex") },
		},
		{
			Name: "gitlab", Title: "GitLab", RedirectHost: "127.0.0.1", AnyPort: true,
			Scopes: openid, GroupsClaim: "groups_direct", Device: true,
			issuer: "https://gitlab.com, or your own instance",
			client: "an application that is not Confidential, with the scopes openid, email and profile",
			groups: "ID tokens list the full paths of the person's own groups in groups_direct",
			token:  "two minutes; gimme exchanges it at once",
			notes:  []string{"The port is passed over for 127.0.0.1, and not for localhost.", "A refresh token comes without the scope offline_access."},
			guess:  func(host, _ string) bool { return host == "gitlab.com" || strings.HasPrefix(host, "gitlab.") },
		},
		{
			Name: "generic", Title: "an OpenID provider", RedirectHost: "127.0.0.1", AnyPort: true,
			Scopes: openid, RefreshScopes: offline, RefreshParameters: map[string]string{"prompt": "consent"}, IfListed: true,
			GroupsClaim: "groups", Device: true,
			issuer: "as the provider's metadata writes it, to the last slash",
			client: "a native (public) client with the authorization code grant and PKCE S256, without a secret",
			groups: "a claim in the ID token that is a list of texts",
			token:  "as the provider has it; gimme exchanges it at once",
		},
	}
}
