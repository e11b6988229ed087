package load

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
)

// An answer is what is kept of one.
type answer struct {
	bytes  int64 // of its body
	closes bool  // the connection ends with it
}

// A reader reads answers from one connection.
type reader struct {
	*bufio.Reader            // heads, and what came with them
	source        bodySource // what comes behind that
	body          bytes.Buffer
	open          *atomic.Int64 // bodies that are being read
}

// A head is what counts of an answer's head.
type head struct {
	status  int
	length  int64 // -1: not announced
	chunked bool
	closes  bool
}

// answer reads one, and says what is wrong with it.
func (r *reader) answer(op *Operation, digest bool) (answer, error) {
	h, err := r.finalHead()
	if err != nil {
		return answer{}, err
	}
	want := op.Status
	if want == 0 {
		want = http.StatusOK
	}
	if op.Method == http.MethodHead || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		if h.status != want {
			return answer{}, fmt.Errorf("status %d, want %d", h.status, want)
		}
		return answer{closes: h.closes}, wantLength(op, h.length)
	}
	var into io.Writer // nil: thrown away
	var sum hash.Hash
	switch {
	case h.status != want || op.Keys > 0:
		r.body.Reset()
		into = &r.body
	case digest && op.SHA256 != "":
		sum = sha256.New()
		into = sum
	}
	r.open.Add(1)
	n, err := r.content(h, into)
	r.open.Add(-1)
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("the answer's body: %w", err)
	case h.status != want:
		return answer{}, fmt.Errorf("status %d, want %d: %.500s", h.status, want, r.body.Bytes())
	case op.Keys > 0 && bytes.Count(r.body.Bytes(), []byte("<Key>")) != op.Keys:
		return answer{}, fmt.Errorf("%d keys, want %d", bytes.Count(r.body.Bytes(), []byte("<Key>")), op.Keys)
	case wantLength(op, n) != nil:
		return answer{}, wantLength(op, n)
	case sum != nil && hex.EncodeToString(sum.Sum(nil)) != op.SHA256:
		return answer{}, errors.New("the content is not what it ought to be")
	}
	return answer{n, h.closes}, nil
}

func wantLength(op *Operation, got int64) error {
	if op.Length != Any && got != op.Length {
		return fmt.Errorf("%d bytes, want %d", got, op.Length)
	}
	return nil
}

// finalHead reads the head of an answer, and passes over interim ones.
func (r *reader) finalHead() (head, error) {
	for {
		h, err := r.head()
		if err != nil || h.status >= http.StatusOK {
			return h, err
		}
	}
}

func (r *reader) head() (head, error) {
	line, err := r.line()
	if err != nil {
		return head{}, err
	}
	// HTTP/1.1 200 OK
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return head{}, fmt.Errorf("%.100q is no HTTP", line)
	}
	h := head{length: -1, closes: line[7] == '0'}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return head{}, fmt.Errorf("%.100q is no HTTP", line)
	}
	for {
		if line, err = r.line(); err != nil {
			return head{}, err
		}
		if len(line) == 0 {
			return h, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			if h.length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return head{}, err
			}
		case len(name) == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			h.chunked = bytes.EqualFold(value, []byte("chunked"))
		case len(name) == 10 && bytes.EqualFold(name, []byte("Connection")):
			h.closes = bytes.EqualFold(value, []byte("close"))
		}
	}
}

// line is the next line without its end, good until the next read.
func (r *reader) line() ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// content reads a body and returns its length.
func (r *reader) content(h head, into io.Writer) (int64, error) {
	switch {
	case h.chunked:
		return r.chunks(into)
	case h.length >= 0:
		return h.length, r.take(h.length, into)
	default:
		return 0, errors.New("its length is not announced")
	}
}

func (r *reader) chunks(into io.Writer) (int64, error) {
	var all int64
	for {
		line, err := r.line()
		if err != nil {
			return all, err
		}
		size, err := strconv.ParseInt(string(line), 16, 64)
		if err != nil {
			return all, err
		}
		all += size
		if size == 0 {
			line, err := r.line()
			if err == nil && len(line) != 0 {
				err = fmt.Errorf("%.100q behind the last chunk", line)
			}
			return all, err
		}
		if err := r.take(size, into); err != nil {
			return all, err
		}
		if line, err := r.line(); err != nil || len(line) != 0 {
			return all, errors.Join(err, errors.New("a chunk has no end"))
		}
	}
}

// take moves n bytes of a body into what is given, or away if that is nil.
func (r *reader) take(n int64, into io.Writer) error {
	if into != nil {
		_, err := io.CopyN(into, r.Reader, n)
		return err
	}
	held := min(int64(r.Buffered()), n)
	if _, err := r.Discard(int(held)); err != nil || held == n {
		return err
	}
	return r.source.discard(n - held)
}
