package login

import (
	"context"
	"fmt"
	"net/url"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
)

// Revoke has the provider forget a refresh token, and what came of it (RFC
// 7009). A token that it does not know is as good as forgotten. Of o it uses
// Provider, ClientID, ClientSecret and HTTP. Errors are ErrNotOffered, *Refusal,
// ctx's own, or of the network.
func Revoke(ctx context.Context, o Options, refresh secret.Text) error {
	meta := o.Provider.Metadata()
	if meta.RevocationEndpoint == "" {
		return fmt.Errorf("revoke the refresh token at %q: %w", meta.Issuer, ErrNotOffered)
	}
	err := o.post(ctx, meta.RevocationEndpoint, url.Values{"token": {refresh.Reveal()}, "token_type_hint": {"refresh_token"}}, nil)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// EndSessionURL is where a browser ends the person's session at the provider
// (OpenID Connect RP-Initiated Logout), if it says where. With an ID token, the
// provider need not ask who it is; the address then is a secret for as long as
// the token is valid, so that one that has expired is better, and is accepted.
func EndSessionURL(p *idtoken.Provider, clientID string, idToken secret.Text) (string, bool) {
	meta := p.Metadata()
	if meta.EndSessionEndpoint == "" || checkURL(meta.EndSessionEndpoint, "", meta.Issuer) != nil {
		return "", false
	}
	u, err := url.Parse(meta.EndSessionEndpoint)
	if err != nil {
		return "", false
	}
	q := u.Query()
	q.Set("client_id", clientID)
	if !idToken.Empty() {
		q.Set("id_token_hint", idToken.Reveal())
	}
	u.RawQuery = q.Encode()
	return u.String(), true
}
