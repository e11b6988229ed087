package proxy_test

import (
	"strings"
)

// doors are the requests that net/http answers itself if it is let.
func (a *attack) doors() {
	bad := want{status: 400, code: "BadRequest"}
	version := want{status: 505, code: "InvalidRequest"}
	get := "GET /lake/customers/x HTTP/1.1\r\nHost: h\r\n"
	for name, c := range map[string]struct {
		raw  string
		want want
	}{
		"a space before the colon":     {get + "X-Amz-Acl : private\r\n\r\n", bad},
		"a line without a colon":       {get + "X-Amz-Acl\r\n\r\n", bad},
		"NUL in a value":               {get + "X-A: a\x00b\r\n\r\n", bad},
		"a carriage return in a value": {get + "X-A: a\rb\r\n\r\n", bad},
		"a name of other letters":      {get + "X-\xc3\xa4: a\r\n\r\n", bad},
		"two hosts":                    {get + "Host: other\r\n\r\n", bad},
		"no host":                      {"GET /lake/customers/x HTTP/1.1\r\n\r\n", bad},
		"a host with a path":           {"GET /lake/customers/x HTTP/1.1\r\nHost: h/secret-bucket\r\n\r\n", bad},
		"two lengths":                  {get + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", bad},
		"a length with a sign":         {get + "Content-Length: +5\r\n\r\nhello", bad},
		"a negative length":            {get + "Content-Length: -5\r\n\r\nhello", bad},
		"a list of lengths":            {get + "Content-Length: 5, 5\r\n\r\nhello", bad},
		"a length in hexadecimal":      {get + "Content-Length: 0x5\r\n\r\nhello", bad},
		"an unknown transfer coding":   {get + "Transfer-Encoding: xchunked\r\n\r\n", want{status: 501, code: "NotImplemented"}},
		"two transfer codings":         {get + "Transfer-Encoding: gzip, chunked\r\n\r\n", want{status: 501, code: "NotImplemented"}},
		"a transfer coding twice":      {get + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", want{status: 501, code: "NotImplemented"}},
		"a broken escape":              {"GET /lake/%zz HTTP/1.1\r\nHost: h\r\n\r\n", bad},
		"a control character":          {"GET /lake/\x01 HTTP/1.1\r\nHost: h\r\n\r\n", bad},
		"NUL in the target":            {"GET /lake/\x00 HTTP/1.1\r\nHost: h\r\n\r\n", bad},
		"a space in the target":        {"GET /lake/a b HTTP/1.1\r\nHost: h\r\n\r\n", bad},
		"a method that is none":        {"G@T /lake/x HTTP/1.1\r\nHost: h\r\n\r\n", bad},
		"no method":                    {" /lake/x HTTP/1.1\r\nHost: h\r\n\r\n", bad},
		"HTTP 2 without asking":        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", version},
		"a version of the future":      {"GET /lake/x HTTP/3.0\r\nHost: h\r\n\r\n", version},
		"no version":                   {"GET /lake/x\r\nHost: h\r\n\r\n", bad},
		"nonsense":                     {"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n", bad},
		"a header without end":         {get + "X-A: " + strings.Repeat("a", 200<<10) + "\r\n\r\n", want{status: 400, code: "RequestHeaderSectionTooLarge"}},
		"headers without end":          {get + strings.Repeat("X-A: a\r\n", 20<<10) + "\r\n", want{status: 400, code: "RequestHeaderSectionTooLarge"}},
		"a target without end":         {"GET /lake/" + strings.Repeat("a", 200<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n", want{status: 400, code: "RequestHeaderSectionTooLarge"}},
		"an expectation":               {get + "Expect: 200-ok\r\n\r\n", want{status: 417, code: "InvalidRequest"}},
	} {
		a.refused("T47/"+name, c.raw, c.want)
	}
	a.twofold()
}

// twofold is a length and chunks in one request, which the two sides of a proxy
// may divide in two ways.
func (a *attack) twofold() {
	next := a.signed(reading("/lake/customers/x"), a.by("alice"))
	put := upload("/lake/customers/x", hashed).framed(a.host)
	put.lines = []string{"Host: " + a.host, "Transfer-Encoding: chunked"}
	seal := a.by("alice")
	seal.payload = unsignedPayload
	put = put.with("Content-Length: 4")
	put.body = "0\r\n\r\n" + next
	a.refused("T28/a length and chunked", put.sign(seal).String(), want{status: 411, code: "MissingContentLength"})
	put.lines[1], put.lines[2] = put.lines[2], put.lines[1]
	a.refused("T28/a length and chunked, the other way round", put.sign(seal).String(), want{status: 411, code: "MissingContentLength"})
}
