package s3api

import (
	"net/http"
	"slices"
	"strings"
)

// transport has the x-amz-* headers that speak of the signature, of the framing
// of the body or of the client. They are neither refused nor sent on: whoever
// sends the request signs and frames it anew.
var transport = []string{"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Decoded-Content-Length", "X-Amz-Security-Token", "X-Amz-Trailer",
	"X-Amz-User-Agent"}

// isAmz says whether a header or parameter is of the family that S3 gives
// meaning to.
func isAmz(name string) bool {
	const family = "x-amz-"
	return len(name) > len(family) && strings.EqualFold(name[:len(family)], family)
}

// attributesHeader is a list, of which some SDKs send a line for each.
const attributesHeader = "X-Amz-Object-Attributes"

// isMetadata says whether a header describes the object in the client's own
// words. Such a header may be empty.
func isMetadata(name string) bool { return permits([]string{"X-Amz-Meta-*"}, name) }

// mayRepeat says whether a header may stand on several lines: those that are
// lists, which every reader joins with commas, as the signature does.
func mayRepeat(name string) bool { return isMetadata(name) || name == attributesHeader }

// isSelective says whether a header makes a request depend on something, so
// that to leave it out would be to do something else.
func isSelective(name string) bool { return name == "Range" || strings.HasPrefix(name, "If-") }

// withoutChunked takes the token aws-chunked, which names a framing that has
// been taken off, out of a Content-Encoding, and keeps the rest in order.
func withoutChunked(value string) string {
	if !strings.Contains(strings.ToLower(value), "aws-chunked") {
		return value
	}
	var kept []string
	for token := range strings.SplitSeq(value, ",") {
		if token = strings.TrimSpace(token); token != "" && !strings.EqualFold(token, "aws-chunked") {
			kept = append(kept, token)
		}
	}
	return strings.Join(kept, ",")
}

func hasControls(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isToken says whether name may be the name of a header.
func isToken(name string) bool {
	for _, c := range []byte(name) {
		if !isLetter(c) && !isDigit(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

// answerHeaders has the headers of an answer that may reach the client.
var answerHeaders = newNames(
	"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Range",
	"Content-Type", "Etag", "Expires", "Last-Modified", "Retry-After",
	"X-Amz-Abort-Date", "X-Amz-Abort-Rule-Id", "X-Amz-Archive-Status", "X-Amz-Bucket-Arn", "X-Amz-Bucket-Region", "X-Amz-Checksum-*",
	"X-Amz-Copy-Source-Version-Id", "X-Amz-Delete-Marker", "X-Amz-Expiration", "X-Amz-Meta-*", "X-Amz-Missing-Meta",
	"X-Amz-Mp-Parts-Count", "X-Amz-Object-Lock-*", "X-Amz-Object-Size", "X-Amz-Replication-Status", "X-Amz-Request-Charged",
	"X-Amz-Restore", "X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
	"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "X-Amz-Server-Side-Encryption-Context",
	"X-Amz-Server-Side-Encryption-Customer-Algorithm", "X-Amz-Server-Side-Encryption-Customer-Key-Md5", "X-Amz-Storage-Class",
	"X-Amz-Tagging-Count", "X-Amz-Version-Id", "X-Amz-Website-Redirect-Location",
)

// A names has patterns as permits has them, of which there are many.
type names struct {
	whole      map[string]bool
	beginnings []string
}

func newNames(patterns ...string) names {
	n := names{whole: make(map[string]bool, len(patterns))}
	for _, p := range patterns {
		if beginning, open := strings.CutSuffix(p, "*"); open {
			n.beginnings = append(n.beginnings, beginning)
		} else {
			n.whole[p] = true
		}
	}
	return n
}

func (n names) permit(name string) bool {
	return n.whole[name] || slices.ContainsFunc(n.beginnings, func(b string) bool { return len(name) > len(b) && strings.HasPrefix(name, b) })
}

// ResponseHeader returns a copy of the headers of an upstream's answer that may
// reach the client: those that describe the object and what was done. The
// upstream's Location, cookies, request ids and everything unknown stay behind.
func ResponseHeader(upstream http.Header) http.Header {
	lines := 0
	for _, values := range upstream {
		lines += len(values)
	}
	all := make([]string, 0, lines) // in one piece
	h := make(http.Header, len(upstream))
	AddResponseHeader(h, upstream)
	for name, values := range h {
		at := len(all)
		all = append(all, values...)
		h[name] = all[at:len(all):len(all)]
	}
	return h
}

// AddResponseHeader puts into h what ResponseHeader returns, and shares the
// values with upstream.
func AddResponseHeader(h, upstream http.Header) {
	for name, values := range upstream {
		if name = http.CanonicalHeaderKey(name); answerHeaders.permit(name) {
			h[name] = values
		}
	}
}
