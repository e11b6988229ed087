package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gimme-broker/gimme/internal/telemetry"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// A door is the listener as http.Server sees it. It bounds the connections,
// speaks TLS, and turns what net/http answers by itself, in plain text and
// without our knowledge, into S3's errors with an event each.
type door struct {
	net.Listener
	s     *Server
	tls   *tls.Config // nil: plain HTTP
	crowd *crowd
	full  tally // connections that there was no room for
	bad   tally // TLS handshakes that failed
}

func (s *Server) newDoor() *door {
	d := &door{
		Listener: s.listener, s: s,
		crowd: &crowd{most: s.config.Limits.Connections.V, perSource: s.config.Limits.ConnectionsPerSource.V, exempt: s.trusted, by: map[netip.Prefix]int{}},
		full:  tally{log: s.log, message: "connections closed at once, because there are too many", total: s.metrics.ConnectionsRefused},
		bad:   tally{log: s.log, message: "TLS handshakes failed", total: s.metrics.HandshakesFailed},
	}
	if s.certificate != nil {
		d.tls = s.certificate.config()
	}
	return d
}

// Accept returns the next connection that there is room for. Others are closed
// without a word: to answer them would cost what is short.
func (d *door) Accept() (net.Conn, error) {
	for {
		raw, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		address, _ := netip.ParseAddrPort(raw.RemoteAddr().String())
		leave := d.s.counting(d.crowd.enter(address.Addr()))
		if leave == nil {
			raw.Close()
			d.full.count("client", address.Addr().Unmap().String())
			continue
		}
		c := &doorConn{Conn: raw, door: d, leave: sync.OnceFunc(leave), ip: address.Addr().Unmap().WithZone("").String()}
		if d.tls != nil {
			c.tls = tls.Server(raw, d.tls)
			c.Conn = c.tls
		}
		return c, nil
	}
}

// state follows a connection from http.Server.ConnState.
func (d *door) state(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*doorConn)
	if !ok {
		return
	}
	switch state {
	case http.StateNew:
		d.s.serving.Add(1)
	case http.StateIdle:
		c.begun.Store(false)
	case http.StateClosed:
		d.s.serving.Done()
	case http.StateActive, http.StateHijacked:
	}
}

// connKey is where the context of a request has its connection: net/http, which
// knows of TLS only where it makes it, has no other place for it.
type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// A doorConn is one connection of a door.
type doorConn struct {
	net.Conn           // tls if there is TLS
	tls      *tls.Conn // nil: plain HTTP
	door     *door
	ip       string
	leave    func()
	shaken   bool        // hands; only Read uses it
	begun    atomic.Bool // the answer to the request under way
	whole    whole       // the answer to the request under way, if it is short
}

// Read makes the TLS handshake first. http.Server does not know that there is
// one, so its time limit is ours to keep.
func (c *doorConn) Read(p []byte) (int, error) {
	if c.tls != nil && !c.shaken {
		c.shaken = true
		if err := c.handshake(); err != nil {
			return 0, io.EOF // to which net/http answers nothing
		}
	}
	return c.Conn.Read(p)
}

func (c *doorConn) handshake() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.door.s.times.header)
	defer cancel()
	err := c.tls.HandshakeContext(ctx)
	if err == nil || errors.Is(err, io.EOF) { // a probe that looks whether the port is open
		return err
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && e.Conn != nil && looksLikeHTTP(e.RecordHeader) {
		c.answer(e.Conn, &refusal{Code: "InvalidRequest", Message: "This port speaks HTTPS, and the request was sent in plain HTTP: write https in the address."})
		return err
	}
	c.door.bad.count("client", c.ip, "cause", err.Error())
	return err
}

func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		return true
	}
	return false
}

// Write passes answers on, but for those that net/http makes by itself.
func (c *doorConn) Write(p []byte) (int, error) {
	if !c.begun.Load() {
		c.begun.Store(true)
		if f := ownAnswer(p); f != nil {
			c.answer(c.Conn, f)
			return len(p), nil
		}
	}
	if c.whole.gathers() {
		return c.whole.write(c.Conn, p)
	}
	return c.Conn.Write(p)
}

// ReadFrom lets the kernel copy where it can.
func (c *doorConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite is for net/http, which closes so when the client may still send.
func (c *doorConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection and makes room for another.
func (c *doorConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// plainHead follows the status line of the answers that net/http writes past
// every handler. No answer of ours begins so: other headers stand before.
const plainHead = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// ownAnswer reads the first bytes of an answer. It returns nil unless they are
// net/http's own, and else what to say instead.
func ownAnswer(p []byte) *refusal {
	const start = "HTTP/1.1 "
	line, rest, ok := bytes.Cut(p, []byte("\r\n"))
	if !ok || !bytes.HasPrefix(line, []byte(start)) || len(line) < len(start)+3 {
		return nil
	}
	status, err := strconv.Atoi(string(line[len(start) : len(start)+3]))
	if err != nil || status != http.StatusExpectationFailed && !bytes.HasPrefix(rest, []byte(plainHead[2:])) {
		return nil
	}
	switch status {
	case http.StatusExpectationFailed: // a handler never says so
		return &refusal{Code: "InvalidRequest", Message: "The Expect header may say 100-continue, and nothing else.", Status: status}
	case http.StatusRequestHeaderFieldsTooLarge:
		return &refusal{Code: "RequestHeaderSectionTooLarge", Message: "The head of the request is longer than " + strconv.Itoa(maxHeaderBytes>>10) + " KiB."}
	case http.StatusNotImplemented:
		return &refusal{Code: "NotImplemented", Message: "The transfer encoding of the request is not supported: send Content-Length, or chunked."}
	case http.StatusHTTPVersionNotSupported:
		return &refusal{Code: "InvalidRequest", Message: "HTTP/1.1 is wanted.", Status: status}
	}
	message := "The request is not HTTP as it can be read."
	if _, why, ok := strings.Cut(string(line), ": "); ok { // one of net/http's own sentences; it quotes nothing
		message = "The request is not HTTP as it can be read: " + why + "."
	}
	return &refusal{Code: "BadRequest", Message: message, Status: status}
}

// answer refuses a request that no handler has seen, on record, and ends the
// connection.
func (c *doorConn) answer(to net.Conn, f *refusal) {
	s := c.door.s
	event := audit.Event{
		ID: newID(), Time: time.Now(), Kind: audit.KindDecision, Decision: audit.Blocked,
		Client: &audit.Client{IP: c.ip}, Request: &audit.Request{}, PolicyDigest: s.rules.Load().set.Digest(),
		Response: &audit.Response{Status: f.status(), Code: f.Code}, Error: f.Error(),
	}
	s.record(event)
	s.metrics.Request(telemetry.Request{Status: f.status()})
	body := s3api.ErrorXML(f.Code, sentence(f.Message, event.ID), "", event.ID)
	head := "HTTP/1.1 " + strconv.Itoa(f.status()) + " " + http.StatusText(f.status()) +
		"\r\nContent-Type: application/xml\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\nX-Amz-Request-Id: " + event.ID + "\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
	_ = to.SetDeadline(time.Now().Add(s.times.header))
	if _, err := to.Write(append([]byte(head), body...)); err != nil {
		return
	}
	// What is not read when a connection is closed takes the answer with it.
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = to.SetReadDeadline(time.Now().Add(s.times.linger))
	_, _ = io.CopyN(io.Discard, to, 4*maxHeaderBytes)
}

// A tally counts what strangers can make happen as often as they like, and says
// so in the log once a minute at most.
type tally struct {
	log     *slog.Logger
	message string
	total   interface{ Inc() } // counts each as well; nil: nothing does
	mu      sync.Mutex         // guards what follows
	n       int
	said    time.Time
}

// count logs the number since the last time, and of this one args.
func (t *tally) count(args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	if t.total != nil {
		t.total.Inc()
	}
	if now := time.Now(); now.Sub(t.said) >= time.Minute {
		t.log.Warn(t.message, append([]any{"count", t.n}, args...)...)
		t.n, t.said = 0, now
	}
}
