package e2e_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A weather stands between the sidecar and the upstream, and does harm to some
// of what passes. It keeps what it did to whom, because whatever else a client
// meets is a fault of the sidecar.
type weather struct {
	endpoint string
	address  string
	server   *http.Server
	rough    atomic.Bool // it does harm
	done     *tallies

	mu      sync.Mutex // guards what follows
	random  *rand.Rand
	harms   []harm
	outages []harm // without a target: all that was sent meanwhile
	open    net.Listener
}

// A harm is something that was done to one request.
type harm struct {
	kind, target string
	from, to     time.Time
}

// targetOf is what is the same of a request before the sidecar and behind it.
func targetOf(method string, u *url.URL) string {
	return method + " " + u.EscapedPath() + " " + u.Query().Get("prefix")
}

// The kinds of harm, and how many in a thousand requests come to it.
var harms = []struct {
	kind  string
	share int
}{
	{"reset", 4}, {"error 500", 3}, {"error 503", 4}, {"request cut", 4}, {"answer lost", 3}, {"answer cut", 4}, {"stall", 6},
}

func startWeather(t *testing.T, to string, random *rand.Rand) *weather {
	t.Helper()
	w := &weather{done: newTallies(), random: random}
	transport := &http.Transport{DialContext: dialAbrupt, DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 5 * time.Second, ExpectContinueTimeout: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	pass := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", to, r.In.Host },
		Transport: transport, ErrorLog: discard(), ErrorHandler: w.lost, ModifyResponse: w.answered,
	}
	w.server = &http.Server{Handler: w.handler(pass), ErrorLog: discard(), ReadHeaderTimeout: patience}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = l.Addr().String()
	w.endpoint = (&url.URL{Scheme: "http", Host: w.address}).String()
	w.serve(l)
	t.Cleanup(func() { w.server.Close() })
	return w
}

func (w *weather) serve(l net.Listener) {
	w.mu.Lock()
	w.open = l
	w.mu.Unlock()
	go func() { _ = w.server.Serve(l) }() // it ends when l is closed
}

// befall chooses what happens to a request; "" is nothing.
func (w *weather) befall() (kind string, fate float64) {
	if !w.rough.Load() {
		return "", 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.random.IntN(1000)
	for _, h := range harms {
		if n -= h.share; n < 0 {
			return h.kind, w.random.Float64()
		}
	}
	return "", 0
}

// harmKey is where a request's context has its harm.
type harmKey struct{}

func (w *weather) handler(pass http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		kind, fate := w.befall()
		if kind != "" {
			from, target := time.Now(), targetOf(r.Method, r.URL)
			w.done.add(kind)
			defer func() { w.note(harm{kind, target, from, time.Now()}) }()
		}
		switch kind {
		case "reset":
			reset(rw)
		case "error 500", "error 503":
			w.fail(rw, kind)
		case "stall":
			time.Sleep(time.Duration(float64(3*time.Second) * fate))
		case "request cut":
			if r.ContentLength > 0 {
				r.Body = &short{r.Body, int64(float64(r.ContentLength) * fate)}
			} else {
				reset(rw)
			}
		case "answer cut":
			rw = &cutWriter{ResponseWriter: rw, fate: fate}
		}
		if kind != "error 500" && kind != "error 503" {
			pass.ServeHTTP(rw, r.WithContext(withHarm(r.Context(), kind)))
		}
	})
}

func (w *weather) note(h harm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.harms = append(w.harms, h)
}

// answered drops an answer that is to be lost, once the upstream has acted.
func (w *weather) answered(r *http.Response) error {
	if r.Request.Context().Value(harmKey{}) == "answer lost" {
		_, _ = io.Copy(io.Discard, r.Body)
		return io.ErrUnexpectedEOF
	}
	return nil
}

// lost is for requests that were not answered, because of the weather, of a
// client that has gone, or of the upstream.
func (w *weather) lost(rw http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Value(harmKey{}) == "" && r.Context().Err() == nil {
		now := time.Now()
		w.done.add("upstream failed")
		w.note(harm{"upstream failed: " + err.Error(), targetOf(r.Method, r.URL), now, now})
	}
	panic(http.ErrAbortHandler)
}

func (w *weather) fail(rw http.ResponseWriter, kind string) {
	status, code := http.StatusServiceUnavailable, "SlowDown"
	if kind == "error 500" {
		status, code = http.StatusInternalServerError, "InternalError"
	}
	rw.Header().Set("Content-Type", "application/xml")
	rw.WriteHeader(status)
	fmt.Fprintf(rw, "<Error><Code>%s</Code><Message>bad weather</Message></Error>", code)
}

// refuse refuses connections for a while, and ends those that rest.
func (w *weather) refuse(lasts time.Duration) error {
	from := time.Now()
	w.done.add("refused connections")
	w.mu.Lock()
	w.open.Close()
	w.mu.Unlock()
	w.rest()
	time.Sleep(lasts)
	var l net.Listener
	if !eventuallyTrue(patience, func() (ok bool) { var err error; l, err = net.Listen("tcp4", w.address); return err == nil }) {
		return fmt.Errorf("%s cannot be listened on again", w.address)
	}
	w.serve(l)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outages = append(w.outages, harm{"refused connections", "", from, time.Now()})
	return nil
}

// rest ends the connections that no request uses.
func (w *weather) rest() {
	w.server.SetKeepAlivesEnabled(false)
	w.server.SetKeepAlivesEnabled(true)
}

// explains says what has harmed a request for a target between two moments.
func (w *weather) explains(target string, from, to time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.harms {
		if h.target == target && h.kind != "stall" && !h.from.After(to) && !h.to.Before(from) {
			return h.kind
		}
	}
	for _, h := range w.outages {
		if !h.from.After(to) && !h.to.Add(time.Second).Before(from) {
			return h.kind
		}
	}
	return ""
}
