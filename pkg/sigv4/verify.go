package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxSkew is how far the client's clock may be off.
const maxSkew = 15 * time.Minute

// NeedsBody reports whether the digest of the body is part of what was signed
// without standing in the request, so that only VerifyBody can judge it. SDKs
// sign requests for STS in this way; those for S3 always name their payload.
func (s *Signature) NeedsBody() bool { return s.Service != "s3" }

// Verify proves that the holder of secret signed this request at about now:
// within 15 minutes of it, or, when presigned, while the URL holds. Errors are
// *Error: RequestTimeTooSkewed, AccessDenied for a presigned URL outside its
// time, SignatureDoesNotMatch; InvalidRequest when NeedsBody.
//
// It takes as long whether secret is the right one or not, so that a caller
// who does not know the access key may call it with any other secret to
// answer no sooner than otherwise.
func (s *Signature) Verify(secret string, now time.Time) (*Verified, error) {
	return s.VerifyWith(nil, secret, now)
}

// VerifyWith is Verify with the signing keys that keys has kept of secret. It
// keeps the one that has proved the request, and so takes less long for the
// next request of whoever was proved.
func (s *Signature) VerifyWith(keys *Keys, secret string, now time.Time) (*Verified, error) {
	if s.NeedsBody() {
		return nil, refuse(invalidRequest, "The signature covers the digest of the body, which was not looked at.")
	}
	return s.prove(keys, secret, "", s.verified.payload, now)
}

// VerifyBody is Verify for a request whose whole body is at hand, and proves
// that the body is the one that was signed, as far as its form of payload says
// so. It serves every Signature; one that NeedsBody has no other way. Further
// errors are those of Verified.Body.
func (s *Signature) VerifyBody(secret string, body []byte, now time.Time) (*Verified, error) {
	line, payload := "", s.verified.payload
	if s.NeedsBody() {
		sum := sha256.Sum256(body)
		payload.Digest = hex.EncodeToString(sum[:])
		switch s.payload {
		case "":
			line = payload.Digest
		case payload.Digest:
		default:
			return nil, refuse(payloadMismatch, "The header x-amz-content-sha256 is not the digest of the body.")
		}
	}
	v, err := s.prove(nil, secret, line, payload, now)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, v.Body(bytes.NewReader(body))); err != nil {
		return nil, err
	}
	return v, nil
}

// prove is the only maker of a Verified. line is the last one of the canonical
// request where that was not known to Parse.
func (s *Signature) prove(keys *Keys, secret, line string, payload Payload, now time.Time) (*Verified, error) {
	if len(s.canonical) == 0 || s.payload+line == "" {
		return nil, refuse(invalidRequest, "The request was not read.")
	}
	key := keys.of(secret, s.Region, s.Service, s.Time)
	match := s.signed(key, s.canonical, line)
	// A tab inside a header's value is a space to botocore and the JavaScript
	// SDK, and itself to the Go SDK. White space is not what a signature protects.
	if s.folded != nil && s.signed(key, s.folded, line) {
		match = true
	}
	if err := s.timely(now); err != nil {
		return nil, err
	}
	if !match {
		return nil, inWords(badMatch,
			[]Param{{"AWSAccessKeyId", s.AccessKeyID}}, signatureMismatch, "The signature does not match the request: check the secret access key, and that nothing changes the request on its way; it arrived for host %s.", quote(s.verified.host))
	}
	keys.keep(key) // and never one for which nobody has signed
	v := s.verified
	v.payload = payload
	if payload.Mode == SignedChunks || payload.Mode == SignedChunksTrailer {
		v.link = &link{key.key, string(key.appendScope(nil, s.Time)), s.signature}
	}
	return &v, nil
}

// signed says whether the signature is that of a canonical request.
func (s *Signature) signed(key *signingKey, canonical []byte, line string) bool {
	if line != "" {
		canonical = slices.Concat(canonical, []byte(line))
	}
	signature := key.sign(s.Time, canonical)
	return hmac.Equal(signature[:], s.signature[:])
}

func (s *Signature) timely(now time.Time) error {
	age, here := now.Sub(s.Time), now.UTC().Format(time.RFC3339)
	switch {
	case !s.Presigned && (age > maxSkew || age < -maxSkew):
		return inWords("", []Param{
			{"RequestTime", s.Time.Format(isoFormat)}, {"ServerTime", here}, {"MaxAllowedSkewMilliseconds", strconv.FormatInt(maxSkew.Milliseconds(), 10)},
		}, timeTooSkewed, "The request was signed at %s, and here it is %s: set the clock, it may be off by %d minutes at most.", s.Time.Format(time.RFC3339), here, int(maxSkew/time.Minute))
	case s.Presigned && age < -maxSkew:
		return refuse(accessDenied, "Request is not valid before %s.", s.Time.Format(time.RFC3339))
	case s.Presigned && age > s.Expires:
		until := s.Time.Add(s.Expires).Format(time.RFC3339)
		return inWords("Request has expired.", []Param{{"X-Amz-Expires", strconv.Itoa(int(s.Expires / time.Second))}, {"Expires", until}, {"ServerTime", here}},
			accessDenied, "Request has expired: the presigned URL was valid until %s.", until)
	}
	return nil
}

// A Verified is a request whose signature was proved. It is immutable, and
// nothing after it needs the *http.Request but its body and its context. It
// comes from Verify and VerifyBody; the zero value is no request.
type Verified struct {
	method, host, path string
	query              []Param
	header             []usable
	payload            Payload
	link               *link // of chunks that are signed
}

// Method is the request's method as it was sent.
func (v *Verified) Method() string { return v.method }

// Host is the host that the client signed, as it was sent, with its port.
func (v *Verified) Host() string { return v.host }

// Path is the path, decoded once. It begins with "/", is UTF-8 and has no NUL;
// otherwise its bytes are what the client meant: "//", dot segments and "+"
// are kept.
func (v *Verified) Path() string { return v.path }

// Query is a copy of the parameters, decoded, in canonical order, without
// those of a presigned request. No name stands twice.
func (v *Verified) Query() []Param { return slices.Clone(v.query) }

// Header is a copy of the headers that may be used. These are the signed ones,
// less those that speak of the connection or of the signature (Authorization,
// Host, Date, X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256,
// Content-Length, X-Amz-Decoded-Content-Length, X-Amz-Trailer, Expect and the
// hop-by-hop ones); and, unsigned, only these:
//
//   - Cache-Control, Content-Disposition, Content-Encoding, Content-Language,
//     Content-Type and Expires, which S3 takes unsigned and merely gives back to
//     readers; SDKs leave some of them out of the signature;
//   - on GET and HEAD, Range, If-Match, If-None-Match, If-Modified-Since,
//     If-Unmodified-Since and If-Range, which only narrow a read.
//
// Every other unsigned header is dropped, or, where to drop it would change
// what is written, was refused by Parse. The token aws-chunked is taken out of
// Content-Encoding, because Body removes that framing. X-Amz- headers that SDKs
// moved into the query of a presigned URL, where the signature covers them, are
// here as headers, but for checksums of the body, which nobody knew then.
func (v *Verified) Header() http.Header {
	lines := 0
	for _, u := range v.header {
		lines += len(u.lines)
	}
	all := make([]string, 0, lines)
	h := make(http.Header, len(v.header))
	for _, u := range v.header {
		at := len(all)
		all = append(all, u.lines...)
		h[u.name] = all[at:len(all):len(all)]
	}
	return h
}

// Payload is what the signature says about the body.
func (v *Verified) Payload() Payload { return v.payload }
