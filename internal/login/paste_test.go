package login_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
)

// pasting runs a login in which the person pastes the lines that are made of
// the address at which their browser ended up.
func pasting(t *testing.T, flow login.Flow, lines func(ended *url.URL) []string) (i *logintest.Issuer, wrong []string, result *login.Result, err error) {
	t.Helper()
	i = logintest.NewIssuer(t)
	o := options(t, i, func(context.Context, string) error {
		if flow == login.Paste {
			t.Error("a browser was opened")
		}
		return nil
	})
	o.Flow = flow
	started := make(chan string, 1)
	o.Notify = func(n login.Notice) {
		switch n.Step {
		case login.Started:
			if !n.Paste || n.Browser != (flow == login.Browser) || n.Flow != flow {
				t.Errorf("%+v", n)
			}
			started <- n.URL
		case login.WrongLine:
			wrong = append(wrong, n.Err.Error())
		}
	}
	var left []string
	begun := false
	o.Lines = func(ctx context.Context) (string, error) {
		if !begun {
			begun = true
			ended, err := url.Parse(codeFor(t, <-started))
			if err != nil {
				return "", err
			}
			left = lines(ended)
		}
		if len(left) == 0 {
			<-ctx.Done()
			return "", ctx.Err()
		}
		line := left[0]
		left = left[1:]
		return line, nil
	}
	result, err = login.Run(t.Context(), o)
	return i, wrong, result, err
}

func TestPaste(t *testing.T) {
	for name, line := range map[string]func(u *url.URL) string{
		"address":      func(u *url.URL) string { return u.String() },
		"in blanks":    func(u *url.URL) string { return "  " + u.String() + " \r\n" },
		"in quotes":    func(u *url.URL) string { return `"` + u.String() + `"` },
		"fragment":     func(u *url.URL) string { return u.String() + "#_=_" },
		"no scheme":    func(u *url.URL) string { return u.Host + u.RequestURI() },
		"query":        func(u *url.URL) string { return u.RawQuery },
		"query with ?": func(u *url.URL) string { return "?" + u.RawQuery },
	} {
		for _, flow := range []login.Flow{login.Browser, login.Paste} {
			t.Run(name+", "+string(flow), func(t *testing.T) {
				start := time.Now()
				i, wrong, result, err := pasting(t, flow, func(u *url.URL) []string { return []string{"", line(u)} })
				if err != nil || result.Flow != login.Paste || result.Token.Subject != "alice-1" || i.Redeemed() != 1 || len(wrong) != 0 {
					t.Errorf("%v, %v, %d exchanges, %v", result, err, i.Redeemed(), wrong)
				}
				if took := time.Since(start); took > 1500*time.Millisecond {
					t.Errorf("it waited %v for a browser that is not coming", took)
				}
			})
		}
	}
}

func TestWrongLinesChangeNothing(t *testing.T) {
	var sent []string
	i, wrong, _, err := pasting(t, login.Paste, func(u *url.URL) []string {
		q := u.Query()
		state := "state=" + q.Get("state")
		other := *u
		other.Host = "127.0.0.1:1"
		sent = []string{
			"hello", "https://evil.test/SECRET", "http://" + u.Host + "/SECRET?" + u.RawQuery, other.String(), "https" + strings.TrimPrefix(u.String(), "http"),
			"http://a@" + u.Host + u.RequestURI(), u.Host, "http://" + u.Host + "/callback?", "code=SECRET", "error=SECRET", "?error=access_denied&state=SECRET",
			"code=SECRET&state=" + q.Get("state")[:20], "code=SECRET&" + state + "&" + state, "code=SECRET&state=x&" + state, "code=SECRET&code=SECRET&" + state,
			"iss=a&iss=b&code=SECRET&" + state, state, "code=SECRET&error=SECRET&" + state, "code=%zz&" + state, "code=SECRET;" + state,
			"code=" + strings.Repeat("SECRET", 2000) + "&" + state, "code=SECRET\x1b[2J&" + state, "code=SECRET &" + state,
		}
		return append(slices.Clone(sent), u.String())
	})
	if err != nil || i.Redeemed() != 1 {
		t.Fatalf("the login did not go on: %v, %d exchanges", err, i.Redeemed())
	}
	if len(wrong) != len(sent) {
		t.Errorf("%d lines were called wrong, want %d: %q", len(wrong), len(sent), wrong)
	}
	for n, why := range wrong {
		if strings.Contains(why, "SECRET") || strings.Contains(why, "evil") || len(why) < 10 || len(why) > 200 {
			t.Errorf("%.60q: %q", sent[n], why)
		}
	}
}

// What ends a login in the browser ends it pasted.
func TestPastedAnswersAreJudgedAlike(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(url.Values)
		want    string
		redeems int
	}{
		"declined":            {func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, `"access_denied"`, 0},
		"of another provider": {func(q url.Values) { q.Set("iss", "https://evil.example") }, "is not from", 0},
		"no iss":              {func(q url.Values) { q.Del("iss") }, "is not from", 0},
		"code of nobody":      {func(q url.Values) { q.Set("code", "x") }, "invalid_grant", 1},
	} {
		t.Run(name, func(t *testing.T) {
			i, _, result, err := pasting(t, login.Paste, func(u *url.URL) []string {
				q := u.Query()
				test.change(q)
				return []string{q.Encode(), u.String()}
			})
			if result != nil || err == nil || !strings.Contains(err.Error(), test.want) || i.Redeemed() != test.redeems {
				t.Errorf("%v, %v, %d exchanges", result, err, i.Redeemed())
			}
		})
	}
}

// The listener is open while a person may paste: ssh may lead to it.
func TestBrowserComesThoughPasteIsWaitedFor(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	o := options(t, i, nil)
	o.Flow = login.Paste
	o.Lines = func(context.Context) (string, error) { return "", io.EOF } // stdin is closed
	come := make(chan error, 1)
	o.Notify = func(n login.Notice) {
		if n.Step == login.Started {
			go func() { come <- b.Open(context.Background(), n.URL) }()
		}
	}
	result, err := login.Run(t.Context(), o)
	if err != nil || result.Flow != login.Browser {
		t.Fatalf("%v, %v", result, err)
	}
	if err := <-come; err != nil || b.Status != 200 {
		t.Errorf("%v, page %d", err, b.Status)
	}
}

func TestPastedAnswerIsTheOnlyOne(t *testing.T) {
	var late *http.Response
	i, _, _, err := pasting(t, login.Paste, func(u *url.URL) []string { return []string{u.String()} })
	if err != nil || i.Redeemed() != 1 {
		t.Fatal(err)
	}
	i = logintest.NewIssuer(t)
	o := options(t, i, nil)
	o.Flow = login.Paste
	address := make(chan string, 1)
	o.Notify = func(n login.Notice) {
		if n.Step == login.Started {
			address <- codeFor(t, n.URL)
		}
	}
	pasted := make(chan string, 1)
	o.Lines = func(ctx context.Context) (string, error) {
		select {
		case a := <-address:
			pasted <- a
			return a, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	i.Token = func(w http.ResponseWriter, _ *http.Request) { // meanwhile the browser comes with the same answer
		u, err := url.Parse(<-pasted)
		if err != nil {
			t.Error(err)
			return
		}
		late = send(t, u.Host, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", u.RequestURI(), u.Host))
		logintest.Refuse("invalid_grant")(w, nil)
	}
	if _, err := login.Run(t.Context(), o); err == nil || late == nil || late.StatusCode != 400 || i.Redeemed() != 1 {
		t.Errorf("%v, %v, %d exchanges", err, late, i.Redeemed())
	}
}

func TestLinesThatBlock(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	o := options(t, i, b.Open)
	let := make(chan struct{})
	defer close(let)
	o.Lines = func(context.Context) (string, error) { <-let; return "", io.EOF }
	start := time.Now()
	if _, err := login.Run(t.Context(), o); err != nil || time.Since(start) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestLinesLeaveNothingBehind(t *testing.T) {
	i := logintest.NewIssuer(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, i, nil)
	o.Flow = login.Paste
	o.Lines = func(ctx context.Context) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	}
	before := runtime.NumGoroutine()
	if _, err := login.Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	settle(t, before)
}

func TestLinesEndWithTheLogin(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	o := options(t, i, b.Open)
	ended := make(chan struct{})
	o.Lines = func(ctx context.Context) (string, error) {
		<-ctx.Done()
		close(ended)
		return "", ctx.Err()
	}
	if _, err := login.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	default:
		t.Error("somebody still reads lines")
	}
}
