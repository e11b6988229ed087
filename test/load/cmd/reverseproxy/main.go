// Command reverseproxy is the plain Go proxy that others are measured against:
// httputil.ReverseProxy, with buffers and with enough connections. It checks
// nothing.
package main

import (
	"crypto/tls"
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("reverseproxy: ")
	listen := flag.String("listen", "127.0.0.1:0", "`address` to listen on")
	upstream := flag.String("upstream", "", "`URL` to forward to")
	cert := flag.String("cert", "", "`file` of the certificate; with -key, TLS is spoken")
	key := flag.String("key", "", "`file` of its key")
	flag.Parse()
	to, err := url.Parse(*upstream)
	if err != nil || to.Host == "" {
		log.Fatalf("-upstream %q: a URL is wanted", *upstream)
	}
	server := &http.Server{Addr: *listen, Handler: newProxy(to), ReadHeaderTimeout: 10 * time.Second}
	if *cert != "" {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // HTTP/1.1 alone
		log.Fatal(server.ListenAndServeTLS(*cert, *key))
	}
	log.Fatal(server.ListenAndServe())
}

func newProxy(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it was signed
		},
		Transport: &http.Transport{
			MaxIdleConns:        1024,
			MaxIdleConnsPerHost: 1024,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
			ReadBufferSize:      64 << 10,
			WriteBufferSize:     64 << 10,
		},
		BufferPool: new(buffers),
	}
}

// buffers are 64 KiB each.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 64<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
