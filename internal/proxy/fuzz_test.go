package proxy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// Whatever arrives without a session reaches nobody, has exactly one event
// that says it was blocked, and gets an answer in XML.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /lake/customers/x HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 76\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken=a.b.c&RoleArn=x",
		"GET /lake?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=GM/20260101/us-east-1/s3/aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=" + strings.Repeat("0", 64) + "&X-Amz-Security-Token=g1.AAAA HTTP/1.1\r\nHost: h\r\n\r\n",
		"PUT /lake/customers/x HTTP/1.1\r\nHost: h\r\nAuthorization: AWS4-HMAC-SHA256 Credential=GM/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64) + "\r\nX-Amz-Date: 20260101T000000Z\r\nX-Amz-Security-Token: g1.AAAA\r\nContent-Length: 1\r\n\r\nx",
		"GET /.gimme/roles HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a.b.c\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	c := &sidecar{t: f, folder: f.TempDir(), provider: newProvider(f)}
	c.store = &store{Server: httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the upstream was asked") }))}
	f.Cleanup(c.store.Close)
	c.files(strings.Replace(c.config(), "file: audit.jsonl", `file: "-"`, 1))
	var events bytes.Buffer
	server := must(proxy.New(c.load(), proxy.Options{Stdout: &events}))

	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil || r.RequestURI == "/.well-known/gimme" {
			return
		}
		r.RemoteAddr = "192.0.2.1:1234"
		events.Reset()
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, r)
		var e audit.Event
		if bytes.Count(events.Bytes(), []byte("\n")) != 1 || json.Unmarshal(events.Bytes(), &e) != nil || e.Decision != audit.Blocked {
			t.Errorf("events: %s", events.Bytes())
		}
		if answer.Code < 400 || r.Method != http.MethodHead && !strings.HasPrefix(answer.Body.String(), "<?xml") {
			t.Errorf("got %d %s", answer.Code, answer.Body)
		}
	})
}
