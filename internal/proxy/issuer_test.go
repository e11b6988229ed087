package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A scriptedIssuer answers metadata, or does not.
type scriptedIssuer struct {
	mu    sync.Mutex
	asked int
	down  bool
	jwks  string
}

func (p *scriptedIssuer) RoundTrip(*http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.down {
		return nil, errors.New("down")
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "https://idp.example", "jwks_uri": "https://idp.example/" + p.jwks})
	return w.Result(), nil
}

func (p *scriptedIssuer) set(down bool, jwks string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.jwks = down, jwks
}

func (p *scriptedIssuer) wantAsked(t *testing.T, n int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != n {
		t.Errorf("the provider was asked %d times, want %d", p.asked, n)
	}
}

// A provider is asked once for any number of logins, seldom while it is down, and
// again after a day; then what it said serves on if it cannot be reached.
func TestHowOftenAProviderIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &scriptedIssuer{down: true, jwks: "one"}
		i := &issuer{config: Issuer{Issuer: text{V: "https://idp.example"}}, client: &http.Client{Transport: fake}}
		herd := func() (good int) {
			var mu sync.Mutex
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					if p, err := i.discover(context.Background()); (p == nil) != (err != nil) {
						t.Errorf("%v, %v", p, err)
					} else if err == nil {
						mu.Lock()
						good++
						mu.Unlock()
					}
				})
			}
			all.Wait()
			return good
		}
		if n := herd(); n != 0 {
			t.Errorf("%d found what is not there", n)
		}
		fake.wantAsked(t, 1)
		time.Sleep(5 * time.Second)
		fake.set(false, "one")
		if n := herd(); n != 100 {
			t.Errorf("%d of 100", n)
		}
		fake.wantAsked(t, 2)
		time.Sleep(23 * time.Hour)
		herd()
		fake.wantAsked(t, 2)
		fake.set(true, "two")
		time.Sleep(2 * time.Hour)
		if n := herd(); n != 100 {
			t.Errorf("%d of 100 while it is down", n)
		}
		fake.wantAsked(t, 3)
		time.Sleep(10 * time.Minute)
		fake.set(false, "two")
		herd()
		fake.wantAsked(t, 4)
		if p, err := i.discover(t.Context()); err != nil || p.Metadata().JWKSURI != "https://idp.example/two" {
			t.Errorf("its keys are elsewhere now: %v, %v", p, err)
		}
	})
}
