package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// times are how long the sidecar waits for others. docs/operating.md lists them.
type times struct {
	header    time.Duration // for a request's head, and for a TLS handshake
	idle      time.Duration // between requests on a connection
	progress  time.Duration // for minProgress bytes of a body
	linger    time.Duration // for a client to take an answer while it still sends
	drain     time.Duration // for requests under way at shutdown
	proceed   time.Duration // for the upstream's word that it wants a body
	answer    time.Duration // for the head of the upstream's answer
	keepAlive time.Duration // between signs of life while the upstream works
	order     time.Duration // for the file of orders, when a response has fired
}

func standardTimes() times {
	return times{
		header:    10 * time.Second,
		idle:      120 * time.Second,
		progress:  60 * time.Second,
		linger:    500 * time.Millisecond,
		drain:     30 * time.Second,
		proceed:   time.Second,
		answer:    5 * time.Minute, // some stores complete a large upload in silence
		keepAlive: 10 * time.Second,
		order:     5 * time.Second,
	}
}

const (
	maxHeaderBytes = 64 << 10
	maxHeaderLines = 1000
	// minProgress is how much of a body must arrive in times.progress, so that
	// who sends a byte now and then holds nothing for ever.
	minProgress = 4 << 10
)

// checkHead refuses what S3 has no use for, before anything is read from it.
func checkHead(r *http.Request) error {
	lines := 0
	for _, values := range r.Header {
		lines += len(values)
	}
	switch {
	case lines > maxHeaderLines:
		return &refusal{Code: "RequestHeaderSectionTooLarge", Message: "The request has too many headers."}
	case r.ProtoMajor != 1:
		return &refusal{Code: "InvalidRequest", Message: "HTTP/2 is not offered here; HTTP/1.1 is wanted.", Status: http.StatusHTTPVersionNotSupported}
	case len(r.RequestURI) == 0 || r.RequestURI[0] != '/':
		return &refusal{Code: "InvalidURI", Message: "The request target must be a path that begins with a slash, as a request to an HTTP proxy does not."}
	case len(r.Header["Upgrade"]) > 0:
		return &refusal{Code: "InvalidRequest", Message: "The connection cannot be upgraded to another protocol."}
	}
	return nil
}

// A link is the client's connection as one exchange holds it: how long to wait
// for it, and that there is nothing more to wait for.
type link struct {
	mu        sync.Mutex // guards what follows, but for received
	control   *http.ResponseController
	times     *times
	hungUp    bool  // nothing more is read
	cut       error // nothing more is read, nor sent of an answer that is streamed
	streaming bool
	released  bool // the exchange is over

	received atomic.Int64 // bytes of the body
}

var errHungUp = errors.New("the answer was given before the body was read")

// readUntil sets when a read gives up. Not every connection has deadlines;
// those that net/http makes do.
func (l *link) readUntil(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cut != nil:
		return l.cut
	case l.hungUp || l.released:
		return errHungUp
	}
	_ = l.control.SetReadDeadline(t)
	return nil
}

// writeUntil sets when a write gives up.
func (l *link) writeUntil(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut != nil && l.streaming {
		return l.cut
	}
	_ = l.control.SetWriteDeadline(t)
	return nil
}

// uncut says whether an answer may go on.
func (l *link) uncut() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streaming {
		return l.cut
	}
	return nil
}

// stream says that the answer from now on is one that a cut ends.
func (l *link) stream() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streaming = true
}

// hangUp ends the reading of a body, and with it the connection once the answer
// is sent. Who still sends has a moment to take it.
func (l *link) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.released {
		l.hungUp = true
		_ = l.control.SetReadDeadline(time.Now().Add(l.times.linger))
	}
}

// end cuts what is under way in both directions, because of cause. An answer
// that has not begun can still be given.
func (l *link) end(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released || l.cut != nil {
		return
	}
	l.cut = cause
	_ = l.control.SetReadDeadline(time.Now())
	if l.streaming {
		_ = l.control.SetWriteDeadline(time.Now())
	}
}

// release leaves the connection to the next exchange.
func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = true
}

// A patient reader waits for the client as long as the body comes on.
type patient struct {
	r    io.Reader
	link *link
	left time.Duration // to wait for the rest of minProgress
	got  int           // of it
}

// patient reads from r, which is of the request's body.
func (x *exchange) patient(r io.Reader) io.Reader {
	return &patient{r: r, link: x.link, left: x.link.times.progress}
}

func (p *patient) Read(b []byte) (int, error) {
	began := time.Now()
	if err := p.link.readUntil(began.Add(p.left)); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	p.link.received.Add(int64(n))
	if err == io.EOF {
		_ = p.link.readUntil(time.Time{})
	}
	if p.got += n; p.got >= minProgress {
		p.got, p.left = 0, p.link.times.progress
	} else {
		p.left -= time.Since(began)
	}
	return n, err
}

// A meter is a ResponseWriter that knows what was sent, and gives up on a client
// that takes nothing. It has more patience than a reader of bodies, so that who
// sends too slowly still learns it.
type meter struct {
	http.ResponseWriter
	link    *link
	until   time.Time // when a write gives up
	status  int
	code    string
	bytes   int64
	objects int
	hidden  int
}

func (m *meter) WriteHeader(status int) {
	if m.status == 0 {
		m.status = status
	}
	_ = m.extend()
	m.ResponseWriter.WriteHeader(status)
}

// extend sets when the next write gives up. It lets pass a little of that time
// before it does so again, because it is asked for every piece.
func (m *meter) extend() error {
	all := 2 * m.link.times.progress
	until := time.Now().Add(all)
	if until.Sub(m.until) < all/64 {
		return m.link.uncut()
	}
	m.until = until
	return m.link.writeUntil(until)
}

func (m *meter) Write(p []byte) (int, error) {
	if m.status == 0 {
		m.status = http.StatusOK
	}
	if err := m.extend(); err != nil {
		return 0, err
	}
	n, err := m.ResponseWriter.Write(p)
	m.bytes += int64(n)
	return n, err
}

// ReadFrom lets the kernel copy where it can. Each piece has the whole of its
// time: by that Body.Splice tells a slow client from a silent upstream.
func (m *meter) ReadFrom(r io.Reader) (int64, error) {
	if m.status == 0 {
		m.status = http.StatusOK
	}
	m.until = time.Time{}
	if err := m.extend(); err != nil {
		return 0, err
	}
	n, err := io.Copy(m.ResponseWriter, r)
	m.bytes += n
	return n, err
}

// Unwrap serves http.ResponseController.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }
