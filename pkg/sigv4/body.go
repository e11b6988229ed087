package sigv4

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"

	"github.com/gimme-broker/gimme/pkg/checksum"
)

// Body wraps the request's body. It yields exactly Payload().Length decoded
// bytes and then io.EOF, and the last byte only after everything was proved:
// the length, the digest or the trailing checksum, the signatures of chunks, the
// framing, and that nothing follows. Otherwise Read returns an *Error, never
// io.EOF, so that who copies it onward under a declared length cannot complete
// what was not proved. When the body itself fails, the *Error wraps its error.
// Nothing is proved before io.EOF, also not of a body whose Length is 0.
//
// What promised says of the decoded body is proved, too: headers such as
// x-amz-checksum-crc32 or content-md5, and their values.
//
// The reader is not safe for concurrent use, and closing is the caller's.
func (v *Verified) Body(body io.Reader, promised ...Param) io.Reader {
	if body == nil {
		body = bytes.NewReader(nil)
	}
	b := &provedBody{left: v.payload.Length}
	switch v.payload.Mode {
	case Unsigned:
		b.src, b.finish = body, func() error { return atEnd(body) }
	case Hashed:
		digest := b.over(sha256.New())
		b.src, b.finish = body, func() error {
			if err := atEnd(body); err != nil {
				return err
			}
			if got := hex.EncodeToString(digest.Sum(nil)); got != v.payload.Digest {
				return otherDigest(v.payload.Digest, got, "The body is not the one whose digest was signed as x-amz-content-sha256.")
			}
			return nil
		}
	case UnsignedTrailer, SignedChunks, SignedChunksTrailer:
		c := newChunkReader(body, v)
		b.src, b.finish = c, c.finish
		if c.sum != nil {
			b.over(c.sum)
		}
	default:
		b.err = refuse(invalidRequest, "The request was not verified.")
	}
	if b.err == nil {
		b.err = checkSingle(v.payload.Trailer, promised)
	}
	for _, p := range promised {
		if err := b.promise(p); err != nil && b.err == nil {
			b.err = err
		}
	}
	return b
}

// checkSingle refuses more than one checksum of a body, beside content-md5.
func checkSingle(trailer string, promised []Param) error {
	has := trailer != ""
	for _, p := range promised {
		if strings.EqualFold(p.Name, "content-md5") {
			continue
		}
		if has {
			return inWords("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.", nil, invalidRequest, "The body is promised more than one checksum: %s is one too many.", quote(p.Name))
		}
		has = true
	}
	return nil
}

// A provedBody passes on what src yields and withholds the last byte until
// finish and the promises have agreed.
type provedBody struct {
	src      io.Reader
	left     int64 // bytes that src has still to yield
	sums     []hash.Hash
	promises []promise
	finish   func() error
	err      error // what every further Read returns
	last     [1]byte
}

// A promise is what a header says the sum of the body is.
type promise struct {
	header string
	sum    []byte
	hash   hash.Hash
}

// over makes h a sum over what src yields.
func (b *provedBody) over(h hash.Hash) hash.Hash {
	b.sums = append(b.sums, h)
	return h
}

// promise reads a header that promises something of the body.
func (b *provedBody) promise(p Param) error {
	if strings.EqualFold(p.Name, "content-md5") {
		sum, err := base64.StdEncoding.Strict().DecodeString(p.Value)
		if err != nil || len(sum) != md5.Size {
			return inWords("The Content-Md5 you specified is not valid.", []Param{{"Content-MD5", p.Value}}, invalidDigest, "The Content-MD5 you specified is not valid: it must be the base64 of 16 bytes.")
		}
		a, _ := checksum.ForHeader("x-amz-checksum-md5")
		return b.expect(p.Name, sum, a.New())
	}
	a, known := checksum.ForHeader(p.Name)
	if !known {
		return refuse(notImplemented, "The checksum %s is not supported: use one of %s.", quote(p.Name), checksumNames())
	}
	sum, ok := a.Decode(p.Value)
	if !ok {
		return inWords("Value for "+a.Header()+" header is invalid.", nil, invalidRequest, "Value for %s header is invalid: it must be the base64 of %d bytes.", a.Header(), a.Size())
	}
	return b.expect(a.Header(), sum, a.New())
}

func (b *provedBody) expect(header string, sum []byte, h hash.Hash) error {
	if h == nil {
		return refuse(notImplemented, "The checksum %s is not allowed here, where only algorithms of FIPS 140 are.", strings.ToLower(header))
	}
	b.promises = append(b.promises, promise{strings.ToLower(header), sum, b.over(h)})
	return nil
}

// broken is the refusal of a body that is not as p says.
func (p promise) broken() error {
	if p.header == "content-md5" {
		details := []Param{{"CalculatedDigest", base64.StdEncoding.EncodeToString(p.hash.Sum(nil))}, {"ExpectedDigest", hex.EncodeToString(p.sum)}}
		return inWords("The Content-MD5 you specified did not match what we received.", details, badDigest, "The Content-MD5 you specified did not match what was received.")
	}
	a, _ := checksum.ForHeader(p.header)
	return inWords("The "+a.Name()+" you specified did not match the calculated checksum.", nil, badDigest, "The %s you specified did not match what was received.", p.header)
}

// keep says whether the body is as it was promised.
func (b *provedBody) keep() error {
	for _, p := range b.promises {
		if subtle.ConstantTimeCompare(p.hash.Sum(nil), p.sum) != 1 {
			return p.broken()
		}
	}
	return nil
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
	last := b.last[:b.left]
	if _, err := io.ReadFull(b.src, last); err != nil {
		b.err = bodyError(err)
		return 0, b.err
	}
	b.took(last)
	if b.err = b.finish(); b.err == nil {
		b.err = b.keep()
	}
	if b.err != nil {
		return 0, b.err
	}
	b.err = io.EOF
	return copy(p, last), b.err
}

func (b *provedBody) took(p []byte) {
	b.left -= int64(len(p))
	for _, sum := range b.sums {
		sum.Write(p)
	}
}

// bodyError makes an *Error of what a body answered before its end.
func bodyError(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Code: incompleteBody, Message: "The body ended before the number of bytes that was announced.", Standard: brokenOff}
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
		return inWords(brokenOff, nil, incompleteBody, "The body goes on after the number of bytes that was announced.")
	default:
		return bodyError(err)
	}
}
