package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
)

const (
	maxAnswer = 1 << 20 // bytes of a provider's answer
	skew      = time.Minute
)

// A statusError is an answer that is none of OAuth 2.0. It says nothing of the
// body, which may hold anything.
type statusError struct {
	endpoint string
	status   int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%q answers with status %d", e.endpoint, e.status)
}

// A grant is what a token endpoint gives.
type grant struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
}

// grant asks the token endpoint.
func (o Options) grant(ctx context.Context, form url.Values) (grant, error) {
	var got grant
	endpoint := o.Provider.Metadata().TokenEndpoint
	if endpoint == "" {
		return got, fmt.Errorf("ask the token endpoint: %w", ErrNotOffered)
	}
	if err := o.post(ctx, endpoint, form, &got); err != nil {
		return grant{}, err
	}
	return got, nil
}

// post sends a form as the client, and reads the answer into result if that is
// not nil. A public client names itself; the secret that some providers insist
// on goes the same way (RFC 6749, section 2.3.1). Errors are *Refusal,
// *statusError, or of the network; none holds what was sent.
func (o Options) post(ctx context.Context, endpoint string, form url.Values, result any) error {
	form.Set("client_id", o.ClientID)
	if !o.ClientSecret.Empty() {
		form.Set("client_secret", o.ClientSecret.Reveal())
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("ask %q: it is not an address", endpoint)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	straight := *o.HTTP
	straight.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := straight.Do(r)
	if err != nil {
		return fmt.Errorf("ask %q: %w", endpoint, reason(err))
	}
	defer answer.Body.Close()
	return judge(endpoint, answer, result)
}

func judge(endpoint string, answer *http.Response, result any) error {
	other := &statusError{endpoint, answer.StatusCode}
	good := answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusNoContent && result == nil
	if answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests {
		return other
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if isJSON := kind == "application/json" || strings.HasSuffix(kind, "+json"); !isJSON {
		switch {
		case !good:
			return other
		case result != nil:
			return fmt.Errorf("%q answers with %q and not with JSON", endpoint, clean(kind))
		}
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read the answer of %q: %w", endpoint, reason(err))
	}
	var refusal struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	switch bad := json.Unmarshal(body, &refusal); {
	case len(body) > maxAnswer:
		return fmt.Errorf("read the answer of %q: it is larger than %d bytes", endpoint, maxAnswer)
	case bad == nil && refusal.Error != "":
		return &Refusal{Code: clean(refusal.Error), Description: clean(refusal.Description)}
	case !good:
		return other
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(body, result); err != nil {
		return fmt.Errorf("the answer of %q is not as OAuth 2.0 says", endpoint) // the error could quote a token
	}
	return nil
}

// reason takes the address off the errors of net/http.
func reason(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// expect is what the ID token of a login must be. Whether groups are missing is
// for the sidecar to judge, which knows what it does with them.
func (o Options) expect(nonce, code secret.Text) idtoken.Expect {
	return idtoken.Expect{ClientIDs: []string{o.ClientID}, Nonce: nonce.Reveal(), Code: code.Reveal(), IgnoreGroups: true}
}

// verify makes a result of a grant for a login that began then.
func (o Options) verify(ctx context.Context, got grant, e idtoken.Expect, began time.Time) (*Result, error) {
	if got.IDToken == "" {
		return nil, fmt.Errorf("the token endpoint %q sent no ID token", o.Provider.Metadata().TokenEndpoint)
	}
	e.AccessToken = got.AccessToken
	token, err := o.Provider.Verify(ctx, got.IDToken, e)
	if err != nil {
		return nil, err
	}
	if o.Fresh && !token.AuthTime.IsZero() && token.AuthTime.Before(began.Add(-skew)) {
		return nil, fmt.Errorf("a new login was asked for, but the one that %q answers with is of %s", token.Issuer, token.AuthTime.Format(time.RFC3339))
	}
	return &Result{IDToken: secret.New(got.IDToken), RefreshToken: secret.New(got.RefreshToken), Token: token}, nil
}
