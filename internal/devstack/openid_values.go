package devstack

import (
	"crypto/rsa"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// An authRequest shows a login to the OpenID endpoints.
type authRequest struct{ login }

var _ op.AuthRequest = authRequest{}

func (r authRequest) GetID() string                      { return r.ID }
func (r authRequest) GetACR() string                     { return "" }
func (r authRequest) GetAudience() []string              { return []string{r.ClientID} }
func (r authRequest) GetAuthTime() time.Time             { return r.At }
func (r authRequest) GetClientID() string                { return r.ClientID }
func (r authRequest) GetNonce() string                   { return r.Nonce }
func (r authRequest) GetRedirectURI() string             { return r.RedirectURI }
func (r authRequest) GetResponseType() oidc.ResponseType { return oidc.ResponseTypeCode }
func (r authRequest) GetResponseMode() oidc.ResponseMode { return "" }
func (r authRequest) GetScopes() []string                { return r.Scopes }
func (r authRequest) GetState() string                   { return r.State }
func (r authRequest) Done() bool                         { return r.Person != nil }
func (r authRequest) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.Challenge, Method: oidc.CodeChallengeMethodS256}
}

func (r authRequest) GetAMR() []string {
	if r.Person == nil {
		return nil
	}
	return []string{"pwd"}
}

func (r authRequest) GetSubject() string {
	if r.Person == nil {
		return ""
	}
	return r.Person.Subject
}

// The nativeClient is the command line: no secret, PKCE, a loopback redirect.
type nativeClient struct{}

var _ op.Client = nativeClient{}

func (nativeClient) GetID() string                       { return ClientID }
func (nativeClient) RedirectURIs() []string              { return []string{"http://127.0.0.1" + callbackPath} }
func (nativeClient) PostLogoutRedirectURIs() []string    { return nil }
func (nativeClient) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }
func (nativeClient) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodNone }
func (nativeClient) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (nativeClient) GrantTypes() []oidc.GrantType { return []oidc.GrantType{oidc.GrantTypeCode} }
func (nativeClient) LoginURL(id string) string {
	return loginPath + "?" + url.Values{"id": {id}}.Encode()
}
func (nativeClient) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (nativeClient) IDTokenLifetime() time.Duration       { return idTokenLife }
func (nativeClient) DevMode() bool                        { return false }
func (nativeClient) IsScopeAllowed(scope string) bool     { return scope == scopeGroups }
func (nativeClient) IDTokenUserinfoClaimsAssertion() bool { return true }
func (nativeClient) ClockSkew() time.Duration             { return 0 }

func (nativeClient) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (nativeClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// The signingKey signs ID tokens.
type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

// A verificationKey is the public half of a signingKey.
type verificationKey struct{ signing signingKey }

func (k verificationKey) ID() string                         { return k.signing.id }
func (k verificationKey) Key() any                           { return &k.signing.key.PublicKey }
func (k verificationKey) Use() string                        { return "sig" }
func (k verificationKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
