package transport_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gimme-broker/gimme/internal/transport"
)

// A connection serves one request after the other.
func TestConnectionsAreUsedAgain(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		u := serve(t, secure, func(p *peer) {
			for n := 0; ; n++ {
				if _, _, ok := p.take(); !ok {
					return
				}
				switch n % 4 {
				case 0:
					p.say(answerOf("ok"))
				case 1:
					p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
				case 2:
					p.say("HTTP/1.1 204 No Content\r\n\r\n")
				case 3:
					p.say("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n") // to HEAD
				}
			}
		})
		for range 3 {
			for n, want := range []int{200, 200, 204, 404} {
				if status, _, err := u.ask(u.request(map[bool]string{true: "HEAD", false: "GET"}[n == 3], nil, 0)); err != nil || status != want {
					t.Fatalf("got %d %v, want %d", status, err, want)
				}
			}
		}
		u.wantConnections(1)
	})
}

// What comes behind an answer, or in its place, is never taken for the next one.
func TestConnectionsThatAreNotUsedAgain(t *testing.T) {
	const stray = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
	for name, row := range map[string]struct {
		method, raw string
		head        bool // nothing is read of the body
	}{
		"closed before the end":       {"GET", answerOf("hello"), true},
		"closed in chunks":            {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true},
		"Connection: close":           {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false},
		"HTTP/1.0":                    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
		"another protocol":            {"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", false},
		"a second answer behind it":   {"GET", answerOf("ok") + stray, false},
		"one behind chunks":           {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + stray, false},
		"one behind no body":          {"GET", "HTTP/1.1 204 No Content\r\n\r\n" + stray, false},
		"a body to HEAD":              {"HEAD", answerOf(stray), false},
		"a body to 304":               {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", false},
		"one that is behind a lot":    {"GET", answerOf(strings.Repeat("a", 100<<10)) + stray, false},
		"a line end behind an answer": {"GET", answerOf("ok") + "\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, secure bool) {
				u := serve(t, secure, func(p *peer) {
					if p.n > 1 {
						answering(p)
						return
					}
					p.take()
					p.say(row.raw)
					if head, _, ok := p.take(); ok {
						t.Errorf("the connection was used again, for %.30q", head)
					}
				})
				response, err := u.at.Do(t.Context(), u.request(row.method, nil, 0))
				if err != nil {
					t.Fatal(err)
				}
				if !row.head {
					io.Copy(io.Discard, response.Body)
				}
				response.Body.Close()
				u.get()
				u.wantConnections(2)
			})
		})
	}
}

// coalescing gathers what is written until it is let go, so that two records of
// TLS leave in one piece.
type coalescing struct {
	net.Conn
	held []byte
	hold bool
}

func (c *coalescing) Write(p []byte) (int, error) {
	if c.hold {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// What came with the answer, in one piece, is in the buffer of TLS, where the
// socket shows nothing of it.
func TestARecordBehindTheAnswerIsNoAnswer(t *testing.T) {
	certificate, _ := identity()
	for name, stray := range map[string]string{"a second answer": answerOf("stray"), "the end": ""} {
		t.Run(name, func(t *testing.T) {
			u := serve(t, false, func(p *peer) {
				c := &coalescing{Conn: p.raw}
				secure := tlsServer(c, certificate)
				p.Conn, p.Reader = secure, bufio.NewReader(secure)
				if p.n > 1 {
					answering(p)
					return
				}
				p.take()
				c.hold = true
				p.say(answerOf("ok"))
				if stray != "" {
					p.say(stray)
				} else {
					secure.CloseWrite()
					p.raw.SetWriteDeadline(time.Time{}) // which that sets
				}
				c.hold = false
				c.Conn.Write(c.held)
				if head, _, ok := p.take(); ok {
					t.Errorf("the connection was used again, for %.30q", head)
				}
			})
			u.scheme = "https"
			u.get()
			if _, body, err := u.ask(u.request("PUT", strings.NewReader("hello"), 5)); err != nil || body != "hello" {
				t.Errorf("got %q %v", body, err)
			}
			u.wantConnections(2)
		})
	}
}

// An answer that comes while nobody asks is to no request.
func TestAnUnsolicitedAnswerIsNoAnswer(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		poison := make(chan struct{})
		u := serve(t, secure, func(p *peer) {
			if p.n > 1 {
				answering(p)
				return
			}
			p.take()
			p.say(answerOf("ok"))
			<-poison
			p.say(answerOf("poison"))
			if head, _, ok := p.take(); ok {
				t.Errorf("the connection was used again, for %.30q", head)
			}
		})
		u.get()
		close(poison)
		u.arrived(1)
		u.get()
		u.wantConnections(2)
	})
}

// A connection that the upstream has closed meanwhile is replaced, whatever the
// request.
func TestAnIdleConnectionThatIsClosedIsReplaced(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			each(t, func(t *testing.T, secure bool) {
				over := make(chan struct{})
				u := serve(t, secure, func(p *peer) {
					if p.n > 1 {
						answering(p)
						return
					}
					p.take()
					p.say(answerOf("ok"))
					<-over
				})
				u.get()
				close(over)
				u.arrived(1)
				r := u.request(method, nil, 0)
				if method == "PUT" || method == "POST" {
					r = u.request(method, strings.NewReader("ok"), 2)
				}
				if method == "HEAD" {
					r.Method = "GET"
				}
				if status, body, err := u.ask(r); err != nil || status != 200 || body != "ok" {
					t.Errorf("got %d %q %v", status, body, err)
				}
				u.wantConnections(2)
			})
		})
	}
}

// What was sent on a kept connection that is then closed without a word is sent
// again if it asks for something, and only once; not if it does something.
func TestWhatIsSentAgain(t *testing.T) {
	for name, row := range map[string]struct {
		method, body string
		says         string // before the connection is closed
		stubborn     bool   // further ones are closed as well
		connections  int
		ok           bool
	}{
		"GET":                     {method: "GET", connections: 2, ok: true},
		"HEAD":                    {method: "HEAD", connections: 2, ok: true},
		"GET, closed every time":  {method: "GET", stubborn: true, connections: 2},
		"GET, answered in part":   {method: "GET", says: "HTTP/1.1 2", connections: 1},
		"GET, answered otherwise": {method: "GET", says: "HTTP/1.1 100 Continue\r\n\r\n", connections: 1},
		"PUT":                     {method: "PUT", body: "hello", connections: 1},
		"PUT of nothing":          {method: "PUT", connections: 1},
		"POST":                    {method: "POST", connections: 1},
		"DELETE":                  {method: "DELETE", connections: 1},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, secure bool) {
				u := serve(t, secure, func(p *peer) {
					switch {
					case p.n == 1:
						p.take()
						p.say(answerOf("ok"))
						p.take()
						p.finish(row.says)
					case row.stubborn:
						p.take()
						p.finish("")
					default:
						head, _, _ := p.take()
						if strings.HasPrefix(head, "HEAD") {
							p.finish("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
							return
						}
						p.finish(answerOf("ok"))
					}
				})
				u.get()
				r := u.request(row.method, nil, 0)
				if row.body != "" {
					r = u.request(row.method, strings.NewReader(row.body), int64(len(row.body)))
				}
				status, _, err := u.ask(r)
				if row.ok != (err == nil && status == 200) || err == nil && status != 200 {
					t.Errorf("got %d %v", status, err)
				}
				u.wantConnections(row.connections)
			})
		})
	}
}

// piped is a transport in a bubble of synctest, whose upstream runs script at the
// other end of each pipe.
func piped(script func(p *peer)) (at *transport.Transport, made, open *atomic.Int32) {
	made, open = new(atomic.Int32), new(atomic.Int32)
	return &transport.Transport{
		MaxIdle: 8, Connect: 10 * time.Second, Proceed: time.Second, Progress: 20 * time.Second, Answer: 30 * time.Second, Idle: 50 * time.Second,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			n := made.Add(1)
			open.Add(1)
			go func() {
				defer open.Add(-1)
				defer theirs.Close()
				script(&peer{Conn: theirs, Reader: bufio.NewReader(theirs), n: int(n)})
			}()
			return ours, nil
		},
	}, made, open
}

func bare(method string) *http.Request {
	return must(http.NewRequest(method, "http://s3.example/lake/x", nil))
}

// idleAnswering answers until the connection ends.
func idleAnswering(p *peer) {
	for {
		if _, _, ok := p.take(); !ok {
			return
		}
		io.WriteString(p.Conn, answerOf("ok"))
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at, made, open := piped(idleAnswering)
		at.MaxIdle = 3
		want := func(when string, wantMade, wantOpen int32) {
			t.Helper()
			synctest.Wait()
			if made.Load() != wantMade || open.Load() != wantOpen {
				t.Errorf("%s: %d made, %d open, want %d and %d", when, made.Load(), open.Load(), wantMade, wantOpen)
			}
		}
		use := func(n int) {
			t.Helper()
			var under []*http.Response
			for range n {
				under = append(under, must(at.Do(t.Context(), bare("GET"))))
			}
			for _, response := range under {
				io.Copy(io.Discard, response.Body)
			}
		}
		use(5)
		want("five at once, three of which are kept", 5, 3)
		time.Sleep(49 * time.Second)
		use(1)
		want("one is used again", 5, 3)
		time.Sleep(time.Second)
		want("those that nobody has used for so long", 5, 1)
		time.Sleep(48 * time.Second)
		want("the one has time left", 5, 1)
		time.Sleep(time.Second)
		want("the last", 5, 0)
		use(2)
		want("two", 7, 2)
		at.CloseIdleConnections()
		want("all that are idle", 7, 0)
		use(1)
		want("afterwards", 8, 1)
		response := must(at.Do(t.Context(), bare("GET")))
		at.CloseIdleConnections()
		want("one that is in use is not idle", 8, 1)
		response.Body.Close()
		want("closed by who used it", 8, 0)
	})
}

// One whose time is over is not used, though nothing has closed it yet; the
// deadline of what it was used for before is no reason.
func TestAnOldDeadlineIsNoReasonNotToUseAConnection(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		u := serve(t, secure, answering)
		u.at.Progress, u.at.Answer = 20*time.Second, 20*time.Second
		u.get()
		u.mu.Lock()
		u.dialled[0].SetReadDeadline(time.Unix(1, 0)) // as when Progress has passed
		u.mu.Unlock()
		u.get()
		u.wantConnections(1)
	})
}
