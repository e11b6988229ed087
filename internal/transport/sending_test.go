package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gimme-broker/gimme/internal/transport"
)

// A body counts what is read of it.
type body struct {
	io.Reader
	read atomic.Int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read.Add(int64(n))
	return n, err
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A last reader gives all it has together with an error.
type last struct {
	text string
	err  error
}

func (l last) Read(p []byte) (int, error) { return copy(p, l.text), l.err }

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestBodiesAreSentWhole(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		u := serve(t, secure, answering)
		for _, size := range []int{1, 5, 64<<10 - 1, 64 << 10, 64<<10 + 1, 3<<20 + 7} {
			sent := &body{Reader: io.MultiReader(bytes.NewReader(pattern(size)), failing{errors.New("read beyond its length")})}
			status, got, err := u.ask(u.request("PUT", sent, int64(size)))
			if err != nil || status != 200 || got != string(pattern(size)) {
				t.Errorf("%d bytes: got %d, %d bytes, %v", size, status, len(got), err)
			}
			if n := sent.read.Load(); n != int64(size) {
				t.Errorf("%d bytes: %d were read", size, n)
			}
		}
	})
}

// Expect: 100-continue.
func TestABodyIsSentWhenItIsWanted(t *testing.T) {
	for name, row := range map[string]struct {
		says   string // before the body
		takes  bool
		status int
	}{
		"100":                 {"HTTP/1.1 100 Continue\r\n\r\n", true, 200},
		"102 and 100":         {"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", true, 200},
		"100 twice":           {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", true, 200},
		"no word":             {"", true, 200},
		"102 is no such word": {"HTTP/1.1 102 Processing\r\n\r\n", true, 200},
		"a refusal":           {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", false, 403},
		"417":                 {"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno", false, 417},
		"a success":           {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var waited time.Duration
				at, made, open := piped(func(p *peer) {
					for {
						if p.head() == "" {
							return
						}
						began := time.Now()
						io.WriteString(p.Conn, row.says)
						if !row.takes {
							continue
						}
						io.ReadFull(p.Reader, make([]byte, 5))
						waited = time.Since(began)
						io.WriteString(p.Conn, answerOf("ok"))
					}
				})
				sent := &body{Reader: strings.NewReader("hello")}
				r := bare("PUT")
				r.Body, r.ContentLength, r.Header = io.NopCloser(sent), 5, http.Header{"Expect": {"100-continue"}}
				response, err := at.Do(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, response.Body)
				synctest.Wait()
				if response.StatusCode != row.status || sent.read.Load() != map[bool]int64{true: 5}[row.takes] {
					t.Errorf("got %d, %d bytes were read", response.StatusCode, sent.read.Load())
				}
				if want := map[bool]time.Duration{true: 0, false: time.Second}[strings.Contains(row.says, "100 ")]; row.takes && waited != want {
					t.Errorf("the body came after %v, want %v", waited, want)
				}
				if want := map[bool]int32{true: 1}[row.takes]; open.Load() != want || made.Load() != 1 {
					t.Errorf("%d connections are open, want %d", open.Load(), want)
				}
				at.CloseIdleConnections()
			})
		})
	}
}

// An answer that comes while the body is sent ends the sending, and arrives whole.
func TestAnEarlyAnswer(t *testing.T) {
	document := strings.Repeat("no room ", 10<<10)
	each(t, func(t *testing.T, secure bool) {
		for name, closes := range map[string]bool{"and the upstream goes on": false, "and the upstream closes": true} {
			t.Run(name, func(t *testing.T) {
				answered := make(chan struct{})
				u := serve(t, secure, func(p *peer) {
					if p.n > 1 {
						answering(p)
						return
					}
					p.head()
					io.ReadFull(p.Reader, make([]byte, 20000))
					p.say("HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 81920\r\n\r\n" + document)
					if closes {
						return // with what was not read, which is a reset
					}
					<-answered
					p.rest()
				})
				// All but the first piece comes only when the answer is there.
				more, sender := io.Pipe()
				sent := &body{Reader: io.MultiReader(bytes.NewReader(pattern(20000)), more)}
				response, err := u.at.Do(t.Context(), u.request("PUT", sent, 1<<30))
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(response.Body)
				if response.StatusCode != 507 || err != nil || string(b) != document {
					t.Errorf("got %d, %d bytes, %v", response.StatusCode, len(b), err)
				}
				close(answered)
				sender.Write(pattern(10))    // to the read that was under way
				go sender.Write(pattern(10)) // to nobody
				<-u.peer(1).done
				u.get()
				u.wantConnections(2)
				if n := sent.read.Load(); n > 20010 {
					t.Errorf("%d bytes were read", n)
				}
				more.Close()
			})
		}
	})
}

// An upstream that has answered and closed, before a body that never ends: the
// answer counts. One that closes without a word has not answered.
func TestAnUpstreamThatClosesInABody(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		for name, says := range map[string]string{"behind an answer": answerOf("no"), "without one": ""} {
			t.Run(name, func(t *testing.T) {
				u := serve(t, secure, func(p *peer) {
					p.head()
					io.ReadFull(p.Reader, make([]byte, 1<<20))
					p.say(says)
					p.raw.CloseWrite()
					p.rest()
				})
				status, got, err := u.ask(u.request("PUT", zeros{}, 1<<40))
				if says != "" && (err != nil || status != 200 || got != "no") || says == "" && err == nil {
					t.Errorf("got %d %q %v", status, got, err)
				}
				<-u.peer(1).done
				u.wantConnections(1)
			})
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A body that fails: the error is its own, and what the upstream sees is a reset,
// not an end, so that it does not take the part for the whole.
func TestABodyThatFails(t *testing.T) {
	broken := errors.New("the digest is another")
	for name, row := range map[string]struct {
		body io.Reader
		want error
		sent string // at most
	}{
		"at once":             {failing{broken}, broken, ""},
		"in the middle":       {io.MultiReader(strings.NewReader("hel"), failing{broken}), broken, "hel"},
		"with the last bytes": {last{"hello", broken}, broken, ""},
		"by ending early":     {strings.NewReader("hel"), io.ErrUnexpectedEOF, "hel"},
		"by being empty":      {strings.NewReader(""), io.ErrUnexpectedEOF, ""},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, secure bool) {
				u := serve(t, secure, func(p *peer) {
					p.head()
					got, reset := p.rest()
					if !reset || !strings.HasPrefix(row.sent, got) {
						t.Errorf("the upstream got %q, and a reset: %v", got, reset)
					}
				})
				status, _, err := u.ask(u.request("PUT", row.body, 5))
				if unread, ok := errors.AsType[*transport.BodyError](err); !ok || !errors.Is(unread, row.want) {
					t.Errorf("got %d %v", status, err)
				}
				<-u.peer(1).done
				u.wantConnections(1)
			})
		})
	}
}
