package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// framing attacks how requests are divided on a connection, and to whom they
// are addressed.
func (a *attack) framing() {
	a.lengths()
	a.targets()
	a.upgrades()
	a.secondRequests()
	a.doors()
	a.domains()
	a.brokenBodies()
	a.brokenChunks()
}

func (a *attack) lengths() {
	length := want{status: 411, code: "MissingContentLength"}
	next := a.signed(reading("/lake/customers/x"), a.by("alice"))
	put := upload("/lake/customers/x", hashed).framed(a.host)
	put.lines = []string{"Host: " + a.host, "Transfer-Encoding: chunked"}
	put.body = "5\r\nhello\r\n0\r\n\r\n"
	seal := a.by("alice")
	seal.payload = sha("hello")
	a.refused("T28/chunked without a streaming form", put.sign(seal).String(), length)
	a.refused("T28/chunked with extensions", strings.Replace(put.sign(seal).String(), "5\r\nhello", "5;a=\"\r\n\";b\r\nhello", 1), length)
	seal.payload = unsignedPayload
	a.refused("T28/chunked and not signed", put.sign(seal).String(), length)
	for _, mode := range []string{unsignedTrailer} {
		bare := upload("/lake/customers/x", mode)
		bare.lines = append(bare.lines[:1], "Host: "+a.host, "Transfer-Encoding: chunked")
		a.refused("advisory 33/no length at all, "+mode, bare.sign(a.by("alice")).String(), length)
	}
	for _, decoded := range []string{"-1", "", "5x", "9223372036854775808", "+5", "0x5", "5.0", "5, 5"} {
		m := upload("/lake/customers/x", unsignedTrailer)
		m.lines[1] = "x-amz-decoded-content-length: " + decoded
		a.refused("advisory 33/decoded length "+decoded, a.signed(m, a.by("alice")), want{status: 411, code: "MissingContentLength"})
	}
	m := upload("/lake/customers/x", unsignedTrailer)
	m.lines[1] = "x-amz-decoded-content-length: 5497558138880"
	a.refused("advisory 33/decoded length of terabytes", a.signed(m, a.by("alice")), want{status: 400, code: "EntityTooLarge"})
	a.refused("T28/a body where none belongs", a.signed(message{method: "GET", target: "/lake/customers/x", body: next}, a.by("alice")),
		want{status: 400, code: "InvalidRequest", who: "alice", why: "takes no body"})
}

func (a *attack) targets() {
	uri := want{status: 400, code: "InvalidURI"}
	for _, target := range []string{"http://evil.example/lake/customers/x", "http://" + a.host + "/lake/customers/x", "https://evil.example", "HTTP://x@y/lake"} {
		a.refused("T13/absolute form "+strings.ReplaceAll(target, a.host, "HOST"), a.signed(reading(target), a.by("alice")), uri)
	}
	a.refused("T47/OPTIONS *", a.signed(message{method: "OPTIONS", target: "*"}, a.by("alice")), uri)
	a.refused("T13/CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", uri)
	a.refused("T28/no host", "GET /lake/customers/x HTTP/1.1\r\nHost:\r\n\r\n", want{status: 400, code: "InvalidRequest"})
	for _, host := range []string{"evil.example", "169.254.169.254", "127.0.0.1:1", "secret-bucket.s3.amazonaws.com", "unlabelled-bucket.evil.example", "[::1]:80", "evil.example."} {
		a.run("T13/host "+host, func(t *testing.T) {
			var asked string
			a.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool { asked = r.Host; return ok(w, r) })
			defer a.store.answerWith(ok)
			a.wantPassed(t, reading("/lake/customers/x", "Host: "+host).sign(a.by("alice")).String(), "alice", "GET /lake/customers/x")
			if "http://"+asked != a.store.URL {
				t.Errorf("the upstream was asked as %q", asked)
			}
		})
	}
	a.run("T13/header of another host", func(t *testing.T) {
		m := reading("/lake/customers/x", "X-Forwarded-Host: evil.example", "X-Host: evil.example", "Forwarded: host=evil.example")
		a.wantPassed(t, a.signed(m, a.by("alice")), "alice", "GET /lake/customers/x")
	})
	a.refused("advisory 65/the path in a header", a.signed(reading("/lake/customers/x", "X-Forwarded-Uri: /lake/public/x", "X-Original-URL: /lake/public/x", "X-Rewrite-URL: /lake/public/x"), a.by("bob")),
		want{status: 403, code: "AccessDenied", who: "bob", why: "SENSITIVE"})
	a.refused("advisory 65/the method in a header", a.signed(reading("/lake/customers/x", "X-HTTP-Method-Override: HEAD", "X-Method-Override: DELETE"), a.by("bob")),
		want{status: 403, code: "AccessDenied", who: "bob", why: "GetObject"})
	a.refused("T16/HTTP 1.0", strings.Replace(a.signed(reading("/lake/customers/x"), a.by("alice")), "HTTP/1.1", "HTTP/1.0", 1), want{status: 400, code: "InvalidRequest"})
}

func (a *attack) upgrades() {
	refuse := want{status: 400, code: "InvalidRequest"}
	m := reading("/lake/customers/x")
	for name, lines := range map[string][]string{
		"h2c":                  {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		"h2c without asking":   {"Upgrade: h2c"},
		"a web socket":         {"Connection: Upgrade", "Upgrade: websocket"},
		"another connection":   {"Connection: close, host"},
		"the authorization":    {"Connection: authorization"},
		"the token":            {"Connection: keep-alive", "Connection: X-Amz-Security-Token"},
		"a length":             {"Connection: content-length"},
		"what is not a header": {"Connection: \"close\""},
	} {
		a.refused("T28/upgrade to "+name, a.signed(m.with(lines...), a.by("alice")), refuse)
	}
}

// secondRequests: what follows a request is another request, with a signature
// of its own, or is not served at all.
func (a *attack) secondRequests() {
	next := a.signed(message{method: "PUT", target: "/lake/customers/smuggled", body: "hello"}, a.by("alice"))
	anonymous := "GET /lake/customers/x HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, first := range map[string]message{
		"in the body of a put that is refused":    {method: "PUT", target: "/lake/customers/x", body: next},
		"in the body of a get that is refused":    {method: "GET", target: "/lake/customers/x", body: next},
		"in the body of a delete that is refused": {method: "DELETE", target: "/lake/public/x", body: next},
		"in a body that is never read":            {method: "PUT", target: "/lake/customers/x", body: strings.Repeat(" ", 600<<10) + next},
	} {
		a.refused("T28/smuggled "+name, first.framed(a.host).String(), want{status: 403, code: "AccessDenied"})
		a.refused("T28/smuggled "+name+", signed wrong", a.signed(first, a.by("thief")), want{status: 403, code: "SignatureDoesNotMatch"})
	}
	refused := "PUT /lake/customers/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	a.refused("T28/smuggled behind broken chunks", refused+"zz\r\n"+next, want{status: 403, code: "AccessDenied"})
	a.refused("advisory 70/bare line feeds", strings.ReplaceAll(anonymous, "\r\n", "\n"), want{status: 403, code: "AccessDenied"})
	a.refused("advisory 70/smuggled behind a chunk with a bare line feed", refused+"0\n\n"+next, want{status: 403, code: "AccessDenied"})
	a.refused("advisory 70/smuggled behind a chunk extension with a bare line feed", refused+"5;a\nhello\r\n0\r\n\r\n"+next, want{status: 403, code: "AccessDenied"})
	a.run("T28/one after the other, each for itself", func(t *testing.T) {
		replies := exchangeRaw(t, a.host, a.roots, a.signed(reading("/lake/customers/x"), a.by("alice"))+anonymous, false)
		events := decisions(a.newEvents())
		for len(events) < 2 {
			events = append(events, decisions(a.newEvents())...)
		}
		if len(replies) != 2 || replies[0].status != 200 || replies[1].status != 403 || len(events) != 2 ||
			events[0].Decision != audit.Allowed || events[1].Decision != audit.Blocked || events[1].Principal != nil || events[1].Session != nil {
			t.Errorf("replies %+v, events %+v", replies, events)
		}
		if seen := a.store.seen(); len(seen) != 1 {
			t.Errorf("the upstream was asked %q", seen)
		}
	})
	a.run("T28/nothing is served behind a chunked body that was taken", func(t *testing.T) {
		put := upload("/lake/customers/x", unsignedTrailer).framed(a.host)
		put.lines = slices.DeleteFunc(put.lines, func(line string) bool { return strings.HasPrefix(strings.ToLower(line), "content-length:") })
		put.lines = append(put.lines, "Transfer-Encoding: chunked", "Content-Length: 3")
		put.body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(put.body), put.body)
		replies := exchangeRaw(t, a.host, a.roots, put.sign(a.by("alice")).String()+next, false)
		if len(replies) != 1 || replies[0].status != 200 {
			t.Errorf("replies %+v", replies)
		}
		for _, line := range a.store.seen() {
			if strings.Contains(line, "smuggled") {
				t.Errorf("the upstream was asked %q", line)
			}
		}
		a.newEvents()
	})
	a.run("T28/nothing is asked for before it is decided", func(t *testing.T) {
		m := message{method: "PUT", target: "/lake/customers/x", lines: []string{"Expect: 100-continue"}, body: "hello"}
		a.wantRefused(t, a.signed(m, a.by("bob")), want{status: 403, code: "AccessDenied", who: "bob"})
	})
}

// ok is an upstream that has and takes everything. In a bucket it has what nobody
// may see.
func ok(w http.ResponseWriter, r *http.Request) bool {
	io.Copy(io.Discard, r.Body)
	if r.Method == http.MethodGet && r.URL.Path == "/lake" {
		io.WriteString(w, "<ListBucketResult><Contents><Key>customers-canary</Key></Contents><CommonPrefixes><Prefix>canary/</Prefix></CommonPrefixes></ListBucketResult>")
		return true
	}
	w.Write([]byte("ok"))
	return true
}

// domains: a bucket stands in the host or in the path, never in both.
func (a *attack) domains() {
	c := start(a.t, func(config string) string { return config + "domains: [s3.example]\n" })
	c.store.answerWith(ok)
	b := c.attacked(a.t)
	denied := want{status: 403, code: "AccessDenied", who: "bob"}
	for name, c := range map[string]struct {
		host, target string
		want         want
	}{
		"a bucket in host and path":      {"secret-bucket.s3.example", "/lake/public/x", denied},
		"a bucket in the host":           {"secret-bucket.s3.example", "/public/x", denied},
		"in capitals":                    {"SECRET-BUCKET.S3.EXAMPLE", "/public/x", denied},
		"with a port":                    {"secret-bucket.s3.example:8700", "/x", denied},
		"a key that is denied":           {"a.lake.s3.example", "/x", want{status: 403, code: "AccessDenied", who: "bob"}},
		"a bucket with dots":             {"lake.public.s3.example", "/x", denied},
		"dot segments to the path style": {"secret-bucket.s3.example", "/../lake/public/x", want{status: 400, code: "InvalidArgument", who: "bob"}},
		"no bucket before the dot":       {".s3.example", "/lake/public/x", want{status: 400, code: "InvalidBucketName", who: "bob"}},
		"an alias in the host":           {"ap-s3alias.s3.example", "/x", want{status: 501, code: "NotImplemented", who: "bob"}},
		"another ending":                 {"lake.s3.example.evil.example", "/secret-bucket/x", denied},
		"an ending without its dot":      {"xs3.example", "/secret-bucket/x", denied},
	} {
		a.run("T10/"+name, func(t *testing.T) {
			b.sidecar.t = t
			b.wantRefused(t, reading(c.target, "Host: "+c.host).sign(b.by("bob")).String(), c.want)
		})
	}
	for host, target := range map[string][2]string{
		"lake.s3.example": {"/public/x", "/lake/public/x"}, "s3.example": {"/lake/public/x", "/lake/public/x"}, "elsewhere.example": {"/lake/public/x", "/lake/public/x"},
	} {
		a.run("T10/allowed at "+host, func(t *testing.T) {
			b.sidecar.t = t
			b.wantPassed(t, reading(target[0], "Host: "+host).sign(b.by("bob")).String(), "bob", "GET "+target[1])
		})
	}
}
