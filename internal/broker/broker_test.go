package broker_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

func TestSessionName(t *testing.T) {
	grammar := regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	for who, want := range map[string]string{
		"alice@example.com": "alice@example.com", "auth0|5f7c8ec7": "auth0-5f7c8ec7", "1": "gimme-1",
		"ä": "gimme--", "ä ö\nb": "-b", "": "gimme-", strings.Repeat("x", 100): strings.Repeat("x", 64),
	} {
		if got := broker.SessionName(who); got != want || !grammar.MatchString(got) {
			t.Errorf("%q: %q, want %q", who, got, want)
		}
	}
}

func kindOf(t *testing.T, err error) broker.Kind {
	t.Helper()
	e, ok := errors.AsType[*broker.Error](err)
	if !ok {
		t.Fatalf("not an *Error: %v", err)
	}
	return e.Kind
}

func TestIncompleteRequests(t *testing.T) {
	w := newWorld(t)
	for _, r := range []broker.Request{{}, {Issuer: "https://i.example", ClientID: "c"}, {Role: reader}} {
		_, err := w.broker().Credentials(t.Context(), r)
		if kindOf(t, err) != broker.Wrong {
			t.Errorf("%+v: %v", r, err)
		}
	}
	w.want(t, 0, 0, 0)
}

// One login serves until the credentials age: then it is refreshed, and nobody
// is asked.
func TestCachedThenRefreshed(t *testing.T) {
	w, r := newWorld(t), broker.Request{}
	r = w.request()
	first, err := w.broker().Credentials(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if first.Role != reader || first.Region != "eu-central-1" || first.Endpoint != w.sidecar.URL || first.Subject != "alice-1" || first.Source != "browser" || first.Login != w.loginKey() {
		t.Errorf("%+v", first)
	}
	w.want(t, 1, 1, 1)
	again, err := w.silent().Credentials(t.Context(), r)
	if err != nil || again.AccessKeyID != first.AccessKeyID {
		t.Errorf("cached: %v, %v", again, err)
	}
	w.want(t, 1, 1, 1)
	w.age(t, r, time.Hour, 10*time.Minute)
	w.forgetIDToken(t)
	renewed, err := w.silent().Credentials(t.Context(), r)
	if err != nil || renewed.AccessKeyID == "OLD" || renewed.Source != "refresh" {
		t.Fatalf("renewed: %+v, %v", renewed, err)
	}
	w.want(t, 1, 2, 2)
	if !w.told(broker.Refreshed) {
		t.Error("nothing was told of the refresh")
	}
}

// The cached path takes no lock and makes no file.
func TestCachedTakesNoLock(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	now := time.Now()
	if err := w.store.PutCredentials(r.Key(), &store.Credentials{AccessKeyID: "A", SecretAccessKey: secret.New("s"), Issued: now, Expires: now.Add(time.Hour), Role: reader}); err != nil {
		t.Fatal(err)
	}
	unlock, ok, err := w.store.TryLock("credentials-" + r.Key())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := (&broker.Broker{Store: w.store}).Credentials(ctx, r) // without an HTTP client there is no network
	if err != nil || got.AccessKeyID != "A" {
		t.Fatalf("%v, %v", got, err)
	}
	if exists(w.folder + "/locks/login-" + store.Key(w.issuer.URL, logintest.ClientID) + ".lock") {
		t.Error("the login was locked")
	}
}

func TestFreshness(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		life, left time.Duration
		want       broker.Freshness
	}{
		{time.Hour, time.Hour, broker.Fresh},
		{time.Hour, 20 * time.Minute, broker.Fresh},
		{time.Hour, 20*time.Minute - 1, broker.Due},
		{time.Hour, 15 * time.Minute, broker.Due},
		{time.Hour, 15*time.Minute - 1, broker.Last},
		{time.Hour, time.Minute, broker.Last},
		{time.Hour, time.Minute - 1, broker.None},
		{time.Hour, -time.Minute, broker.None},
		{12 * time.Hour, 20 * time.Minute, broker.Fresh},
		{15 * time.Minute, 5 * time.Minute, broker.Fresh},
		{15 * time.Minute, 5*time.Minute - 1, broker.Due},
		{15 * time.Minute, 225 * time.Second, broker.Due},
		{15 * time.Minute, 225*time.Second - 1, broker.Last},
		{time.Hour, time.Hour + 5*time.Minute, broker.Fresh},
		{time.Hour, time.Hour + 5*time.Minute + 1, broker.Last}, // issued in the future
	} {
		c := &store.Credentials{Issued: now.Add(test.left - test.life), Expires: now.Add(test.left)}
		if got := broker.FreshnessOf(c, now); got != test.want {
			t.Errorf("%s of %s left: %d, want %d", test.left, test.life, got, test.want)
		}
	}
	if got := broker.FreshnessOf(nil, now); got != broker.None {
		t.Errorf("nothing: %d", got)
	}
}

// What would make other credentials makes another key.
func TestKey(t *testing.T) {
	base := broker.Request{Address: "https://a.example", Role: "r"}
	seen := map[string]int{base.Key(): -1}
	for i, change := range []func(*broker.Request){
		func(r *broker.Request) { r.Address = "https://b.example" },
		func(r *broker.Request) { r.Issuer = "https://i.example" },
		func(r *broker.Request) { r.ClientID = "c" },
		func(r *broker.Request) { r.STSEndpoint = "https://s.example" },
		func(r *broker.Request) { r.Role = "s" },
		func(r *broker.Request) { r.Region = "eu-west-1" },
		func(r *broker.Request) { r.Scopes = []string{"groups"} },
		func(r *broker.Request) { r.Duration = time.Hour },
		func(r *broker.Request) { r.LoginHint = "bob" },
		func(r *broker.Request) { r.Workload.Identity = "github" },
		func(r *broker.Request) { r.Workload.Identity, r.Workload.Audience = "github", "a" },
		func(r *broker.Request) {
			r.Workload.Identity, r.Workload.Getenv = "github", func(n string) string { return map[string]string{"GITHUB_RUN_ID": "7"}[n] }
		},
	} {
		r := base
		change(&r)
		if other, ok := seen[r.Key()]; ok {
			t.Errorf("change %d makes the key of %d", i, other)
		}
		seen[r.Key()] = i
	}
	a, b := base, base
	a.Scopes, b.Scopes = []string{"x", "y"}, []string{"y", "x"}
	if a.Key() != b.Key() {
		t.Error("the order of scopes makes another key")
	}
}

// Many at once, several roles, an empty store: one window, one token request,
// and one request to the STS for each role.
func TestHerd(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	keys := make([]string, 40)
	for i := range keys {
		all.Go(func() {
			r := w.request()
			if i%2 == 1 {
				r.Role = writer
			}
			c, err := w.broker().Credentials(t.Context(), r)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = c.Role + c.AccessKeyID
		})
	}
	all.Wait()
	w.want(t, 1, 1, 2)
	for i := range keys {
		if keys[i] != keys[i%2] {
			t.Errorf("%d got other credentials", i)
		}
	}
}

// Who stops it gets the context's own error, at every stage.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	early, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.broker().Credentials(early, w.request()); !errors.Is(err, context.Canceled) {
		t.Errorf("before the login: %v", err)
	}
	late, cancel := context.WithCancel(t.Context())
	b := w.broker()
	b.Ask.Notify = func(n login.Notice) {
		if n.Step == login.Answered {
			cancel()
		}
	}
	if _, err := b.Credentials(late, w.request()); !errors.Is(err, context.Canceled) {
		t.Errorf("after the browser: %v", err)
	}
	if p, err := w.store.Pause(w.loginKey()); err != nil || p.Failures != 1 {
		t.Errorf("the attempt left %+v, %v", p, err)
	}
	// Whom nobody called by name waits, and a person's own run asks at once.
	patient := w.broker()
	patient.Ask.Patient = true
	windows := w.counts()[0]
	_, err := patient.Credentials(t.Context(), w.request())
	e, ok := errors.AsType[*broker.Error](err)
	if !ok || e.Kind != broker.LoginNeeded || time.Until(e.Until) < 30*time.Second || w.counts()[0] != windows {
		t.Errorf("while paused: %v", err)
	}
	if _, err := w.broker().Credentials(t.Context(), w.request()); err != nil {
		t.Errorf("called by name: %v", err)
	}
	if p, err := w.store.Pause(w.loginKey()); err != nil || p.Failures != 0 || !p.Until.IsZero() {
		t.Errorf("a login that worked left %+v, %v", p, err)
	}
}

// The pause grows with each login that is not finished.
func TestAbandoned(t *testing.T) {
	w := newWorld(t)
	b := w.broker()
	b.Ask.Timeout = 50 * time.Millisecond
	b.Ask.OpenBrowser = func(context.Context, string) error { return nil } // and nobody does anything
	for n := 1; n <= 2; n++ {
		if _, err := b.Credentials(t.Context(), w.request()); kindOf(t, err) != broker.LoginNeeded {
			t.Fatal(err)
		}
		if p, err := w.store.Pause(w.loginKey()); err != nil || p.Failures != n || time.Until(p.Until) < time.Duration(n)*time.Minute-5*time.Second {
			t.Errorf("after %d: %+v, %v", n, p, err)
		}
	}
	w.want(t, 0, 0, 0)
}

// A counter is a network that is down.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return nil, errors.New("the network is down")
}

// Without the network the credentials at hand do while they can, and a browser
// is no way out.
func TestNetworkDown(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	if _, err := w.broker().Credentials(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, left := range []time.Duration{18 * time.Minute, 5 * time.Minute} {
		w.age(t, r, time.Hour, left)
		w.forgetIDToken(t)
		down := new(counter)
		b := w.broker()
		b.HTTP = &http.Client{Transport: down}
		b.Ask.Patient = true
		w.notices = nil
		got, err := b.Credentials(t.Context(), r)
		if err != nil || got.AccessKeyID != "OLD" || !w.told(broker.KeptOld) || down.n == 0 {
			t.Errorf("%s left: %v, %v, told %v", left, got, err, w.notices)
		}
	}
	w.age(t, r, time.Hour, 30*time.Second)
	b := w.broker()
	b.HTTP = &http.Client{Transport: new(counter)}
	if _, err := b.Credentials(t.Context(), r); kindOf(t, err) != broker.Failed {
		t.Errorf("30s left: %v", err)
	}
	w.want(t, 1, 1, 1)
}

// While another renews, nobody waits who has something that does.
func TestBusyRenewal(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	if _, err := w.broker().Credentials(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	unlock, ok, err := w.store.TryLock("credentials-" + r.Key())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer unlock()
	w.age(t, r, time.Hour, 18*time.Minute)
	if got, err := w.silent().Credentials(t.Context(), r); err != nil || got.AccessKeyID != "OLD" {
		t.Errorf("in the window: %v, %v", got, err)
	}
	w.age(t, r, time.Hour, 14*time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := w.silent().Credentials(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("below the limit: %v", err)
	}
	if !w.told(broker.WaitingForOther) {
		t.Error("the wait was not told")
	}
	w.want(t, 1, 1, 1)
}

func TestKnown(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	b := w.broker()
	if l, c, err := b.Known(r); l != nil || c != nil || err != nil {
		t.Errorf("nobody: %v, %v, %v", l, c, err)
	}
	if l, err := b.Login(t.Context(), r); err != nil || l.Email != "alice@example.com" {
		t.Fatalf("login: %v, %v", l, err)
	}
	offline := &broker.Broker{Store: w.store}
	if l, c, err := offline.Known(r); err != nil || l == nil || l.Subject != "alice-1" || c != nil {
		t.Errorf("logged in: %v, %v, %v", l, c, err)
	}
	roles, err := b.Roles(t.Context(), r)
	if err != nil || len(roles) != 2 {
		t.Errorf("roles: %v, %v", roles, err)
	}
	w.want(t, 1, 1, 0)
}
