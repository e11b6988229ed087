package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

const (
	maxHead    = 64 << 10 // bytes of the head of an answer
	maxInterim = 5        // answers before the answer
)

// A conn is a connection to the upstream, which one exchange at a time has.
type conn struct {
	transport *Transport
	to        place
	raw       net.Conn // below TLS
	net.Conn           // what is read and written
	r         *bufio.Reader
	since     time.Time // when it came into the pool

	// Of the exchange under way:
	room     int                     // bytes that may still be read of a head
	patience time.Duration           // for each read; 0: the deadline is set already
	silent   bool                    // nothing was read yet
	unwatch  func() bool             // ends the watch over its context
	sending  atomic.Pointer[sending] // nil: it has no body
	cause    atomic.Pointer[error]   // why its context has ended
}

func newConn(t *Transport, to place, raw, c net.Conn) *conn {
	n := &conn{transport: t, to: to, raw: raw, Conn: c}
	n.r = bufio.NewReaderSize(readerOf{n}, 8<<10)
	return n
}

// close ends the connection at once, also for who reads or writes: TLS would
// first say farewell, which the other end may not take. Behind a part of a body it
// is a reset: there are servers that take an orderly end for the end of the body,
// and make an object of the part.
func (c *conn) close() {
	if tcp, ok := c.raw.(*net.TCPConn); ok && !c.sending.Load().isWhole() {
		tcp.SetLinger(0)
	}
	c.raw.Close()
}

// exchange sends a request and reads the head of the answer.
func (c *conn) exchange(ctx context.Context, r *http.Request, head []byte) (*http.Response, error) {
	c.room, c.patience, c.silent = maxHead, 0, true
	c.sending.Store(newSending(r))
	c.unwatch = context.AfterFunc(ctx, func() { c.cause.Store(new(context.Cause(ctx))); c.close() })
	response, err := c.ask(ctx, r, head)
	if err != nil {
		c.unwatch()
		return nil, err
	}
	return response, nil
}

func (c *conn) ask(ctx context.Context, r *http.Request, head []byte) (*http.Response, error) {
	t := c.transport
	if r.Body == nil {
		c.SetDeadline(after(t.Answer))
	} else {
		c.SetDeadline(time.Time{})
		c.SetWriteDeadline(after(t.Progress))
	}
	// An answer may have come, and the connection been closed behind it, before
	// all was written. It counts.
	_, wrote := c.Write(head)
	if wrote != nil {
		c.SetReadDeadline(after(lastWords))
	} else if r.Body != nil {
		c.send(r)
	}
	response, err := c.answer(r)
	if err == nil {
		return response, nil
	}
	if wrote != nil {
		err = wrote
	} else if fault := c.sending.Load().giveUp(ctx); fault != nil {
		return nil, fault
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrNoAnswer
	}
	return nil, err
}

// answer reads the head of the answer.
func (c *conn) answer(r *http.Request) (*http.Response, error) {
	for range maxInterim + 1 {
		response, err := http.ReadResponse(c.r, r)
		if err != nil {
			return nil, err
		}
		switch status := response.StatusCode; {
		case status < http.StatusContinue: // not to be passed over: it may have a body
			return nil, fmt.Errorf("the upstream's answer has the status %d", status)
		case status == http.StatusContinue:
			c.sending.Load().proceed()
		case status > 199 || status == http.StatusSwitchingProtocols:
			c.room, c.patience = math.MaxInt, c.transport.Progress
			c.sending.Load().answered()
			response.Body = c.body(response)
			return response, nil
		}
	}
	return nil, fmt.Errorf("the upstream gives more than %d answers before the answer", maxInterim)
}

var errLongHead = fmt.Errorf("the head of the upstream's answer is longer than %d KiB", maxHead>>10)

// A readerOf reads from a connection what its exchange may read.
type readerOf struct{ c *conn }

func (r readerOf) Read(p []byte) (int, error) {
	c := r.c
	if c.room <= 0 {
		return 0, errLongHead
	}
	if c.patience > 0 {
		c.SetReadDeadline(time.Now().Add(c.patience))
	}
	n, err := c.Conn.Read(p)
	c.room -= n
	c.silent = c.silent && n == 0
	if err != nil && c.patience > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrStalled
	}
	return n, err
}

// after is the moment in d; none if d is 0.
func after(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
