package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/transport"
)

// A client is a connection that an answer is passed to, as far as it is counted.
type client struct {
	*net.TCPConn
	moved int64
	calls int
}

func (c *client) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	c.moved += int64(n)
	return n, err
}

func (c *client) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	c.moved += n
	c.calls++
	return n, err
}

// newClient makes a connection; what is written to it is read at the other end.
func newClient(t *testing.T) (*client, *net.TCPConn) {
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	defer ln.Close()
	theirs := must(net.Dial("tcp", ln.Addr().String()))
	ours := must(ln.Accept())
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return &client{TCPConn: ours.(*net.TCPConn)}, theirs.(*net.TCPConn)
}

// splice asks for an answer and splices it, while read takes it at the client's end.
func (u *upstream) splice(read func(r io.Reader) []byte) (c *client, got []byte, left int64, could bool, err error) {
	u.t.Helper()
	response, err := u.at.Do(u.t.Context(), u.request("GET", nil, 0))
	if err != nil {
		u.t.Fatal(err)
	}
	defer response.Body.Close()
	c, theirs := newClient(u.t)
	done := make(chan struct{})
	go func() { defer close(done); got = read(theirs) }()
	b := response.Body.(*transport.Body)
	could, err = b.Splice(c)
	c.TCPConn.Close()
	<-done
	return c, got, b.Left(), could, err
}

func all(r io.Reader) []byte { b, _ := io.ReadAll(r); return b }

// What is spliced arrives byte for byte, whatever its size and however much of it
// came with the head, and the connection is used again.
func TestSplice(t *testing.T) {
	const piece, most = 64 << 10, 1 << 20
	head := len(answerOf(""))
	var sizes []int
	for _, around := range []int{1, 4 << 10, 8<<10 - head, 8 << 10, piece, piece + 8<<10 - head, 3 * piece, most, most + 3*piece, 9*most + 5} {
		for _, size := range []int{around - 1, around, around + 1} {
			if size > 0 {
				sizes = append(sizes, size)
			}
		}
	}
	n := 0
	u := serve(t, false, func(p *peer) {
		for {
			if _, _, ok := p.take(); !ok {
				return
			}
			p.say(answerOf(string(pattern(sizes[n/2]))))
		}
	})
	for ; n < 2*len(sizes); n++ {
		size := sizes[n/2]
		c, got, left, could, err := u.splice(all)
		if !could || err != nil || !bytes.Equal(got, pattern(size)) || left != 0 || c.moved != int64(size) {
			t.Errorf("%d bytes: got %d, %d moved, %d left, could %v, %v", size, len(got), c.moved, left, could, err)
		}
	}
	u.wantConnections(1)
}

// A slow client gets all of it as well, in small pieces.
func TestSpliceToASlowClient(t *testing.T) {
	const size = 8 << 20
	u := serve(t, false, func(p *peer) { p.take(); p.finish(answerOf(string(pattern(size)))) })
	u.at.Progress = time.Second
	c, got, left, could, err := u.splice(func(r io.Reader) []byte {
		r.(*net.TCPConn).SetReadBuffer(256 << 10)
		var b bytes.Buffer
		for range 15 { // then at once
			time.Sleep(100 * time.Millisecond)
			io.CopyN(&b, r, 20<<10)
		}
		io.Copy(&b, r)
		return b.Bytes()
	})
	if !could || err != nil || !bytes.Equal(got, pattern(size)) || left != 0 || c.calls < 8 {
		t.Errorf("got %d bytes in %d pieces, %d left, could %v, %v", len(got), c.calls, left, could, err)
	}
}

// An upstream that breaks off, or says nothing more, is an error, and what was
// moved is known.
func TestSpliceThatEndsEarly(t *testing.T) {
	const sent, size = 300<<10 + 7, 1 << 20
	text := "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + string(pattern(sent))
	for name, row := range map[string]struct {
		script func(p *peer)
		want   error
	}{
		"an end":  {func(p *peer) { p.finish(text) }, io.ErrUnexpectedEOF},
		"silence": {func(p *peer) { p.say(text); p.rest() }, transport.ErrStalled},
	} {
		t.Run(name, func(t *testing.T) {
			u := serve(t, false, func(p *peer) { p.take(); row.script(p) })
			if row.want == transport.ErrStalled {
				u.at.Progress = time.Second
			}
			c, got, left, could, err := u.splice(all)
			if !could || !errors.Is(err, row.want) || !bytes.Equal(got, pattern(sent)) || c.moved != sent {
				t.Errorf("got %d bytes, %d moved, could %v, %v", len(got), c.moved, could, err)
			}
			if left != size-sent && left != 0 { // 0 once it is closed
				t.Errorf("%d left", left)
			}
			<-u.peer(1).done // not kept
		})
	}
}

// A context that ends is why, and a client that is gone is an error.
func TestSpliceThatIsCut(t *testing.T) {
	revoked := errors.New("the session was revoked")
	u := serve(t, false, func(p *peer) {
		p.take()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + strings.Repeat("a", 100<<10))
		p.rest()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	response := must(u.at.Do(ctx, u.request("GET", nil, 0)))
	c, theirs := newClient(t)
	go func() { io.CopyN(io.Discard, theirs, 100<<10); cancel(revoked) }()
	if could, err := response.Body.(*transport.Body).Splice(c); !could || !errors.Is(err, revoked) {
		t.Errorf("could %v, %v", could, err)
	}
	response.Body.Close()

	response = must(u.at.Do(t.Context(), u.request("GET", nil, 0)))
	c, theirs = newClient(t)
	theirs.SetLinger(0)
	theirs.Close()
	if could, err := response.Body.(*transport.Body).Splice(c); !could || err == nil {
		t.Errorf("to nobody: could %v, %v", could, err)
	}
	response.Body.Close()
	<-u.peer(1).done
	<-u.peer(2).done
}

// What cannot be spliced is untouched, and can be read.
func TestWhatCannotBeSpliced(t *testing.T) {
	for name, row := range map[string]struct {
		secure    bool
		raw, want string
	}{
		"TLS":           {true, answerOf("hello"), "hello"},
		"chunks":        {false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"},
		"until the end": {false, "HTTP/1.1 200 OK\r\n\r\nhello", "hello"},
		"nothing":       {false, answerOf(""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			u := serve(t, row.secure, func(p *peer) { p.take(); p.finish(row.raw) })
			response := must(u.at.Do(t.Context(), u.request("GET", nil, 0)))
			c, _ := newClient(t)
			if could, err := response.Body.(*transport.Body).Splice(c); could || err != nil || c.moved != 0 || c.calls != 0 {
				t.Errorf("could %v, %v, %d moved", could, err, c.moved)
			}
			if b, err := io.ReadAll(response.Body); err != nil || string(b) != row.want {
				t.Errorf("then %q %v", b, err)
			}
		})
	}
}
