// Package login has a person log in with their identity provider and brings
// back a verified ID token.
//
// It is the authorization code flow of OpenID Connect for native applications
// (RFC 8252): the system's browser, a listener on 127.0.0.1 that is open before
// the browser is, PKCE with S256 always (RFC 7636), state, nonce, and the
// provider's name in the answer (RFC 9207). It keeps nothing on disk and prints
// nothing; whoever calls it tells the person what goes on.
package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
)

// DefaultTimeout is how long a person has for the login.
const DefaultTimeout = 5 * time.Minute

// ErrTimeout says that the person did not finish the login in time.
var ErrTimeout = errors.New("nobody finished the login in time")

// ErrNoIDToken says that a refresh gave no ID token: the person has to log in.
var ErrNoIDToken = errors.New("the provider gives no ID token without a login")

// ErrNotOffered says that the provider has no endpoint for what was wanted.
var ErrNotOffered = errors.New("the provider does not offer it")

// A Refusal is the provider's own answer that there will be no token. Its texts
// are made safe for a terminal.
type Refusal struct {
	Code        string // such as access_denied
	Description string // may be empty
}

func (r *Refusal) Error() string {
	if r.Description == "" {
		return fmt.Sprintf("the identity provider answers %q", r.Code)
	}
	return fmt.Sprintf("the identity provider answers %q: %s", r.Code, r.Description)
}

// A Flow is a way to log in.
type Flow string

const (
	Browser Flow = "browser" // the browser of this machine comes back to a listener on loopback
	Device  Flow = "device"  // a code is typed into a page on any machine (RFC 8628)
	Paste   Flow = "paste"   // a browser elsewhere; where it ends up is pasted here
)

// Options say who logs in where. Provider, ClientID and HTTP are required.
type Options struct {
	Provider     *idtoken.Provider
	ClientID     string
	ClientSecret secret.Text   // empty, but for providers that insist on one
	Scopes       []string      // "openid" is added when it is missing
	HTTP         *http.Client  // redirects are not followed, whatever it does
	Timeout      time.Duration // of a login; 0: DefaultTimeout

	Flow         Flow   // empty: Browser
	RedirectHost string // 127.0.0.1, localhost or [::1]; empty: 127.0.0.1
	Ports        []int  // of the listener, tried in order; empty: any that is free

	// Parameters go into the authorization request, or that of the device
	// flow, as they are. Those that protect the login cannot be set.
	Parameters map[string]string

	// Fresh asks for a wholly new login, also where the provider still knows
	// the person.
	Fresh bool

	// OpenBrowser shows the address to the person, and returns when that is
	// done or ctx ends. Nil: the person opens it, told by Notify.
	OpenBrowser func(ctx context.Context, url string) error

	// Notify is told what goes on, from one goroutine. May be nil.
	Notify func(Notice)

	// Lines gives the next line that the person pastes while the flows Browser
	// and Paste wait, and ends when ctx does. Nil: nobody can paste.
	Lines func(ctx context.Context) (string, error)
}

// A Step is what a notice is about.
type Step int

const (
	Started       Step = iota // the address is known and the listener open
	BrowserFailed             // OpenBrowser returned Err
	Waiting                   // still; comes every second
	Disturbed                 // Refused requests were none of the login's
	Answered                  // the browser came back, an answer was pasted, or the device login was approved
	WrongLine                 // the line that was pasted is no answer to this login: Err says why
	Unreachable               // the provider does not answer (Err); the device flow goes on trying
)

// A Notice tells what goes on.
type Notice struct {
	Step    Step
	Flow    Flow
	URL     string        // to open; https, or http on loopback
	Browser bool          // whether a browser is asked to open it
	Paste   bool          // whether a line may be pasted
	Port    int           // of the listener; 0: the device flow has none
	Left    time.Duration // until the login is given up
	Refused int
	Err     error

	// UserCode is what the person types at URL in the device flow. Complete, if
	// there is one, is URL with the code in it, and never to be shown alone:
	// the person compares the code.
	UserCode string
	Complete string
}

// A Result is a login that worked.
type Result struct {
	IDToken      secret.Text    // as the provider sent it
	RefreshToken secret.Text    // empty: the provider gave none
	Token        *idtoken.Token // what the ID token says, verified
	Flow         Flow           // by which the answer came; empty: by a refresh
}

const noticeEvery = 30 * time.Second

// Run has a person log in. Errors are ErrTimeout, *Refusal, *idtoken.Error,
// ctx's own, or of the network. When it returns, nothing listens any more.
func Run(ctx context.Context, o Options) (*Result, error) {
	parent := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout(), ErrTimeout)
	defer cancel()
	a, err := o.begin(ctx)
	if err != nil {
		return nil, err
	}
	opener := a.open(ctx)
	result, err := a.run(ctx, opener.failed)
	a.callback.close(ctx, err == nil)
	opener.close(ctx)
	if err != nil && ctx.Err() != nil && parent.Err() == nil {
		return nil, ErrTimeout
	}
	return result, err
}

func (o Options) timeout() time.Duration {
	if o.Timeout <= 0 {
		return DefaultTimeout
	}
	return o.Timeout
}

func (o Options) notify(n Notice) {
	if o.Notify != nil {
		o.Notify(n)
	}
}

// An attempt is one login. Everything in it is used once.
type attempt struct {
	Options
	config   oauth2.Config
	verifier secret.Text // of PKCE
	nonce    secret.Text
	url      string
	callback *callback
	deadline time.Time
}

func (o Options) begin(ctx context.Context) (*attempt, error) {
	meta := o.Provider.Metadata()
	if !slices.Contains(o.Scopes, "openid") {
		o.Scopes = append([]string{"openid"}, o.Scopes...)
	}
	state := rand.Text() + rand.Text() // 260 bits
	c, err := listen(ctx, state)
	if err != nil {
		return nil, err
	}
	a := &attempt{
		Options:  o,
		verifier: secret.New(oauth2.GenerateVerifier()),
		nonce:    secret.New(rand.Text()),
		callback: c,
		config: oauth2.Config{
			ClientID:    o.ClientID,
			RedirectURL: "http://" + c.host + callbackPath,
			Scopes:      o.Scopes,
			Endpoint: oauth2.Endpoint{
				AuthURL:  meta.AuthorizationEndpoint,
				TokenURL: meta.TokenEndpoint,
				// A public client has no secret to authenticate with. Without
				// this the code would be tried twice.
				AuthStyle: oauth2.AuthStyleInParams,
			},
		},
	}
	a.deadline, _ = ctx.Deadline()
	a.url = a.config.AuthCodeURL(state, oauth2.S256ChallengeOption(a.verifier.Reveal()), oauth2.SetAuthURLParam("nonce", a.nonce.Reveal()))
	if err := checkURL(a.url, meta.Issuer); err != nil {
		c.close(ctx, false)
		return nil, err
	}
	return a, nil
}

// An opener runs OpenBrowser beside the login.
type opener struct {
	failed chan error // what OpenBrowser returned, if that is an error
	done   chan struct{}
	cancel context.CancelFunc
}

// open asks for the browser.
func (a *attempt) open(ctx context.Context) *opener {
	a.notify(Notice{Step: Started, URL: a.url, Browser: a.OpenBrowser != nil, Left: a.left()})
	ctx, cancel := context.WithCancel(ctx)
	o := &opener{failed: make(chan error, 1), done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(o.done)
		if a.OpenBrowser == nil {
			return
		}
		if err := a.OpenBrowser(ctx, a.url); err != nil {
			o.failed <- err
		}
	}()
	return o
}

// close waits until OpenBrowser has returned, and makes it return if it does
// not within a moment: it may be reading the result page itself.
func (o *opener) close(ctx context.Context) {
	select {
	case <-o.done:
	case <-ctx.Done():
	case <-time.After(250 * time.Millisecond):
	}
	o.cancel()
	<-o.done
}

// run goes from the browser's answer to the verified token.
func (a *attempt) run(ctx context.Context, opened <-chan error) (*Result, error) {
	answer, err := a.wait(ctx, opened)
	if err != nil {
		return nil, err
	}
	a.notify(Notice{Step: Answered, URL: a.url})
	return a.redeem(ctx, answer)
}

// wait waits for the answer in the browser.
func (a *attempt) wait(ctx context.Context, opened <-chan error) (answer, error) {
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		select {
		case got := <-a.callback.answers:
			return got, nil
		case err := <-opened:
			if ctx.Err() == nil {
				a.notify(Notice{Step: BrowserFailed, URL: a.url, Left: a.left(), Err: err})
			}
		case n := <-a.callback.disturbed:
			a.notify(Notice{Step: Disturbed, URL: a.url, Left: a.left(), Refused: n})
		case <-tick.C:
			a.notify(Notice{Step: Waiting, URL: a.url, Left: a.left()})
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

func (a *attempt) left() time.Duration { return max(0, time.Until(a.deadline)) }

// redeem turns the browser's answer into a verified ID token.
func (a *attempt) redeem(ctx context.Context, got answer) (*Result, error) {
	meta := a.Provider.Metadata()
	// RFC 9207, section 2.4: refuse the answer of another provider.
	if got.issuer != meta.Issuer && (got.hasIssuer || meta.IssParameterSupported) {
		return nil, fmt.Errorf("the answer in the browser is not from %q, at which the login began, but says %q", meta.Issuer, clean(got.issuer))
	}
	if got.refusal != nil {
		return nil, got.refusal
	}
	// x/oauth2 takes its client from the context, and nowhere else.
	ctx = context.WithValue(ctx, oauth2.HTTPClient, a.HTTP)
	tokens, err := a.config.Exchange(ctx, got.code.Reveal(), oauth2.VerifierOption(a.verifier.Reveal()))
	if err != nil {
		return nil, exchangeError(err, meta.TokenEndpoint)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok || raw == "" {
		return nil, fmt.Errorf("the token endpoint %q sent no ID token", meta.TokenEndpoint)
	}
	token, err := a.Provider.Verify(ctx, raw, idtoken.Expect{
		ClientIDs: []string{a.ClientID}, Nonce: a.nonce.Reveal(), AccessToken: tokens.AccessToken, Code: got.code.Reveal(),
	})
	if err != nil {
		return nil, err
	}
	return &Result{IDToken: secret.New(raw), Token: token}, nil
}

// exchangeError says what the token endpoint answered, without the body, which
// may hold anything.
func exchangeError(err error, endpoint string) error {
	r, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case !ok:
		return fmt.Errorf("exchange the code at %q: %w", endpoint, err)
	case r.ErrorCode != "":
		return &Refusal{Code: clean(r.ErrorCode), Description: clean(r.ErrorDescription)}
	case r.Response != nil:
		return fmt.Errorf("the token endpoint %q answers with status %d", endpoint, r.Response.StatusCode)
	}
	return fmt.Errorf("the token endpoint %q does not answer as OAuth 2.0 says", endpoint)
}

// checkURL lets only addresses reach the browser that a browser alone opens:
// operating systems start other programs for other schemes.
func checkURL(address, issuer string) error {
	u, err := url.Parse(address)
	if err != nil || strings.ContainsFunc(address, unsafeInURL) || u.User != nil || u.Host == "" {
		return fmt.Errorf("the authorization endpoint of %q is not an address that can be opened", issuer)
	}
	if u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(issuer, "http:") && idtoken.IsLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("the authorization endpoint of %q has scheme %q, but https is wanted", issuer, u.Scheme)
}

func unsafeInURL(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'`<>\\^{|}", r)
}

// clean makes a stranger's text fit for a terminal: printable, and short.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "..."
	}
	return s
}
