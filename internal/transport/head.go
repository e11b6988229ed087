package transport

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// appendHead appends the head of r as it goes over the wire. What could end a
// line, or the head, is refused.
func appendHead(b []byte, r *http.Request) ([]byte, error) {
	target, host := r.URL.RequestURI(), r.Host
	if host == "" {
		host = r.URL.Host
	}
	switch {
	case !isToken(r.Method):
		return nil, fmt.Errorf("%q is no method", r.Method)
	case host == "" || strings.ContainsFunc(host, notHost):
		return nil, fmt.Errorf("%q is no host", host)
	case target[0] != '/' || strings.ContainsFunc(target, notVisible):
		return nil, errors.New("the request's target is no path, or has characters that no target has")
	case r.Body != nil && r.ContentLength <= 0:
		return nil, errors.New("the length of the request's body is not known")
	case r.Body == nil && r.ContentLength != 0:
		return nil, errors.New("the request has a length and no body")
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	for name, values := range r.Header {
		if !isToken(name) {
			return nil, fmt.Errorf("%q is no name of a header", name)
		}
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer":
			return nil, fmt.Errorf("the header %s is not for who sends a request to set", name)
		}
		for _, value := range values {
			if strings.ContainsFunc(value, notText) {
				return nil, fmt.Errorf("the header %s has characters that no header has", name)
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	if r.Body != nil || r.Method == http.MethodPut || r.Method == http.MethodPost {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, max(r.ContentLength, 0), 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

func notVisible(c rune) bool { return c <= ' ' || c >= 0x7f }

func notHost(c rune) bool { return notVisible(c) || strings.ContainsRune(`"#/<>?@\^{|}`+"`", c) }

func notText(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// isToken says whether s is a token of RFC 9110.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
