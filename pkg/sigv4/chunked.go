package sigv4

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"hash"
	"io"
	"strings"

	"github.com/gimme-broker/gimme/pkg/checksum"
)

const (
	// maxSizeDigits is how many hexadecimal digits a chunk's size may have.
	maxSizeDigits = 16

	// chunkExtension is the one extension that a chunk may have, and must have
	// when chunks are signed.
	chunkExtension = ";chunk-signature="

	trailerSignature = "x-amz-trailer-signature"
)

// A chunkReader takes the framing aws-chunked off a body:
//
//	size [;chunk-signature=hex] CRLF data CRLF ...
//	"0" [;chunk-signature=hex] CRLF
//	[name ":" value CRLF [x-amz-trailer-signature ":" hex CRLF]] CRLF
//
// Sizes are hexadecimal. What stands in brackets is there if the payload's mode
// says so, and only then.
type chunkReader struct {
	src     *bufio.Reader
	left    int64 // decoded bytes still to come
	chunk   int64 // of these, bytes in the present chunk
	inside  bool  // a chunk was begun, and its CRLF was not read yet
	chain   *chain
	trailer checksum.Algorithm // the zero value when none is announced
	sum     hash.Hash          // over the decoded bytes; kept by who reads them
}

// newChunkReader makes a reader of body, with a buffer that serves all chunks.
// It is small because bufio reads large pieces past it.
func newChunkReader(body io.Reader, v *Verified) *chunkReader {
	c := &chunkReader{src: bufio.NewReaderSize(body, 4096), left: v.payload.Length}
	if c.trailer, _ = checksum.ForHeader(v.payload.Trailer); v.payload.Trailer != "" {
		c.sum = c.trailer.New()
	}
	if v.payload.Mode != UnsignedTrailer {
		c.chain = newChain(v.link)
	}
	return c
}

// Read gives decoded bytes. It is not called for more than were announced. Of a
// signed chunk they are proved with its end.
func (c *chunkReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.chunk == 0 {
		size, err := c.nextSize()
		if err != nil {
			return 0, err
		}
		if size > c.left {
			return 0, c.excess(size)
		}
		if size == 0 {
			return 0, wrongSum()
		}
		c.chunk, c.inside = size, true
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.chunk)])
	c.chunk -= int64(n)
	c.left -= int64(n)
	if c.chain != nil {
		c.chain.data.Write(p[:n])
	}
	return n, err
}

// nextSize reads up to the data of the next chunk.
func (c *chunkReader) nextSize() (int64, error) {
	if err := c.endChunk(); err != nil {
		return 0, err
	}
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	digits, extension := line, []byte(nil)
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		digits, extension = line[:i], line[i:]
	}
	var size int64
	for i, d := range digits {
		if i == maxSizeDigits || !isHex(d) || size > maxLength {
			return 0, broken("The size of a chunk of the body is malformed.")
		}
		size = size<<4 | int64(unhex(d))
	}
	if len(digits) == 0 {
		return 0, broken("The size of a chunk of the body is missing.")
	}
	return size, c.beginChunk(extension)
}

// excess refuses a chunk of more than what was announced. If it is not even
// whole, then that is what is wrong.
func (c *chunkReader) excess(size int64) error {
	if n, err := io.CopyN(io.Discard, c.src, min(size, 64<<10)); n < size {
		if err != nil {
			return bodyError(err)
		}
		return wrongSum()
	}
	if line, err := c.line(); err != nil || len(line) != 0 {
		return broken("A chunk of the body is longer than its size.")
	}
	return wrongSum()
}

func wrongSum() error {
	return inWords(otherLength, nil, incompleteBody, "The chunks of the body do not add up to x-amz-decoded-content-length.")
}

// broken refuses framing that cannot be read.
func broken(format string, args ...any) error {
	return inWords(brokenOff, nil, incompleteBody, format, args...)
}

// beginChunk reads the extension of a chunk.
func (c *chunkReader) beginChunk(extension []byte) error {
	if c.chain == nil {
		if extension != nil {
			return broken("The size of a chunk of the body is malformed.")
		}
		return nil
	}
	signature, ok := bytes.CutPrefix(extension, []byte(chunkExtension))
	if !ok || !c.chain.begin(signature) {
		return broken("A chunk of the body has no signature: its size must be followed by %s and %d lower-case hexadecimal digits.", chunkExtension, len(c.chain.hex))
	}
	return nil
}

// endChunk reads what follows the data of a chunk, if one was begun, and proves
// it.
func (c *chunkReader) endChunk() error {
	if !c.inside {
		return nil
	}
	c.inside = false
	line, err := c.line()
	if err != nil {
		return err
	}
	if len(line) != 0 {
		return broken("A chunk of the body is longer than its size.")
	}
	return c.proveChunk(chunkOfData)
}

func (c *chunkReader) proveChunk(kind string) error {
	if c.chain != nil && !c.chain.end(kind) {
		return inWords(badMatch, nil, signatureMismatch, "The signature of a chunk of the body does not match it: see that nothing changes the body on its way.")
	}
	return nil
}

// line reads a line, without its CRLF, that fits the buffer. It is valid until
// the next read.
func (c *chunkReader) line() ([]byte, error) {
	line, err := c.src.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return nil, broken("A line between the chunks of the body is too long.")
	}
	if err != nil {
		return nil, bodyError(err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, broken("A line between the chunks of the body does not end in CR LF.")
	}
	return line, nil
}

// finish reads what follows the last byte of data: the chunk of size 0, the
// trailer that was announced and no other, and the end.
func (c *chunkReader) finish() error {
	size, err := c.nextSize()
	if err != nil {
		return err
	}
	if size != 0 {
		return c.excess(size)
	}
	if err := c.proveChunk(chunkOfData); err != nil {
		return err
	}
	if c.sum != nil {
		if err := c.readTrailer(); err != nil {
			return err
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	if len(line) != 0 {
		return inWords(badTrailer, nil, malformedTrailer, "The body has a trailer that x-amz-trailer did not announce.")
	}
	return atEnd(c.src)
}

// readTrailer reads the trailing checksum and, where chunks are signed, its
// signature.
func (c *chunkReader) readTrailer() error {
	line, err := c.trailerLine()
	if err != nil {
		return err
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || !strings.EqualFold(name, c.trailer.Header()) {
		return inWords(badTrailer, nil, malformedTrailer, "The body must end with the trailer %s.", c.trailer.Header())
	}
	if c.chain != nil {
		if err := c.proveTrailer(value); err != nil {
			return err
		}
	}
	if value == base64.StdEncoding.EncodeToString(c.sum.Sum(nil)) {
		return nil
	}
	if _, ok := c.trailer.Decode(value); !ok {
		return inWords("Value for "+c.trailer.Header()+" trailing header is invalid.", nil, invalidRequest, "Value for %s trailing header is invalid: it must be the base64 of %d bytes.", c.trailer.Header(), c.trailer.Size())
	}
	return inWords("The "+c.trailer.Name()+" you specified did not match the calculated checksum.", nil, badDigest, "The checksum of the body is not the one in the trailer %s.", c.trailer.Header())
}

// trailerLine reads the line of the trailing checksum. It may also end in LF CR
// LF, as the S3 documentation has it where it is signed, and as minio-go sends it
// signed or not.
func (c *chunkReader) trailerLine() (string, error) {
	raw, err := c.src.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return "", inWords(badTrailer, nil, malformedTrailer, "The trailer of the body is too long.")
	}
	if err != nil {
		return "", bodyError(err)
	}
	line := string(raw[:len(raw)-1])
	if whole, ok := strings.CutSuffix(line, "\r"); ok {
		return whole, nil
	}
	rest, err := c.line()
	if err != nil {
		return "", err
	}
	if len(rest) != 0 {
		return "", inWords(badTrailer, nil, malformedTrailer, "The trailer of the body does not end in CR LF.")
	}
	return line, nil
}

// proveTrailer reads the signature of the trailing checksum.
func (c *chunkReader) proveTrailer(value string) error {
	line, err := c.line()
	if err != nil {
		return err
	}
	name, signature, _ := bytes.Cut(line, []byte(":"))
	if !strings.EqualFold(string(name), trailerSignature) || !c.chain.begin(signature) {
		return inWords(brokenOff, nil, incompleteBody, "The trailer of the body must be followed by %s and %d lower-case hexadecimal digits.", trailerSignature, len(c.chain.hex))
	}
	io.WriteString(c.chain.data, c.trailer.Header()+":"+value+"\n")
	return c.proveChunk(chunkOfTrailer)
}
