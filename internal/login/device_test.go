package login_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// onDevice runs the device flow at a scripted provider, in a bubble.
func onDevice(t *testing.T, set func(*logintest.Issuer, *login.Options), check func(i *logintest.Issuer, took time.Duration, notices []login.Notice, result *login.Result, err error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		i, c := logintest.NewInProcess(t)
		i.Device = true
		var notices []login.Notice
		o := login.Options{ClientID: logintest.ClientID, Scopes: []string{"email"}, HTTP: c, Flow: login.Device, Notify: func(n login.Notice) { notices = append(notices, n) }}
		set(i, &o)
		p, err := idtoken.Discover(t.Context(), c, i.URL)
		if err != nil {
			t.Fatal(err)
		}
		o.Provider = p
		began := time.Now()
		result, err := login.Run(t.Context(), o)
		check(i, time.Since(began), notices, result, err)
	})
}

// typing has a person type the code after a while.
func typing(i *logintest.Issuer, o *login.Options, after time.Duration, decide func(string) bool) {
	before := o.Notify
	o.Notify = func(n login.Notice) {
		before(n)
		if n.Step == login.Started {
			time.AfterFunc(after, func() { decide(n.UserCode) })
		}
	}
}

func TestDeviceLogin(t *testing.T) {
	onDevice(t, func(i *logintest.Issuer, o *login.Options) {
		i.Interval, i.Refresh = 5, true
		o.Scopes = []string{"email", "offline_access"}
		typing(i, o, 12*time.Second, i.Approve)
	}, func(i *logintest.Issuer, took time.Duration, notices []login.Notice, result *login.Result, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if took != 15*time.Second || i.Count(deviceGrant) != 3 { // at 5, 10 and 15 seconds
			t.Errorf("%v, %d requests", took, i.Count(deviceGrant))
		}
		if result.Flow != login.Device || result.Token.Subject != "alice-1" || !i.Alive(result.RefreshToken.Reveal()) {
			t.Errorf("%+v", result)
		}
		first := notices[0]
		want := login.Notice{
			Step: login.Started, Flow: login.Device, URL: i.URL + "/activate", UserCode: first.UserCode,
			Complete: i.URL + "/activate?user_code=" + first.UserCode, Left: time.Minute,
		}
		if diff := cmp.Diff(want, first); diff != "" || len(first.UserCode) != 9 {
			t.Errorf("(-want +got)\n%s", diff)
		}
		waits := 0
		for _, n := range notices {
			if n.Complete != "" && n.UserCode == "" {
				t.Errorf("a complete address without the code: %+v", n)
			}
			if n.Step == login.Waiting {
				waits++
			}
		}
		if last := notices[len(notices)-1]; last.Step != login.Answered || last.Left != 45*time.Second || waits < 12 || waits > 15 {
			t.Errorf("%+v, waited %d times", last, waits)
		}
		if q := i.Asked()[0]; q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("scope") != "openid email offline_access" {
			t.Errorf("asked %v", q)
		}
		for _, s := range i.Secrets() {
			if strings.Contains(fmt.Sprintf("%+v%+v", notices, result), s) {
				t.Errorf("a notice or the result shows %s", s)
			}
		}
	})
}

func TestDevicePolling(t *testing.T) {
	pending := logintest.Refuse("authorization_pending")
	slow := logintest.Refuse("slow_down")
	for _, test := range []struct {
		name     string
		script   []http.HandlerFunc
		interval int
		expires  int
		took     time.Duration
		polls    int
		err      string // empty: it works in the end
	}{
		{"at once", nil, 5, 0, 5 * time.Second, 1, ""},
		{"slow down", []http.HandlerFunc{slow, pending, slow}, 5, 300, (5 + 10 + 10 + 15) * time.Second, 4, ""},
		{"own interval", []http.HandlerFunc{pending, pending}, 7, 0, 21 * time.Second, 3, ""},
		{"connection cut", []http.HandlerFunc{logintest.Cut, logintest.Cut, logintest.Cut, pending}, 5, 600, (5 + 10 + 20 + 40 + 5) * time.Second, 5, ""},
		{"long out of reach", slices.Repeat([]http.HandlerFunc{logintest.Cut}, 6), 5, 600, (5 + 10 + 20 + 40 + 60 + 60 + 60) * time.Second, 7, ""},
		{"overloaded", []http.HandlerFunc{logintest.Status(503), logintest.Status(429)}, 5, 600, (5 + 10 + 20) * time.Second, 3, ""},
		{"denied", []http.HandlerFunc{pending, logintest.Refuse("access_denied")}, 5, 0, 10 * time.Second, 2, "access_denied"},
		{"expired", []http.HandlerFunc{logintest.Refuse("expired_token")}, 5, 0, 5 * time.Second, 1, "expired_token"},
		{"other answer", []http.HandlerFunc{logintest.Refuse("invalid_client")}, 5, 0, 5 * time.Second, 1, "invalid_client"},
		{"not OAuth", []http.HandlerFunc{logintest.Status(404)}, 5, 0, 5 * time.Second, 1, "status 404"},
		{"nobody decides", slices.Repeat([]http.HandlerFunc{pending}, 10), 5, 28, 28 * time.Second, 5, login.ErrTimeout.Error()},
		{"out of reach until it expires", slices.Repeat([]http.HandlerFunc{logintest.Cut}, 10), 5, 28, 28 * time.Second, 2, login.ErrTimeout.Error()},
		{"given up before it expires", slices.Repeat([]http.HandlerFunc{pending}, 100), 70, 900, login.DefaultTimeout, 4, login.ErrTimeout.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			onDevice(t, func(i *logintest.Issuer, o *login.Options) {
				i.Interval, i.ExpiresIn, i.Script = test.interval, test.expires, test.script
				typing(i, o, time.Second, i.Approve)
			}, func(i *logintest.Issuer, took time.Duration, notices []login.Notice, result *login.Result, err error) {
				if took != test.took || i.Redeemed() != test.polls {
					t.Errorf("%v and %d requests, want %v and %d", took, i.Redeemed(), test.took, test.polls)
				}
				if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) || (err == nil) != (result != nil) {
					t.Errorf("%v, %v; want %q", result, err, test.err)
				}
				told := slices.ContainsFunc(notices, func(n login.Notice) bool { return n.Step == login.Unreachable && n.Err != nil })
				if cut := strings.Contains(test.name, "cut") || strings.Contains(test.name, "reach") || test.name == "overloaded"; told != cut {
					t.Errorf("told that it cannot be reached: %v", told)
				}
			})
		})
	}
}

func TestDeviceCodesThatAreRefused(t *testing.T) {
	good := map[string]any{"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://idp.example.test/d", "expires_in": 60}
	for name, change := range map[string]map[string]any{
		"plain http":          {"verification_uri": "http://idp.example.test/d"},
		"script":              {"verification_uri": "javascript:alert(1)"},
		"user in the address": {"verification_uri": "https://idp@evil.test/d"},
		"line break":          {"verification_uri": "https://idp.example.test/\nd"},
		"no address":          {"verification_uri": nil},
		"no device code":      {"device_code": ""},
		"no user code":        {"user_code": ""},
		"escape in the code":  {"user_code": "AB\x1b[2J"},
		"long code":           {"user_code": strings.Repeat("A", 65)},
		"no life":             {"expires_in": 0},
		"negative life":       {"expires_in": -1},
		"life a word":         {"expires_in": "long"},
	} {
		t.Run(name, func(t *testing.T) {
			opened := false
			onDevice(t, func(i *logintest.Issuer, o *login.Options) {
				o.OpenBrowser = func(context.Context, string) error { opened = true; return nil }
				o.HTTP.Transport = answering(o.HTTP.Transport, good, change)
			}, func(i *logintest.Issuer, _ time.Duration, notices []login.Notice, _ *login.Result, err error) {
				if err == nil || errors.Is(err, login.ErrTimeout) || strings.ContainsAny(err.Error(), "\x1b\n") {
					t.Errorf("error %v", err)
				}
				if len(notices) != 0 || opened || i.Redeemed() != 0 {
					t.Errorf("it went on: %v, %v, %d", notices, opened, i.Redeemed())
				}
			})
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering replaces the answer of the device authorization endpoint.
func answering(next http.RoundTripper, good, change map[string]any) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/device" {
			return next.RoundTrip(r)
		}
		return respond(merge(good, change)), nil
	})
}

func TestDeviceAddresses(t *testing.T) {
	good := map[string]any{"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://idp.example.test/d", "expires_in": "30", "interval": "20"}
	for _, test := range []struct {
		name, complete string
		shown          bool // the person is shown the code
		want           string
	}{
		{"complete", "https://idp.example.test/d?c=1", true, "https://idp.example.test/d?c=1"},
		{"code not shown", "https://idp.example.test/d?c=1", false, "https://idp.example.test/d"},
		{"of another host", "https://evil.test/d?c=1", true, "https://idp.example.test/d"},
		{"plain http", "http://idp.example.test/d?c=1", true, "https://idp.example.test/d"},
		{"none", "", true, "https://idp.example.test/d"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opened := ""
			onDevice(t, func(i *logintest.Issuer, o *login.Options) {
				o.OpenBrowser = func(_ context.Context, url string) error { opened = url; return nil }
				o.HTTP.Transport = answering(o.HTTP.Transport, good, map[string]any{"verification_uri_complete": test.complete})
				i.Script = []http.HandlerFunc{logintest.Refuse("access_denied")}
				if !test.shown {
					o.Notify = nil
				}
			}, func(_ *logintest.Issuer, took time.Duration, notices []login.Notice, _ *login.Result, err error) {
				if opened != test.want || took < 20*time.Second {
					t.Errorf("opened %q after %v, %v", opened, took, err)
				}
				if test.shown && (notices[0].Complete != "") != (opened != notices[0].URL) {
					t.Errorf("%+v", notices[0])
				}
			})
		})
	}
}

func TestDeviceIsNotOffered(t *testing.T) {
	onDevice(t, func(i *logintest.Issuer, _ *login.Options) { i.Device = false }, func(i *logintest.Issuer, _ time.Duration, notices []login.Notice, _ *login.Result, err error) {
		if !errors.Is(err, login.ErrNotOffered) || len(notices) != 0 || i.Count("device") != 0 {
			t.Errorf("%v, %v", err, notices)
		}
	})
}

func TestDeviceIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, c := logintest.NewInProcess(t)
		i.Device = true
		p, err := idtoken.Discover(t.Context(), c, i.URL)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		_, err = login.Run(ctx, login.Options{Provider: p, ClientID: logintest.ClientID, HTTP: c, Flow: login.Device, OpenBrowser: func(ctx context.Context, _ string) error {
			<-ctx.Done() // the bubble fails if this stays
			return ctx.Err()
		}})
		if !errors.Is(err, context.Canceled) || i.Redeemed() != 1 {
			t.Errorf("%v, %d requests", err, i.Redeemed())
		}
	})
}
