package transport_test

import (
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/transport"
)

// What is left of a body is known where its length is.
func TestLeft(t *testing.T) {
	u := serve(t, false, func(p *peer) {
		p.take()
		p.say(answerOf("hello"))
		p.take()
		p.finish("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	})
	for _, want := range [][3]int64{{5, 3, 0}, {-1, -1, 0}} {
		b := must(u.at.Do(t.Context(), u.request("GET", nil, 0))).Body.(*transport.Body)
		got := [3]int64{b.Left()}
		io.ReadFull(b, make([]byte, 2))
		got[1] = b.Left()
		io.Copy(io.Discard, b)
		if got[2] = b.Left(); got != want {
			t.Errorf("left %d, want %d", got, want)
		}
		if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind its end: %d %v", n, err)
		}
	}
}

// A body that was closed is not one that has ended, for who reads meanwhile.
func TestABodyIsClosedWhileItIsRead(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		u := serve(t, secure, func(p *peer) { p.take(); p.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"); p.rest() })
		body := must(u.at.Do(t.Context(), u.request("GET", nil, 0))).Body
		begun, read := make(chan struct{}), make(chan error)
		go func() {
			io.ReadFull(body, make([]byte, 5))
			close(begun)
			_, err := io.ReadAll(body)
			read <- err
		}()
		<-begun
		body.Close()
		if err := <-read; err == nil {
			t.Error("it looks whole")
		}
		if _, err := body.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("afterwards: %v", err)
		}
		body.Close()
		<-u.peer(1).done
	})
}

// Many at once, of all kinds: each has its own answer, and nothing stays behind.
func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		before := runtime.NumGoroutine()
		u := serve(t, secure, answering)
		var asking sync.WaitGroup
		for n := range 16 {
			asking.Go(func() {
				for i := range 50 {
					want := strings.Repeat(string(rune('a'+n)), 1+i*i*20)
					switch i % 5 {
					case 3:
						u.get()
						continue
					case 4: // given up
						response, err := u.at.Do(t.Context(), u.request("PUT", strings.NewReader(want), int64(len(want))))
						if err == nil {
							response.Body.Close()
						}
						continue
					}
					if status, got, err := u.ask(u.request("PUT", strings.NewReader(want), int64(len(want)))); err != nil || status != 200 || got != want {
						t.Errorf("got %d, %d bytes of %d, %v", status, len(got), len(want), err)
					}
				}
			})
		}
		asking.Wait()
		u.at.CloseIdleConnections()
		u.mu.Lock()
		peers := u.peers
		u.mu.Unlock()
		for _, p := range peers {
			<-p.done // of itself, because the other end has closed
		}
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+1 && time.Now().Before(deadline); { // the listener's
			time.Sleep(time.Millisecond)
		}
		if now := runtime.NumGoroutine(); now > before+1 {
			t.Errorf("%d goroutines before, %d after", before, now)
		}
	})
}

// Over a connection that is used again each time, bodies as well.
func TestPutsUseOneConnection(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		u := serve(t, secure, answering)
		for range 200 {
			if _, got, err := u.ask(u.request("PUT", strings.NewReader("hello"), 5)); err != nil || got != "hello" {
				t.Fatalf("got %q %v", got, err)
			}
		}
		u.wantConnections(1)
	})
}
