package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// answers attacks by what the upstream says, as one would who owns a bucket
// there, or a name that resolves to it.
func (a *attack) answers() {
	a.redirects()
	a.upstreamErrors()
	a.upstreamHeaders()
}

// wantMasked sends alice's request, which the upstream answers as it likes.
// The client must get code, or the answer of status when that is "", and nothing
// of what stands in hidden.
func (a *attack) wantMasked(t *testing.T, m message, status int, code string, hidden ...string) reply {
	t.Helper()
	replies := exchangeRaw(t, a.host, a.roots, a.signed(m, a.by("alice")), false)
	a.store.seen()
	events := a.newEvents()
	if len(replies) != 1 || replies[0].status != status || replies[0].code != code {
		t.Fatalf("want %d %s, got %+v", status, code, replies)
	}
	if len(events) != 2 || events[0].Decision != audit.Allowed || events[1].Kind != audit.KindOutcome || events[1].Response.Status != status || events[1].Response.Code != code {
		t.Errorf("events: %+v", events)
	}
	text := fmt.Sprint(replies[0].header, replies[0].body)
	for _, h := range hidden {
		if strings.Contains(text, h) {
			t.Errorf("%q stands in %s", h, text)
		}
	}
	a.wantNoSecret(t, replies[0], events...)
	return replies[0]
}

// redirects are followed nowhere.
func (a *attack) redirects() {
	var asked atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	a.t.Cleanup(evil.Close)
	for _, location := range []string{"http://169.254.169.254/latest/meta-data/", evil.URL + "/lake/customers/x", "//" + strings.TrimPrefix(evil.URL, "http://") + "/x"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, m := range []message{reading("/lake/customers/x"), {method: "PUT", target: "/lake/customers/x", body: "hello"}, batch(objectsXML("public/a"))} {
				name := fmt.Sprintf("advisory 28/%s with %d to %s", m.method, status, strings.ReplaceAll(location, evil.URL[7:], "EVIL"))
				a.run(name, func(t *testing.T) {
					a.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
						w.Header().Set("Location", location)
						w.WriteHeader(status)
						io.WriteString(w, "<Error><Code>TemporaryRedirect</Code><Message>x</Message><Endpoint>evil.example</Endpoint><Bucket>canary</Bucket></Error>")
						return true
					})
					defer a.store.answerWith(ok)
					r := a.wantMasked(t, m, 500, "InternalError", "169.254", "evil", evil.URL[7:], "Endpoint")
					if r.header.Get("Location") != "" || asked.Load() != 0 {
						t.Errorf("followed %d times, got %v", asked.Load(), r.header)
					}
				})
			}
		}
	}
	a.run("advisory 28/another protocol", func(t *testing.T) {
		a.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "h2c")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return true
		})
		defer a.store.answerWith(ok)
		replies := exchangeRaw(t, a.host, a.roots, a.signed(reading("/lake/customers/x"), a.by("alice")), false)
		a.store.seen()
		events := a.newEvents()
		if len(replies) != 1 || replies[0].status < 500 || len(events) != 2 {
			t.Errorf("got %+v, events %+v", replies, events)
		}
	})
}

func (a *attack) upstreamErrors() {
	const inside = `<StringToSign>canary-string</StringToSign><CanonicalRequest>canary-request</CanonicalRequest><AWSAccessKeyId>` + upstreamKey + `</AWSAccessKeyId>` +
		`<HostId>canary-host</HostId><RequestId>canary-id</RequestId><Bucket>canary-bucket</Bucket><Resource>/canary</Resource>`
	for _, c := range []struct {
		status       int
		code, answer string
	}{
		{403, "SignatureDoesNotMatch", "InternalError"}, {403, "InvalidAccessKeyId", "InternalError"}, {400, "ExpiredToken", "InternalError"}, {403, "RequestTimeTooSkewed", "InternalError"},
		{400, "AuthorizationHeaderMalformed", "InternalError"}, {400, "AuthorizationQueryParametersError", "InternalError"}, {404, "NoSuchKey", "NoSuchKey"}, {503, "SlowDown", "SlowDown"},
		{403, "AccessDenied", "AccessDenied"}, {500, "<x>", "InternalError"}, {418, "Teapot\r\nX: 1", "InternalError"},
	} {
		a.run("T16/upstream says "+c.code, func(t *testing.T) {
			a.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("X-Amz-Id-2", "canary-id-2")
				w.Header().Set("X-Amz-Request-Id", "UPSTREAMS")
				w.WriteHeader(c.status)
				io.WriteString(w, "<Error><Code>"+c.code+"</Code><Message>m</Message>"+inside+"</Error>")
				return true
			})
			defer a.store.answerWith(ok)
			status := c.status
			if c.answer == "InternalError" {
				status = 500
			}
			a.wantMasked(t, reading("/lake/customers/x"), status, c.answer, "canary", upstreamKey, "StringToSign", "UPSTREAMS")
		})
	}
	for name, m := range map[string]message{
		"a copy":         {method: "PUT", target: "/lake/customers/y", lines: []string{"x-amz-copy-source: lake/customers/x"}},
		"a copied part":  {method: "PUT", target: "/lake/customers/y?partNumber=1&uploadId=u", lines: []string{"x-amz-copy-source: lake/customers/x"}},
		"a batch":        batch(objectsXML("public/a")),
		"an upload ends": {method: "POST", target: "/lake/customers/y?uploadId=u", body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"},
	} {
		a.run("T16/an error late: "+name, func(t *testing.T) {
			a.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
				io.WriteString(w, "\n   <Error><Code>SignatureDoesNotMatch</Code><Message>canary</Message>"+inside+"</Error>")
				return true
			})
			defer a.store.answerWith(ok)
			a.wantMasked(t, m, 500, "InternalError", "canary", upstreamKey)
		})
		a.run("T16/no answer at all: "+name, func(t *testing.T) {
			a.store.answerWith(func(http.ResponseWriter, *http.Request) bool { return true })
			defer a.store.answerWith(ok)
			a.wantMasked(t, m, 500, "InternalError")
		})
	}
}

func (a *attack) upstreamHeaders() {
	a.run("advisory 52/headers of the upstream", func(t *testing.T) {
		a.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
			h := w.Header()
			for _, name := range []string{"Set-Cookie", "Location", "Server", "X-Amz-Id-2", "Www-Authenticate", "X-Internal", "Refresh", "Access-Control-Allow-Origin",
				"Access-Control-Expose-Headers", "Strict-Transport-Security", "Via", "Alt-Svc", "Link", "Trailer"} {
				h.Set(name, "canary")
			}
			h.Set("X-Amz-Meta-A", "kept")
			h.Set("Content-Type", "text/html")
			io.WriteString(w, "ok")
			return true
		})
		defer a.store.answerWith(ok)
		r := a.wantMasked(t, reading("/lake/customers/x"), 200, "", "canary")
		if r.header.Get("X-Amz-Meta-A") != "kept" || r.header.Get("X-Content-Type-Options") != "nosniff" || len(r.header["Date"]) != 1 {
			t.Errorf("got %v", r.header)
		}
	})
	a.run("advisory 54/where an upload ended is not told", func(t *testing.T) {
		a.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
			io.WriteString(w, "<CompleteMultipartUploadResult><Location>http://canary.evil.example/x</Location><Bucket>lake</Bucket><Key>customers/y</Key><ETag>e</ETag></CompleteMultipartUploadResult>")
			return true
		})
		defer a.store.answerWith(ok)
		m := message{method: "POST", target: "/lake/customers/y?uploadId=u", body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"}
		r := a.wantMasked(t, m, 200, "", "canary", "evil")
		if !strings.Contains(r.body, "<Location>"+a.URL()+"/lake/customers/y</Location>") {
			t.Errorf("got %s", r.body)
		}
	})
}

// brokenBodies: a body that is not what was signed or promised becomes no
// object. It is found out on its way, so that the upstream has been asked.
func (a *attack) brokenBodies() {
	a.store.answerWith(nil)
	defer a.store.answerWith(ok)
	a.put("lake", "customers/x", "before")
	crc := "x-amz-checksum-crc32:NhCmhg=="
	for name, body := range map[string]string{
		"a byte flipped":                    "5\r\nhallo\r\n0\r\n" + crc + "\r\n\r\n",
		"another checksum":                  "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
		"no checksum":                       "5\r\nhello\r\n0\r\n\r\n",
		"another trailer":                   "5\r\nhello\r\n0\r\nx-amz-checksum-sha1:NhCmhg==\r\n\r\n",
		"the checksum twice":                "5\r\nhello\r\n0\r\n" + crc + "\r\n" + crc + "\r\n\r\n",
		"an ACL behind it":                  "5\r\nhello\r\n0\r\n" + crc + "\r\nx-amz-acl:public-read\r\n\r\n",
		"the last chunk dropped":            "5\r\nhello\r\n",
		"less than was said":                "4\r\nhell\r\n0\r\n" + crc + "\r\n\r\n",
		"more than was said":                "6\r\nhello!\r\n0\r\n" + crc + "\r\n\r\n",
		"a chunk size that is none":         "zz\r\nhello\r\n0\r\n" + crc + "\r\n\r\n",
		"a chunk size without end":          "00000000000000000000000000000000000000005\r\nhello\r\n0\r\n" + crc + "\r\n\r\n",
		"a chunk size that wraps round":     "10000000000000005\r\nhello\r\n0\r\n" + crc + "\r\n\r\n",
		"a chunk size with a sign":          "+5\r\nhello\r\n0\r\n" + crc + "\r\n\r\n",
		"bare line feeds":                   "5\nhello\n0\n" + crc + "\n\n",
		"no line end after a chunk":         "5\r\nhello0\r\n" + crc + "\r\n\r\n",
		"something behind the end":          "5\r\nhello\r\n0\r\n" + crc + "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
		"an empty chunk in the middle":      "2\r\nhe\r\n0\r\n3\r\nllo\r\n0\r\n" + crc + "\r\n\r\n",
		"an extension without end":          "5;" + strings.Repeat("a", 64<<10) + "\r\nhello\r\n0\r\n" + crc + "\r\n\r\n",
		"nothing":                           "",
		"no framing":                        "hello",
		"a chunk signature of another form": "5;chunk-signature=" + strings.Repeat("0", 64) + "\r\nhallo\r\n0\r\n" + crc + "\r\n\r\n",
	} {
		a.run("advisory 13/"+name, func(t *testing.T) {
			m := upload("/lake/customers/x", unsignedTrailer)
			m.body = body
			a.wantNoObject(t, a.signed(m, a.by("alice")))
		})
	}
	for name, m := range map[string]message{
		"another body":      {method: "PUT", target: "/lake/customers/x", body: "hallo", lines: []string{"x-amz-content-sha256: " + sha("hello")}},
		"another checksum":  {method: "PUT", target: "/lake/customers/x", body: "hello", lines: []string{"x-amz-content-sha256: " + sha("hallo"), "x-amz-checksum-crc32: NhCmhg=="}},
		"no body":           {method: "PUT", target: "/lake/customers/x", lines: []string{"x-amz-content-sha256: " + sha("hello"), "Content-Length: 0"}},
		"a copy and a body": {method: "PUT", target: "/lake/customers/x?partNumber=1&uploadId=u", body: "hallo", lines: []string{"x-amz-content-sha256: " + sha("hello")}},
	} {
		a.run("advisory 37/"+name, func(t *testing.T) { a.wantNoObject(t, a.signed(m, a.by("alice"))) })
	}
	whole := a.signed(message{method: "PUT", target: "/lake/customers/x", body: strings.Repeat("hello", 20000)}, a.by("alice"))
	for _, left := range []int{1, 5, 50000} {
		a.run(fmt.Sprintf("advisory 37/cut %d bytes before the end", left), func(t *testing.T) { a.wantNoObject(t, whole[:len(whole)-left]) })
	}
}

// wantNoObject sends an upload of customers/x, which must fail and leave what
// was there. When it is cut short, nobody needs to answer.
func (a *attack) wantNoObject(t *testing.T, raw string) {
	t.Helper()
	replies := exchangeRaw(t, a.host, a.roots, raw, true)
	for _, r := range replies {
		if r.status < 400 || r.code == "" {
			t.Errorf("got %+v", r)
		}
	}
	events := a.newEvents()
	if n := len(events); n < 1 || n > 2 || n == 1 && events[0].Decision != audit.Blocked || n == 2 && (events[1].Kind != audit.KindOutcome || events[1].Error == "") {
		t.Errorf("events: %+v", events)
	}
	if got, _ := a.stored("lake", "customers/x"); got != "before" {
		t.Errorf("the object is now %.20q", got)
	}
	if slices.ContainsFunc(replies, func(r reply) bool { return strings.Contains(r.body, upstreamKey) }) {
		t.Errorf("got %+v", replies)
	}
}
