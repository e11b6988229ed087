// Package sigv4 is AWS Signature Version 4 for S3, on both sides: it reads and
// verifies what a request claims, verifies the body while it streams, and signs
// requests to send.
package sigv4

import (
	"io"
	"net/http"
	"time"
)

// The values of x-amz-content-sha256 that are not a digest.
const (
	UnsignedPayload        = "UNSIGNED-PAYLOAD"
	UnsignedPayloadTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// A Signature is what a request claims about who signed it, when and where.
type Signature struct {
	AccessKeyID  string
	SessionToken string // X-Amz-Security-Token, from the header or the query; empty when absent
	Region       string
	Service      string // "s3" or "sts"
	Time         time.Time
	Presigned    bool
	Expires      time.Duration // presigned only
}

// Parse reads how a request says it is signed.
func Parse(r *http.Request) (*Signature, error) {
	return nil, &Error{Code: "NotImplemented", Message: "Signatures are not read yet."}
}

// NeedsBody reports whether the digest of the body is part of what was signed
// without being named in the request, so that only VerifyBody can judge it.
func (s *Signature) NeedsBody() bool { return s.Service == "sts" }

// Verify proves that the holder of secret signed this request at about now.
func (s *Signature) Verify(secret string, now time.Time) (*Verified, error) {
	return nil, &Error{Code: "NotImplemented", Message: "Signatures are not verified yet."}
}

// VerifyBody is Verify for requests whose whole body is at hand.
func (s *Signature) VerifyBody(secret string, body []byte, now time.Time) (*Verified, error) {
	return nil, &Error{Code: "NotImplemented", Message: "Signatures are not verified yet."}
}

// Verified is a request whose signature was proved.
type Verified struct{}

func (v *Verified) Method() string      { return "" }
func (v *Verified) Host() string        { return "" }
func (v *Verified) Path() string        { return "" }
func (v *Verified) Query() []Param      { return nil }
func (v *Verified) Header() http.Header { return nil }
func (v *Verified) Payload() Payload    { return Payload{} }

// Body wraps the request body.
func (v *Verified) Body(body io.Reader) io.Reader { return body }

// A Param is one query parameter, decoded.
type Param struct{ Name, Value string }

// A Payload is what the signature says about the body.
type Payload struct {
	Mode    Mode
	Digest  string // lower-case hex, Mode == Hashed only
	Length  int64  // decoded length in bytes; 0 when there is no body
	Trailer string // lower-case name of the trailing checksum header, Mode == UnsignedTrailer only; may be ""
}

// A Mode says how the body is bound to the signature. The zero value is no mode.
type Mode int

const (
	Unsigned        Mode = iota + 1 // UNSIGNED-PAYLOAD
	Hashed                          // a hex digest
	UnsignedTrailer                 // STREAMING-UNSIGNED-PAYLOAD-TRAILER
)

// TrailerBody frames r for STREAMING-UNSIGNED-PAYLOAD-TRAILER.
func TrailerBody(r io.Reader, length int64, trailer string) (io.Reader, int64, error) {
	return nil, 0, &Error{Code: "NotImplemented", Message: "Trailers are not written yet."}
}

// Credentials sign requests.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Sign signs r.
func Sign(r *http.Request, c Credentials, region, service, payloadHash string, now time.Time) {}

// EscapePath encodes a path by S3's rule.
func EscapePath(path string) string { return path }

// EncodeQuery makes the canonical query.
func EncodeQuery(params []Param) string { return "" }

// An Error refuses a request.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }
