package sigv4

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"hash"
	"io"
	"strings"
)

// maxSizeDigits is how many hexadecimal digits a chunk's size may have.
const maxSizeDigits = 16

// A chunkReader takes the framing off a body in the form
// STREAMING-UNSIGNED-PAYLOAD-TRAILER:
//
//	size CRLF data CRLF ... "0" CRLF [name ":" value CRLF] CRLF
//
// Sizes are hexadecimal. There are no chunk extensions in this form, and none
// are taken.
type chunkReader struct {
	src      *bufio.Reader
	left     int64 // decoded bytes still to come
	chunk    int64 // of these, bytes in the present chunk
	inside   bool  // a chunk was begun, and its CRLF was not read yet
	checksum checksum
	sum      hash.Hash // over the decoded bytes; kept by who reads them
}

// newChunkReader makes a reader of body, with a buffer that serves all chunks.
// It is small because bufio reads large pieces past it.
func newChunkReader(body io.Reader, p Payload) *chunkReader {
	c := &chunkReader{src: bufio.NewReaderSize(body, 4096), left: p.Length}
	c.checksum, _ = checksumFor(p.Trailer)
	return c
}

// Read gives decoded bytes. It is not called for more than were announced.
func (c *chunkReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.chunk == 0 {
		size, err := c.nextSize()
		if err != nil {
			return 0, err
		}
		if size == 0 || size > c.left {
			return 0, refuse(incompleteBody, "The chunks of the body do not add up to x-amz-decoded-content-length.")
		}
		c.chunk, c.inside = size, true
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.chunk)])
	c.chunk -= int64(n)
	c.left -= int64(n)
	return n, err
}

// nextSize reads up to the data of the next chunk.
func (c *chunkReader) nextSize() (int64, error) {
	if c.inside {
		c.inside = false
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if len(line) != 0 {
			return 0, refuse(invalidRequest, "A chunk of the body is longer than its size.")
		}
	}
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	var size int64
	for i, d := range line {
		if i == maxSizeDigits || !isHex(d) || size > maxLength {
			return 0, refuse(invalidRequest, "The size of a chunk of the body is malformed.")
		}
		size = size<<4 | int64(unhex(d))
	}
	if len(line) == 0 {
		return 0, refuse(invalidRequest, "The size of a chunk of the body is missing.")
	}
	return size, nil
}

// line reads a line, without its CRLF, that fits the buffer. It is valid until
// the next read.
func (c *chunkReader) line() ([]byte, error) {
	line, err := c.src.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return nil, refuse(invalidRequest, "A line between the chunks of the body is too long.")
	}
	if err != nil {
		return nil, bodyError(err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, refuse(invalidRequest, "A line between the chunks of the body does not end in CR LF.")
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
		return refuse(incompleteBody, "The chunks of the body do not add up to x-amz-decoded-content-length.")
	}
	if c.checksum.make != nil {
		if err := c.trailer(); err != nil {
			return err
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	if len(line) != 0 {
		return refuse(malformedTrailer, "The body has a trailer that x-amz-trailer did not announce.")
	}
	return atEnd(c.src)
}

func (c *chunkReader) trailer() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	name, value, ok := strings.Cut(string(line), ":")
	if !ok || !strings.EqualFold(name, c.checksum.name) {
		return refuse(malformedTrailer, "The body must end with the trailer %s.", c.checksum.name)
	}
	if value == base64.StdEncoding.EncodeToString(c.sum.Sum(nil)) {
		return nil
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(sum) != c.checksum.size {
		return refuse(invalidRequest, "The value of the trailer %s is not a checksum of its kind.", c.checksum.name)
	}
	return refuse(badDigest, "The checksum of the body is not the one in the trailer %s.", c.checksum.name)
}
