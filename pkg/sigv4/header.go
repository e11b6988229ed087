package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A header is the request's header by lower-case name, with the fields that
// net/http keeps elsewhere put back.
type header map[string][]string

// single are the headers of which two lines would let two readers see two
// requests; the x-amz- ones are single too.
var single = map[string]bool{
	"authorization": true, "content-disposition": true, "content-length": true, "content-md5": true,
	"content-range": true, "content-type": true, "date": true, "expires": true, "host": true,
	"if-match": true, "if-modified-since": true, "if-none-match": true, "if-range": true,
	"if-unmodified-since": true, "range": true, "transfer-encoding": true,
}

// transport are headers that speak of this connection or of this signature,
// and so mean nothing once the request is verified.
var transport = map[string]bool{
	"authorization": true, "connection": true, "content-length": true, "date": true, "expect": true,
	"host": true, "keep-alive": true, "proxy-authorization": true, "proxy-connection": true, "te": true,
	"trailer": true, "transfer-encoding": true, "upgrade": true, "x-amz-content-sha256": true,
	"x-amz-date": true, "x-amz-decoded-content-length": true, "x-amz-security-token": true,
	"x-amz-trailer": true,
}

// harmless are headers that are used even when they are not signed. See
// Verified.Header for why.
var harmless = map[string]bool{
	"cache-control": true, "content-disposition": true, "content-encoding": true,
	"content-language": true, "content-type": true, "expires": true,
}

// narrowing are headers that are used unsigned on GET and HEAD only.
var narrowing = map[string]bool{
	"if-match": true, "if-modified-since": true, "if-none-match": true, "if-range": true,
	"if-unmodified-since": true, "range": true,
}

// isList says whether an x-amz- header is a list to every reader, so that its
// lines are the same joined by commas, as they are signed.
func isList(name string) bool {
	const metadata = "x-amz-meta-"
	return name == "x-amz-object-attributes" || len(name) > len(metadata) && strings.HasPrefix(name, metadata)
}

// get gives the only line of a single header; "" when there is none.
func (h header) get(name string) string {
	if len(h[name]) == 0 {
		return ""
	}
	return h[name][0]
}

// readHeader refuses what would let somebody else read the header in another
// way than it was signed.
func readHeader(r *http.Request) (header, error) {
	h := make(header, len(r.Header)+3)
	for name, lines := range r.Header {
		lower := strings.ToLower(name)
		if _, twice := h[lower]; twice {
			return nil, refuse(invalidRequest, "The header %s stands in two spellings.", quote(lower))
		}
		if len(lines) > 1 && (single[lower] || isAmz(lower) && !isList(lower)) {
			return nil, refuse(invalidRequest, "The header %s stands there more than once.", quote(lower))
		}
		if len(lines) > 0 {
			h[lower] = lines
		}
	}
	if r.Host == "" {
		return nil, refuse(invalidRequest, "The request has no Host header.")
	}
	h["host"] = []string{r.Host}
	if len(r.TransferEncoding) > 0 {
		h["transfer-encoding"] = []string{strings.Join(r.TransferEncoding, ",")}
	}
	for _, line := range h["connection"] {
		for token := range strings.SplitSeq(line, ",") {
			switch strings.ToLower(strings.Trim(token, " \t")) {
			case "", "close", "keep-alive":
			default:
				return nil, refuse(invalidRequest, "The Connection header may say close or keep-alive, and nothing else.")
			}
		}
	}
	if _, ok := h["upgrade"]; ok {
		return nil, refuse(invalidRequest, "The connection cannot be upgraded to another protocol.")
	}
	return h, h.readLength(r.ContentLength)
}

// readLength makes content-length and length, which is -1 when the client did
// not say, agree.
func (h header) readLength(length int64) error {
	line, ok := h["content-length"]
	switch {
	case ok:
		if n, err := strconv.ParseInt(line[0], 10, 64); err != nil || n != length {
			return refuse(invalidRequest, "The Content-Length header is not the length of the body.")
		}
	case length > 0:
		h["content-length"] = []string{strconv.FormatInt(length, 10)}
	}
	return nil
}

// checkSigned holds the header against the list of signed names: every listed
// one is there, and every one that could change the request's meaning is listed.
func (h header) checkSigned(method string, signed []string, presigned bool) error {
	for _, name := range signed {
		if _, ok := h[name]; !ok {
			return refuse(signatureMismatch, "SignedHeaders names %s, which is not a header of the request.", quote(name))
		}
	}
	if err := h.checkAmz(signed, presigned); err != nil {
		return err
	}
	reads := readsOnly(method)
	for name, lines := range h {
		listed := slices.Contains(signed, name)
		switch {
		case listed:
		case !reads && (name == "content-md5" || strings.HasPrefix(name, "if-")):
			return refuse(accessDenied, "The header %s is not signed, and on a %s request it must be.", quote(name), quote(method))
		}
		if listed || harmless[name] || reads && narrowing[name] {
			for _, line := range lines {
				if !utf8.ValidString(line) {
					return refuse(invalidRequest, "The value of the header %s is not UTF-8.", quote(name))
				}
			}
		}
	}
	return nil
}

// checkAmz refuses x-amz- headers that are not in the list of signed names.
func (h header) checkAmz(signed []string, presigned bool) error {
	var not []string
	for name := range h {
		// The value of x-amz-content-sha256 is signed as the payload's line.
		if isAmz(name) && !slices.Contains(signed, name) && (name != "x-amz-content-sha256" || presigned) {
			not = append(not, name)
		}
	}
	if len(not) == 0 {
		return nil
	}
	slices.Sort(not)
	return inWords("There were headers present in the request which were not signed", []Param{{"HeadersNotSigned", strings.Join(not, ", ")}},
		accessDenied, "The header %s is not signed, and every x-amz- header must be.", quote(not[0]))
}

// usable is what Verified.Header promises.
func (h header) usable(method string, signed []string, presigned bool, mode Mode) http.Header {
	out := make(http.Header, len(h))
	reads := readsOnly(method)
	for name, lines := range h {
		if transport[name] {
			continue
		}
		if slices.Contains(signed, name) || harmless[name] || reads && narrowing[name] {
			out[http.CanonicalHeaderKey(name)] = slices.Clone(lines)
		}
	}
	if mode != Unsigned && mode != Hashed {
		out.Del("Content-Encoding")
		if rest := withoutChunked(h["content-encoding"]); rest != "" {
			out.Set("Content-Encoding", rest)
		}
	}
	return out
}

// withoutChunked joins the codings in order, less aws-chunked, which is only
// the framing of the request.
func withoutChunked(lines []string) string {
	var kept []string
	for _, coding := range codings(lines) {
		if !strings.EqualFold(coding, "aws-chunked") {
			kept = append(kept, coding)
		}
	}
	return strings.Join(kept, ",")
}

func codings(lines []string) []string {
	var all []string
	for _, line := range lines {
		for coding := range strings.SplitSeq(line, ",") {
			if coding = strings.Trim(coding, " \t"); coding != "" {
				all = append(all, coding)
			}
		}
	}
	return all
}

func readsOnly(method string) bool {
	return method == http.MethodGet || method == http.MethodHead
}

// canonicalHeader appends name and values as they are signed: trimmed, runs of
// spaces collapsed, several lines joined by commas in their order. Where fold
// holds, a tab is a space.
func canonicalHeader(b []byte, name string, lines []string, fold bool) []byte {
	b = append(b, name...)
	b = append(b, ':')
	for i, line := range lines {
		if i > 0 {
			b = append(b, ',')
		}
		space := false
		for _, c := range []byte(strings.Trim(line, " \t")) {
			if c == '\t' && fold {
				c = ' '
			}
			if c == ' ' && space {
				continue
			}
			space = c == ' '
			b = append(b, c)
		}
	}
	return append(b, '\n')
}

// hasTabs reports whether a signed value has a tab inside, so that signers
// disagree on its canonical form.
func (h header) hasTabs(signed []string) bool {
	for _, name := range signed {
		for _, line := range h[name] {
			if strings.Contains(strings.Trim(line, " \t"), "\t") {
				return true
			}
		}
	}
	return false
}
