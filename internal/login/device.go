package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

const (
	defaultInterval = 5 * time.Second // RFC 8628, section 3.2
	slowDown        = 5 * time.Second // section 3.5
	maxPause        = time.Minute     // between tries at a provider that does not answer
	maxUserCode     = 64              // bytes
)

// A deviceCode is the answer of the device authorization endpoint.
type deviceCode struct {
	DeviceCode string  `json:"device_code"`
	UserCode   string  `json:"user_code"`
	URI        string  `json:"verification_uri"`
	URL        string  `json:"verification_url"` // what some call it
	Complete   string  `json:"verification_uri_complete"`
	ExpiresIn  seconds `json:"expires_in"`
	Interval   seconds `json:"interval"`
}

// Seconds are a number, which some providers send as text.
type seconds time.Duration

func (s *seconds) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "null" {
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || n > 1e6 {
		return fmt.Errorf("%q is not a number of seconds", clean(text))
	}
	*s = seconds(n * float64(time.Second))
	return nil
}

var _ json.Unmarshaler = (*seconds)(nil)

// runDevice is the device flow (RFC 8628). Whoever is talked into typing a code
// logs the sender in, so that this is never chosen unasked, and the person is
// always shown the code.
func (o Options) runDevice(ctx context.Context) (*Result, error) {
	began, verifier := time.Now(), newVerifier()
	code, err := o.askForCode(ctx, verifier)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(code.ExpiresIn))
	defer cancel()
	n := Notice{Flow: Device, URL: code.URI, UserCode: code.UserCode, Complete: code.Complete, Browser: o.OpenBrowser != nil}
	started := n
	started.Step, started.Left = Started, left(ctx)
	o.notify(started)
	shown := code.URI
	if o.Notify != nil && code.Complete != "" {
		shown = code.Complete // the person has the code before their eyes
	}
	opener := open(ctx, o.OpenBrowser, shown)
	defer opener.close(ctx)
	tokens, err := o.poll(ctx, code, verifier, n, opener.failed)
	if ctx.Err() != nil && err != nil {
		return nil, ErrTimeout // or what Run's own context says
	} else if err != nil {
		return nil, err
	}
	n.Step, n.Left = Answered, left(ctx)
	o.notify(n)
	result, err := o.verify(ctx, tokens, o.expect(secret.Text{}, secret.Text{}), began)
	if err != nil {
		return nil, err
	}
	result.Flow = Device
	return result, nil
}

// askForCode gets the codes: one to show, one to poll with. PKCE is no part of
// RFC 8628, but providers that insist on it for a client do so here as well.
func (o Options) askForCode(ctx context.Context, verifier secret.Text) (deviceCode, error) {
	meta := o.Provider.Metadata()
	if meta.DeviceAuthorizationEndpoint == "" {
		return deviceCode{}, fmt.Errorf("log in at %q with a device code: %w", meta.Issuer, ErrNotOffered)
	}
	form := url.Values{}
	o.addParameters(form)
	form.Set("scope", o.scope())
	form.Set("code_challenge", challenge(verifier))
	form.Set("code_challenge_method", "S256")
	var got deviceCode
	if err := o.post(ctx, meta.DeviceAuthorizationEndpoint, form, &got); err != nil {
		return deviceCode{}, err
	}
	if got.URI == "" {
		got.URI = got.URL
	}
	if got.DeviceCode == "" || got.ExpiresIn == 0 {
		return deviceCode{}, fmt.Errorf("%q gives no device code that lasts", meta.DeviceAuthorizationEndpoint)
	}
	if got.UserCode == "" || len(got.UserCode) > maxUserCode || clean(got.UserCode) != got.UserCode {
		return deviceCode{}, fmt.Errorf("%q gives no user code that can be shown", meta.DeviceAuthorizationEndpoint)
	}
	if err := checkURL(got.URI, "verification address", meta.Issuer); err != nil {
		return deviceCode{}, err
	}
	// The person is shown one host, and is to end up there.
	if checkURL(got.Complete, "", meta.Issuer) != nil || hostOf(got.Complete) != hostOf(got.URI) {
		got.Complete = ""
	}
	if got.Interval == 0 {
		got.Interval = seconds(defaultInterval)
	}
	return got, nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// poll asks until the person has decided. Section 3.5.
func (o Options) poll(ctx context.Context, code deviceCode, verifier secret.Text, n Notice, opened <-chan error) (grant, error) {
	interval := time.Duration(code.Interval)
	pause := interval
	for {
		if err := o.pause(ctx, pause, n, opened); err != nil {
			return grant{}, err
		}
		got, err := o.grant(ctx, url.Values{
			"grant_type":    {"urn:ietf:params:oauth:grant-type:device_code"},
			"device_code":   {code.DeviceCode},
			"code_verifier": {verifier.Reveal()},
		})
		if err == nil {
			return got, nil
		}
		refusal, answered := errors.AsType[*Refusal](err)
		switch {
		case answered && refusal.Code == "authorization_pending":
			pause = interval
		case answered && refusal.Code == "slow_down":
			interval += slowDown
			pause = interval
		case answered || !passing(err):
			return grant{}, err
		case ctx.Err() == nil:
			pause = max(interval, min(2*pause, maxPause)) // back off
			u := n
			u.Step, u.Left, u.Err = Unreachable, left(ctx), err
			o.notify(u)
		}
	}
}

// passing says whether err may be gone in a while: the network's errors, and
// answers that say so.
func passing(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return !ok || e.status >= 500 || e.status == 429
}

// pause waits for that long, and tells that every second.
func (o Options) pause(ctx context.Context, long time.Duration, n Notice, opened <-chan error) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		n.Left, n.Err = left(ctx), nil
		select {
		case <-timer.C:
			return nil
		case <-tick.C:
			n.Step = Waiting
			o.notify(n)
		case n.Err = <-opened:
			n.Step = BrowserFailed
			o.notify(n)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
