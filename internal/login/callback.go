package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// Limits of the listener. Only the person's own browser has business there.
const (
	callbackPath   = "/callback"
	maxQuery       = 8 << 10
	maxHeader      = 16 << 10
	maxConnections = 16
	outcomeTimeout = 60 * time.Second // for the result page, which waits for the exchange
	lingerTimeout  = 2 * time.Second  // for the browser to fetch the result page
	disturbedFrom  = 4                // so many refused requests are worth a word
)

// An answer is what the browser brought back, or the person, with the right
// state.
type answer struct {
	code      secret.Text
	refusal   *Refusal
	issuer    string
	hasIssuer bool
	pasted    bool
}

// A callback is the listener to which the provider sends the browser back. It
// takes one answer.
type callback struct {
	host      string // of the redirect URI, with the port
	port      int
	state     secret.Text
	done      string // path of the result page
	answers   chan answer
	disturbed chan int

	server  *http.Server
	serving sync.WaitGroup
	taken   atomic.Bool // an answer has won
	browser atomic.Bool // and the browser brought it
	refused atomic.Int32
	settled chan struct{} // closed when worked is known
	worked  bool
	shown   chan struct{} // closed when the result page is out
	once    sync.Once     // of closing shown
}

// listen opens the listener. Errors are *PortsError when every port is taken.
func listen(ctx context.Context, host string, ports []int, state string) (*callback, error) {
	listeners, port, err := bind(ctx, host, ports)
	if err != nil {
		return nil, err
	}
	c := &callback{
		host:      fmt.Sprintf("%s:%d", cmp.Or(host, defaultHost), port),
		port:      port,
		state:     secret.New(state),
		done:      "/done/" + rand.Text(),
		answers:   make(chan answer, 1),
		disturbed: make(chan int, 1),
		settled:   make(chan struct{}),
		shown:     make(chan struct{}),
	}
	c.server = &http.Server{
		Handler:           c,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       5 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0),

		DisableGeneralOptionsHandler: true,
	}
	c.server.SetKeepAlivesEnabled(false)
	slots := make(chan struct{}, maxConnections)
	for _, l := range listeners {
		c.serving.Go(func() { c.server.Serve(limited(l, slots)) })
	}
	return c, nil
}

// redirect is the redirect URI: it names the listener that is open.
func (c *callback) redirect() string { return "http://" + c.host + callbackPath }

// close shows the result to the browser if it is there to see it, and ends the
// listener. It returns when nothing serves any more.
func (c *callback) close(ctx context.Context, worked bool) {
	c.worked = worked
	close(c.settled)
	if c.browser.Load() {
		select {
		case <-c.shown:
		case <-ctx.Done():
		case <-time.After(lingerTimeout):
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		c.server.Close()
	}
	c.serving.Wait()
}

// ServeHTTP takes the answer, and nothing else: whatever is not the answer to
// this login changes nothing.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host != c.host { // DNS rebinding
		setHeaders(w.Header())
		w.WriteHeader(http.StatusMisdirectedRequest)
		return
	}
	switch {
	case r.URL.EscapedPath() == c.done && c.browser.Load() && r.Method == http.MethodGet:
		c.showResult(w, r)
	case r.URL.EscapedPath() != callbackPath:
		writePage(w, http.StatusNotFound, pageNothing)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		writePage(w, http.StatusMethodNotAllowed, pageNothing)
	case !navigation(r.Header):
		c.refuse(w, http.StatusForbidden)
	case r.ContentLength != 0:
		c.refuse(w, http.StatusBadRequest)
	default:
		c.take(w, r.URL.RawQuery)
	}
}

// navigation says whether a person's browser came here by itself, and not
// because some page asked for it (Fetch Metadata).
func navigation(h http.Header) bool {
	is := func(name string, want ...string) bool {
		if len(h.Values(name)) == 0 {
			return true
		}
		for _, w := range want {
			if h.Get(name) == w {
				return len(h.Values(name)) == 1
			}
		}
		return false
	}
	return is("Sec-Fetch-Mode", "navigate") && is("Sec-Fetch-Dest", "document") && is("Origin", "null")
}

func (c *callback) take(w http.ResponseWriter, query string) {
	if c.accept(query, false) != nil {
		c.refuse(w, http.StatusBadRequest)
		return
	}
	setHeaders(w.Header())
	w.Header().Set("Location", c.done) // takes the code out of the address bar
	w.WriteHeader(http.StatusSeeOther)
}

// accept takes the answer if query is one. It looks at the state before all
// else: who does not know it learns nothing and ends nothing. The errors say
// what is wrong with the query, without repeating it.
func (c *callback) accept(query string, pasted bool) error {
	if len(query) > maxQuery {
		return errors.New("it is too long")
	}
	q, err := url.ParseQuery(query)
	if err != nil || len(q["state"]) != 1 || !c.state.Equal(secret.New(q["state"][0])) {
		return errors.New("it is not of this login: its state is another")
	}
	for _, name := range []string{"code", "error", "error_description", "error_uri", "iss"} {
		if len(q[name]) > 1 {
			return fmt.Errorf("it has %s twice", name)
		}
	}
	got := answer{code: secret.New(q.Get("code")), issuer: q.Get("iss"), hasIssuer: q.Has("iss"), pasted: pasted}
	if q.Get("error") != "" {
		got.refusal = &Refusal{Code: clean(q.Get("error")), Description: clean(q.Get("error_description"))}
	}
	if got.code.Empty() == (got.refusal == nil) {
		return errors.New("it has to have either a code or an error")
	}
	if !c.taken.CompareAndSwap(false, true) {
		return errors.New("the login has had its answer")
	}
	c.browser.Store(!pasted)
	c.answers <- got
	return nil
}

func (c *callback) refuse(w http.ResponseWriter, status int) {
	if n := int(c.refused.Add(1)); n == disturbedFrom {
		select {
		case c.disturbed <- n:
		default:
		}
	}
	writePage(w, status, pageNothing)
}

// showResult waits until it is known whether the login worked.
func (c *callback) showResult(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now().Add(outcomeTimeout)) != nil || control.SetWriteDeadline(time.Now().Add(outcomeTimeout)) != nil {
		return
	}
	select {
	case <-c.settled:
	case <-r.Context().Done():
		return
	}
	page := pageFailed
	if c.worked {
		page = pageSignedIn
	}
	writePage(w, http.StatusOK, page)
	control.Flush() // an error means that the browser is gone
	c.once.Do(func() { close(c.shown) })
}

// setHeaders sets what every answer has.
func setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash()+"'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
