package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A header is the fields of a request's header, sorted by name, each name once,
// with those that net/http keeps elsewhere put back.
type header []field

type field struct {
	name   string // in lower case
	sent   string // as the request has it
	lines  []string
	signed bool
}

// newHeader reads from, as far as it is wanted by lower-case names. Names that
// differ in case alone stand next to each other.
func newHeader(from http.Header, wanted func(name string) bool) header {
	const more = 3 // that are put back
	size := 0
	for name := range from {
		size += len(name)
	}
	var names strings.Builder // all of them, in one piece
	names.Grow(size)
	h := make(header, 0, len(from)+more)
	for name, lines := range from {
		at := names.Len()
		for _, c := range []byte(name) {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			names.WriteByte(c)
		}
		if lower := names.String()[at:]; len(lines) > 0 && wanted(lower) {
			h = append(h, field{name: lower, sent: name, lines: lines})
		}
	}
	slices.SortFunc(h, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return h
}

func (h header) find(name string) (at int, ok bool) {
	return slices.BinarySearchFunc(h, name, func(f field, name string) int { return strings.Compare(f.name, name) })
}

// lines gives the lines of a header; none when it is not there.
func (h header) lines(name string) []string {
	if at, ok := h.find(name); ok {
		return h[at].lines
	}
	return nil
}

func (h header) has(name string) bool { return len(h.lines(name)) > 0 }

// get gives the only line of a single header; "" when there is none.
func (h header) get(name string) string {
	if lines := h.lines(name); len(lines) > 0 {
		return lines[0]
	}
	return ""
}

// put sets a header to one line.
func (h header) put(name, line string) header {
	at, ok := h.find(name)
	if !ok {
		h = slices.Insert(h, at, field{name: name, sent: name})
	}
	h[at].lines = []string{line}
	return h
}

// appendNames appends what SignedHeaders says; host always stands there.
func (h header) appendNames(b []byte) []byte {
	for _, f := range h {
		if f.signed {
			b = append(append(b, f.name...), ';')
		}
	}
	return b[:len(b)-1]
}

// canonicalSize is how long the canonical form of what is signed is at most.
func (h header) canonicalSize() int {
	n := len("\n\n")
	for _, f := range h {
		if f.signed {
			n += 2*len(f.name) + len(":\n;") + len(f.lines)
			for _, line := range f.lines {
				n += len(line)
			}
		}
	}
	return n
}

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

// readHeader refuses what would let somebody else read the header in another
// way than it was signed.
func readHeader(r *http.Request) (header, error) {
	h := newHeader(r.Header, func(string) bool { return true })
	for i, f := range h {
		if i > 0 && h[i-1].name == f.name {
			return nil, refuse(invalidRequest, "The header %s stands in two spellings.", quote(f.name))
		}
		if len(f.lines) > 1 && (single[f.name] || isAmz(f.name) && !isList(f.name)) {
			return nil, refuse(invalidRequest, "The header %s stands there more than once.", quote(f.name))
		}
	}
	if r.Host == "" {
		return nil, refuse(invalidRequest, "The request has no Host header.")
	}
	h = h.put("host", r.Host)
	if len(r.TransferEncoding) > 0 {
		h = h.put("transfer-encoding", strings.Join(r.TransferEncoding, ","))
	}
	for _, line := range h.lines("connection") {
		for token := range strings.SplitSeq(line, ",") {
			switch strings.ToLower(strings.Trim(token, " \t")) {
			case "", "close", "keep-alive":
			default:
				return nil, refuse(invalidRequest, "The Connection header may say close or keep-alive, and nothing else.")
			}
		}
	}
	if h.has("upgrade") {
		return nil, refuse(invalidRequest, "The connection cannot be upgraded to another protocol.")
	}
	return h.readLength(r.ContentLength)
}

// readLength makes content-length and length, which is -1 when the client did
// not say, agree.
func (h header) readLength(length int64) (header, error) {
	switch line := h.lines("content-length"); {
	case len(line) > 0:
		if n, err := strconv.ParseInt(line[0], 10, 64); err != nil || n != length {
			return nil, refuse(invalidRequest, "The Content-Length header is not the length of the body.")
		}
	case length > 0:
		return h.put("content-length", strconv.FormatInt(length, 10)), nil
	}
	return h, nil
}

// checkSigned marks what is signed, by the names in SignedHeaders, and holds the
// header against them: every listed one is there, and every one that could change
// the request's meaning is listed.
func (h header) checkSigned(method, names string, presigned bool) error {
	for name := range strings.SplitSeq(names, ";") {
		at, ok := h.find(name)
		if !ok {
			return refuse(signatureMismatch, "SignedHeaders names %s, which is not a header of the request.", quote(name))
		}
		h[at].signed = true
	}
	if err := h.checkAmz(presigned); err != nil {
		return err
	}
	reads := readsOnly(method)
	for _, f := range h {
		if !f.signed && !reads && (f.name == "content-md5" || strings.HasPrefix(f.name, "if-")) {
			return refuse(accessDenied, "The header %s is not signed, and on a %s request it must be.", quote(f.name), quote(method))
		}
		if !f.isUsed(reads) {
			continue
		}
		for _, line := range f.lines {
			if !utf8.ValidString(line) {
				return refuse(invalidRequest, "The value of the header %s is not UTF-8.", quote(f.name))
			}
		}
	}
	return nil
}

// isUsed says whether the field has a meaning, on requests that only read, or
// else on others.
func (f field) isUsed(reads bool) bool {
	return f.signed || harmless[f.name] || reads && narrowing[f.name]
}

// checkAmz refuses x-amz- headers that are not in the list of signed names.
func (h header) checkAmz(presigned bool) error {
	var not []string
	for _, f := range h {
		// The value of x-amz-content-sha256 is signed as the payload's line.
		if !f.signed && isAmz(f.name) && (f.name != "x-amz-content-sha256" || presigned) {
			not = append(not, f.name)
		}
	}
	if len(not) == 0 {
		return nil
	}
	return inWords("There were headers present in the request which were not signed", []Param{{"HeadersNotSigned", strings.Join(not, ", ")}},
		accessDenied, "The header %s is not signed, and every x-amz- header must be.", quote(not[0]))
}

// A usable header is one that Verified.Header gives.
type usable struct {
	name  string // canonical
	lines []string
}

// usable is what Verified.Header promises.
func (h header) usable(method string, mode Mode) []usable {
	reads := readsOnly(method)
	list := make([]usable, 0, len(h))
	for _, f := range h {
		lines := f.lines
		if f.name == "content-encoding" && mode != Unsigned && mode != Hashed {
			lines = withoutChunked(lines)
		}
		if len(lines) > 0 && f.isUsed(reads) && !transport[f.name] {
			list = append(list, usable{http.CanonicalHeaderKey(f.sent), slices.Clone(lines)})
		}
	}
	return list
}

// withoutChunked joins the codings in order, less aws-chunked, which is only
// the framing of the request; nil when there are no others.
func withoutChunked(lines []string) []string {
	kept := slices.DeleteFunc(codings(lines), func(coding string) bool { return strings.EqualFold(coding, "aws-chunked") })
	if len(kept) == 0 {
		return nil
	}
	return []string{strings.Join(kept, ",")}
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
		b = appendTrimmed(b, strings.Trim(line, " \t"), fold)
	}
	return append(b, '\n')
}

func appendTrimmed(b []byte, line string, fold bool) []byte {
	if !fold && !strings.Contains(line, "  ") {
		return append(b, line...)
	}
	space := false
	for _, c := range []byte(line) {
		if c == '\t' && fold {
			c = ' '
		}
		if c == ' ' && space {
			continue
		}
		space = c == ' '
		b = append(b, c)
	}
	return b
}

// hasTabs reports whether a signed value has a tab inside, so that signers
// disagree on its canonical form.
func (h header) hasTabs() bool {
	for _, f := range h {
		for _, line := range f.lines {
			if f.signed && strings.Contains(strings.Trim(line, " \t"), "\t") {
				return true
			}
		}
	}
	return false
}
