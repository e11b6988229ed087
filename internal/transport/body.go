package transport

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// bufferSize is two records of TLS, of which a read never gives more than one.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// A Body is the body of an answer. One whose length is known is whole only when
// all of it has come.
type Body struct {
	c    *conn
	left int64     // of a body whose length is known
	r    io.Reader // of one whose length is not
	keep bool      // the connection can be used again behind it

	state atomic.Int32 // open, whole or closed
}

const (
	open   = iota
	whole  // read, and the connection given back
	closed // before its end, and the connection with it
)

var errClosed = errors.New("the body of the answer was closed")

// body makes the body of an answer whose head was read.
func (c *conn) body(response *http.Response) *Body {
	b := &Body{c: c, left: response.ContentLength, keep: !response.Close && response.StatusCode > 199}
	switch {
	case response.StatusCode < 200: // what follows is another protocol
	case response.Body == http.NoBody:
		b.finish()
	case b.left < 0:
		b.r = response.Body
	}
	return b
}

// Read reads some of it. When the upstream sends nothing for too long the error
// is ErrStalled.
func (b *Body) Read(p []byte) (n int, err error) {
	switch state := b.state.Load(); {
	case state == whole:
		return 0, io.EOF
	case state == closed:
		return 0, errClosed
	case len(p) == 0:
		return 0, nil
	case b.r != nil:
		n, err = b.r.Read(p)
	default:
		n, err = b.c.r.Read(p[:min(b.left, int64(len(p)))])
		b.left -= int64(n)
		if b.left == 0 {
			err = io.EOF
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	}
	if err == io.EOF {
		b.finish()
		return n, err
	}
	return n, b.why(err)
}

// why is why the body broke off: with err, unless the context had ended.
func (b *Body) why(err error) error {
	if cause := b.c.cause.Load(); cause != nil && err != nil {
		return *cause
	}
	return err
}

// Left is how much of it is still to be read; negative when that is not known.
func (b *Body) Left() int64 {
	switch {
	case b.state.Load() != open:
		return 0
	case b.r != nil:
		return -1
	}
	return b.left
}

// finish gives the connection back.
func (b *Body) finish() {
	if !b.state.CompareAndSwap(open, whole) {
		return
	}
	c := b.c
	stopped := c.unwatch()
	if stopped && b.keep && c.r.Buffered() == 0 && c.sending.Load().settled() {
		c.transport.pool.put(c)
		return
	}
	c.close()
}

// Close ends the exchange. What was not read of it takes the connection along. It
// may be called while another goroutine reads.
func (b *Body) Close() error {
	if b.state.CompareAndSwap(open, closed) {
		b.c.unwatch()
		b.c.close()
	}
	return nil
}

// Sizes of the pieces that are spliced, and how soon one is through for the next
// to be larger. Each is to be taken within the time that w allows for it, so who
// is slow gets small ones.
const (
	leastPiece = 64 << 10
	mostPiece  = 1 << 20
	brisk      = 100 * time.Millisecond
)

// Splice hands what is left of the body to w, if the system can do that without
// its bytes passing through the process: the length is known and the upstream
// speaks plain TCP. It says whether it could; nothing is read if not. Each piece
// is one call of w.ReadFrom, which may take twice as long as the upstream may be
// silent, and then ends in an error.
func (b *Body) Splice(w interface {
	io.Writer
	io.ReaderFrom
}) (could bool, err error) {
	from, ok := b.c.Conn.(*net.TCPConn)
	if !ok || b.r != nil || b.left <= 0 || b.state.Load() != open {
		return false, nil
	}
	here, _ := b.c.r.Peek(int(min(int64(b.c.r.Buffered()), b.left)))
	n, err := w.Write(here)
	b.c.r.Discard(n)
	b.left -= int64(n)
	piece := &io.LimitedReader{R: from}
	for size := int64(leastPiece); b.left > 0 && err == nil; {
		piece.N = min(size, b.left)
		began := time.Now()
		from.SetReadDeadline(after(b.c.patience))
		moved, wrong := w.ReadFrom(piece)
		b.left -= moved
		took := time.Since(began)
		silent := wrong != nil && errors.Is(wrong, os.ErrDeadlineExceeded) && took >= b.c.patience && took < 2*b.c.patience
		switch {
		case silent && moved == 0:
			err = ErrStalled
		case silent: // it was slow, or the client
			size = leastPiece
		case wrong != nil:
			err = wrong
		case moved == 0:
			err = io.ErrUnexpectedEOF
		case took < brisk:
			size = min(2*size, mostPiece)
		default:
			size = leastPiece
		}
	}
	if err == nil {
		b.finish()
	}
	return true, b.why(err)
}
