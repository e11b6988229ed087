package login

import (
	"context"
	"errors"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
)

var errNotYet = errors.New("not yet")

// Refresh gets a new ID token for subject without asking anybody.
func Refresh(ctx context.Context, o Options, refresh secret.Text, subject string) (*Result, error) {
	return nil, errNotYet
}

// Revoke has the provider forget a refresh token (RFC 7009).
func Revoke(ctx context.Context, o Options, refresh secret.Text) error { return errNotYet }

// EndSessionURL is where a browser ends the person's session at the provider.
func EndSessionURL(p *idtoken.Provider, clientID string, idToken secret.Text) (string, bool) {
	return "", false
}
