package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// Refresh gets a new ID token for subject without asking anybody. Of o it uses
// Provider, ClientID, ClientSecret and HTTP.
//
// Providers may take a refresh token out of use as they answer, so that whenever
// the result is not nil its RefreshToken is to be kept in the place of the old
// one, also beside an error: then its IDToken is empty and its Token nil. It is
// the old one where the provider sent none.
//
// Errors are ErrNoIDToken; *Refusal, with Code invalid_grant when the refresh
// token is spent; *idtoken.Error; ctx's own, or of the network.
func Refresh(ctx context.Context, o Options, refresh secret.Text, subject string) (*Result, error) {
	if refresh.Empty() || subject == "" {
		return nil, errors.New("refresh a login: there is no refresh token, or it is not known whose it is")
	}
	o.Fresh = false // nobody logs in
	got, err := o.grant(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()}})
	if ctx.Err() != nil && err != nil {
		return nil, ctx.Err()
	} else if err != nil {
		return nil, err
	}
	got.RefreshToken = cmp.Or(got.RefreshToken, refresh.Reveal())
	kept := &Result{RefreshToken: secret.New(got.RefreshToken)}
	if got.IDToken == "" {
		return kept, ErrNoIDToken
	}
	result, err := o.verify(ctx, got, o.expect(secret.Text{}, secret.Text{}), time.Time{})
	if err != nil {
		return kept, err
	}
	if result.Token.Subject != subject { // OpenID Connect Core, section 12.2; neither token is this person's
		return nil, fmt.Errorf("the refresh at %q gave an ID token of another person", result.Token.Issuer)
	}
	return result, nil
}
