package load

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// patience is how long one request may take.
const patience = 2 * time.Minute

// A conn makes requests on one connection, which it opens anew after a fault.
type conn struct {
	run *run
	mu  sync.Mutex // guards raw against cut
	raw net.Conn   // nil: there is none
	off bool       // it was cut for good
	in  *reader
	out bytes.Buffer
}

// do makes one request and reads its answer. It returns the bytes of both
// bodies. After an error the connection is of no more use.
func (c *conn) do(ctx context.Context, op *Operation, s *signer) (int64, error) {
	if c.raw == nil {
		if err := c.dial(ctx); err != nil {
			return 0, err
		}
	}
	if err := c.raw.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err // whoever cut the connection may have done so before the line above
	}
	request, err := s.sign(ctx, op, c.run.host)
	if err != nil {
		return 0, err
	}
	sent := c.send(request, op.Body)
	answer, err := c.in.answer(op, c.run.Digest)
	if sent != nil && err == nil {
		err = fmt.Errorf("answered before the request was sent: %w", sent)
	}
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", op.Method, op.Path, err)
	}
	if answer.closes {
		c.close()
	}
	if op.Body != nil {
		answer.bytes += int64(len(op.Body.framed))
	}
	return answer.bytes, nil
}

func (c *conn) dial(ctx context.Context) error {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", c.run.host)
	if err != nil {
		return err
	}
	var source bodySource = tcpSource{raw.(*net.TCPConn)}
	if c.run.tls != nil {
		secure := tls.Client(raw, c.run.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return err
		}
		raw, source = secure, copySource{secure}
	}
	if c.run.ReadRate > 0 {
		source = slowSource{raw, c.run.ReadRate}
	}
	c.in = &reader{Reader: bufio.NewReaderSize(raw, 16<<10), source: source, open: &c.run.open}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		raw.Close()
		return net.ErrClosed
	}
	c.raw = raw
	return nil
}

// send writes the request, and its body behind it.
func (c *conn) send(r *http.Request, b *Body) error {
	c.out.Reset()
	c.out.WriteString(r.Method)
	c.out.WriteByte(' ')
	c.out.WriteString(r.URL.RawPath)
	if r.URL.RawQuery != "" {
		c.out.WriteByte('?')
		c.out.WriteString(r.URL.RawQuery)
	}
	c.out.WriteString(" HTTP/1.1\r\nHost: ")
	c.out.WriteString(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			c.out.WriteString("\r\n")
			c.out.WriteString(name)
			c.out.WriteString(": ")
			c.out.WriteString(v)
		}
	}
	if b == nil {
		c.out.WriteString("\r\n\r\n")
		_, err := c.raw.Write(c.out.Bytes())
		return err
	}
	c.out.WriteString("\r\nContent-Length: ")
	c.out.WriteString(strconv.Itoa(len(b.framed)))
	c.out.WriteString("\r\n\r\n")
	parts := net.Buffers{c.out.Bytes(), b.framed}
	_, err := parts.WriteTo(c.raw)
	return err
}

func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raw != nil {
		c.raw.Close()
		c.raw = nil
	}
}

// cut ends what the connection waits for, and lets it open no other.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = true
	if c.raw != nil {
		c.raw.SetDeadline(time.Unix(1, 0)) // unlike Close this leaves raw to its user
	}
}
