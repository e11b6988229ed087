package sigv4

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxKey is the longest object key, in bytes.
const maxKey = 1024

// A Param is one query parameter, decoded.
type Param struct{ Name, Value string }

// parseTarget reads a request target as it stood in the request line. It is
// strict, because everything after it relies on there being one reading: only
// the origin form, only whole escapes, no NUL, nothing but UTF-8, no '#', no
// ';' between parameters, no parameter twice.
func parseTarget(target string) (string, []Param, error) {
	if !strings.HasPrefix(target, "/") {
		return "", nil, refuse(invalidURI, "The request target must be a path that begins with a slash, as a request to an HTTP proxy does not.")
	}
	if strings.Contains(target, "#") {
		return "", nil, refuse(invalidURI, "The request target has a '#'; write it as %%23.")
	}
	rawPath, rawQuery, _ := strings.Cut(target, "?")
	path, err := decode(rawPath)
	if err != nil {
		return "", nil, err
	}
	if _, key, ok := strings.Cut(path[1:], "/"); ok && len(key) > maxKey {
		return "", nil, refuse(keyTooLong, "The key is %d bytes long; the longest is %d.", len(key), maxKey)
	}
	params, err := parseQuery(rawQuery)
	if err != nil {
		return "", nil, err
	}
	return path, params, nil
}

// parseQuery gives the parameters in canonical order.
func parseQuery(raw string) ([]Param, error) {
	if raw == "" {
		return nil, nil
	}
	if strings.Contains(raw, ";") {
		return nil, refuse(invalidURI, "The query has a ';'; separate parameters with '&', or write it as %%3B.")
	}
	params := make([]Param, 0, 1+strings.Count(raw, "&"))
	for pair := range strings.SplitSeq(raw, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := decode(rawName)
		if err != nil {
			return nil, err
		}
		value, err := decode(rawValue)
		if err != nil {
			return nil, err
		}
		if name == "" {
			return nil, refuse(invalidURI, "The query has a parameter without a name.")
		}
		params = append(params, Param{name, value})
	}
	return params, sortUnique(params)
}

// sortUnique puts params in canonical order and refuses a name that stands
// twice. Names that begin with x-amz- are compared without regard to case.
func sortUnique(params []Param) error {
	slices.SortFunc(params, compareParams)
	seen := make(map[string]bool, len(params))
	for _, p := range params {
		name := p.Name
		if isAmz(name) {
			name = strings.ToLower(name)
		}
		if seen[name] {
			return refuse(invalidArgument, "The query has the parameter %s more than once.", quote(p.Name))
		}
		seen[name] = true
	}
	return nil
}

func compareParams(a, b Param) int {
	return cmp.Or(
		strings.Compare(escape(a.Name, false), escape(b.Name, false)),
		strings.Compare(escape(a.Value, false), escape(b.Value, false)))
}

// decode undoes percent-encoding, once. '+' means itself.
func decode(s string) (string, error) {
	if !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == '%' || c >= 0x7f }) {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c <= ' ' || c == 0x7f:
			return "", refuse(invalidURI, "The request target has the byte 0x%02x, which must be percent-encoded.", c)
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return "", refuse(invalidURI, "The request target has a '%%' that two hexadecimal digits do not follow; write it as %%25.")
			}
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		if c == 0 {
			return "", refuse(invalidURI, "The request target has a NUL.")
		}
		b = append(b, c)
	}
	if !utf8.Valid(b) {
		return "", refuse(invalidURI, "The request target is not UTF-8.")
	}
	return string(b), nil
}

// EscapePath encodes a decoded path by S3's rule: once, with upper-case hex;
// letters, digits, '-', '.', '_', '~' and '/' stand for themselves. Nothing is
// normalised: dot segments and double slashes stay.
func EscapePath(path string) string { return escape(path, true) }

// EncodeQuery makes the canonical query of params: sorted by encoded name,
// then by encoded value, each name with its '='. Order and length of params do
// not matter, and params is left as it is.
func EncodeQuery(params []Param) string {
	pairs := make([]Param, len(params))
	for i, p := range params {
		pairs[i] = Param{escape(p.Name, false), escape(p.Value, false)}
	}
	slices.SortFunc(pairs, func(a, b Param) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.Name)
		b.WriteByte('=')
		b.WriteString(p.Value)
	}
	return b.String()
}

func escape(s string, slash bool) string {
	const digits = "0123456789ABCDEF"
	extra := 0
	for i := range len(s) {
		if !kept(s[i], slash) {
			extra += 2
		}
	}
	if extra == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+extra)
	for i := range len(s) {
		if c := s[i]; kept(c, slash) {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// kept says which bytes stand for themselves: RFC 3986's unreserved ones.
func kept(c byte, slash bool) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	case c == '-', c == '.', c == '_', c == '~':
		return true
	}
	return slash && c == '/'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex gives the value of a digit for which isHex holds.
func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// isAmz reports whether name begins with x-amz-, in any case.
func isAmz(name string) bool {
	const prefix = "x-amz-"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}
