package proxy_test

import (
	"bufio"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// dial opens a connection to the sidecar that nothing tidies up.
func (c *sidecar) dial() net.Conn {
	c.t.Helper()
	_, address, _ := strings.Cut(c.URL(), "://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// s3Error reads an answer, and the end of its connection, and returns what it
// says.
func s3Error(t *testing.T, conn io.Reader) (response *http.Response, code, message, id string) {
	t.Helper()
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Code, Message, RequestId string }
	body := must(io.ReadAll(response.Body))
	if err := xml.Unmarshal(body, &document); err != nil || response.Header.Get("Content-Type") != "application/xml" {
		t.Fatalf("got %d %q %s", response.StatusCode, response.Header.Get("Content-Type"), body)
	}
	if !response.Close || response.Header.Get("X-Amz-Request-Id") != document.RequestId || document.RequestId == "" {
		t.Errorf("close %v, headers %v, id %q", response.Close, response.Header, document.RequestId)
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("after the answer: %q, %v", rest, err)
	}
	return response, document.Code, document.Message, document.RequestId
}

// What net/http answers by itself is S3's error all the same, with one event.
func TestNothingIsAnsweredInPlainText(t *testing.T) {
	c := start(t, nil)
	good := "GET /.well-known/gimme HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, test := range map[string]struct {
		request string
		status  int
		code    string
		why     string
	}{
		"no request line":     {"hello\r\n\r\n", 400, "BadRequest", ""},
		"malformed header":    {"GET /lake HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400, "BadRequest", ""},
		"space before colon":  {"GET /lake HTTP/1.1\r\nHost: h\r\nRange : x\r\n\r\n", 400, "BadRequest", ""},
		"no host":             {"GET /lake HTTP/1.1\r\n\r\n", 400, "BadRequest", "missing required Host header"},
		"two hosts":           {"GET /lake HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "BadRequest", "not HTTP as it can be read"},
		"bad host":            {"GET /lake HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "BadRequest", "malformed Host header"},
		"two lengths":         {"PUT /lake/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "BadRequest", ""},
		"negative length":     {"PUT /lake/x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400, "BadRequest", ""},
		"transfer encoding":   {"PUT /lake/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "NotImplemented", ""},
		"large head":          {"GET /lake HTTP/1.1\r\nHost: h\r\nX-Pad: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", 400, "RequestHeaderSectionTooLarge", "64 KiB"},
		"many headers":        {"GET /lake HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-A: b\r\n", 1001) + "\r\n", 400, "RequestHeaderSectionTooLarge", "too many"},
		"another expectation": {"PUT /lake/x HTTP/1.1\r\nHost: h\r\nExpect: miracle\r\nContent-Length: 1\r\n\r\n", 417, "InvalidRequest", "100-continue"},
		"HTTP/3":              {"GET /lake HTTP/3.0\r\nHost: h\r\n\r\n", 505, "InvalidRequest", ""},
		"HTTP/2 at once":      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "InvalidRequest", "HTTP/2 is not offered"},
		"OPTIONS *":           {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400, "InvalidURI", ""},
		"CONNECT":             {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 400, "InvalidURI", ""},
		"absolute form":       {"GET http://evil.example/lake HTTP/1.1\r\nHost: h\r\n\r\n", 400, "InvalidURI", ""},
		"h2c":                 {"GET /lake HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n", 400, "InvalidRequest", "upgraded"},
	} {
		for place, before := range map[string]string{"first": "", "later": good} {
			t.Run(name+"/"+place, func(t *testing.T) {
				conn := c.dial()
				r := bufio.NewReader(conn)
				if before != "" {
					io.WriteString(conn, before)
					response := must(http.ReadResponse(r, nil))
					must(io.Copy(io.Discard, response.Body))
					if response.StatusCode != 200 {
						t.Fatalf("the request before got %d", response.StatusCode)
					}
					c.events()
				}
				io.WriteString(conn, test.request)
				response, code, message, id := s3Error(t, r)
				if response.StatusCode != test.status || code != test.code || !strings.Contains(message, test.why) {
					t.Errorf("got %d %s %s", response.StatusCode, code, message)
				}
				c.wantNothingUpstream()
				e := c.wantOneRefusal(test.code, test.why)
				if e.Kind != audit.KindDecision || e.ID != id || e.Client == nil || e.Client.IP != "127.0.0.1" || e.PolicyDigest == "" || e.Response.Status != test.status {
					t.Errorf("the event is %+v, of %+v", e, e.Client)
				}
			})
		}
	}
}

// An answer whose text looks like one of net/http's own is passed on.
func TestAnObjectThatLooksLikeAnErrorIsPassedOn(t *testing.T) {
	c := start(t, nil)
	text := "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
	text += strings.Repeat(text, 1000)
	c.put("lake", "public/x", text)
	keys := c.login(nil)
	for range 3 {
		response, body := c.raw(keys, http.MethodGet, "/lake/public/x", "UNSIGNED-PAYLOAD", nil)
		if response.StatusCode != 200 || body != text {
			t.Fatalf("got %d, %d bytes of %d", response.StatusCode, len(body), len(text))
		}
	}
}

// startTLS runs a sidecar that speaks TLS.
func startTLS(t *testing.T, tune func(*proxy.Server)) (*sidecar, *tls.Config) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t), tune: tune}
	pool := c.certificate()
	c.launch(func(config string) string { return config + "tls: {cert_file: cert.pem, key_file: key.pem}\n" })
	return c, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

func TestPlainHTTPAtTheTLSPort(t *testing.T) {
	c, config := startTLS(t, nil)
	conn := c.dial()
	io.WriteString(conn, "GET /lake HTTP/1.1\r\nHost: h\r\n\r\n")
	response, code, message, _ := s3Error(t, conn)
	if response.StatusCode != 400 || code != "InvalidRequest" || !strings.Contains(message, "https") {
		t.Errorf("got %d %s %s", response.StatusCode, code, message)
	}
	c.wantOneRefusal("InvalidRequest", "HTTPS")

	// The same errors as without TLS, on TLS.
	secure := tls.Client(c.dial(), config)
	io.WriteString(secure, "GET /lake HTTP/1.1\r\n\r\n")
	if _, code, _, _ := s3Error(t, secure); code != "BadRequest" {
		t.Errorf("got %s", code)
	}
	c.wantOneRefusal("BadRequest", "Host")
	if got := secure.ConnectionState().NegotiatedProtocol; got != "" {
		t.Errorf("negotiated %q", got)
	}
}

// A client that does not finish its handshake is let go, and one that fails is
// counted.
func TestHandshakes(t *testing.T) {
	c, config := startTLS(t, func(s *proxy.Server) { s.SetTimes(proxy.Times{Header: 300 * time.Millisecond}) })
	silent := c.dial()
	if n, err := silent.Read(make([]byte, 1)); err == nil {
		t.Errorf("a client that says nothing got %d bytes", n)
	}
	old := config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := tls.Client(c.dial(), old).Handshake(); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	h2 := config.Clone()
	h2.NextProtos = []string{"h2", "http/1.1"}
	modern := tls.Client(c.dial(), h2)
	if err := modern.Handshake(); err != nil || modern.ConnectionState().NegotiatedProtocol != "http/1.1" {
		t.Errorf("negotiated %q, %v", modern.ConnectionState().NegotiatedProtocol, err)
	}
	if log := c.log.String(); !strings.Contains(log, "TLS handshakes failed") {
		t.Errorf("the log does not tell: %s", log)
	}
	if events := c.events(); len(events) != 0 {
		t.Errorf("events: %+v", events)
	}
}

// Connections beyond the limit are closed at once, and there is room again when
// one goes.
func TestConnectionsAreBounded(t *testing.T) {
	for name, limits := range map[string]string{"in all": "limits: {connections: 3}", "per source": "limits: {connections_per_source: 3}"} {
		t.Run(name, func(t *testing.T) {
			c := start(t, func(config string) string { return config + limits + "\n" })
			alive := func(conn net.Conn) bool {
				io.WriteString(conn, "GET /.well-known/gimme HTTP/1.1\r\nHost: h\r\n\r\n")
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					return false
				}
				_, err = io.Copy(io.Discard, response.Body)
				return err == nil && response.StatusCode == 200
			}
			var conns []net.Conn
			for range 3 {
				conn := c.dial()
				if !alive(conn) {
					t.Fatal("a connection within the limit is refused")
				}
				conns = append(conns, conn)
			}
			if alive(c.dial()) {
				t.Error("a connection beyond the limit is served")
			}
			for deadline := time.Now().Add(10 * time.Second); !strings.Contains(c.log.String(), "there are too many"); {
				if time.Now().After(deadline) {
					t.Fatalf("the log does not tell: %s", c.log.String())
				}
			}
			conns[0].Close()
			for deadline := time.Now().Add(10 * time.Second); !alive(c.dial()); {
				if time.Now().After(deadline) {
					t.Fatal("no room after a connection has gone")
				}
			}
			for _, e := range c.events() { // of connections that are closed at once there is no request to tell of
				if e.Request.Operation != "Discovery" || e.Decision == audit.Blocked {
					t.Errorf("event: %+v", e)
				}
			}
		})
	}
}

// Behind a proxy that is trusted there are many clients.
func TestTrustedProxiesAreNoSource(t *testing.T) {
	c := start(t, func(config string) string {
		return config + "limits: {connections_per_source: 1}\ntrusted_proxies: [127.0.0.0/8]\n"
	})
	for i := range 3 {
		conn := c.dial()
		fmt.Fprintf(conn, "GET /lake HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.9, 203.0.113.%d\r\n\r\n", i)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		must(io.Copy(io.Discard, response.Body))
		if e := c.wantOneRefusal("AccessDenied", ""); e.Client.IP != fmt.Sprintf("203.0.113.%d", i) {
			t.Errorf("the event names %q", e.Client.IP)
		}
	}
}
