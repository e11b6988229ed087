package e2e_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
)

func withHarm(ctx context.Context, kind string) context.Context {
	return context.WithValue(ctx, harmKey{}, kind)
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// reset breaks the connection of a request off, without a word.
func reset(rw http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(rw).Hijack(); err == nil {
		resetConn(conn)
	}
	panic(http.ErrAbortHandler)
}

// dialAbrupt makes connections that end in a reset. A body that stops is then cut
// also to versitygw, which takes what came before an orderly end for an object,
// where S3 wants as much as Content-Length says.
func dialAbrupt(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetLinger(0)
	}
	return conn, err
}

// resetConn closes a connection so that the other end sees a reset.
func resetConn(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// A short body ends too early.
type short struct {
	io.ReadCloser
	left int64
}

func (s *short) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	return n, err
}

// A cutWriter breaks an answer off in its middle.
type cutWriter struct {
	http.ResponseWriter
	fate   float64
	length int64 // of what is still sent; set with the head
}

func (c *cutWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		var length float64
		for _, digit := range c.Header().Get("Content-Length") {
			length = 10*length + float64(digit-'0')
		}
		c.length = int64(length * c.fate)
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *cutWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(int64(len(p)), c.length)])
	c.length -= int64(n)
	if n < len(p) {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func (c *cutWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
