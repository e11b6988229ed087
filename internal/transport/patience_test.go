package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gimme-broker/gimme/internal/transport"
)

// Each thing that an upstream does not do has its own time, and its own error.
func TestTimeouts(t *testing.T) {
	for name, row := range map[string]struct {
		script func(p *peer)
		body   io.Reader
		expect bool
		want   error
		after  time.Duration
		read   string // of the answer, before the error
	}{
		"no answer":   {script: func(p *peer) { p.head(); p.rest() }, want: transport.ErrNoAnswer, after: 30 * time.Second},
		"half a head": {script: func(p *peer) { p.head(); io.WriteString(p.Conn, "HTTP/1.1 200 OK\r\nX-A: b\r\n"); p.rest() }, want: transport.ErrNoAnswer, after: 30 * time.Second},
		"a head drop by drop": {script: func(p *peer) {
			p.head()
			for io.WriteString(p.Conn, "HTTP/1.1 103 Early Hints\r\n"); ; time.Sleep(time.Second) {
				if _, err := io.WriteString(p.Conn, "X-A: b\r\n"); err != nil {
					return
				}
			}
		}, want: transport.ErrNoAnswer, after: 30 * time.Second},
		"a head that nobody reads": {script: func(p *peer) { time.Sleep(time.Hour) }, want: transport.ErrNoAnswer, after: 31 * time.Second},
		"a head with a body that nobody reads": {script: func(p *peer) { time.Sleep(time.Hour) }, body: strings.NewReader("hello"),
			want: transport.ErrNoAnswer, after: 21 * time.Second},
		"no answer to a body":      {script: func(p *peer) { p.take(); p.rest() }, body: strings.NewReader("hello"), want: transport.ErrNoAnswer, after: 30 * time.Second},
		"a body that nobody takes": {script: func(p *peer) { p.head(); time.Sleep(time.Hour) }, body: strings.NewReader("hello"), want: transport.ErrTakesNothing, after: 20 * time.Second},
		"a body that nobody wants": {script: func(p *peer) { p.head(); time.Sleep(time.Hour) }, body: strings.NewReader("hello"), expect: true,
			want: transport.ErrTakesNothing, after: 21 * time.Second},
		"an answer that stalls": {script: func(p *peer) { p.head(); io.WriteString(p.Conn, answerOf("hello")[:39]); p.rest() },
			want: transport.ErrStalled, after: 20 * time.Second, read: "h"},
		"chunks that stall": {script: func(p *peer) {
			p.head()
			io.WriteString(p.Conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe")
			p.rest()
		}, want: transport.ErrStalled, after: 20 * time.Second, read: "he"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at, made, open := piped(row.script)
				r := bare("GET")
				if row.body != nil {
					r.Method, r.Body, r.ContentLength = "PUT", io.NopCloser(row.body), 5
				}
				if row.expect {
					r.Header.Set("Expect", "100-continue")
				}
				began := time.Now()
				response, err := at.Do(t.Context(), r)
				var got []byte
				if err == nil {
					got, err = io.ReadAll(response.Body)
					response.Body.Close()
				}
				var timeout net.Error
				if !errors.Is(err, row.want) || !errors.As(err, &timeout) || !timeout.Timeout() || string(got) != row.read {
					t.Errorf("got %q %v", got, err)
				}
				if took := time.Since(began); took != row.after {
					t.Errorf("after %v, want %v", took, row.after)
				}
				time.Sleep(2 * time.Hour)
				if made.Load() != 1 || open.Load() != 0 {
					t.Errorf("%d connections were made, %d are open", made.Load(), open.Load())
				}
			})
		})
	}
}

// Who is slow but goes on is waited for, in either direction.
func TestSlowBodiesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces, pause = 100, 19 * time.Second
		at, made, _ := piped(func(p *peer) {
			head := p.head()
			if strings.HasPrefix(head, "PUT") {
				for range pieces {
					time.Sleep(pause)
					io.ReadFull(p.Reader, make([]byte, 64<<10))
				}
				time.Sleep(29 * time.Second)
			}
			io.WriteString(p.Conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
			for range pieces {
				time.Sleep(pause)
				io.WriteString(p.Conn, "a")
			}
			p.rest()
		})
		for _, method := range []string{"GET", "PUT"} {
			r := bare(method)
			if method == "PUT" {
				r.Body, r.ContentLength = io.NopCloser(zeros{}), pieces*64<<10
			}
			response, err := at.Do(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(response.Body); err != nil || len(b) != pieces {
				t.Errorf("%s: got %d bytes, %v", method, len(b), err)
			}
			at.CloseIdleConnections()
		}
		if made.Load() != 2 {
			t.Errorf("%d connections", made.Load())
		}
	})
}

// A context that ends takes the request along wherever it stands, and why it
// ended is the error.
func TestContextsEndRequests(t *testing.T) {
	revoked := errors.New("the session was revoked")
	for name, row := range map[string]struct {
		secure bool
		script func(p *peer, reached func())
		body   func(reached func(), end chan struct{}) io.Reader
		dial   func(reached func()) func(context.Context, string, string) (net.Conn, error)
		reset  bool
	}{
		"in connecting": {dial: func(reached func()) func(context.Context, string, string) (net.Conn, error) {
			return func(ctx context.Context, _, _ string) (net.Conn, error) {
				reached()
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}},
		"in the handshake": {secure: true, script: func(p *peer, reached func()) {
			io.ReadFull(p.raw, make([]byte, 10))
			reached()
			io.Copy(io.Discard, p.raw)
		}},
		"in waiting":           {script: func(p *peer, reached func()) { p.head(); reached(); p.rest() }},
		"in waiting, over TLS": {secure: true, script: func(p *peer, reached func()) { p.head(); reached(); p.rest() }},
		"in the head":          {script: func(p *peer, reached func()) { p.head(); p.say("HTTP/1.1 200 OK\r\nX-"); reached(); p.rest() }},
		"in the answer's body": {script: func(p *peer, reached func()) { p.head(); p.say(answerOf("hello")[:40]); reached(); p.rest() }},
		"in its chunks, over TLS": {secure: true, script: func(p *peer, reached func()) {
			p.head()
			p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh")
			reached()
			p.rest()
		}},
		"while a body is sent": {reset: true, script: func(p *peer, reached func()) {
			p.head()
			io.ReadFull(p.Reader, make([]byte, 1<<20))
			reached()
			p.rest()
		}, body: func(func(), chan struct{}) io.Reader { return zeros{} }},
		"while it is not taken": {reset: true, script: func(p *peer, reached func()) {
			p.head()
			io.ReadFull(p.Reader, make([]byte, 1<<20))
			reached()
			<-p.release
			p.rest()
		},
			body: func(func(), chan struct{}) io.Reader { return zeros{} }},
		"while it is wanted": {reset: true, script: func(p *peer, _ func()) { p.head(); p.rest() },
			body: func(reached func(), end chan struct{}) io.Reader { return waiting{reached, end} }},
		"when all is sent": {script: func(p *peer, reached func()) { p.take(); reached(); p.rest() }, body: func(func(), chan struct{}) io.Reader { return strings.NewReader("hello") }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			end := make(chan struct{})
			u := serve(t, row.secure, func(p *peer) {
				p.release = end
				row.script(p, func() { cancel(revoked) })
			})
			if row.dial != nil {
				u.at.Dial = row.dial(func() { cancel(revoked) })
			}
			r := u.request("GET", nil, 0)
			if row.body != nil {
				r = u.request("PUT", row.body(func() { cancel(revoked) }, end), 1<<40)
				if name == "when all is sent" {
					r.ContentLength = 5
				}
			}
			response, err := u.at.Do(ctx, r)
			if err == nil {
				_, err = io.ReadAll(response.Body)
				response.Body.Close()
			}
			close(end)
			if !errors.Is(err, revoked) {
				t.Errorf("got %v", err)
			}
			if row.dial == nil {
				p := u.peer(1)
				if <-p.done; row.reset && !p.reset {
					t.Error("a part of a body had an orderly end")
				}
			}
			// One that is over before it begins is not begun.
			if _, err := u.at.Do(ctx, u.request("GET", nil, 0)); !errors.Is(err, revoked) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A waiting reader says that it is waited for, and gives nothing.
type waiting struct {
	reached func()
	end     chan struct{}
}

func (w waiting) Read([]byte) (int, error) { w.reached(); <-w.end; return 0, io.EOF }

// To connect has its own time, with the handshake in it.
func TestAHandshakeThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at, _, open := piped(func(p *peer) { io.Copy(io.Discard, p.Conn) })
		r := bare("GET")
		r.URL.Scheme = "https"
		began := time.Now()
		_, err := at.Do(t.Context(), r)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(began) != 10*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if synctest.Wait(); open.Load() != 0 {
			t.Error("the connection is open")
		}
	})
}

// A certificate that nobody vouches for, or of another host, is no upstream.
func TestWrongCertificates(t *testing.T) {
	u := serve(t, true, answering)
	r := u.request("GET", nil, 0)
	r.URL.Host = strings.Replace(r.URL.Host, "127.0.0.1", "localhost", 1)
	if _, _, err := u.ask(r); err == nil {
		t.Error("the certificate is of another host")
	}
	u.at.TLS = nil
	if _, _, err := u.ask(u.request("GET", nil, 0)); err == nil {
		t.Error("the certificate is of nobody")
	}
}

// The address is the host's, with the scheme's port unless it has one.
func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"http://s3.example": "s3.example:80", "https://s3.example": "s3.example:443", "http://s3.example:9000": "s3.example:9000", "http://s3.example:": "s3.example:80",
		"http://[::1]": "[::1]:80", "https://[::1]": "[::1]:443", "http://[::1]:9000": "[::1]:9000", "http://127.0.0.1": "127.0.0.1:80",
	} {
		var got string
		at := &transport.Transport{Dial: func(_ context.Context, _, address string) (net.Conn, error) { got = address; return nil, io.EOF }}
		if _, err := at.Do(t.Context(), must(http.NewRequest("GET", address, nil))); err == nil || got != want {
			t.Errorf("%s: dialled %q, want %q (%v)", address, got, want, err)
		}
	}
}
