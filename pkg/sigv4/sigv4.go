// Package sigv4 is AWS Signature Version 4 for S3, on both sides. It reads and
// verifies what a request claims, verifies the body while it streams, and signs
// requests to send. It follows the S3 documentation, "Authenticating Requests
// (AWS Signature Version 4)", and is stricter than S3 wherever two readers
// could understand one request in two ways: such a request is refused.
//
// There is one way through it. Parse believes nothing; Verify alone makes a
// Verified, from which everything that acts on the request should be built;
// Verified.Body gives bytes that are proved to the last one. Nothing here does
// I/O of its own, reads a clock or keeps state.
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

	signed    []string // names in SignedHeaders
	signature [32]byte
	canonical []byte // the canonical request up to its last line
	folded    []byte // the same with tabs in header values as spaces; nil when there are none
	payload   string // that line; "" when the client did not say, and then NeedsBody
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
	if err := h.checkSigned(r.Method, s.signed, s.Presigned); err != nil {
		return nil, err
	}
	if s.payload, err = s.payloadLine(h, params); err != nil {
		return nil, err
	}
	payload, err := s.readPayload(r.Method, h, s.payload, r.ContentLength)
	if err != nil {
		return nil, err
	}
	s.canonical = canonicalRequest(r.Method, path, params, h, s.signed, false)
	if h.hasTabs(s.signed) {
		s.folded = canonicalRequest(r.Method, path, params, h, s.signed, true)
	}
	s.verified = Verified{
		method:  r.Method,
		host:    r.Host,
		path:    path,
		query:   slices.DeleteFunc(slices.Clone(params), func(p Param) bool { return isAmz(p.Name) }),
		header:  h.usable(r.Method, s.signed, s.Presigned, payload.Mode),
		payload: payload,
	}
	for _, p := range params {
		if s.Presigned && isAmz(p.Name) && !slices.Contains(presignParams, p.Name) && !ofUnknownBody(p.Name) {
			s.verified.header.Set(p.Name, strings.Trim(p.Value, " "))
		}
	}
	return s, nil
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
// payload's. path is encoded anew, once: however the client wrote it, this one
// form is what is signed, and Verified.Path is what it encodes. fold is that of
// canonicalHeader.
func canonicalRequest(method, path string, params []Param, h header, signed []string, fold bool) []byte {
	signable := make([]Param, 0, len(params))
	for _, p := range params {
		if p.Name != paramSignature {
			signable = append(signable, p)
		}
	}
	b := make([]byte, 0, 1024)
	b = append(b, method...)
	b = append(b, '\n')
	b = append(b, EscapePath(path)...)
	b = append(b, '\n')
	b = append(b, EncodeQuery(signable)...)
	b = append(b, '\n')
	return appendHeaders(b, h, signed, fold)
}
