package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gimme-broker/gimme/internal/upstream"
)

// pipes is a listener and a dialer over net.Pipe, which live in a bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// inBubble runs f in a bubble with a source whose STS is double.
func inBubble(t *testing.T, double *stsDouble, o upstream.AssumeRoleOptions, f func(*testing.T, upstream.Source)) {
	clean(t)
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: double}
		go server.Serve(p)
		transport := &http.Transport{DialContext: p.dial}
		defer func() {
			transport.CloseIdleConnections()
			server.Close()
			synctest.Wait()
		}()
		o.Base, o.Endpoint, o.HTTPClient = base(), "http://sts.example", &http.Client{Transport: transport}
		f(t, assumeRole(t, o))
	})
}

// get returns the access key id that s gives p.
func get(t *testing.T, s upstream.Source, p upstream.Principal) string {
	t.Helper()
	c, err := s.Credentials(t.Context(), role, p)
	if err != nil {
		t.Fatal(err)
	}
	return c.AccessKeyID
}

func TestOneCallForManyCallers(t *testing.T) {
	double := &stsDouble{}
	inBubble(t, double, upstream.AssumeRoleOptions{}, func(t *testing.T, s upstream.Source) {
		// The channel is of the bubble, so that waiting for it lets the bubble's time stand.
		wait := make(chan struct{})
		double.Set("", wait)
		ids := make([]string, 50)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { ids[i] = get(t, s, alice) })
		}
		synctest.Wait()
		close(wait)
		wg.Wait()
		for _, id := range ids {
			if id != "ASIA1" {
				t.Errorf("got %q", id)
			}
		}
		if n := len(double.Seen()); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestWhoSharesCredentials(t *testing.T) {
	double := &stsDouble{}
	inBubble(t, double, upstream.AssumeRoleOptions{}, func(t *testing.T, s upstream.Source) {
		for i, p := range []upstream.Principal{
			alice, {Issuer: "https://other.example", Subject: "alice", Email: alice.Email}, {Issuer: alice.Issuer, Subject: "bob", Email: alice.Email},
			{Issuer: alice.Issuer, Subject: "alice", Email: "new@example.com"}, {Issuer: alice.Issuer + `" "a`, Subject: "lice"},
		} {
			want := fmt.Sprintf("ASIA%d", i+1)
			p.Name, p.Groups = "", nil
			if id := get(t, s, p); id != want {
				t.Errorf("%+v got %q, want %q", p, id, want)
			}
			if id := get(t, s, p); id != want {
				t.Errorf("%+v got %q the second time", p, id)
			}
		}
		if c, err := s.Credentials(t.Context(), role+"2", alice); err != nil || c.AccessKeyID != "ASIA6" {
			t.Errorf("another role: %v, %v", c.AccessKeyID, err)
		}
	})
}

func TestRenewal(t *testing.T) {
	double := &stsDouble{}
	inBubble(t, double, upstream.AssumeRoleOptions{}, func(t *testing.T, s upstream.Source) {
		start := time.Now()
		for _, step := range []struct {
			at      time.Duration
			failure string
			want    string // "" for a failure
			calls   int
		}{
			{0, "", "ASIA1", 1},
			{53 * time.Minute, "", "ASIA1", 1},
			{55*time.Minute + time.Second, "", "ASIA2", 2},
			{56 * time.Minute, "", "ASIA2", 2},
			{112 * time.Minute, "AccessDenied", "ASIA2", 3}, // valid until 115 min; serves on
			{112*time.Minute + time.Second, "AccessDenied", "ASIA2", 3},
			{112*time.Minute + 11*time.Second, "AccessDenied", "ASIA2", 4},
			{114*time.Minute + 5*time.Second, "AccessDenied", "", 5}, // less than a minute is left
			{114*time.Minute + 6*time.Second, "AccessDenied", "", 6}, // failures are not kept
			{116 * time.Minute, "", "ASIA7", 7},
		} {
			time.Sleep(step.at - time.Since(start))
			double.Set(step.failure, nil)
			c, err := s.Credentials(t.Context(), role, alice)
			if c.AccessKeyID != step.want || (err == nil) != (step.want != "") {
				t.Errorf("at %v: %q, %v; want %q", step.at, c.AccessKeyID, err, step.want)
			}
			if n := len(double.Seen()); n != step.calls {
				t.Errorf("at %v: %d calls, want %d", step.at, n, step.calls)
			}
			if err == nil && !c.Expires.After(time.Now()) {
				t.Errorf("at %v: expired at %v", step.at, c.Expires)
			}
		}
	})
}

func TestShortLivedCredentialsAreKeptForAWhile(t *testing.T) {
	double := &stsDouble{Life: 4 * time.Minute}
	inBubble(t, double, upstream.AssumeRoleOptions{}, func(t *testing.T, s upstream.Source) {
		get(t, s, alice)
		time.Sleep(2 * time.Minute)
		if id := get(t, s, alice); id != "ASIA1" {
			t.Errorf("got %q", id)
		}
		time.Sleep(90 * time.Second)
		if id := get(t, s, alice); id != "ASIA2" {
			t.Errorf("got %q", id)
		}
	})
}

func TestTheFirstCallerGivesUp(t *testing.T) {
	double := &stsDouble{}
	inBubble(t, double, upstream.AssumeRoleOptions{}, func(t *testing.T, s upstream.Source) {
		wait := make(chan struct{})
		double.Set("", wait)
		ctx, cancel := context.WithCancel(t.Context())
		var first error
		var second string
		var wg sync.WaitGroup
		wg.Go(func() { _, first = s.Credentials(ctx, role, alice) })
		synctest.Wait()
		wg.Go(func() { second = get(t, s, alice) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(wait)
		wg.Wait()
		if !errors.Is(first, context.Canceled) || second != "ASIA1" || len(double.Seen()) != 1 {
			t.Errorf("%v, %q, %d calls", first, second, len(double.Seen()))
		}
	})
}

func TestSTSHangs(t *testing.T) {
	double := &stsDouble{}
	inBubble(t, double, upstream.AssumeRoleOptions{}, func(t *testing.T, s upstream.Source) {
		wait := make(chan struct{})
		double.Set("", wait)
		start := time.Now()
		_, err := s.Credentials(t.Context(), role, alice)
		if err == nil || time.Since(start) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(wait)
	})
}

func TestCacheIsBounded(t *testing.T) {
	double := &stsDouble{}
	inBubble(t, double, upstream.AssumeRoleOptions{CacheSize: 2}, func(t *testing.T, s upstream.Source) {
		person := func(name string) upstream.Principal {
			return upstream.Principal{Issuer: alice.Issuer, Subject: name}
		}
		for _, step := range []struct{ who, want string }{
			{"a1", "ASIA1"}, {"b2", "ASIA2"}, {"a1", "ASIA1"}, {"c3", "ASIA3"}, {"a1", "ASIA1"}, {"b2", "ASIA4"}, {"c3", "ASIA5"},
		} {
			if id := get(t, s, person(step.who)); id != step.want {
				t.Errorf("%s got %q, want %q", step.who, id, step.want)
			}
		}
	})
}
