package sigv4

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials sign requests. SessionToken is empty for keys without one.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

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
	r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	r.Header.Set("X-Amz-Date", now.Format(isoFormat))
	r.Header.Del("X-Amz-Security-Token")
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}

	h := make(header, len(r.Header)+2)
	for name, lines := range r.Header {
		if lower := strings.ToLower(name); !unsignable[lower] {
			h[lower] = append(h[lower], lines...)
		}
	}
	h["host"] = []string{r.Host}
	if r.Host == "" {
		h["host"] = []string{r.URL.Host}
	}
	if r.ContentLength > 0 {
		h["content-length"] = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)

	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b := make([]byte, 0, 1024)
	b = append(b, r.Method+"\n"+path+"\n"+r.URL.RawQuery+"\n"...)
	b = appendHeaders(b, h, names, false)
	b = append(b, payloadHash...)
	r.Header.Set("Authorization", algorithm+
		" Credential="+c.AccessKeyID+"/"+scope(now.Format(dayFormat), region, service)+
		", SignedHeaders="+strings.Join(names, ";")+
		", Signature="+hex.EncodeToString(sign(signingKey(c.SecretAccessKey, region, service, now), region, service, now, b)))
}

// appendHeaders appends the part of a canonical request from its headers up to
// the payload's line.
func appendHeaders(b []byte, h header, names []string, fold bool) []byte {
	for _, name := range names {
		b = canonicalHeader(b, name, h[name], fold)
	}
	b = append(b, '\n')
	b = append(b, strings.Join(names, ";")...)
	return append(b, '\n')
}
