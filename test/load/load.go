// Package load puts an S3 server under load and measures how it bears it. It
// signs every request with the signer of the AWS SDK, and checks the status
// and the length of every answer.
//
// It shares the machine with what it measures, so it does little: connections
// are kept and written to by hand, digests of what is sent are computed
// beforehand, and bodies of answers are thrown away in the kernel where it can.
package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A Target is the server under load.
type Target struct {
	URL    string      // scheme and host
	TLS    *tls.Config // for https; nil is the zero one
	Region string      // that requests are signed for

	// Credentials sign requests. Of several, requests take turns in them.
	Credentials []aws.Credentials
}

// A Plan says what to do to a target.
type Plan struct {
	Target      Target
	Operations  []Operation // requests take turns in them
	Connections int

	// Rate is how many requests are to start in a second, whatever becomes of
	// those before (open loop). 0: each connection sends the next request when
	// it has the answer to the last (closed loop).
	Rate float64

	WarmUp   time.Duration // what ends in it is not counted
	Duration time.Duration // of what is counted
	Requests int           // that are made at the most, after which the run ends; 0: as many as the time has room for
	ReadRate int           // bytes of an answer that a connection takes in a second; 0: as they come
	Digest   bool          // the content of answers is held against Operation.SHA256

	Begin, End func() // called when the measured time begins and ends; may be nil
}

// The states of a run.
const (
	warming = iota
	measuring
	ended
)

// faultsKept is how many different faults a result has the text of.
const faultsKept = 5

// A run is a plan that is being carried out.
type run struct {
	Plan
	host    string
	tls     *tls.Config // nil: plain
	signers []*signer
	state   atomic.Int32
	made    atomic.Int64 // requests that were begun
	turn    atomic.Int64 // counts requests, from anywhere: no run is to begin with the same ones
	open    atomic.Int64 // answers that are being read
}

// Run carries out the plan. What fails while it runs is counted in the result;
// the error says why it could not be carried out at all, and is that of ctx if
// it ended before.
func Run(ctx context.Context, p Plan) (Result, error) {
	r, err := newRun(p)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tallies := make([]tally, p.Connections)
	var began time.Time
	begin := func() {
		call(p.Begin)
		began = time.Now()
		r.state.Store(measuring)
	}
	if p.WarmUp == 0 {
		begin()
	}
	done := r.start(ctx, tallies)
	if p.WarmUp > 0 {
		wait(ctx, done, p.WarmUp)
		begin()
	}
	wait(ctx, done, p.Duration)
	r.state.Store(ended)
	elapsed := time.Since(began)
	open := r.open.Load()
	call(p.End)
	err = ctx.Err()
	cancel() // cuts connections that still wait
	<-done
	result := sum(tallies, elapsed)
	result.Open = int(open)
	return result, err
}

func newRun(p Plan) (*run, error) {
	u, err := url.Parse(p.Target.URL)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("target %q: a URL with http or https is wanted", p.Target.URL)
	case len(p.Operations) == 0 || len(p.Target.Credentials) == 0 || p.Connections < 1:
		return nil, errors.New("a plan has one operation, one pair of credentials and one connection at least")
	}
	r := &run{Plan: p, host: u.Host}
	if u.Scheme == "https" {
		r.tls = p.Target.TLS.Clone()
		if r.tls == nil {
			r.tls = new(tls.Config)
		}
		if r.tls.ServerName == "" {
			r.tls.ServerName = u.Hostname()
		}
	}
	for _, c := range p.Target.Credentials {
		s := newSigner(c, p.Target.Region)
		// The signer derives its key now, and not while time is measured.
		if _, err := s.sign(context.Background(), &p.Operations[0], r.host); err != nil {
			return nil, err
		}
		r.signers = append(r.signers, s)
	}
	r.turn.Store(rand.Int64N(1 << 40))
	return r, nil
}

// start has every connection make its requests. The channel is closed when all
// have ended.
func (r *run) start(ctx context.Context, tallies []tally) (done chan struct{}) {
	var due chan time.Time
	var wg sync.WaitGroup
	if r.Rate > 0 {
		due = make(chan time.Time, int(r.Rate*(r.WarmUp+r.Duration).Seconds())+1)
		wg.Go(func() { r.schedule(ctx, due) })
	}
	for i := range tallies {
		wg.Go(func() { r.serve(ctx, due, &tallies[i]) })
	}
	done = make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	return done
}

// schedule says when each request of an open loop is to start. It never waits
// for those who make them.
func (r *run) schedule(ctx context.Context, due chan<- time.Time) {
	defer close(due)
	begin := time.Now()
	for i := range cap(due) {
		at := begin.Add(time.Duration(float64(i) / r.Rate * float64(time.Second)))
		sleepUntil(at)
		if r.state.Load() == ended || ctx.Err() != nil {
			return
		}
		due <- at
	}
}

// serve makes one connection's requests, one after the other.
func (r *run) serve(ctx context.Context, due <-chan time.Time, t *tally) {
	c := &conn{run: r}
	defer c.close()
	stop := context.AfterFunc(ctx, c.cut)
	defer stop()
	if due != nil {
		defer r.left(due, t)
	}
	for r.state.Load() != ended {
		start := time.Now()
		if due != nil {
			at, open := <-due
			if !open {
				return
			}
			start = at // not now: waiting for a free connection is part of what a client waits
		}
		if n := r.made.Add(1); r.Requests > 0 && n > int64(r.Requests) {
			return
		}
		turn := r.turn.Add(1) - 1
		op := &r.Operations[turn%int64(len(r.Operations))]
		bytes, err := c.do(ctx, op, r.signers[turn%int64(len(r.signers))])
		if err != nil {
			c.close()
		}
		switch {
		case r.state.Load() == measuring && ctx.Err() == nil:
			t.add(time.Since(start), bytes, err)
		case r.state.Load() == ended && due != nil:
			t.late(time.Since(start))
		}
		if err != nil {
			wait(ctx, nil, 5*time.Millisecond) // a server that is gone is not to be hammered
		}
	}
}

// left counts what an open loop had still to start when the time ended.
func (r *run) left(due <-chan time.Time, t *tally) {
	for at := range due {
		if d := time.Since(at); d > 0 {
			t.late(d)
		}
	}
}

// wait returns after d, or when ctx has ended or done is closed.
func wait(ctx context.Context, done <-chan struct{}, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-done:
	case <-time.After(d):
	}
}

func call(f func()) {
	if f != nil {
		f()
	}
}
