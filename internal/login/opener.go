package login

import (
	"context"
	"errors"
	"time"
)

// errFinished is the cause with which an opener is told to let go, where nobody
// interrupted it.
var errFinished = errors.New("the login is over")

// An opener runs OpenBrowser beside the login.
type opener struct {
	failed chan error // what OpenBrowser returned, if that is an error
	done   chan struct{}
	cancel context.CancelCauseFunc
}

// open asks for the browser, if there is one to ask for.
func open(ctx context.Context, browser func(context.Context, string) error, address string) *opener {
	ctx, cancel := context.WithCancelCause(ctx)
	o := &opener{failed: make(chan error, 1), done: make(chan struct{}), cancel: cancel}
	if browser == nil {
		close(o.done)
		return o
	}
	go func() {
		defer close(o.done)
		if err := browser(ctx, address); err != nil {
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
	o.cancel(errFinished)
	<-o.done
}
