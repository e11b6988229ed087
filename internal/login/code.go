package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// An attempt is one login by code. Everything in it is used once.
type attempt struct {
	Options
	began    time.Time
	verifier secret.Text // of PKCE
	nonce    secret.Text
	url      string
	callback *callback
}

// runCode is the authorization code flow, with a browser here or elsewhere.
func (o Options) runCode(ctx context.Context) (*Result, error) {
	a, err := o.begin(ctx)
	if err != nil {
		return nil, err
	}
	n := a.notice(ctx, Started)
	n.Browser = a.OpenBrowser != nil
	a.notify(n)
	opener := open(ctx, a.OpenBrowser, a.url)
	lines := a.readLines(ctx)
	result, err := a.run(ctx, opener.failed, lines.read)
	lines.close()
	a.callback.close(ctx, err == nil)
	opener.close(ctx)
	return result, err
}

// begin checks everything, and opens the listener.
func (o Options) begin(ctx context.Context) (*attempt, error) {
	meta := o.Provider.Metadata()
	if meta.AuthorizationEndpoint == "" || meta.TokenEndpoint == "" {
		return nil, fmt.Errorf("log in at %q with a browser: %w", meta.Issuer, ErrNotOffered)
	}
	if err := checkURL(meta.AuthorizationEndpoint, "authorization endpoint", meta.Issuer); err != nil {
		return nil, err
	}
	address, err := url.Parse(meta.AuthorizationEndpoint)
	if err != nil {
		return nil, err
	}
	state := rand.Text() + rand.Text() // 260 bits
	c, err := listen(ctx, o.RedirectHost, o.Ports, state)
	if err != nil {
		return nil, err
	}
	a := &attempt{Options: o, began: time.Now(), verifier: newVerifier(), nonce: secret.New(rand.Text()), callback: c}
	q := address.Query()
	o.addParameters(q)
	for name, value := range map[string]string{
		"response_type":         "code",
		"client_id":             o.ClientID,
		"redirect_uri":          c.redirect(),
		"scope":                 o.scope(),
		"state":                 state,
		"nonce":                 a.nonce.Reveal(),
		"code_challenge":        challenge(a.verifier),
		"code_challenge_method": "S256",
	} {
		q.Set(name, value)
	}
	address.RawQuery = q.Encode()
	a.url = address.String()
	return a, nil
}

// newVerifier makes a code_verifier: 52 characters of RFC 7636's set, 260 bits.
func newVerifier() secret.Text { return secret.New(rand.Text() + rand.Text()) }

// challenge is S256 of RFC 7636, section 4.2.
func challenge(verifier secret.Text) string {
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (a *attempt) notice(ctx context.Context, s Step) Notice {
	return Notice{Step: s, Flow: a.Flow, URL: a.url, Paste: a.Lines != nil, Port: a.callback.port, Left: left(ctx)}
}

// run goes from the answer to the verified token.
func (a *attempt) run(ctx context.Context, opened <-chan error, lines <-chan string) (*Result, error) {
	got, err := a.wait(ctx, opened, lines)
	if err != nil {
		return nil, err
	}
	a.notify(a.notice(ctx, Answered))
	result, err := a.redeem(ctx, got)
	if err != nil {
		return nil, err
	}
	result.Flow = Browser
	if got.pasted {
		result.Flow = Paste
	}
	return result, nil
}

// wait waits for the answer: in the browser, or pasted.
func (a *attempt) wait(ctx context.Context, opened <-chan error, lines <-chan string) (answer, error) {
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		select {
		case got := <-a.callback.answers:
			return got, nil
		case err := <-opened:
			if ctx.Err() == nil {
				n := a.notice(ctx, BrowserFailed)
				n.Err = err
				a.notify(n)
			}
		case line := <-lines:
			if err := a.callback.paste(line); err != nil {
				n := a.notice(ctx, WrongLine)
				n.Err = err
				a.notify(n)
			}
		case refused := <-a.callback.disturbed:
			n := a.notice(ctx, Disturbed)
			n.Refused = refused
			a.notify(n)
		case <-tick.C:
			a.notify(a.notice(ctx, Waiting))
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

// redeem turns the answer into a verified ID token.
func (a *attempt) redeem(ctx context.Context, got answer) (*Result, error) {
	meta := a.Provider.Metadata()
	// RFC 9207, section 2.4: refuse the answer of another provider.
	if got.issuer != meta.Issuer && (got.hasIssuer || meta.IssParameterSupported) {
		return nil, fmt.Errorf("the answer in the browser is not from %q, at which the login began, but says %q", meta.Issuer, clean(got.issuer))
	}
	if got.refusal != nil {
		return nil, got.refusal
	}
	tokens, err := a.grant(ctx, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {got.code.Reveal()},
		"redirect_uri":  {a.callback.redirect()},
		"code_verifier": {a.verifier.Reveal()},
	})
	if err != nil {
		return nil, err
	}
	return a.verify(ctx, tokens, a.expect(a.nonce, got.code), a.began)
}
