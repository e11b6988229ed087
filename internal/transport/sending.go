package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lastWords is how long an answer is waited for when the upstream has closed its
// end before it had the whole body: it may have said why.
const lastWords = time.Second

// moment is how long the end of a sending is waited for whose last piece is
// leaving: the answer to it may be read before whoever wrote it has noted that.
const moment = 100 * time.Millisecond

// A sending is the body of a request on its way, on a goroutine of its own. Nil
// is none.
type sending struct {
	done   chan struct{} // closed when it has come to its end
	wanted chan struct{} // closed when the upstream wants it
	ended  chan struct{} // closed when there is no more use for it

	leaving atomic.Bool // the last piece is being written
	whole   atomic.Bool // all of it was sent

	mu    sync.Mutex // guards what follows
	want  bool       // wanted is closed
	over  bool       // ended is closed
	fault error      // that ended it
}

// newSending is that of r, if it has a body. It is there before the head is sent,
// so that whatever ends the connection from then on resets it.
func newSending(r *http.Request) *sending {
	if r.Body == nil {
		return nil
	}
	return &sending{done: make(chan struct{}), wanted: make(chan struct{}), ended: make(chan struct{})}
}

// send starts to send the body of r.
func (c *conn) send(r *http.Request) {
	s := c.sending.Load()
	if r.Header.Get("Expect") == "" {
		s.proceed()
	}
	go func() {
		defer close(s.done)
		if s.await(c.transport.Proceed) {
			whole, err := c.copyBody(s, r)
			s.finish(c, whole, err)
		}
	}()
}

// await waits until the body is wanted, or has been waited for long enough. It
// says no when there is no more use for it.
func (s *sending) await(most time.Duration) bool {
	var late <-chan time.Time
	if most > 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-s.ended:
	case <-s.wanted:
	case <-late:
	}
	return !s.isOver()
}

// scrap is how much is not sent by itself, but together with what comes next:
// who takes frames off a body and puts others on gives it in small pieces.
const scrap = 8 << 10

// copyBody sends the body until it is whole or the answer has come.
func (c *conn) copyBody(s *sending, r *http.Request) (whole bool, err error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	held := 0
	for left := r.ContentLength; left > 0; {
		n, err := r.Body.Read(buffer[held:min(int64(held)+left, bufferSize)])
		switch {
		case s.isOver():
			return false, nil
		case err != nil && err != io.EOF:
			return false, &BodyError{err} // what came with it is not to be completed by it
		}
		held += n
		left -= int64(n)
		if held > scrap || left == 0 || err == io.EOF {
			s.leaving.Store(left == 0)
			c.SetWriteDeadline(after(c.transport.Progress))
			if _, err := c.Write(buffer[:held]); err != nil {
				return false, err
			}
			held = 0
		}
		if left > 0 && err == io.EOF {
			return false, &BodyError{io.ErrUnexpectedEOF}
		}
	}
	return true, nil
}

// finish notes how the sending has ended, for who waits for the answer.
func (s *sending) finish(c *conn, whole bool, err error) {
	s.whole.Store(whole)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	_, unread := errors.AsType[*BodyError](err)
	if !unread && errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrTakesNothing
	}
	s.fault = err
	switch {
	case err == nil:
		c.SetReadDeadline(after(c.transport.Answer))
	case unread, err == ErrTakesNothing:
		c.close() // so that nobody takes what was sent for the whole
	default:
		c.SetReadDeadline(after(lastWords))
	}
}

// proceed is called when the upstream wants the body.
func (s *sending) proceed() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.want {
		s.want = true
		close(s.wanted)
	}
}

// answered is called when the answer has come: no more of the body is sent.
func (s *sending) answered() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.over = true
		close(s.ended)
	}
}

// giveUp ends a sending to which there is no answer, and says what has kept it
// from coming, if that is known here. Whoever made the body may have ended the
// context just because it cannot be read, and say so in a moment.
func (s *sending) giveUp(ctx context.Context) error {
	if s == nil {
		return nil
	}
	if ctx.Err() != nil {
		select {
		case <-s.done:
		case <-time.After(lastWords):
		}
	}
	s.answered()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// isOver says whether there is no more use for the body.
func (s *sending) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// settled is isWhole once there is nothing more to come of the answer.
func (s *sending) settled() bool {
	if !s.isWhole() && s.leaving.Load() {
		select {
		case <-s.done:
		case <-time.After(moment):
		}
	}
	return s.isWhole()
}

// isWhole says whether all of it was sent, so that the connection can be used
// again.
func (s *sending) isWhole() bool {
	return s == nil || s.whole.Load()
}
