// Package sigv4 is AWS Signature Version 4 for S3, on both sides. It reads and
// verifies what a request claims, verifies the body while it streams, and signs
// requests to send. It follows the S3 documentation, "Authenticating Requests
// (AWS Signature Version 4)", and is stricter than S3 wherever two readers
// could understand one request in two ways: such a request is refused.
//
// There is one way through it. Parse believes nothing; Verify alone makes a
// Verified, from which everything that acts on the request should be built;
// Verified.Body gives bytes that are proved to the last one. Nothing here does
// I/O of its own, reads a clock or keeps state, but for the keys that a Keys of
// the caller's keeps.
//
// What it does not do: Signature Version 2, Version 4A and POST policies are
// refused with a sentence that says so.
// What a request means to S3, and whether it may be made, is not its concern.
package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/checksum"
)

// A Signature is what a request claims about who signed it, when and where.
// Nothing of it is proved before Verify. It comes from Parse; the zero value
// verifies nothing.
type Signature struct {
	AccessKeyID  string
	SessionToken string // X-Amz-Security-Token, from the header or the query; empty when absent
	Region       string
	Service      string        // "s3" or "sts"
	Time         time.Time     // when the request says it was signed, UTC
	Presigned    bool          // the signature stands in the query
	Expires      time.Duration // how long after Time it holds; presigned only

	names     string // in SignedHeaders, separated by ';'
	signature [32]byte
	canonical []byte // the canonical request, as far as it is known
	folded    []byte // the same with tabs in header values as spaces; nil when there are none
	payload   string // its last line; "" when the client did not say, and then NeedsBody
	verified  Verified
}

// Parse reads how a request says it is signed: exactly one of an Authorization
// header or X-Amz- query parameters. It believes nothing yet, and does not
// touch the body.
//
// It works on r.RequestURI, r.Host, r.Header, r.ContentLength and
// r.TransferEncoding, as net/http's server fills them, and never on r.URL. It
// keeps nothing of r. Errors are *Error.
func Parse(r *http.Request) (*Signature, error) {
	path, params, err := parseTarget(r.RequestURI)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	s := new(Signature)
	if err := s.readClaim(h, params); err != nil {
		return nil, err
	}
	if s.Service != "s3" && path != "/" {
		return nil, refuse(invalidRequest, "A request for %s must have the path \"/\".", s.Service)
	}
	if err := h.checkSigned(r.Method, s.names, s.Presigned); err != nil {
		return nil, err
	}
	if s.payload, err = s.payloadLine(h, params); err != nil {
		return nil, err
	}
	payload, err := s.readPayload(r.Method, h, s.payload, r.ContentLength)
	if err != nil {
		return nil, err
	}
	s.canonical = append(canonicalRequest(r.Method, path, params, h, false), s.payload...)
	if h.hasTabs() {
		s.folded = append(canonicalRequest(r.Method, path, params, h, true), s.payload...)
	}
	s.verified = Verified{
		method:  r.Method,
		host:    r.Host,
		path:    path,
		query:   ofS3(params),
		header:  h.usable(r.Method, payload.Mode),
		payload: payload,
	}
	for _, p := range params {
		if s.Presigned && isAmz(p.Name) && !slices.Contains(presignParams, p.Name) && !ofUnknownBody(p.Name) {
			s.verified.header = append(s.verified.header, usable{http.CanonicalHeaderKey(p.Name), []string{strings.Trim(p.Value, " ")}})
		}
	}
	return s, nil
}

// ofS3 are the parameters that say what is asked of S3.
func ofS3(params []Param) []Param {
	if len(params) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(params), func(p Param) bool { return isAmz(p.Name) })
}

// ofUnknownBody reports whether a parameter of a presigned URL stands for a
// header with the checksum of a body. The JavaScript SDK puts the checksum of
// nothing there, since it does not know what will be uploaded. S3 has it signed
// and does not look at it; a checksum that is to be proved is a signed header.
func ofUnknownBody(name string) bool {
	_, sum := checksum.ForHeader(name)
	return sum || strings.EqualFold(name, "x-amz-sdk-checksum-algorithm")
}

// canonicalRequest makes all of the canonical request but its last line, the
// payload's, for which there is room. path is encoded anew, once: however the
// client wrote it, this one form is what is signed, and Verified.Path is what it
// encodes. fold is that of canonicalHeader.
func canonicalRequest(method, path string, params []Param, h header, fold bool) []byte {
	query := ""
	if len(params) > 0 {
		query = EncodeQuery(slices.DeleteFunc(slices.Clone(params), func(p Param) bool { return p.Name == paramSignature }))
	}
	path = EscapePath(path)
	b := make([]byte, 0, len(method)+len(path)+len(query)+len("\n\n\n")+h.canonicalSize()+len(signedPayloadTrailer)+len(emptyDigest))
	return appendCanonical(b, method, path, query, h, fold)
}

// appendCanonical appends a canonical request up to the payload's line.
func appendCanonical(b []byte, method, path, query string, h header, fold bool) []byte {
	for _, line := range [...]string{method, path, query} {
		b = append(b, line...)
		b = append(b, '\n')
	}
	for _, f := range h {
		if f.signed {
			b = canonicalHeader(b, f.name, f.lines, fold)
		}
	}
	b = append(b, '\n')
	b = h.appendNames(b)
	return append(b, '\n')
}
