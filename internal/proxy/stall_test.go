package proxy_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gimme-broker/gimme/internal/proxy"
)

// pipe is a listener that hands out one connection.
type pipe struct {
	conns chan net.Conn
	once  chan struct{}
}

func (p *pipe) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p *pipe) Close() error {
	select {
	case <-p.once:
	default:
		close(p.once)
		close(p.conns)
	}
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// Who announces a body and does not send it is answered, and let go; nobody
// needs to log in to try. The clock is the bubble's.
func TestABodyThatNeverComesIsAnswered(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t)}
	c.store = &store{Server: httptest.NewServer(http.NotFoundHandler())}
	t.Cleanup(c.store.Close)
	c.files(strings.Replace(c.config(), "file: audit.jsonl", `file: "-"`, 1))
	for name, head := range map[string]string{
		"PUT":       "PUT /lake/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n",
		"chunked":   "PUT /lake/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
		"STS":       "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n",
		"discovery": "GET /.well-known/gimme HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := must(proxy.New(c.load(), proxy.Options{Stdout: &bytes.Buffer{}}))
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				l := &pipe{conns: make(chan net.Conn, 1), once: make(chan struct{})}
				l.conns <- theirs
				served := http.Server{Handler: server}
				ended := make(chan error, 1)
				go func() { ended <- served.Serve(l) }()
				io.WriteString(ours, head)
				ours.SetReadDeadline(time.Now().Add(10 * time.Minute))
				began := time.Now()
				answer, err := http.ReadResponse(bufio.NewReader(ours), nil)
				if err != nil {
					t.Errorf("after %v: %v", time.Since(began), err)
				} else {
					io.Copy(io.Discard, answer.Body)
				}
				if waited := time.Since(began); waited > 3*time.Minute {
					t.Errorf("answered after %v", waited)
				}
				ours.Close()
				served.Close()
				<-ended
			})
		})
	}
}
