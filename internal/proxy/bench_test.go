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
	plain, reverse, address, keys := small(b)
	for _, way := range []struct{ name, url string }{{"straight", plain}, {"reverse-proxy", reverse}, {"sidecar", address}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				get(b, way.url, keys, smallSize)
			}
		})
	}
}

// BenchmarkGetLogged is what the log costs the sidecar's throughput: eight
// clients at once, with events that go nowhere, that are handed to the operating
// system, and that are put on the disk.
func BenchmarkGetLogged(b *testing.B) {
	object := bytes.Repeat([]byte("x"), 4<<10)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(object) }))
	defer plain.Close()
	for _, log := range []struct{ name, config string }{
		{"nowhere", `{file: "-"}`},
		{"write", "{file: audit.jsonl, durability: write}"},
		{"fsync", "{file: audit.jsonl, durability: fsync}"},
	} {
		b.Run(log.name, func(b *testing.B) {
			address, keys := serve(b, plain, log.config)
			b.SetParallelism(4)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					get(b, address, keys, len(object))
				}
			})
		})
	}
}

const smallSize = 4 << 10

// small starts a server that has an object of smallSize, and what stands before
// it: a plain reverse proxy, and a sidecar to which somebody has logged in.
func small(b *testing.B) (plain, reverse, sidecar string, keys aws.Credentials) {
	object := bytes.Repeat([]byte("x"), smallSize)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(object) }))
	b.Cleanup(upstream.Close)
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(must(url.Parse(upstream.URL))))
	b.Cleanup(proxy.Close)
	sidecar, keys = serve(b, upstream, "{file: audit.jsonl}")
	return upstream.URL, proxy.URL, sidecar, keys
}

// serve starts a sidecar in front of upstream, and logs somebody in.
func serve(b *testing.B, upstream *httptest.Server, log string) (address string, keys aws.Credentials) {
	b.Helper()
	c := &sidecar{provider: newProvider(b), folder: b.TempDir(), t: b}
	c.store = &store{Server: upstream}
	c.files(strings.Replace(c.config(), "{file: audit.jsonl}", log, 1))
	server := must(proxy.New(c.load(), proxy.Options{Stdout: io.Discard}))
	c.Server = server
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	keys, err := c.assume(roleEveryone, c.provider.token(b, nil))
	if err != nil {
		b.Fatal(err)
	}
	return server.URL(), keys
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
