package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gimme-broker/gimme/pkg/checksum"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// An Operation is a request, and the answer that it ought to have.
type Operation struct {
	Method string
	Path   string // decoded
	Query  string // in canonical form
	Body   *Body  // nil: none

	Status int    // of the answer; 0 is 200
	Length int64  // of the answer's body, or what HEAD announces; Any: it may have any
	SHA256 string // of the answer's body in hex, if the plan has Digest; "": it may be any
	Keys   int    // that a listing has; 0: it may have any number
}

// Any length is right.
const Any = -1

// Get reads an object.
func Get(bucket, key string, content []byte) Operation {
	return Operation{Method: http.MethodGet, Path: "/" + bucket + "/" + key, Length: int64(len(content)), SHA256: digest(content)}
}

// Head asks about an object.
func Head(bucket, key string, length int64) Operation {
	return Operation{Method: http.MethodHead, Path: "/" + bucket + "/" + key, Length: length}
}

// List lists what begins with prefix, which are that many objects.
func List(bucket, prefix string, objects int) Operation {
	q := url.Values{"list-type": {"2"}, "max-keys": {strconv.Itoa(objects)}, "prefix": {prefix}, "encoding-type": {"url"}}
	return Operation{Method: http.MethodGet, Path: "/" + bucket, Query: q.Encode(), Length: Any, Keys: objects}
}

// Put stores an object.
func Put(bucket, key string, body *Body) Operation {
	return Operation{Method: http.MethodPut, Path: "/" + bucket + "/" + key, Body: body, Length: Any}
}

// A Body is what a request carries, framed and digested beforehand, so that
// many requests can send it at no cost. It must not be changed.
type Body struct {
	framed  []byte
	payload string // x-amz-content-sha256
	header  [][2]string
}

// Unsigned is a body that is not bound to the signature.
func Unsigned(data []byte) *Body { return &Body{framed: data, payload: sigv4.UnsignedPayload} }

// Hashed is a body whose SHA-256 is signed.
func Hashed(data []byte) *Body { return &Body{framed: data, payload: digest(data)} }

// frame is the size of the chunks of a body with a trailer. It is botocore's.
const frame = 1 << 20

// Trailer is a body in chunks, followed by a checksum of the algorithm that the
// header names, such as x-amz-checksum-crc64nvme.
func Trailer(data []byte, header string) (*Body, error) {
	algorithm, ok := checksum.ForHeader(header)
	if !ok {
		return nil, fmt.Errorf("%q is no header of a checksum; there are %q", header, checksum.Headers())
	}
	h := algorithm.New()
	h.Write(data)
	var b bytes.Buffer
	b.Grow(len(data) + len(data)/frame*16 + 128)
	for rest := data; len(rest) > 0; {
		n := min(frame, len(rest))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	fmt.Fprintf(&b, "0\r\n%s:%s\r\n\r\n", algorithm.Header(), base64.StdEncoding.EncodeToString(h.Sum(nil)))
	return &Body{
		framed:  b.Bytes(),
		payload: sigv4.UnsignedPayloadTrailer,
		header: [][2]string{
			{"Content-Encoding", "aws-chunked"},
			{"X-Amz-Decoded-Content-Length", strconv.Itoa(len(data))},
			{"X-Amz-Trailer", algorithm.Header()},
		},
	}, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
