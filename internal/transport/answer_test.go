package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/transport"
)

// An outcome is what a request comes to.
type outcome struct {
	Failed  bool // there is no answer
	Status  int
	Length  int64
	Header  http.Header
	Body    string
	Cut     bool // it broke off
	Trailer http.Header
}

func outcomeOf(response *http.Response, err error) (outcome, error) {
	if err != nil {
		return outcome{Failed: true}, err
	}
	defer response.Body.Close()
	o := outcome{Status: response.StatusCode, Length: response.ContentLength, Header: response.Header}
	if o.Status == http.StatusSwitchingProtocols {
		return o, nil
	}
	b, err := io.ReadAll(response.Body)
	o.Body, o.Cut = string(b), err != nil
	if err == nil {
		o.Trailer = response.Trailer
	}
	return o, err
}

// answers are what an upstream may say, rightly or wrongly.
var answers = map[string]string{
	"Content-Length":               "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nhello",
	"of length 0":                  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"chunked":                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n",
	"chunked with trailers":        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: y\r\nX-Other: z\r\n\r\n",
	"chunked, cut":                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
	"chunked, cut before the end":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	"chunked, cut in the trailer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-S",
	"chunks that are none":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
	"a chunk size that wraps":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
	"until the end":                "HTTP/1.1 200 OK\r\n\r\nhello",
	"until the end, said":          "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
	"HTTP/1.0":                     "HTTP/1.0 200 OK\r\n\r\nhello",
	"HTTP/1.0 with a length":       "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"short":                        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
	"no body at all":               "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
	"204":                          "HTTP/1.1 204 No Content\r\n\r\n",
	"204 with a length":            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
	"304":                          "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
	"1xx before":                   "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-A: b\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"1xx and no more":              "HTTP/1.1 103 Early Hints\r\n\r\n",
	"101":                          "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello",
	"length and coding":            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"another coding":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
	"two codings":                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"two lengths":                  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 3\r\n\r\nhello",
	"one length twice":             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	"a length with a sign":         "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
	"a negative length":            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
	"a length that is none":        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
	"a length of many digits":      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
	"more than was said":           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world",
	"nothing":                      "",
	"half a head":                  "HTTP/1.1 200 OK\r\nContent-Le",
	"no status":                    "HTTP/1.1\r\n\r\n",
	"a status that is none":        "HTTP/1.1 abc OK\r\n\r\n",
	"a status of four digits":      "HTTP/1.1 2000 OK\r\n\r\n",
	"another protocol":             "SSH-2.0-OpenSSH\r\n\r\n",
	"HTTP/2's preface":             "\x00\x00\x12\x04\x00\x00\x00\x00\x00",
	"a header without a colon":     "HTTP/1.1 200 OK\r\nhello\r\n\r\n",
	"a space before the colon":     "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
	"a folded header":              "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
	"a header that begins so":      "HTTP/1.1 200 OK\r\n X-A: b\r\n\r\n",
	"bare line feeds":              "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
	"NUL in a header":              "HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 5\r\n\r\nhello",
	"a redirect is not followed":   "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
	"what is packed stays so":      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
	"an error with a document":     "HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\n<Error/>",
	"a long head that is in bound": "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 50<<10) + "\r\nContent-Length: 5\r\n\r\nhello",
}

// Whatever the upstream answers, it is understood as net/http's own transport
// understands it, and where that fails there is an error here too.
func TestAnswersAreUnderstoodAsNetHTTPDoes(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		for name, raw := range answers {
			for _, method := range []string{"GET", "HEAD", "PUT"} {
				t.Run(method+"/"+name, func(t *testing.T) {
					u := serve(t, secure, func(p *peer) { p.take(); p.finish(raw) })
					standard := &http.Transport{DialContext: u.at.Dial, TLSClientConfig: u.at.TLS, DisableCompression: true, DisableKeepAlives: true}
					defer standard.CloseIdleConnections()
					want, refused := outcomeOf(standard.RoundTrip(u.request(method, nil, 0)))
					got, err := outcomeOf(u.at.Do(t.Context(), u.request(method, nil, 0)))
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%v, net/http: %v (-net/http +got):\n%s", err, refused, diff)
					}
					if method == "GET" && name == "short" && (!errors.Is(err, io.ErrUnexpectedEOF) || got.Body != "hello") {
						t.Errorf("a short body: %q %v", got.Body, err)
					}
				})
			}
		}
	})
}

// What net/http would let pass and is refused here.
func TestRefusedAnswers(t *testing.T) {
	long := strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 100)
	for name, row := range map[string]struct{ raw, says string }{
		"a head of more than 64 KiB":    {"HTTP/1.1 200 OK\r\n" + long + "Content-Length: 5\r\n\r\nhello", "longer than 64 KiB"},
		"heads of more than 64 KiB":     {strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+long[:30<<10]+"\r\n\r\n", 3) + answerOf("hello"), "longer than 64 KiB"},
		"a line without end":            {"HTTP/1.1 200 " + strings.Repeat("a", 100<<10), "longer than 64 KiB"},
		"six answers before the answer": {strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 6) + answerOf("hello"), "more than 5 answers"},
		"a status below 100":            {"HTTP/1.1 050 No\r\nContent-Length: 41\r\n\r\n" + answerOf("ok"), "status 50"},
	} {
		t.Run(name, func(t *testing.T) {
			u := serve(t, false, func(p *peer) {
				p.take()
				go io.WriteString(p.Conn, row.raw) // which may be cut
				p.rest()
			})
			if status, body, err := u.ask(u.request("GET", nil, 0)); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %d %q %v", status, body, err)
			}
			<-u.peer(1).done // the connection was ended
		})
	}
	u := serve(t, false, func(p *peer) {
		p.take()
		p.finish(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 5) + answerOf("ok"))
	})
	u.get()
}

// pipes answers each connection once, with raw, and closes it.
func pipes(raw []byte) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			readHead(theirs)
			theirs.Write(raw)
		}()
		return ours, nil
	}
}

func readHead(r io.Reader) {
	var got []byte
	for one := make([]byte, 4<<10); !bytes.HasSuffix(got, []byte("\r\n\r\n")); {
		n, err := r.Read(one)
		if err != nil {
			return
		}
		got = append(got, one[:n]...)
	}
}

var lowStatus = regexp.MustCompile(`HTTP/\d\.\d +[-+0]`)

// Whatever comes, it is understood as net/http does, or refused by both.
func FuzzAnswer(f *testing.F) {
	for _, raw := range answers {
		f.Add([]byte(raw), false)
		f.Add([]byte(raw), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, head bool) {
		method := map[bool]string{false: "GET", true: "HEAD"}[head]
		if len(raw) > 60<<10 || lowStatus.Match(raw) || bytes.Count(raw, []byte("HTTP/")) > 5 {
			return // here bounds differ, of which TestRefusedAnswers knows
		}
		request := func() *http.Request { return must(http.NewRequest(method, "http://s3.example/lake/x", nil)) }
		standard := &http.Transport{DialContext: pipes(raw), DisableCompression: true, DisableKeepAlives: true}
		defer standard.CloseIdleConnections()
		want, refused := outcomeOf(standard.RoundTrip(request()))
		ours := &transport.Transport{Dial: pipes(raw), Progress: time.Minute, Answer: time.Minute}
		got, err := outcomeOf(ours.Do(t.Context(), request()))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v, net/http: %v (-net/http +got):\n%s", err, refused, diff)
		}
	})
}
