package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// Body wraps the request's body. It yields exactly Payload().Length decoded
// bytes and then io.EOF, and the last byte only after everything was proved:
// the length, the digest or the trailing checksum, the framing, and that
// nothing follows. Otherwise Read returns an *Error, never io.EOF, so that who
// copies it onward under a declared length cannot complete what was not proved.
// When the body itself fails, the *Error wraps its error. Nothing is proved
// before io.EOF, also not of a body whose Length is 0.
//
// The reader is not safe for concurrent use, and closing is the caller's.
func (v *Verified) Body(body io.Reader) io.Reader {
	if body == nil {
		body = bytes.NewReader(nil)
	}
	b := &provedBody{left: v.payload.Length}
	switch v.payload.Mode {
	case Unsigned:
		b.src, b.finish = body, func() error { return atEnd(body) }
	case Hashed:
		b.src, b.sum = body, sha256.New()
		b.finish = func() error {
			if err := atEnd(body); err != nil {
				return err
			}
			if hex.EncodeToString(b.sum.Sum(nil)) != v.payload.Digest {
				return refuse(payloadMismatch, "The body is not the one whose digest was signed as x-amz-content-sha256.")
			}
			return nil
		}
	case UnsignedTrailer:
		c := newChunkReader(body, v.payload)
		b.src, b.finish = c, c.finish
		if c.checksum.make != nil {
			b.sum = c.checksum.make()
			c.sum = b.sum
		}
	default:
		b.err = refuse(invalidRequest, "The request was not verified.")
	}
	return b
}

// A provedBody passes on what src yields and withholds the last byte until
// finish has agreed.
type provedBody struct {
	src    io.Reader
	left   int64     // bytes that src has still to yield
	sum    hash.Hash // over what src yielded; nil when nothing is compared
	finish func() error
	err    error // what every further Read returns
}

func (b *provedBody) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.left > 1 {
		n, err := b.src.Read(p[:min(int64(len(p)), b.left-1)])
		b.took(p[:n])
		if err != nil {
			b.err = bodyError(err)
		}
		return n, b.err
	}
	var last [1]byte
	n := int(b.left)
	if _, err := io.ReadFull(b.src, last[:n]); err != nil {
		b.err = bodyError(err)
		return 0, b.err
	}
	b.took(last[:n])
	if b.err = b.finish(); b.err != nil {
		return 0, b.err
	}
	b.err = io.EOF
	return copy(p, last[:n]), b.err
}

func (b *provedBody) took(p []byte) {
	b.left -= int64(len(p))
	if b.sum != nil {
		b.sum.Write(p)
	}
}

// bodyError makes an *Error of what a body answered before its end.
func bodyError(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Code: incompleteBody, Message: "The body ended before the number of bytes that was announced."}
	if !errors.Is(err, io.EOF) {
		e.cause = err
	}
	return e
}

// atEnd refuses anything but the end of body.
func atEnd(body io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(body, one[:]); err {
	case io.EOF:
		return nil
	case nil:
		return refuse(incompleteBody, "The body goes on after the number of bytes that was announced.")
	default:
		return bodyError(err)
	}
}
