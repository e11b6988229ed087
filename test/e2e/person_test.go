package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// loginAddress finds the address to open in what gimme prints for people.
var loginAddress = regexp.MustCompile(`https?://[^\s/]+/auth(?:orize)?\?\S+`)

var (
	formAction  = regexp.MustCompile(`<form [^>]*method="post" action="([^"]+)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
)

// A page is what a browser shows in the end.
type page struct {
	url    string
	status int
	header http.Header
	text   string
}

// signIn signs in as one of the people of the tests' provider.
func signIn(address, name string, roots *x509.CertPool) (page, error) {
	return visit(address, name, people()[name].Password, roots)
}

// visit does what a person does in the browser, without one: opens address,
// signs in, consents if asked, and returns the page that comes in the end. roots
// may be nil.
func visit(address, name, password string, roots *x509.CertPool) (page, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return page{}, err
	}
	client := &http.Client{Jar: jar, Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	return walk(client, address, url.Values{"login": {name}, "username": {name}, "password": {password}})
}

// walk opens address, and sends every form that comes; credentials go into
// those that ask for a password.
func walk(client *http.Client, address string, credentials url.Values) (page, error) {
	shown, err := show(client.Get(address))
	for range 6 {
		action := formAction.FindStringSubmatch(shown.text)
		if err != nil || action == nil {
			break
		}
		fields := url.Values{}
		for _, f := range hiddenField.FindAllStringSubmatch(shown.text, -1) {
			fields.Set(f[1], html.UnescapeString(f[2]))
		}
		if strings.Contains(shown.text, `type="password"`) {
			maps.Copy(fields, credentials)
		}
		var here, next *url.URL
		if here, err = url.Parse(shown.url); err != nil {
			break
		}
		if next, err = here.Parse(html.UnescapeString(action[1])); err != nil {
			break
		}
		shown, err = show(client.PostForm(next.String(), fields))
	}
	return shown, err
}

func show(response *http.Response, err error) (page, error) {
	if err != nil {
		return page{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode >= 400 {
		err = fmt.Errorf("%s answers %s: %s", response.Request.URL, response.Status, body)
	}
	return page{response.Request.URL.String(), response.StatusCode, response.Header, string(body)}, err
}

// A login is a `gimme s3` that waits for a person.
type login struct {
	*process
	address string
}

// beginLogin runs `gimme s3` until it has printed the address to open, whatever
// is at hand.
func beginLogin(t *testing.T, env []string, args ...string) *login {
	t.Helper()
	return begin(t, env, append([]string{"s3", "--no-browser", "--force"}, args...)...)
}

// begin runs gimme until it has printed the address to open.
func begin(t *testing.T, env []string, args ...string) *login {
	t.Helper()
	p := start(t, command{path: gimme, args: args, env: env})
	l := &login{process: p}
	eventually(t, "gimme prints an address", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("gimme ended with %d:\n%s", p.cmd.ProcessState.ExitCode(), p.err)
		default:
		}
		// The line is whole once another character follows the address.
		text := p.err.String()
		at := loginAddress.FindStringIndex(text)
		if at == nil || at[1] == len(text) {
			return false
		}
		l.address = text[at[0]:at[1]]
		return true
	})
	return l
}

// as signs in and returns what came of it.
func (l *login) as(t *testing.T, name string, roots *x509.CertPool) (page, result) {
	t.Helper()
	return l.with(t, name, people()[name].Password, roots)
}

func (l *login) with(t *testing.T, name, password string, roots *x509.CertPool) (page, result) {
	t.Helper()
	shown, err := visit(l.address, name, password, roots)
	if err != nil {
		t.Fatalf("sign in as %s: %v", name, err)
	}
	code := l.wait(t)
	return shown, result{l.out.String(), l.err.String(), code}
}
