package sigv4

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Credentials sign requests. SessionToken is empty for keys without one. Keys
// keeps what is derived from SecretAccessKey for the next request; nil keeps
// nothing.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string

	Keys *Keys
}

// unsignable are headers that net/http, proxies or load balancers write anew.
var unsignable = map[string]bool{
	"authorization": true, "connection": true, "content-length": true, "expect": true, "host": true,
	"trailer": true, "transfer-encoding": true, "user-agent": true, "x-amzn-trace-id": true,
}

// Sign signs r for service and region at now, with payloadHash as what it says
// about the body: UnsignedPayload, UnsignedPayloadTrailer or a digest in
// lower-case hex. It sets X-Amz-Content-Sha256, X-Amz-Date, Authorization and,
// if c has a token, X-Amz-Security-Token, which it removes otherwise.
//
// It signs the host (r.Host, or r.URL.Host), r.ContentLength if that is known
// and not 0, and every header then in r.Header but those which change on the way:
// Authorization, Connection, Content-Length, Expect, Trailer, Transfer-Encoding,
// User-Agent and X-Amzn-Trace-Id. Nothing of these may change afterwards.
//
// r.URL must hold the decoded path in Path, RawPath as EscapePath makes it and
// RawQuery as EncodeQuery makes it; then what is signed is what is sent.
func Sign(r *http.Request, c Credentials, region, service, payloadHash string, now time.Time) {
	now = now.UTC()
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	set := [...]Param{
		{"X-Amz-Content-Sha256", payloadHash}, {"X-Amz-Date", now.Format(isoFormat)}, {"X-Amz-Security-Token", c.SessionToken}, {"Authorization", ""},
	}
	lines := make([]string, len(set)) // of all four, in one piece
	for i, p := range set {
		lines[i] = p.Value
		r.Header[p.Name] = lines[i : i+1 : i+1]
	}
	if c.SessionToken == "" {
		r.Header.Del("X-Amz-Security-Token")
	}

	h := signable(r)
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b := make([]byte, 0, 1024)
	b = appendCanonical(b, r.Method, path, r.URL.RawQuery, h, false)
	b = append(b, payloadHash...)
	key := c.Keys.of(c.SecretAccessKey, region, service, now)
	c.Keys.keep(key)
	signature := key.sign(now, b)

	b = append(b[:0], algorithm+" Credential="...)
	b = append(b, c.AccessKeyID...)
	b = append(b, '/')
	b = key.appendPlace(b)
	b = append(b, ", SignedHeaders="...)
	b = h.appendNames(b)
	b = append(b, ", Signature="...)
	b = hex.AppendEncode(b, signature[:])
	lines[3] = string(b)
}

// signable is what is signed of r's header.
func signable(r *http.Request) header {
	h := newHeader(r.Header, func(name string) bool { return !unsignable[name] })
	for i := len(h) - 1; i > 0; i-- {
		if h[i-1].name == h[i].name { // they are one header to who reads them
			h[i-1].lines = slices.Concat(h[i-1].lines, h[i].lines)
			h = slices.Delete(h, i, i+1)
		}
	}
	h = h.put("host", cmp.Or(r.Host, r.URL.Host))
	if r.ContentLength > 0 {
		h = h.put("content-length", strconv.FormatInt(r.ContentLength, 10))
	}
	for i := range h {
		h[i].signed = true
	}
	return h
}
