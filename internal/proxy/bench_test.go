package proxy_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// BenchmarkGet is one GET of 4 KiB on one connection: straight to a server that
// checks nothing, through a plain reverse proxy that checks nothing either, and
// through the sidecar, which verifies, decides, records and signs anew. The
// client signs in all three.
func BenchmarkGet(b *testing.B) {
	object := bytes.Repeat([]byte("x"), 4<<10)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(object) }))
	defer plain.Close()
	reverse := httptest.NewServer(httputil.NewSingleHostReverseProxy(must(url.Parse(plain.URL))))
	defer reverse.Close()
	c := &sidecar{provider: newProvider(b), folder: b.TempDir(), t: b}
	c.store = &store{Server: plain}
	c.files(c.config())
	server := must(proxy.New(c.load(), proxy.Options{}))
	c.Server = server
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	keys, err := c.assume(roleEveryone, c.provider.token(b, nil))
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct{ name, url string }{{"straight", plain.URL}, {"reverse-proxy", reverse.URL}, {"sidecar", server.URL()}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				get(b, way.url, keys, len(object))
			}
		})
	}
}

func get(b *testing.B, address string, keys aws.Credentials, want int) {
	r := must(http.NewRequest(http.MethodGet, address+"/lake/customers/x", nil))
	sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", sigv4.UnsignedPayload, time.Now())
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || len(body) != want || strings.Contains(string(body), "<Error>") {
		b.Fatalf("got %d, %d bytes, %v", response.StatusCode, len(body), err)
	}
}
