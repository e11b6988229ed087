// Package transport speaks HTTP/1.1 to an upstream, for a proxy whose requests
// wait for nothing else. Whoever asks writes the request and reads the answer
// on a kept connection by itself: no goroutine stands between, but for one that
// sends a body, so that an answer can come before its end. The body of an answer
// can be handed to another connection without passing through the process.
//
// What is read from the wire is parsed by net/http.
package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// A Transport makes requests and keeps connections. Its fields are set before
// the first request and not changed afterwards. Times of zero do not pass. It
// follows no redirect, asks no proxy of the environment and unpacks nothing.
type Transport struct {
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	TLS  *tls.Config // for https; nil: the defaults

	Connect  time.Duration // for a connection to come about, with its handshake
	Proceed  time.Duration // for the word that a body is wanted, which "Expect: 100-continue" asks for
	Progress time.Duration // for the upstream to take a piece of a body, or to give one
	Answer   time.Duration // for the head of the answer, once the request is sent
	Idle     time.Duration // that a connection is kept for which there is no use
	MaxIdle  int           // that are kept to one host

	pool pool
}

// A BodyError is the error with which the body of a request ended, and because
// of which there is no answer.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "the body of the request: " + e.Err.Error() }

func (e *BodyError) Unwrap() error { return e.Err }

// Errors of an upstream that is there and does not do its part. As a net.Error
// each is a time-out.
var (
	ErrTakesNothing = &stall{"the upstream takes nothing of the body"}
	ErrStalled      = &stall{"the upstream sends nothing more of its answer"}
	ErrNoAnswer     = &stall{"the upstream does not answer"}
)

// Do sends r and returns the answer as soon as its head has come; 1xx
// answers but 101 are passed over. The answer's body must be read to its end or
// closed. r.ContentLength is the length of r.Body, of which no more is read once
// the answer has come; r.Body is not closed. The request ends with ctx; r has no
// context that counts.
//
// With "Expect: 100-continue" nothing of the body is read until the upstream
// wants it or Proceed has passed; if it answers otherwise, nothing at all.
//
// A GET or HEAD is sent again when the kept connection it went out on turns out
// to have been closed.
func (t *Transport) Do(ctx context.Context, r *http.Request) (*http.Response, error) {
	buffer := heads.Get().(*[]byte)
	defer heads.Put(buffer)
	head, err := appendHead((*buffer)[:0], r)
	if err != nil {
		return nil, err
	}
	*buffer = head
	to := place{r.URL.Scheme, r.URL.Host}
	for c := t.pool.take(to, t.Idle); ; c = nil {
		kept := c != nil
		if !kept {
			if c, err = t.connect(ctx, to); err != nil {
				return nil, ended(ctx, err)
			}
		}
		response, err := c.exchange(ctx, r, head)
		if err == nil {
			return response, nil
		}
		c.close()
		if !kept || !c.silent || !repeatable(r) || !gone(err) || ctx.Err() != nil {
			return nil, ended(ctx, err)
		}
	}
}

var heads = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// CloseIdleConnections closes those that nobody uses.
func (t *Transport) CloseIdleConnections() { t.pool.sweep(0) }

// repeatable says whether to send r twice is as good as once.
func repeatable(r *http.Request) bool {
	return r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// gone says whether the other end had closed the connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// ended is why a request failed: with err, unless its context had ended. That it
// could not be read is known for certain, and may have ended the context.
func ended(ctx context.Context, err error) error {
	if _, unread := errors.AsType[*BodyError](err); unread {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// connect makes a new connection.
func (t *Transport) connect(ctx context.Context, to place) (*conn, error) {
	if t.Connect > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.Connect)
		defer cancel()
	}
	port := "80"
	if to.scheme == "https" {
		port = "443"
	} else if to.scheme != "http" {
		return nil, fmt.Errorf("%q is no scheme to make requests with: http or https is wanted", to.scheme)
	}
	at := url.URL{Host: to.host}
	name := at.Hostname()
	raw, err := t.Dial(ctx, "tcp", net.JoinHostPort(name, cmp.Or(at.Port(), port)))
	if err != nil {
		return nil, err
	}
	if to.scheme == "http" {
		return newConn(t, to, raw, raw), nil
	}
	config := &tls.Config{}
	if t.TLS != nil {
		config = t.TLS.Clone()
	}
	config.ServerName, config.NextProtos = name, []string{"http/1.1"}
	secure := tls.Client(raw, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return newConn(t, to, raw, secure), nil
}

// A stall is a time-out.
type stall struct{ text string }

func (s *stall) Error() string   { return s.text }
func (s *stall) Timeout() bool   { return true }
func (s *stall) Temporary() bool { return true }
