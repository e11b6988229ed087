package sigv4

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gimme-broker/gimme/pkg/checksum"
)

// The values of x-amz-content-sha256 that are not a digest.
const (
	UnsignedPayload        = "UNSIGNED-PAYLOAD"
	UnsignedPayloadTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

	signedPayload        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedPayloadTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// maxLength is the longest body that one request may carry, in bytes.
const maxLength = 5 << 30

// emptyDigest is the SHA-256 of nothing.
const emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// A Payload is what the signature says about the body.
type Payload struct {
	Mode    Mode
	Digest  string // lower-case hex, Mode == Hashed only
	Length  int64  // decoded length in bytes; 0 when there is no body
	Trailer string // lower-case name of the trailing checksum header; "" when there is none
}

// A Mode says how the body is bound to the signature. The zero value is no
// mode, and no verified request has it.
type Mode int

const (
	Unsigned            Mode = iota + 1 // "UNSIGNED-PAYLOAD": not at all; only TLS protects it
	Hashed                              // a SHA-256 digest of the body is signed
	UnsignedTrailer                     // "STREAMING-UNSIGNED-PAYLOAD-TRAILER": framed, a checksum may follow it, unsigned
	SignedChunks                        // "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": framed, each chunk is signed
	SignedChunksTrailer                 // "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": so is the checksum that follows
)

// String gives the mode's name on the wire, or "SHA256" for a digest.
func (m Mode) String() string {
	switch m {
	case Unsigned:
		return UnsignedPayload
	case Hashed:
		return "SHA256"
	case UnsignedTrailer:
		return UnsignedPayloadTrailer
	case SignedChunks:
		return signedPayload
	case SignedChunksTrailer:
		return signedPayloadTrailer
	}
	return "invalid"
}

// framed are the forms of framed bodies that are understood.
func framed(line string) (Mode, bool) {
	switch line {
	case UnsignedPayloadTrailer:
		return UnsignedTrailer, true
	case signedPayload:
		return SignedChunks, true
	case signedPayloadTrailer:
		return SignedChunksTrailer, true
	}
	return 0, false
}

// signedBy4A begins the forms whose chunks are signed with Version 4A.
const signedBy4A = "STREAMING-AWS4-ECDSA-"

// payloadLine is what stands in the last line of the canonical request; "" for
// a service other than S3 that did not say.
func (s *Signature) payloadLine(h header, params []Param) (string, error) {
	value, ok := h.get("x-amz-content-sha256"), h.has("x-amz-content-sha256")
	for _, p := range params {
		if p.Name != paramSHA256 {
			continue
		}
		if ok && value != p.Value {
			return "", refuse(invalidArgument, "The header x-amz-content-sha256 and the query parameter %s differ.", paramSHA256)
		}
		value, ok = p.Value, true
	}
	switch {
	case ok:
		return value, nil
	case s.Service != "s3":
		return "", nil
	case s.Presigned:
		return UnsignedPayload, nil
	}
	return "", refuse(invalidRequest, "The header x-amz-content-sha256 is missing.")
}

// readPayload says how a body is to be read; length is that of the body as it
// is sent, -1 when the client did not say.
func (s *Signature) readPayload(method string, h header, line string, length int64) (Payload, error) {
	mode, isFramed := framed(line)
	switch {
	case s.NeedsBody() && line == "":
		return plainPayload(h, Payload{Mode: Hashed, Length: length})
	case isDigest(line):
		p, err := plainPayload(h, Payload{Mode: Hashed, Digest: line, Length: length})
		if err == nil && length == 0 && line != emptyDigest {
			err = otherDigest(line, emptyDigest, "The header x-amz-content-sha256 is not the digest of the body, which is empty.")
		}
		return p, err
	case s.NeedsBody():
		return Payload{}, refuse(invalidRequest, "A request for %s must sign the digest of its body.", s.Service)
	case line == UnsignedPayload:
		return plainPayload(h, Payload{Mode: Unsigned, Length: length})
	case isFramed:
		if method != http.MethodPut || s.Presigned {
			return Payload{}, inWords("The value of x-amz-content-sha256 header is invalid.", nil, invalidRequest, "%s is for uploads with PUT and an Authorization header only.", line)
		}
		return framedPayload(h, mode)
	case strings.HasPrefix(line, signedBy4A):
		return Payload{}, refuse(notImplemented, "The payload form %s is not supported: send %s, %s or the SHA-256 of the body.", quote(line), signedPayload, UnsignedPayload)
	default:
		return Payload{}, inWords("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
			argument("x-amz-content-sha256", line[:min(len(line), 64)]),
			invalidArgument, "The value %s of x-amz-content-sha256 is not supported: send %s, %s or the SHA-256 of the body in lower-case hexadecimal.", quote(line), UnsignedPayloadTrailer, UnsignedPayload)
	}
}

// plainPayload checks p as the payload of a body without framing.
func plainPayload(h header, p Payload) (Payload, error) {
	if h.has("transfer-encoding") || p.Length < 0 {
		return Payload{}, inWords(noLength, nil, missingContentLength, "The request must have a Content-Length header.")
	}
	if p.Length > maxLength {
		return Payload{}, tooLarge(p.Length)
	}
	for _, name := range []string{"x-amz-decoded-content-length", "x-amz-trailer"} {
		if h.has(name) {
			return Payload{}, refuse(invalidRequest, "The header %s needs x-amz-content-sha256 to be a STREAMING form.", name)
		}
	}
	for _, coding := range codings(h.lines("content-encoding")) {
		if strings.EqualFold(coding, "aws-chunked") {
			return Payload{}, refuse(invalidRequest, "The content encoding aws-chunked needs x-amz-content-sha256 to be a STREAMING form.")
		}
	}
	return p, nil
}

// framedPayload reads what announces a framed body.
func framedPayload(h header, mode Mode) (Payload, error) {
	if coding := h.get("transfer-encoding"); coding != "" && coding != "chunked" {
		return Payload{}, refuse(notImplemented, "The transfer encoding %s is not supported.", quote(coding))
	}
	if !h.has("x-amz-decoded-content-length") {
		return Payload{}, inWords(noLength, nil, missingContentLength, "The request must have an x-amz-decoded-content-length header.")
	}
	decoded := h.get("x-amz-decoded-content-length")
	length, err := strconv.ParseUint(decoded, 10, 63)
	if err != nil || len(decoded) > 19 {
		return Payload{}, inWords(noLength, nil, missingContentLength, "The header x-amz-decoded-content-length must be a number of bytes, not %s.", quote(decoded))
	}
	if length > maxLength {
		return Payload{}, tooLarge(int64(length))
	}
	p := Payload{Mode: mode, Length: int64(length)}
	announced := h.has("x-amz-trailer")
	switch {
	case mode == SignedChunks && announced:
		return Payload{}, refuse(invalidRequest, "The header x-amz-trailer needs x-amz-content-sha256 to be %s or %s.", signedPayloadTrailer, UnsignedPayloadTrailer)
	case mode == SignedChunksTrailer && !announced:
		return Payload{}, inWords(badTrailer, nil, malformedTrailer, "The header x-amz-trailer is missing: %s needs a trailing checksum.", signedPayloadTrailer)
	case announced:
		p.Trailer = strings.ToLower(h.get("x-amz-trailer"))
		return p, checkTrailer(p.Trailer)
	}
	return p, nil
}

// checkTrailer accepts the name of one trailing checksum.
func checkTrailer(name string) error {
	a, known := checksum.ForHeader(name)
	switch {
	case known && a.New() != nil:
		return nil
	case known || strings.HasPrefix(name, "x-amz-checksum-") && !strings.Contains(name, ","):
		return refuse(notImplemented, "The trailing checksum %s is not supported: use one of %s.", quote(name), checksumNames())
	}
	return inWords("The value specified in the x-amz-trailer header is not supported", nil, invalidRequest, "The header x-amz-trailer must name one checksum header, not %s.", quote(name))
}

func checksumNames() string { return strings.Join(checksum.Headers(), ", ") }

// otherDigest refuses a body that is not the one that was signed.
func otherDigest(signed, computed, message string) error {
	return inWords("The provided 'x-amz-content-sha256' header does not match what was computed.",
		[]Param{{"ClientComputedContentSHA256", signed}, {"S3ComputedContentSHA256", computed}}, payloadMismatch, "%s", message)
}

func tooLarge(length int64) error {
	return refuse(entityTooLarge, "The body has %d bytes; one request may carry at most %d.", length, int64(maxLength))
}

// isDigest reports whether s is a SHA-256 in lower-case hex.
func isDigest(s string) bool {
	return len(s) == len(emptyDigest) && !strings.ContainsFunc(s, func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'f') })
}
