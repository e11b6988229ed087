package e2e_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// A recorder stands between the sidecar and the upstream. It passes every byte
// on as it came, and notes the head of every request.
type recorder struct {
	endpoint       string // URL
	to             string
	server, client *tls.Config // with whom it speaks TLS; nil: with nobody

	mu    sync.Mutex
	bytes int64
	heads []head
}

// A head is what is known of a request before its body.
type head struct {
	line   string // "GET /bucket/key?list-type=2"
	host   string
	header http.Header
}

func startRecorder(t *testing.T, to string) *recorder {
	t.Helper()
	return startHop(t, to, nil, nil)
}

// startHop starts a recorder that speaks TLS at both ends, with the bytes inside
// as they came, unless there is nothing to do so with.
func startHop(t *testing.T, to string, server, client *tls.Config) *recorder {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{endpoint: "http://" + l.Addr().String(), to: to, server: server, client: client}
	if server != nil {
		r.endpoint = "https://" + l.Addr().String()
	}
	var open sync.WaitGroup
	ended := make(chan struct{})
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { r.pass(conn, ended) })
		}
	})
	t.Cleanup(func() {
		close(ended)
		l.Close()
		open.Wait()
	})
	return r
}

// pass carries one connection until either end closes it.
func (r *recorder) pass(client net.Conn, ended <-chan struct{}) {
	defer client.Close()
	server, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer server.Close()
	if r.server != nil {
		client, server = tls.Server(client, r.server), tls.Client(server, r.client)
	}
	copied, copier := io.Pipe()
	var parts sync.WaitGroup
	done := make(chan struct{})
	parts.Go(func() {
		select {
		case <-done:
		case <-ended:
		}
		client.Close()
		server.Close()
	})
	parts.Go(func() { r.read(copied) })
	parts.Go(func() { io.Copy(client, server); client.Close() })
	io.Copy(server, io.TeeReader(client, io.MultiWriter((*counter)(r), copier)))
	copier.Close()
	close(done)
	parts.Wait()
}

// read notes the requests of one connection.
func (r *recorder) read(from *io.PipeReader) {
	defer io.Copy(io.Discard, from) // whatever comes, the bytes flow on
	in := bufio.NewReader(from)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.heads = append(r.heads, head{request.Method + " " + request.RequestURI, request.Host, request.Header})
		r.mu.Unlock()
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
	}
}

type counter recorder

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += int64(len(p))
	return len(p), nil
}

// seen is the number of bytes that went upstream so far.
func (r *recorder) seen() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// requests are the heads of all requests so far.
func (r *recorder) requests() []head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]head(nil), r.heads...)
}
