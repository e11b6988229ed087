package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A check is one thing that has to be well. Spare ones are told, and do not
// count: another does the same.
type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Spare  bool   `json:"spare,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func checked(name string, err error) check {
	c := check{Name: name, OK: err == nil}
	if err != nil {
		c.Reason = err.Error()
	}
	return c
}

// health says whether the sidecar can serve as long as it runs: what is not well
// does not become so by itself, and a start might help.
func (s *Server) health() []check {
	return []check{
		checked("audit", s.events.Healthy()),
		checked("revocations", s.revoked.Refresh()),
	}
}

// readiness says whether requests should come here now.
func (s *Server) readiness(ctx context.Context) []check {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var draining error
	if s.draining.Load() {
		draining = errors.New("the sidecar is stopping")
	}
	checks := append(s.health(), checked("serving", draining))
	if s.rules.Load() == nil {
		checks = append(checks, checked("policy", errors.New("no data map and policies are in force")))
	} else {
		checks = append(checks, checked("policy", nil))
	}
	checks = append(checks, s.issuerChecks(ctx)...)
	return append(checks, checked("upstream", s.lately.check(func() error { return s.probeUpstream(ctx) })))
}

// issuerChecks says of which issuers there are keys, those that were fetched or
// can be. One is enough: who logs in elsewhere, or has a session, can be served.
func (s *Server) issuerChecks(ctx context.Context) []check {
	checks := make([]check, len(s.issuers))
	var wg sync.WaitGroup
	for n, i := range s.issuers {
		wg.Go(func() { checks[n] = checked("issuer "+i.config.Issuer.V, i.reachable(ctx)) })
	}
	wg.Wait()
	one := false
	for _, c := range checks {
		one = one || c.OK
	}
	for n := range checks {
		checks[n].Spare = one && !checks[n].OK
	}
	return checks
}

func (i *issuer) reachable(ctx context.Context) error {
	provider, err := i.discover(ctx)
	if err == nil {
		_, err = provider.CountKeys(ctx)
	}
	return err
}

const (
	probeTimeout = 5 * time.Second
	// answerIsRecent is how long an answer of the upstream speaks for it.
	answerIsRecent = 30 * time.Second
	probeInterval  = 2 * time.Second
)

// A lately knows whether somebody has answered not long ago. Requests that are
// served tell it; only when there are none it asks.
type lately struct {
	answered atomic.Int64 // when, in nanoseconds of the clock; 0: never, or failed since

	mu    sync.Mutex // held while it asks; guards what follows
	asked time.Time
	fault error
}

// note is told of an answer, or of a failure to get one.
func (l *lately) note(answered bool) {
	if answered {
		l.answered.Store(time.Now().UnixNano())
	} else {
		l.answered.Store(0)
	}
}

func (l *lately) recent() bool {
	return time.Since(time.Unix(0, l.answered.Load())) < answerIsRecent
}

// check asks by probe unless there was an answer, or it has asked just now.
func (l *lately) check(probe func() error) error {
	if l.recent() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.asked) < probeInterval {
		return l.fault
	}
	l.fault = probe()
	l.asked = time.Now()
	if l.fault == nil {
		l.note(true)
	}
	return l.fault
}

// probeUpstream asks the upstream for anything, without a signature: whatever it
// answers, it is there.
func (s *Server) probeUpstream(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, s.upstream.Scheme+"://"+s.upstream.Host+"/", nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "gimme")
	response, err := s.transport.Do(ctx, r)
	if err != nil {
		return fmt.Errorf("the upstream %s cannot be reached: %w", s.upstream.Host, err)
	}
	return response.Body.Close()
}
