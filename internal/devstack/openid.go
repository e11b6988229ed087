package devstack

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// newOpenID serves the OpenID endpoints of issuer: metadata, keys,
// authorization and token. The login page stands between the last two.
func newOpenID(issuer string, key *rsa.PrivateKey, begun *logins, people []Person) (http.Handler, error) {
	config := &op.Config{
		CodeMethodS256:  true,
		SupportedScopes: []string{oidc.ScopeOpenID, oidc.ScopeEmail, oidc.ScopeProfile, scopeGroups},
		SupportedClaims: []string{"sub", "aud", "exp", "iat", "iss", "auth_time", "nonce", "at_hash", "amr", "email", "email_verified", "name", scopeGroups},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, fmt.Errorf("make the provider's code key: %w", err)
	}
	storage := &openIDStorage{begun: begun, people: people, key: signingKey{key: key, id: rand.Text()}}
	provider, err := op.NewProvider(config, storage, op.StaticIssuer(issuer), op.WithAllowInsecure(), op.WithCORSOptions(nil))
	if err != nil {
		return nil, fmt.Errorf("set up the identity provider: %w", err)
	}
	return provider, nil
}

const (
	scopeGroups   = "groups"
	idTokenLife   = 5 * time.Minute
	accessTknLife = 5 * time.Minute // opaque, and good for nothing but at_hash
)

var errNotOffered = errors.New("this provider has the code flow and nothing else")

// openIDStorage gives the OpenID endpoints what they ask for. What belongs to
// other flows than the code flow is refused.
type openIDStorage struct {
	begun  *logins
	people []Person
	key    signingKey
}

var _ interface {
	op.Storage
	op.CanSetUserinfoFromRequest
} = (*openIDStorage)(nil)

// CreateAuthRequest is stricter than OpenID Connect: PKCE with S256 is a must,
// and so is the one form of redirect URI.
func (s *openIDStorage) CreateAuthRequest(_ context.Context, r *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	switch {
	case !isCallback(r.RedirectURI):
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("redirect_uri must be http://127.0.0.1:<port>" + callbackPath)
	case r.CodeChallenge == "" || r.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return nil, oidc.ErrInvalidRequest().WithDescription("a code_challenge with method S256 is required")
	case r.ResponseMode != "" && r.ResponseMode != oidc.ResponseModeQuery:
		return nil, oidc.ErrInvalidRequest().WithDescription("only response_mode query is supported")
	case !slices.Contains(r.Scopes, oidc.ScopeOpenID):
		return nil, oidc.ErrInvalidScope().WithDescription("scope openid is required")
	case slices.Contains(r.Prompt, oidc.PromptNone):
		return nil, oidc.ErrLoginRequired()
	}
	l, err := s.begun.begin(login{
		ClientID: r.ClientID, RedirectURI: r.RedirectURI, State: r.State, Nonce: r.Nonce,
		Challenge: r.CodeChallenge, Scopes: r.Scopes, Hint: r.LoginHint,
	})
	if err != nil {
		return nil, oidc.ErrServerError().WithDescription("%s", err).WithParent(err)
	}
	return authRequest{l}, nil
}

func (s *openIDStorage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	l, err := s.begun.find(id)
	return authRequest{l}, err
}

func (s *openIDStorage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	l, err := s.begun.takeCode(code)
	return authRequest{l}, err
}

func (s *openIDStorage) SaveAuthCode(_ context.Context, id, code string) error {
	return s.begun.keepCode(id, code)
}

// DeleteAuthRequest has nothing left to do: AuthRequestByCode has taken it.
func (s *openIDStorage) DeleteAuthRequest(context.Context, string) error { return nil }

// CreateAccessToken names a token that no endpoint accepts: everything there
// is to know stands in the ID token.
func (s *openIDStorage) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return rand.Text(), time.Now().Add(accessTknLife), nil
}

func (s *openIDStorage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != ClientID {
		return nil, fmt.Errorf("client %q is not known", id)
	}
	return nativeClient{}, nil
}

// SetUserinfoFromRequest fills the ID token with what the scopes ask for.
func (s *openIDStorage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	i := slices.IndexFunc(s.people, func(p Person) bool { return p.Subject == r.GetSubject() })
	if i < 0 {
		return fmt.Errorf("subject %q is not known", r.GetSubject())
	}
	p := s.people[i]
	info.Subject = p.Subject
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = p.Email, true
	}
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name = p.Name
	}
	if slices.Contains(scopes, scopeGroups) {
		info.AppendClaims(scopeGroups, append([]string{}, p.Groups...))
	}
	return nil
}

func (s *openIDStorage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

func (s *openIDStorage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

func (s *openIDStorage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *openIDStorage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{verificationKey{s.key}}, nil
}

func (s *openIDStorage) Health(context.Context) error { return nil }
