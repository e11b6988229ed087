package proxy

import (
	"bytes"
	"io"
	"sync"
)

// shortAnswer is the longest body that leaves together with its head.
const shortAnswer = 16 << 10

// A whole gathers a short answer, which net/http hands over in pieces of 4 KiB,
// and sends it at once: a write to a connection costs more than all that is
// decided about most requests. Nothing leaves of an answer that breaks off. The
// zero value gathers nothing.
type whole struct {
	body int // that is to come, in bytes; 0: nothing is gathered
	size int // of head and body; 0: the head's end was not seen yet
	held *[]byte
}

var wholes = sync.Pool{New: func() any { return new(make([]byte, 0, shortAnswer+4<<10)) }}

// expect says that an answer comes next, with a head and a body of so many
// bytes, all of which will be written unless the connection is closed.
func (w *whole) expect(body int64) {
	if body > 0 && body <= shortAnswer {
		*w = whole{body: int(body), held: wholes.Get().(*[]byte)}
	}
}

func (w *whole) gathers() bool { return w.body > 0 }

// write keeps p, and sends all once it is there.
func (w *whole) write(to io.Writer, p []byte) (int, error) {
	held := append(*w.held, p...)
	*w.held = held
	if w.size == 0 {
		if end := bytes.Index(held, []byte("\r\n\r\n")); end >= 0 {
			w.size = end + 4 + w.body
		}
	}
	if w.size == 0 || len(held) < w.size {
		return len(p), nil
	}
	_, err := to.Write(held)
	*w.held = held[:0]
	wholes.Put(w.held)
	*w = whole{}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
