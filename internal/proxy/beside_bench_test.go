package proxy_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

// BenchmarkGetBeside is how many times longer a GET of 4 KiB takes through the
// sidecar than through a plain reverse proxy, in turn and on one connection
// each: a ratio that stays while the machine is busy with other things.
func BenchmarkGetBeside(b *testing.B) {
	object := bytes.Repeat([]byte("x"), 4<<10)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(object) }))
	defer plain.Close()
	reverse := httptest.NewServer(httputil.NewSingleHostReverseProxy(must(url.Parse(plain.URL))))
	defer reverse.Close()
	address, keys := serve(b, plain, "{file: audit.jsonl}")
	var beside, sidecar time.Duration
	for b.Loop() {
		for range 10 {
			began := time.Now()
			get(b, reverse.URL, keys, len(object))
			turn := time.Now()
			get(b, address, keys, len(object))
			beside, sidecar = beside+turn.Sub(began), sidecar+time.Since(turn)
		}
	}
	b.ReportMetric(float64(sidecar)/float64(beside), "times")
}
