package transport_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What goes over the wire is what the request says, and nothing besides.
func TestTheHeadOnTheWire(t *testing.T) {
	for name, row := range map[string]struct {
		edit func(r *http.Request)
		want []string // the first two lines, and then the others in order of the alphabet
	}{
		"GET":           {func(*http.Request) {}, []string{"GET /lake/x HTTP/1.1", "Host: HOST"}},
		"PUT, no body":  {func(r *http.Request) { r.Method = "PUT" }, []string{"PUT /lake/x HTTP/1.1", "Host: HOST", "Content-Length: 0"}},
		"POST, no body": {func(r *http.Request) { r.Method = "POST" }, []string{"POST /lake/x HTTP/1.1", "Host: HOST", "Content-Length: 0"}},
		"DELETE":        {func(r *http.Request) { r.Method = "DELETE" }, []string{"DELETE /lake/x HTTP/1.1", "Host: HOST"}},
		"a body": {func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "PUT", io.NopCloser(strings.NewReader("hello")), 5
		}, []string{"PUT /lake/x HTTP/1.1", "Host: HOST", "Content-Length: 5"}},
		"a raw path and a query": {func(r *http.Request) {
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/lake//a/../b +/", "/lake//a%2F..%2Fb%20%2B/", "delete&x=%20&a=b+c"
		}, []string{"GET /lake//a%2F..%2Fb%20%2B/?delete&x=%20&a=b+c HTTP/1.1", "Host: HOST"}},
		"no path":      {func(r *http.Request) { r.URL.Path = "" }, []string{"GET / HTTP/1.1", "Host: HOST"}},
		"another host": {func(r *http.Request) { r.Host = "lake.s3.example:8443" }, []string{"GET /lake/x HTTP/1.1", "Host: lake.s3.example:8443"}},
		"headers": {func(r *http.Request) {
			r.Header = http.Header{"X-Amz-Meta-A": {"1", "2"}, "X-Tab": {"a\tb"}, "X-Latin": {"\xe9"}, "User-Agent": {"gimme"}, "X-Empty": {""}}
		}, []string{"GET /lake/x HTTP/1.1", "Host: HOST", "User-Agent: gimme", "X-Amz-Meta-A: 1", "X-Amz-Meta-A: 2", "X-Empty: ", "X-Latin: \xe9", "X-Tab: a\tb"}},
		"no header at all": {func(r *http.Request) { r.Header = nil }, []string{"GET /lake/x HTTP/1.1", "Host: HOST"}},
	} {
		t.Run(name, func(t *testing.T) {
			heads := make(chan string, 1)
			u := serve(t, false, func(p *peer) { heads <- p.head(); p.finish(answerOf("ok")) })
			r := u.request("GET", nil, 0)
			if row.edit(r); r.URL.RawPath != "" {
				r.URL.Path = must(url.PathUnescape(r.URL.RawPath))
			}
			if _, body, err := u.ask(r); err != nil || body != "ok" {
				t.Fatalf("got %q %v", body, err)
			}
			got := strings.Split(strings.TrimSuffix(<-heads, "\r\n\r\n"), "\r\n")
			slices.Sort(got[2:])
			got[1] = strings.Replace(got[1], u.ln.Addr().String(), "HOST", 1)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is no head is not sent, and no connection is made for it.
func TestRefusedHeads(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = []string{value} }
	}
	body := func(length int64) func(*http.Request) {
		return func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "PUT", io.NopCloser(strings.NewReader("hello")), length
		}
	}
	for name, row := range map[string]struct {
		edit  func(r *http.Request)
		alone bool // net/http takes it, in its own way
	}{
		"CR in a value":            {header("X-A", "a\rX-B: b"), false},
		"LF in a value":            {header("X-A", "a\nX-B: b"), false},
		"CRLF in a value":          {header("X-A", "a\r\n\r\nGET / HTTP/1.1"), false},
		"NUL in a value":           {header("X-A", "a\x00"), false},
		"DEL in a value":           {header("X-A", "a\x7f"), false},
		"an empty name":            {header("", "a"), false},
		"a space in a name":        {header("X A", "a"), false},
		"a colon in a name":        {header("X-A: b", "a"), false},
		"CRLF in a name":           {header("X-A: b\r\nX-B", "a"), false},
		"a name beyond ASCII":      {header("X-\u00e9", "a"), false},
		"Host":                     {header("Host", "a"), true},
		"Content-Length":           {header("Content-Length", "5"), true},
		"content-length":           {header("content-length", "5"), true},
		"TRANSFER-ENCODING":        {header("TRANSFER-ENCODING", "chunked"), true},
		"Transfer-Encoding":        {header("Transfer-Encoding", "chunked"), true},
		"Connection":               {header("Connection", "close"), true},
		"Trailer":                  {header("Trailer", "X-A"), true},
		"a method of two words":    {func(r *http.Request) { r.Method = "GET /x" }, false},
		"a method with CRLF":       {func(r *http.Request) { r.Method = "GET\r\n" }, false},
		"no method":                {func(r *http.Request) { r.Method = "" }, true},
		"no host":                  {func(r *http.Request) { r.Host, r.URL.Host = "", "" }, false},
		"CRLF in the host":         {func(r *http.Request) { r.Host = "a\r\nX-B: b" }, true},
		"a space in the host":      {func(r *http.Request) { r.Host = "a b" }, true},
		"a path in the host":       {func(r *http.Request) { r.Host = "a/b" }, true},
		"a name in the host":       {func(r *http.Request) { r.Host = "a@b" }, true},
		"a host beyond ASCII":      {func(r *http.Request) { r.Host = "\u00e9" }, true},
		"CRLF in the query":        {func(r *http.Request) { r.URL.RawQuery = "a\r\nX-B: b" }, false},
		"a space in the query":     {func(r *http.Request) { r.URL.RawQuery = "a HTTP/1.1" }, true},
		"a target that is no path": {func(r *http.Request) { r.URL.Opaque = "lake" }, true},
		"an address as the target": {func(r *http.Request) { r.URL.Opaque = "//other.example/lake" }, true},
		"a path without a slash":   {func(r *http.Request) { r.URL.Path = "lake" }, true},
		"an unknown length":        {body(-1), true},
		"a body of no length":      {body(0), true},
		"a length and no body":     {func(r *http.Request) { r.Method, r.ContentLength = "PUT", 5 }, false},
		"another scheme":           {func(r *http.Request) { r.URL.Scheme = "ftp" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			u := serve(t, false, answering)
			r := u.request("GET", nil, 0)
			row.edit(r)
			if response, err := u.at.Do(t.Context(), r); err == nil {
				response.Body.Close()
				t.Errorf("got %d", response.StatusCode)
			}
			u.wantConnections(0)
			if row.alone {
				return
			}
			standard := &http.Transport{}
			defer standard.CloseIdleConnections()
			if response, err := standard.RoundTrip(r); err == nil {
				response.Body.Close()
				t.Error("net/http takes it: say so in the table")
			}
		})
	}
}

// What net/http refuses to send is not sent here either.
func TestWhatNetHTTPRefusesIsRefused(t *testing.T) {
	u := serve(t, false, answering)
	standard := &http.Transport{}
	defer standard.CloseIdleConnections()
	refused := 0
	for c := range 256 {
		char := string([]byte{byte(c)})
		for name, edit := range map[string]func(r *http.Request){
			"value": func(r *http.Request) { r.Header["X-A"] = []string{"a" + char + "b"} }, "name": func(r *http.Request) { r.Header["X"+char+"A"] = []string{"a"} },
			"method": func(r *http.Request) { r.Method = "A" + char }, "host": func(r *http.Request) { r.Host = "a" + char + "b" },
			"query": func(r *http.Request) { r.URL.RawQuery = "a" + char },
		} {
			r, other := u.request("GET", nil, 0), u.request("GET", nil, 0)
			edit(r)
			edit(other)
			response, err := standard.RoundTrip(other)
			if err == nil {
				response.Body.Close()
				continue
			}
			refused++
			if _, _, err := u.ask(r); err == nil {
				t.Errorf("the %s with %q is sent", name, char)
			}
		}
	}
	if refused < 300 {
		t.Errorf("net/http refuses only %d", refused)
	}
}
