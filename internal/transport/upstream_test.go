package transport_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/transport"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// identity is a certificate for 127.0.0.1, and the pool that trusts it.
var identity = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(der)))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
})

// An upstream is a server that does what a test's script says, by hand.
type upstream struct {
	t      *testing.T
	scheme string
	ln     net.Listener
	at     *transport.Transport // that asks it

	mu      sync.Mutex // guards what follows
	peers   []*peer    // in the order in which they came
	dialled []net.Conn // the transport's ends
}

// A peer is the upstream's end of a connection.
type peer struct {
	net.Conn
	Reader  *bufio.Reader
	t       *testing.T
	n       int // of the connections, from 1
	raw     *net.TCPConn
	done    chan struct{} // closed when the script has ended
	reset   bool          // what rest saw
	release chan struct{} // closed when a test lets it go on
}

// serve runs script for each connection, which is closed behind it.
func serve(t *testing.T, secure bool, script func(p *peer)) *upstream {
	t.Helper()
	u := &upstream{t: t, scheme: "http", ln: must(net.Listen("tcp", "127.0.0.1:0"))}
	certificate, roots := identity()
	if secure {
		u.scheme = "https"
	}
	var scripts sync.WaitGroup
	scripts.Go(func() {
		for {
			raw, err := u.ln.Accept()
			if err != nil {
				return
			}
			p := &peer{Conn: raw, t: t, raw: raw.(*net.TCPConn), done: make(chan struct{})}
			if secure {
				p.Conn = tlsServer(raw, certificate)
			}
			p.Reader = bufio.NewReader(p.Conn)
			u.mu.Lock()
			u.peers = append(u.peers, p)
			p.n = len(u.peers)
			u.mu.Unlock()
			scripts.Go(func() {
				defer raw.Close()
				defer close(p.done)
				script(p)
			})
		}
	})
	u.at = &transport.Transport{
		TLS: &tls.Config{RootCAs: roots}, MaxIdle: 8,
		Connect: time.Minute, Proceed: time.Minute, Progress: time.Minute, Answer: time.Minute, Idle: time.Minute,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				u.mu.Lock()
				defer u.mu.Unlock()
				u.dialled = append(u.dialled, c)
			}
			return c, err
		},
	}
	t.Cleanup(func() {
		u.at.CloseIdleConnections()
		u.ln.Close()
		u.mu.Lock()
		for _, p := range u.peers {
			p.raw.Close()
		}
		u.mu.Unlock()
		scripts.Wait()
	})
	return u
}

// each runs a test without TLS and with it.
func each(t *testing.T, test func(t *testing.T, secure bool)) {
	t.Run("plain", func(t *testing.T) { test(t, false) })
	t.Run("tls", func(t *testing.T) { test(t, true) })
}

// request makes one to the upstream. A body is as long as it says.
func (u *upstream) request(method string, body io.Reader, length int64) *http.Request {
	r := must(http.NewRequest(method, u.scheme+"://"+u.ln.Addr().String()+"/lake/x", nil))
	if body != nil {
		r.Body, r.ContentLength = io.NopCloser(body), length
	}
	return r
}

// connections is how many were made so far.
func (u *upstream) connections() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.dialled)
}

// peer waits for the nth connection to come.
func (u *upstream) peer(n int) *peer {
	u.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		u.mu.Lock()
		peers := u.peers
		u.mu.Unlock()
		if len(peers) >= n {
			return peers[n-1]
		}
	}
	u.t.Fatalf("connection %d does not come", n)
	return nil
}

// arrived waits until something has come, unasked, to the transport's end of the
// nth connection.
func (u *upstream) arrived(n int) {
	u.t.Helper()
	u.mu.Lock()
	c := u.dialled[n-1].(*net.TCPConn)
	u.mu.Unlock()
	c.SetReadDeadline(time.Time{})
	err := must(c.SyscallConn()).Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return err != syscall.EAGAIN
	})
	if err != nil {
		u.t.Fatal(err)
	}
}

// head reads that of the next request; it is empty at the end of the connection.
func (p *peer) head() string {
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := p.Reader.ReadString('\n')
		if err != nil {
			return ""
		}
		b.WriteString(line)
	}
	return b.String()
}

// take reads a request with its body; ok is false at the end of the connection.
func (p *peer) take() (head, body string, ok bool) {
	head = p.head()
	_, rest, announced := strings.Cut(head, "Content-Length: ")
	if announced {
		line, _, _ := strings.Cut(rest, "\r")
		b := make([]byte, must(strconv.Atoi(line)))
		if _, err := io.ReadFull(p.Reader, b); err != nil {
			return "", "", false
		}
		body = string(b)
	}
	return head, body, head != ""
}

func (p *peer) say(text string) {
	if _, err := io.WriteString(p.Conn, text); err != nil {
		p.t.Logf("the upstream cannot say %.20q: %v", text, err)
	}
}

// finish says text and that nothing follows, and waits for the other end to
// close, so that nothing is lost.
func (p *peer) finish(text string) {
	p.say(text)
	p.Conn.(interface{ CloseWrite() error }).CloseWrite()
	p.raw.CloseWrite()
	io.Copy(io.Discard, p.Reader)
}

// rest reads to the end of the connection, and says whether it was a reset.
func (p *peer) rest() (body string, reset bool) {
	b, err := io.ReadAll(p.Reader)
	p.reset = errors.Is(err, syscall.ECONNRESET)
	return string(b), p.reset
}

func answerOf(body string) string {
	return "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// answering answers every request with its own body, or with "ok".
func answering(p *peer) {
	for {
		_, body, ok := p.take()
		if !ok {
			return
		}
		if body == "" {
			body = "ok"
		}
		p.say(answerOf(body))
	}
}

// ask sends a request and reads the answer to its end.
func (u *upstream) ask(r *http.Request) (status int, body string, err error) {
	response, err := u.at.Do(u.t.Context(), r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

// get asks for "ok", which must come.
func (u *upstream) get() {
	u.t.Helper()
	if status, body, err := u.ask(u.request("GET", nil, 0)); err != nil || status != 200 || body != "ok" {
		u.t.Errorf("got %d %q %v", status, body, err)
	}
}

func (u *upstream) wantConnections(want int) {
	u.t.Helper()
	if got := u.connections(); got != want {
		u.t.Errorf("%d connections, want %d", got, want)
	}
}

func tlsServer(c net.Conn, certificate tls.Certificate) *tls.Conn {
	return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}})
}
