package proxy

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writes remembers what it was written, piece by piece.
type writes struct {
	pieces []string
	err    error
}

func (w *writes) Write(p []byte) (int, error) {
	w.pieces = append(w.pieces, string(p))
	return len(p), w.err
}

// A short answer leaves in one write, however it comes; nothing leaves of one
// that is not whole.
func TestAShortAnswerLeavesAtOnce(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	for name, row := range map[string]struct {
		pieces []string
		want   []string
	}{
		"at once":                   {[]string{head + "0123456789"}, []string{head + "0123456789"}},
		"in pieces":                 {[]string{head, "01234", "56789"}, []string{head + "0123456789"}},
		"the head in pieces":        {[]string{head[:20], head[20:] + "0123456789"}, []string{head + "0123456789"}},
		"the head's end in pieces":  {[]string{head[:len(head)-2], "\r", "\n0123456789"}, []string{head + "0123456789"}},
		"a head's end in the body":  {[]string{head + "\r\n\r\n", "012345"}, []string{head + "\r\n\r\n012345"}},
		"byte by byte":              {strings.Split(head+"0123456789", ""), []string{head + "0123456789"}},
		"one byte is missing":       {[]string{head, "012345678"}, nil},
		"a head alone":              {[]string{head}, nil},
		"a head that is not whole":  {[]string{head[:30]}, nil},
		"what comes next is passed": {[]string{head + "0123456789", "next", "one"}, []string{head + "0123456789", "next", "one"}},
	} {
		t.Run(name, func(t *testing.T) {
			var w whole
			var got writes
			if w.expect(10); !w.gathers() {
				t.Fatal("nothing is gathered")
			}
			for _, p := range row.pieces {
				if !w.gathers() { // as doorConn.Write does
					got.Write([]byte(p))
				} else if n, err := w.write(&got, []byte(p)); n != len(p) || err != nil {
					t.Errorf("write %q: %d %v", p, n, err)
				}
			}
			if !slices.Equal(got.pieces, row.want) {
				t.Errorf("left %q, want %q", got.pieces, row.want)
			}
		})
	}
}

func TestWhatIsGathered(t *testing.T) {
	for body, want := range map[int64]bool{-1: false, 0: false, 1: true, shortAnswer: true, shortAnswer + 1: false} {
		var w whole
		if w.expect(body); w.gathers() != want {
			t.Errorf("a body of %d bytes is gathered: %v", body, !want)
		}
	}
	var w whole
	w.expect(2)
	if n, err := w.write(&writes{err: io.ErrClosedPipe}, []byte("HTTP/1.1 200 OK\r\n\r\nok")); n != 0 || !errors.Is(err, io.ErrClosedPipe) || w.gathers() {
		t.Errorf("an answer that nobody takes: %d %v", n, err)
	}
}

// deadlines is a connection as a meter sees it.
type deadlines struct {
	http.ResponseWriter
	until []time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.until = append(d.until, t); return nil }

func (d *deadlines) Write(p []byte) (int, error) { return len(p), nil }

// Each piece that is spliced has its whole time: what of it the client does not
// take in that time is gone, and must not be taken for what the upstream owes.
func TestEachPieceHasItsWholeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := standardTimes()
		d := &deadlines{}
		m := &meter{ResponseWriter: d, link: &link{control: http.NewResponseController(d), times: &limits}}
		for n := range 3 {
			if _, err := m.ReadFrom(bufio.NewReader(strings.NewReader("piece"))); err != nil {
				t.Fatal(err)
			}
			if want := time.Now().Add(2 * limits.progress); len(d.until) != n+1 || !d.until[n].Equal(want) {
				t.Errorf("piece %d has until %v, want %v", n, d.until, want)
			}
			time.Sleep(limits.progress / 100)
		}
	})
}
