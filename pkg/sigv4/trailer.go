package sigv4

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/gimme-broker/gimme/pkg/checksum"
)

// frameSize is the size of every chunk that TrailerBody makes, but the last.
const frameSize = 64 << 10

// TrailerBody frames r, which must yield exactly length bytes, as
// UnsignedPayloadTrailer, followed by the checksum that trailer names, computed
// on the way, one of checksum.Headers; with "" none follows. The second result is the length of what is
// returned, exactly: the Content-Length to declare.
//
// The request needs the headers X-Amz-Content-Sha256 (UnsignedPayloadTrailer),
// X-Amz-Decoded-Content-Length (length), X-Amz-Trailer (trailer, if any) and
// Content-Encoding aws-chunked before any other coding.
//
// When r fails, its error is returned as it is; when r has fewer or more bytes
// than length, an error other than io.EOF. In both cases the end of the framing
// is never written. The reader does not buffer data.
func TrailerBody(r io.Reader, length int64, trailer string) (io.Reader, int64, error) {
	if length < 0 {
		return nil, 0, fmt.Errorf("frame a body of %d bytes: the length must be known", length)
	}
	f := &framer{src: r, left: length}
	full, rest := length/frameSize, length%frameSize
	encoded := full * (int64(len(strconv.FormatInt(frameSize, 16))) + 4 + frameSize)
	if rest > 0 {
		encoded += int64(len(strconv.FormatInt(rest, 16))) + 4 + rest
	}
	encoded += int64(len("0\r\n\r\n"))
	if trailer != "" {
		c, ok := checksum.ForHeader(trailer)
		if f.trailer, f.sum = trailer, c.New(); !ok || f.sum == nil {
			return nil, 0, fmt.Errorf("frame a body: trailer %q is not one of %s that may be used", trailer, checksumNames())
		}
		encoded += int64(len(trailer) + len(":") + c.Length() + len("\r\n"))
	}
	return f, encoded, nil
}

// A framer alternates between framing, from pending, and data, straight from
// src.
type framer struct {
	src     io.Reader
	left    int64 // data bytes still to come
	chunk   int64 // of these, bytes in the present chunk
	begun   bool  // a chunk was begun
	ended   bool  // the end of the framing is in pending
	trailer string
	sum     hash.Hash // nil without a trailer
	buf     [128]byte
	pending []byte // framing to write before anything else, in buf
	err     error
}

func (f *framer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(f.pending) == 0 && f.chunk == 0 && f.err == nil {
		f.err = f.frame()
	}
	switch {
	case f.err != nil:
		return 0, f.err
	case len(f.pending) > 0:
		n := copy(p, f.pending)
		f.pending = f.pending[n:]
		return n, nil
	}
	n, err := f.src.Read(p[:min(int64(len(p)), f.chunk)])
	if f.sum != nil {
		f.sum.Write(p[:n])
	}
	f.chunk -= int64(n)
	f.left -= int64(n)
	if err == io.EOF && f.left == 0 {
		err = nil // frame reads the end once more
	}
	if err == io.EOF {
		err = fmt.Errorf("frame a body: %d bytes are missing: %w", f.left, io.ErrUnexpectedEOF)
	}
	f.err = err
	return n, err
}

// frame prepares what stands before the next chunk, or after the last one.
func (f *framer) frame() error {
	if f.ended {
		return io.EOF
	}
	b := f.buf[:0]
	if f.begun {
		b = append(b, "\r\n"...)
	}
	if f.left > 0 {
		f.begun, f.chunk = true, min(f.left, frameSize)
		b = strconv.AppendInt(b, f.chunk, 16)
		f.pending = append(b, "\r\n"...)
		return nil
	}
	var one [1]byte
	switch n, err := io.ReadFull(f.src, one[:]); {
	case n > 0:
		return errors.New("frame a body: it goes on after the length that was given")
	case err != io.EOF:
		return err
	}
	b = append(b, "0\r\n"...)
	if f.sum != nil {
		b = append(b, f.trailer...)
		b = append(b, ':')
		b = base64.StdEncoding.AppendEncode(b, f.sum.Sum(nil))
		b = append(b, "\r\n"...)
	}
	f.pending, f.ended = append(b, "\r\n"...), true
	return nil
}
