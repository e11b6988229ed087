package sigv4_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// exchange sends raw over a socket to a net/http server that verifies, and
// gives the first line of the answer and its body: the code of a refusal, or
// "ok" with the path and the decoded body.
func exchange(t *testing.T, raw string) (status, answer string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := verify(r, secretKey, noon)
		if err == nil {
			var body []byte
			if body, err = io.ReadAll(v.Body(r.Body)); err == nil {
				fmt.Fprintf(w, "ok %s %s", v.Path(), body)
				return
			}
		}
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, err.Error())
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.Status[:3], string(body)
}

// TestThroughTheServer shows what arrives of requests that net/http reads in
// its own way. Each changes a request that is otherwise good.
func TestThroughTheServer(t *testing.T) {
	get := sent(t, signed(t, "GET", "/b/k", nil))
	folded := sent(t, signed(t, "GET", "/b/k", set("X-Amz-Meta-A", "one two")))
	swap := func(from, to string) string {
		if !strings.Contains(get, from) {
			t.Fatalf("%q is not in %q", from, get)
		}
		return strings.Replace(get, from, to, 1)
	}
	for _, test := range []struct{ name, raw, status, answer string }{
		{"as it is", get, "200", "ok /b/k"},
		{"folded header", strings.Replace(folded, "one two", "one\r\n\t two", 1), "200", "ok /b/k"},
		{"runs of spaces", strings.Replace(folded, "one two", "  one    two  ", 1), "200", "ok /b/k"},
		{"absolute form", swap("GET /b/k", "GET http://s3.example:8700/b/k"), "418", "InvalidURI"},
		{"absolute form of another host", swap("GET /b/k", "GET http://evil/b/k"), "418", "InvalidURI"},
		{"no authority", swap("GET /b/k", "GET http:///b/k"), "418", "InvalidURI"},
		{"fragment", swap("GET /b/k", "GET /b/k#f"), "418", "InvalidURI"},
		{"bad escape in the path", swap("GET /b/k", "GET /b/%zz"), "400", ""},
		{"bad escape in the query", swap("GET /b/k", "GET /b/k?a=%zz"), "418", "InvalidURI"},
		{"semicolon", swap("GET /b/k", "GET /b/k?prefix=a;list-type=2"), "418", "InvalidURI"},
		{"doubled parameter", swap("GET /b/k", "GET /b/k?prefix=a&prefix=b"), "418", "InvalidArgument"},
		{"raw byte", swap("GET /b/k", "GET /b/k\xff"), "418", "InvalidURI"},
		{"NUL", swap("GET /b/k", "GET /b/%00"), "418", "InvalidURI"},
		{"dot segments", swap("GET /b/k", "GET /b/../b/k"), "418", "SignatureDoesNotMatch"},
		{"double slash", swap("GET /b/k", "GET //b/k"), "418", "SignatureDoesNotMatch"},
		{"Connection names a header", swap("\r\nX-Amz-Date", "\r\nConnection: close, x-amz-date\r\nX-Amz-Date"), "418", "InvalidRequest"},
		{"Connection: close", swap("\r\nX-Amz-Date", "\r\nConnection: close\r\nX-Amz-Date"), "200", "ok /b/k"},
		{"Connection: keep-alive", swap("\r\nX-Amz-Date", "\r\nConnection: Keep-Alive\r\nX-Amz-Date"), "200", "ok /b/k"},
		{"h2c", swap("\r\nX-Amz-Date", "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\nX-Amz-Date"), "418", "InvalidRequest"},
		{"Upgrade alone", swap("\r\nX-Amz-Date", "\r\nUpgrade: websocket\r\nX-Amz-Date"), "418", "InvalidRequest"},
		{"two hosts", swap("\r\nX-Amz-Date", "\r\nHost: other\r\nX-Amz-Date"), "400", ""},
		{"HTTP/1.0 without a host", strings.Replace(swap("Host: s3.example:8700\r\n", ""), "HTTP/1.1", "HTTP/1.0", 1), "418", "InvalidRequest"},
		{"empty host", swap("Host: s3.example:8700", "Host:"), "418", "InvalidRequest"},
		{"another host", swap("Host: s3.example:8700", "Host: s3.example:8701"), "418", "SignatureDoesNotMatch"},
		{"header twice", swap("\r\nX-Amz-Date", "\r\nx-amz-date: 20260304T120000Z\r\nX-Amz-Date"), "418", "InvalidRequest"},
		{"underscores", swap("\r\nX-Amz-Date", "\r\nx_amz_copy_source: /b/other\r\nX-Amz-Date"), "200", "ok /b/k"},
		{"unsigned copy source", swap("\r\nX-Amz-Date", "\r\nx-amz-copy-source: /b/other\r\nX-Amz-Date"), "418", "AccessDenied"},
		{"chunked", swap("\r\nX-Amz-Date", "\r\nTransfer-Encoding: chunked\r\nX-Amz-Date") + "0\r\n\r\n", "418", "MissingContentLength"},
		{"length and chunked", swap("\r\nX-Amz-Date", "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nX-Amz-Date") + "0\r\n\r\n", "418", "MissingContentLength"},
		{"two lengths", swap("\r\nX-Amz-Date", "\r\nContent-Length: 0\r\nContent-Length: 1\r\nX-Amz-Date"), "400", ""},
		{"OPTIONS", swap("GET /b/k", "OPTIONS /b/k"), "418", "SignatureDoesNotMatch"},
		{"another method", swap("GET", "DELETE"), "418", "SignatureDoesNotMatch"},
		{"method in lower case", swap("GET", "get"), "418", "SignatureDoesNotMatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, answer := exchange(t, test.raw)
			if status != test.status || !strings.HasPrefix(answer, test.answer) {
				t.Errorf("%s %q, want %s %q\n%s", status, answer, test.status, test.answer, test.raw)
			}
		})
	}
}

// TestUploadsThroughTheServer sends framed bodies with a length and, as some
// SDKs do, inside HTTP's own chunks with the framing signed for or not.
func TestUploadsThroughTheServer(t *testing.T) {
	framed, length, err := sigv4.TrailerBody(strings.NewReader("hello"), 5, "x-amz-checksum-crc64nvme")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(framed)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, body, status, answer string
		length                     int64
	}{
		{"with a length", string(body), "200", "ok /b/k hello", length},
		{"chunked", string(body), "200", "ok /b/k hello", -1},
		{"changed", strings.Replace(string(body), "hello", "Hello", 1), "418", "BadDigest", length},
		{"changed, chunked", strings.Replace(string(body), "hello", "Hello", 1), "418", "BadDigest", -1},
		{"cut off, chunked", string(body[:len(body)-2]), "418", "IncompleteBody", -1},
		{"longer, chunked", string(body) + "x", "418", "IncompleteBody", -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := signed(t, "PUT", "/b/k", func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(test.body)), test.length
				r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayloadTrailer)
				r.Header.Set("X-Amz-Decoded-Content-Length", "5")
				r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc64nvme")
				r.Header.Set("Content-Encoding", "aws-chunked")
			})
			status, answer := exchange(t, sent(t, r))
			if status != test.status || !strings.HasPrefix(answer, test.answer) {
				t.Errorf("%s %q, want %s %q", status, answer, test.status, test.answer)
			}
		})
	}
	cut := sent(t, signed(t, "PUT", "/b/k", func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("hello")), 5
	}))
	status, answer := exchange(t, cut[:len(cut)-1])
	if status != "418" || !strings.HasPrefix(answer, "IncompleteBody") {
		t.Errorf("a body that is cut off: %s %q", status, answer)
	}
}

// TestSignedTransferEncoding rebuilds what net/http takes out of the header.
func TestSignedTransferEncoding(t *testing.T) {
	head := "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n" +
		"X-Amz-Date: 20260304T120000Z\r\nX-Amz-Decoded-Content-Length: 0\r\n"
	const names = "host;transfer-encoding;x-amz-date;x-amz-decoded-content-length"
	canonical := "PUT\n/b/k\n\nhost:h\ntransfer-encoding:chunked\nx-amz-date:20260304T120000Z\nx-amz-decoded-content-length:0\n\n" + names + "\n" + sigv4.UnsignedPayloadTrailer
	v, err := handSigned(t, head, names, canonical)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Header()) != 0 {
		t.Errorf("header %v", v.Header())
	}
	_, err = handSigned(t, strings.Replace(head, "Transfer-Encoding: chunked", "Content-Length: 5", 1), names, canonical)
	wantCode(t, err, "SignatureDoesNotMatch")
}
