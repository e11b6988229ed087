package login_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
)

// A visit is what somebody does to the listener while a login waits.
type visit struct {
	host, state string
	callback    string // the whole address that the provider would send the browser to
}

// during runs a login, lets visit do what it likes before the browser comes,
// and expects the login to work all the same.
func during(t *testing.T, do func(v visit)) *logintest.Issuer {
	t.Helper()
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	_, err := login.Run(t.Context(), options(t, i, func(ctx context.Context, address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		r, err := url.Parse(u.Query().Get("redirect_uri"))
		if err != nil {
			return err
		}
		do(visit{host: r.Host, state: u.Query().Get("state"), callback: codeFor(t, address)})
		return b.Open(ctx, address)
	}))
	if err != nil || b.Status != 200 || i.Redeemed() != 1 {
		t.Errorf("the login did not go on: %v, page %d, %d exchanges", err, b.Status, i.Redeemed())
	}
	return i
}

// codeFor asks the provider for a code and does not follow the redirect.
func codeFor(t *testing.T, address string) string {
	t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer c.CloseIdleConnections()
	r, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r.Header.Get("Location")
}

// send writes a request as it stands and returns the answer.
func send(t *testing.T, host, raw string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", host)
	if err != nil {
		t.Error(err)
		return &http.Response{}
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, raw)
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Errorf("%q: %v", raw, err)
		return &http.Response{}
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return r
}

func TestWrongRequestsChangeNothing(t *testing.T) {
	var replies []string
	during(t, func(v visit) {
		query := strings.SplitN(v.callback, "?", 2)[1]
		state := "state=" + v.state
		for _, test := range []struct {
			name, method, target string
			header               string
			status               int
		}{
			{"name that is bound elsewhere", "GET", "/callback?" + query, "Host: evil.test", 421},
			{"localhost", "GET", "/callback?" + query, "Host: localhost" + v.host[strings.Index(v.host, ":"):], 421},
			{"name that begins well", "GET", "/callback?" + query, "Host: " + v.host + ".evil.test", 421},
			{"no port", "GET", "/callback?" + query, "Host: 127.0.0.1", 421},
			{"no host, with a user", "GET", "/callback?" + query, "Host: a@" + v.host, 400},
			{"no host", "GET", "/callback?" + query, "X: y", 400},
			{"other host in the target", "GET", "http://evil.test/callback?" + query, "Host: " + v.host, 421},
			{"favicon", "GET", "/favicon.ico", "", 404},
			{"root", "GET", "/?" + query, "", 404},
			{"longer path", "GET", "/callback/?" + query, "", 404},
			{"encoded path", "GET", "/callbac%6b?" + query, "", 404},
			{"other case", "GET", "/Callback?" + query, "", 404},
			{"result page before its time", "GET", "/done/", "", 404},
			{"HEAD", "HEAD", "/callback?" + query, "", 405},
			{"POST", "POST", "/callback?" + query, "Content-Length: 0", 405},
			{"OPTIONS", "OPTIONS", "/callback?" + query, "", 405},
			{"OPTIONS *", "OPTIONS", "*", "", 404},
			{"PUT", "PUT", "/callback?" + query, "Content-Length: 0", 405},
			{"with a body", "GET", "/callback?" + query, "Content-Length: 1\r\n\r\nx", 400},
			{"fetch", "GET", "/callback?" + query, "Sec-Fetch-Mode: cors", 403},
			{"image", "GET", "/callback?" + query, "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: image", 403},
			{"iframe", "GET", "/callback?" + query, "Sec-Fetch-Dest: iframe", 403},
			{"origin", "GET", "/callback?" + query, "Origin: https://evil.test", 403},
			{"no state", "GET", "/callback?code=x", "", 400},
			{"error without state", "GET", "/callback?error=access_denied", "", 400},
			{"wrong state", "GET", "/callback?code=x&state=" + strings.Repeat("A", len(v.state)), "", 400},
			{"error with wrong state", "GET", "/callback?error=access_denied&state=x", "", 400},
			{"empty state", "GET", "/callback?code=x&state=", "", 400},
			{"part of the state", "GET", "/callback?code=x&state=" + v.state[:20], "", 400},
			{"state twice", "GET", "/callback?code=x&" + state + "&" + state, "", 400},
			{"state twice, once wrong", "GET", "/callback?code=x&state=x&" + state, "", 400},
			{"code twice", "GET", "/callback?code=x&code=y&" + state, "", 400},
			{"iss twice", "GET", "/callback?code=x&iss=a&iss=b&" + state, "", 400},
			{"error twice", "GET", "/callback?error=x&error=y&" + state, "", 400},
			{"neither code nor error", "GET", "/callback?" + state, "", 400},
			{"code and error", "GET", "/callback?code=x&error=y&" + state, "", 400},
			{"malformed query", "GET", "/callback?code=%zz&" + state, "", 400},
			{"semicolons", "GET", "/callback?code=x;" + state + "&" + state, "", 400},
			{"long query", "GET", "/callback?code=" + strings.Repeat("x", 9<<10) + "&" + state, "", 400},
			{"long header", "GET", "/callback?" + query, "X: " + strings.Repeat("x", 32<<10), 431},
		} {
			header := "Host: " + v.host + "\r\n" + test.header
			if strings.Contains(test.header, "Host:") || strings.HasPrefix(test.header, "X: y") {
				header = test.header
			}
			r := send(t, v.host, test.method+" "+test.target+" HTTP/1.1\r\n"+strings.TrimSuffix(header, "\r\n")+"\r\n\r\n")
			if r.StatusCode != test.status {
				t.Errorf("%s: status %d, want %d", test.name, r.StatusCode, test.status)
			}
			if body, _ := io.ReadAll(r.Body); test.status == 421 && len(body) > 0 || strings.Contains(string(body), v.state) {
				t.Errorf("%s: body %q", test.name, body)
			} else if len(body) > 0 && r.StatusCode != 431 && !strings.HasPrefix(test.name, "no host") {
				replies = append(replies, string(body))
			}
			if r.Header.Get("Access-Control-Allow-Origin") != "" || r.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %v", test.name, r.Header)
			}
		}
	})
	slices.Sort(replies)
	if n := len(slices.Compact(replies)); n != 1 {
		t.Errorf("%d different pages for wrong requests, want one", n)
	}
}

func TestOneOfManyCallbacksWins(t *testing.T) {
	i := logintest.NewIssuer(t)
	var redirected, refused atomic.Int32
	_, err := login.Run(t.Context(), options(t, i, func(ctx context.Context, address string) error {
		callback, err := url.Parse(codeFor(t, address))
		if err != nil {
			return err
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				switch r := send(t, callback.Host, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", callback.RequestURI(), callback.Host)); r.StatusCode {
				case http.StatusSeeOther:
					redirected.Add(1)
				case http.StatusBadRequest:
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		return nil
	}))
	if err != nil || redirected.Load() != 1 || refused.Load() != 99 || i.Redeemed() != 1 {
		t.Errorf("%v; %d redirected, %d refused, %d exchanges", err, redirected.Load(), refused.Load(), i.Redeemed())
	}
}

func TestHeaders(t *testing.T) {
	want := http.Header{
		"Cache-Control":              {"no-store"},
		"Connection":                 {"close"},
		"Content-Security-Policy":    {"default-src 'none'; style-src 'sha256-HASH'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
		"Cross-Origin-Opener-Policy": {"same-origin"},
		"Referrer-Policy":            {"no-referrer"},
		"X-Content-Type-Options":     {"nosniff"},
		"X-Frame-Options":            {"DENY"},
	}
	check := func(what string, r *http.Response, more http.Header) {
		t.Helper()
		got := r.Header.Clone()
		for name := range more {
			if got.Get(name) == "" {
				t.Errorf("%s: no %s", what, name)
			}
			got.Del(name)
		}
		got.Del("Date")
		got.Del("Content-Length")
		if r.Close {
			got.Set("Connection", "close") // taken out by the reader
		}
		csp := got.Get("Content-Security-Policy")
		if a, b := strings.Index(csp, "sha256-"), strings.Index(csp, "='"); a > 0 && b > a {
			got.Set("Content-Security-Policy", csp[:a+7]+"HASH"+csp[b+1:])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", what, diff)
		}
	}
	i := logintest.NewIssuer(t)
	_, err := login.Run(t.Context(), options(t, i, func(_ context.Context, address string) error {
		callback, err := url.Parse(codeFor(t, address))
		if err != nil {
			return err
		}
		get := func(path, host string) *http.Response {
			return send(t, callback.Host, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		}
		page := http.Header{"Content-Type": nil}
		check("404", get("/favicon.ico", callback.Host), page)
		check("400", get("/callback", callback.Host), page)
		check("421", get("/callback", "evil.test"), nil)
		r := get(callback.RequestURI(), callback.Host)
		check("303", r, http.Header{"Location": nil})
		if body, _ := io.ReadAll(r.Body); len(body) > 0 {
			t.Errorf("the redirect has a body: %s", body)
		}
		check("200", get(r.Header.Get("Location"), callback.Host), page)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
}

func TestDisturbancesAreReportedOnce(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	told := make(chan int, 10)
	o := options(t, i, func(ctx context.Context, address string) error {
		u, err := url.Parse(redirect(t, address))
		if err != nil {
			return err
		}
		for range 10 {
			send(t, u.Host, "GET /callback?error=access_denied HTTP/1.1\r\nHost: "+u.Host+"\r\n\r\n")
		}
		if n := <-told; n != 4 {
			t.Errorf("told of %d requests", n)
		}
		return b.Open(ctx, address)
	})
	o.Notify = func(n login.Notice) {
		if n.Step == login.Disturbed {
			told <- n.Refused
		}
	}
	if _, err := login.Run(t.Context(), o); err != nil || len(told) != 0 {
		t.Errorf("%v; told %d times more", err, len(told))
	}
}

func TestAThousandOtherPathsEndNothing(t *testing.T) {
	during(t, func(v visit) {
		query := strings.SplitN(v.callback, "?", 2)[1]
		for n := range 1000 {
			path := fmt.Sprintf("/%x/callback?%s", n, query)
			switch n % 4 {
			case 1:
				path = fmt.Sprintf("/callback%x?error=access_denied", n)
			case 2:
				path = fmt.Sprintf("/done/%x", n)
			case 3:
				path = fmt.Sprintf("/?n=%d&%s", n, query)
			}
			if r := send(t, v.host, "GET "+path+" HTTP/1.1\r\nHost: "+v.host+"\r\n\r\n"); r.StatusCode != 404 {
				t.Fatalf("%s: status %d", path, r.StatusCode)
			}
		}
	})
}

// The seventeenth connection waits for one of the sixteen before it. With
// localhost they come by two listeners.
func TestSeventeenConnections(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost"} {
		i, b := logintest.NewIssuer(t), new(logintest.Browser)
		o := options(t, i, func(ctx context.Context, address string) error {
			r, err := url.Parse(redirect(t, address))
			if err != nil {
				return err
			}
			places := []string{"127.0.0.1:" + r.Port()}
			if c, err := net.Dial("tcp", "[::1]:"+r.Port()); err == nil {
				c.Close()
				places = append(places, "[::1]:"+r.Port())
			}
			var held []net.Conn
			for n := range 16 {
				c, err := net.Dial("tcp", places[n%len(places)])
				if err != nil {
					return err
				}
				defer c.Close()
				fmt.Fprintf(c, "GET /x HTTP/1.1\r\nHost: %s\r\n", r.Host) // and no end
				held = append(held, c)
			}
			late, err := net.Dial("tcp", places[0])
			if err != nil {
				return err
			}
			defer late.Close()
			fmt.Fprintf(late, "GET /x HTTP/1.1\r\nHost: %s\r\n\r\n", r.Host)
			late.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			if n, err := late.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the seventeenth was served: %v", host, err)
			}
			for n := range len(places) { // each listener may hold a free place of its own
				held[n].Close()
			}
			late.SetReadDeadline(time.Now().Add(4 * time.Second))
			if n, err := late.Read(make([]byte, 1)); n != 1 {
				t.Errorf("%s: the seventeenth was not served in its turn: %v", host, err)
			}
			for _, c := range held {
				c.Close()
			}
			return b.Open(ctx, address)
		})
		o.RedirectHost = host
		if _, err := login.Run(t.Context(), o); err != nil || b.Status != 200 {
			t.Errorf("%s: %v, page %d", host, err, b.Status)
		}
	}
}

// Connections that say nothing cannot keep the browser away for longer than
// the listener's patience with them.
func TestSilentConnections(t *testing.T) {
	start := time.Now()
	during(t, func(v visit) {
		for range 20 {
			c, err := net.Dial("tcp", v.host)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { c.Close() })
			io.WriteString(c, "GET /callback")
		}
	})
	if took := time.Since(start); took < 4*time.Second {
		t.Errorf("%v: more than 16 connections were served at once", took)
	}
}
