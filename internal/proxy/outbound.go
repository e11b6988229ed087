package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// emptyDigest is the SHA-256 of nothing.
const emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// outbound builds the upstream request from what was parsed, and from nothing
// else, and signs it. After signing nothing changes but what is not signed.
func (s *Server) outbound(e *errand, to destination) (*http.Request, *sending, error) {
	path := e.call.Path()
	query := make([]sigv4.Param, len(e.call.Query))
	for i, p := range e.call.Query {
		query[i] = sigv4.Param(p)
	}
	r := &http.Request{
		Method: e.method,
		URL: &url.URL{
			Scheme: s.upstream.Scheme, Host: to.host,
			Path: path, RawPath: sigv4.EscapePath(path), RawQuery: sigv4.EncodeQuery(query),
		},
		Host:   to.host,
		Header: e.call.Header.Clone(),
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	hash, body, length, err := e.outboundBody(r.Header)
	if err != nil {
		return nil, nil, err
	}
	kept := &sending{size: length}
	if e.call.Body == s3api.StreamBody {
		kept.r = body
	}
	if document, ok := body.(*bytes.Reader); ok {
		if length > 0 {
			r.Body, r.ContentLength = io.NopCloser(document), length
		}
	} else if length > 0 {
		r.Body, r.ContentLength = io.NopCloser(kept), length
	} else if body != nil { // nothing to send, but its digest is still to be verified
		if _, err := io.Copy(io.Discard, kept); err != nil {
			return nil, nil, bodyFault(err)
		}
	}
	sigv4.Sign(r, e.credentials, to.region, "s3", hash, time.Now())
	r.Header.Set("User-Agent", "gimme")
	if e.call.Body == s3api.StreamBody && length > 0 && to.ask {
		r.Header.Set("Expect", "100-continue")
	}
	return r, kept, nil
}

// outboundBody is the body as it goes upstream, its length on the wire, and
// what stands for it in the signature. Where the client sent a digest the
// upstream checks it too. A checksum that trailed the body trails it again,
// computed anew from the bytes that were verified; the client's framing is
// never passed on.
func (e *errand) outboundBody(h http.Header) (hash string, body io.Reader, length int64, err error) {
	switch {
	case e.call.Body == s3api.XMLBody:
		document := e.call.EncodeBody(e.decision.keeps)
		sum := sha256.Sum256(document)
		if e.call.NeedsChecksum { // and the client's was of another document
			h.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
		}
		return hex.EncodeToString(sum[:]), bytes.NewReader(document), int64(len(document)), nil
	case e.call.Body != s3api.StreamBody:
		return emptyDigest, nil, 0, nil
	case e.payload.Trailer != "":
		framed, length, err := sigv4.TrailerBody(e.body, e.payload.Length, e.payload.Trailer)
		if err != nil {
			return "", nil, 0, err
		}
		h.Set("X-Amz-Trailer", e.payload.Trailer)
		h.Set("X-Amz-Decoded-Content-Length", strconv.FormatInt(e.payload.Length, 10))
		h.Set("Content-Encoding", strings.TrimSuffix("aws-chunked,"+h.Get("Content-Encoding"), ","))
		return sigv4.UnsignedPayloadTrailer, framed, length, nil
	}
	if !hasChecksum(h) {
		h.Del("X-Amz-Sdk-Checksum-Algorithm") // it announces a checksum, and none is sent
	}
	if e.payload.Mode == sigv4.Hashed {
		return e.payload.Digest, e.body, e.payload.Length, nil
	}
	return sigv4.UnsignedPayload, e.body, e.payload.Length, nil
}

func hasChecksum(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			return true
		}
	}
	return false
}
