package load

import (
	"bufio"
	"strings"
	"sync/atomic"
	"testing"
)

// TestAnswers reads answers in every form in which they may come.
func TestAnswers(t *testing.T) {
	get := Operation{Method: "GET", Path: "/lake/key", Length: 5}
	for _, c := range []struct {
		name, text string
		op         Operation
		want       answer
		fault      string // "": none
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", get, answer{bytes: 5}, ""},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", get, answer{bytes: 5}, ""},
		{"interim answers", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello", get, answer{bytes: 5}, ""},
		{"the last one", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", get, answer{bytes: 5, closes: true}, ""},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", get, answer{bytes: 5, closes: true}, ""},
		{"HEAD has no body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Operation{Method: "HEAD", Length: 5}, answer{}, ""},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", Operation{Method: "DELETE", Status: 204, Length: Any}, answer{}, ""},
		{"no length", "HTTP/1.1 200 OK\r\n\r\nhello", get, answer{}, "its length is not announced"},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", get, answer{}, "is no HTTP"},
		{"no number", "HTTP/1.1 abc OK\r\n\r\n", get, answer{}, "is no HTTP"},
		{"a chunk that is longer than it says", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n", get, answer{}, "a chunk has no end"},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", get, answer{}, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := strings.NewReader(c.text)
			r := &reader{Reader: bufio.NewReader(in), source: copySource{in}, open: new(atomic.Int64)}
			got, err := r.answer(&c.op, false)
			if c.fault == "" && (err != nil || got != c.want) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
			if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("%+v, %v; want an error with %q", got, err, c.fault)
			}
			if n := r.open.Load(); n != 0 {
				t.Errorf("%d are said to be open still", n)
			}
		})
	}
}
