package proxy

import (
	"context"
	"errors"
	"io"
	"net/http/httptrace"
	"sync"
	"time"
)

// A sending reader is a body on its way upstream. It keeps the error that ended
// it, because the transport reports only that the request failed; and it ends
// the request when the upstream takes nothing of it for too long.
type sending struct {
	r        io.Reader // nil: there is none of the client's
	document bool      // there is one of ours, which does not pass through here
	patience time.Duration
	size     int64 // in bytes

	mu      sync.Mutex // guards all below: the transport reads on a goroutine of its own
	begun   bool
	given   int64 // bytes, so far
	whole   bool
	held    bool // the upstream has answered, and gets nothing more
	stopped bool
	err     error
	timer   *time.Timer   // runs while the upstream takes what it was given
	last    time.Duration // what it may take for that once there is no more to give

	asks   time.Duration // how long the upstream is waited for to want the body; 0: it is not asked
	asked  time.Time     // when it was
	wanted bool          // it said so
	free   chan struct{} // closed by stop
	done   <-chan struct{}
}

var errUpstreamTakesNothing = errors.New("the upstream takes nothing of the body")

// begin has the request cancelled when the upstream stalls. Once the body is
// whole, answer is how long it may still take. What it returns is the context of
// the request.
func (b *sending) begin(ctx context.Context, cancel context.CancelCauseFunc, answer time.Duration) context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free, b.done = make(chan struct{}), ctx.Done()
	if b.r == nil && !b.document || b.whole {
		return ctx
	}
	b.last = answer + b.patience
	b.timer = time.AfterFunc(b.last, func() { cancel(errUpstreamTakesNothing) })
	if !b.document {
		b.timer.Stop()
	}
	if b.asks == 0 {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Wait100Continue: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.asked = time.Now()
		},
		Got100Continue: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.wanted = true
		},
	})
}

// Read is the transport's. It does not return while the body is held back: the
// transport would take an error for the end of the connection, on which the
// answer is still to be read.
func (b *sending) Read(p []byte) (int, error) {
	b.mu.Lock()
	// net/http reads the body also when the answer was another than 100, so as to
	// use the connection again: then it is given up while it is waited for here.
	if left := b.asks - time.Since(b.asked); b.asks > 0 && !b.wanted && !b.begun && left > 0 {
		b.mu.Unlock()
		if err := b.awaitFor(left); err != nil {
			return 0, err
		}
		b.mu.Lock()
	}
	if b.stopped || b.held {
		b.mu.Unlock()
		return 0, b.await(errHungUp)
	}
	b.begun = true
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	n, err := b.r.Read(p)
	b.mu.Lock()
	b.given += int64(n)
	switch {
	case err == nil && b.given < b.size:
		b.wait(b.patience)
	case err == nil, err == io.EOF:
		// The upstream may answer as soon as it has the last byte, which was proven
		// before it was given away, and before the transport asks whether there is
		// more.
		b.whole = true
		b.wait(b.last)
	default:
		b.err = err
	}
	held := b.held && !b.whole
	b.mu.Unlock()
	if held {
		return 0, b.await(errHungUp)
	}
	return n, err
}

// await returns err once the answer was read, or the request has ended.
func (b *sending) await(err error) error {
	select {
	case <-b.free:
	case <-b.done:
	}
	return err
}

// awaitFor waits for d, and returns an error if the body was given up meanwhile.
func (b *sending) awaitFor(d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-b.free:
	case <-b.done:
	case <-over.C:
	}
	select {
	case <-b.free:
		return errHungUp
	case <-b.done:
		return errHungUp
	default:
		return nil
	}
}

// wait is called with mu held.
func (b *sending) wait(d time.Duration) {
	if b.timer != nil && !b.stopped {
		b.timer.Reset(d)
	}
}

// rest ends the watch over the upstream, which has answered, or never will.
func (b *sending) rest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

// hold keeps the rest of the body back.
func (b *sending) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
}

// stop ends a transport that may still be reading.
func (b *sending) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		b.stopped = true
		close(b.free)
	}
}

// hasBegun says whether anything was read, so that it cannot be sent again.
func (b *sending) hasBegun() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.begun
}

// isWhole says whether there is nothing left to send.
func (b *sending) isWhole() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole || b.r == nil
}

// fault is the error other than io.EOF that ended the body, if one did.
func (b *sending) fault() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// A lively body ends in an error when the upstream sends nothing of it for too
// long.
type lively struct {
	io.ReadCloser
	patience time.Duration
	cancel   context.CancelCauseFunc // of the request
	sent     *sending                // its body
	timer    *time.Timer
}

var errUpstreamStalled = errors.New("the upstream sends nothing more of its answer")

func newLively(body io.ReadCloser, sent *sending, patience time.Duration, cancel context.CancelCauseFunc) *lively {
	l := &lively{ReadCloser: body, sent: sent, patience: patience, cancel: cancel}
	l.timer = time.AfterFunc(patience, func() { cancel(errUpstreamStalled) })
	l.timer.Stop()
	return l
}

func (l *lively) Read(p []byte) (int, error) {
	l.timer.Reset(l.patience)
	n, err := l.ReadCloser.Read(p)
	l.timer.Stop()
	return n, err
}

func (l *lively) Close() error {
	l.timer.Stop()
	l.sent.stop()
	defer l.cancel(nil)
	return l.ReadCloser.Close()
}
