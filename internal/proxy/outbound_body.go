package proxy

import (
	"context"
	"errors"
	"io"
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

	mu      sync.Mutex // guards all below: the transport reads on a goroutine of its own
	begun   bool
	whole   bool
	stopped bool
	err     error
	timer   *time.Timer   // runs while the upstream takes what it was given
	last    time.Duration // what it may take for that once there is no more to give
}

var errUpstreamTakesNothing = errors.New("the upstream takes nothing of the body")

// begin has the request cancelled when the upstream stalls. Once the body is
// whole, answer is how long it may still take.
func (b *sending) begin(cancel context.CancelCauseFunc, answer time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil && !b.document || b.whole {
		return
	}
	b.last = answer + b.patience
	b.timer = time.AfterFunc(b.last, func() { cancel(errUpstreamTakesNothing) })
	if !b.document {
		b.timer.Stop()
	}
}

func (b *sending) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return 0, errHungUp
	}
	b.begun = true
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	n, err := b.r.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.wait(b.patience)
	case err == io.EOF:
		b.whole = true
		b.wait(b.last)
	default:
		b.err = err
	}
	return n, err
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

// stop gives the transport, which may still be reading, nothing more.
func (b *sending) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
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
	timer    *time.Timer
}

var errUpstreamStalled = errors.New("the upstream sends nothing more of its answer")

func newLively(body io.ReadCloser, patience time.Duration, cancel context.CancelCauseFunc) *lively {
	l := &lively{ReadCloser: body, patience: patience, cancel: cancel}
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
	defer l.cancel(nil)
	return l.ReadCloser.Close()
}
