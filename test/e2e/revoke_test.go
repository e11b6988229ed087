package e2e_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A session at the provider, in a browser.
type browserSession struct {
	*http.Client
	provider *provider
}

var logoutSecret = regexp.MustCompile(`name="xsrf" value="([^"]+)"`)

// logOut ends the session, as a person does at the provider.
func (b browserSession) logOut(t *testing.T) {
	t.Helper()
	asked, err := show(b.Get(b.provider.issuer + "/session/end"))
	if err != nil {
		t.Fatal(err)
	}
	secret := logoutSecret.FindStringSubmatch(asked.text)
	if secret == nil {
		t.Fatalf("the provider does not ask: %s", asked.text)
	}
	if _, err := show(b.PostForm(b.provider.issuer+"/session/end/confirm", url.Values{"xsrf": {html.UnescapeString(secret[1])}, "logout": {"yes"}})); err != nil {
		t.Fatal(err)
	}
}

// logIn has alice log in with gimme s3, in a browser that stays open.
func (w *world) logIn(t *testing.T) browserSession {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := browserSession{&http.Client{Jar: jar, Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{}}}, w.provider}
	t.Cleanup(b.CloseIdleConnections)
	l := beginLogin(t, w.env(), "--profile", "sidecar", "--address", w.sidecar.address)
	if _, err := walk(b.Client, l.address, url.Values{"login": {"alice"}, "password": {people()["alice"].Password}}); err != nil {
		t.Fatal(err)
	}
	if code := l.wait(t); code != 0 {
		t.Fatalf("gimme ended with %d: %s", code, l.err)
	}
	return b
}

// worldWithLogout is a world whose provider posts logout tokens to the sidecar.
func worldWithLogout(t *testing.T) *world {
	t.Helper()
	// The sidecar's address is known once the provider's is.
	var sidecar atomic.Pointer[url.URL]
	relay := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(sidecar.Load()) }})
	t.Cleanup(relay.Close)
	w := newWorld(t, settings{Quirk: quirk{LogoutURI: relay.URL + "/.well-known/gimme/backchannel-logout"}})
	address, err := url.Parse(w.sidecar.address)
	if err != nil {
		t.Fatal(err)
	}
	sidecar.Store(address)
	return w
}

// Who logs out at the provider is out: with the next request, with URLs that were
// presigned, with a download that is under way, and with a refresh token.
func TestLogoutAtTheProvider(t *testing.T) {
	w := worldWithLogout(t)
	size := 64 << 20
	w.upstream.put(t, "customers/big", strings.Repeat("0123456789abcdef", size/16))
	browser := w.logIn(t)
	client := goClient(t, w)
	get := func(key string) (*s3.GetObjectOutput, error) {
		return client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	}
	big, err := get("customers/big")
	if err != nil {
		t.Fatal(err)
	}
	defer big.Body.Close()
	if _, err := io.ReadFull(big.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	presigned, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("customers/2026.csv")})
	if err != nil {
		t.Fatal(err)
	}
	if status := status(t, presigned.URL); status != http.StatusOK {
		t.Fatalf("the presigned URL before: %d", status)
	}
	issued := w.asked(t, "token", 1)[0].Body

	browser.logOut(t)
	eventually(t, "the sidecar has the logout", func() bool { return w.logouts(t) == 1 })

	if _, err := get("customers/2026.csv"); err == nil || !strings.Contains(err.Error(), "the login was ended at the identity provider") {
		t.Errorf("the next request: %v", err)
	}
	if status := status(t, presigned.URL); status != http.StatusBadRequest {
		t.Errorf("the presigned URL: %d", status)
	}
	n, err := io.Copy(io.Discard, big.Body)
	if err == nil || n >= int64(size-1000) {
		t.Errorf("the download went on for %d bytes, and ended with %v", n, err)
	}
	eventually(t, "the download's end is on record", func() bool {
		for _, e := range w.sidecar.events(t) {
			if e.Kind == "outcome" && e.Request.Key == "customers/big" && strings.Contains(e.Error, "the login was ended") {
				return true
			}
		}
		return false
	})

	// The refresh token, and the ID token that was given before.
	if a := w.sidecar.assume(t, issued["id_token"].(string), engineerRole); a.status != http.StatusForbidden || a.Code != "IDPRejectedClaim" {
		t.Errorf("the ID token of the login gives a session: %d %s", a.status, a.body)
	}
	response, err := http.PostForm(w.issuer+"/token", url.Values{"client_id": {"gimme"}, "grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(issued["refresh_token"])}})
	if err != nil {
		t.Fatal(err)
	}
	var fresh struct {
		IDToken string `json:"id_token"`
	}
	err = json.NewDecoder(response.Body).Decode(&fresh)
	response.Body.Close()
	if response.StatusCode == http.StatusOK {
		if err != nil || fresh.IDToken == "" {
			t.Fatalf("no ID token came with the refresh: %v", err)
		}
		if a := w.sidecar.assume(t, fresh.IDToken, engineerRole); a.status != http.StatusForbidden || a.Code != "IDPRejectedClaim" {
			t.Errorf("a refreshed ID token gives a session: %d %s", a.status, a.body)
		}
	}

	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the times of tokens are in whole seconds
	w.logIn(t)
	client = goClient(t, w)
	if _, err := get("customers/2026.csv"); err != nil {
		t.Errorf("after a new login: %v", err)
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// logouts counts the events of logouts that were accepted.
func (w *world) logouts(t *testing.T) (n int) {
	t.Helper()
	for _, e := range w.sidecar.events(t) {
		if e.Request.Operation == "BackchannelLogout" && e.Decision == "" {
			n++
		}
	}
	return n
}

// gimme proxy revoke holds once it has returned, and has one event.
func TestRevokeCommand(t *testing.T) {
	w := newWorld(t, settings{})
	keys := w.sidecar.session(t, w.provider, "alice", engineerRole)
	ask := func() answer {
		return w.sidecar.send(t, w.sidecar.signed(t, keys, http.MethodGet, "/"+bucket+"/customers/2026.csv", ""))
	}
	if a := ask(); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	command := func(args ...string) result {
		return finish(t, command{path: gimme, args: append([]string{"proxy", "revoke", "--config", filepath.Join(w.sidecar.folder, "proxy.yaml")}, args...), env: environment(w.home)}).must(t)
	}
	id := strings.TrimSpace(command("--user", "alice@example.com", "--reason", "laptop stolen").out)
	a := ask()
	if a.status != http.StatusBadRequest || a.Code != "InvalidToken" || !strings.Contains(a.reason(), "laptop stolen. Log in again") {
		t.Errorf("after the command: %d %s", a.status, a.body)
	}
	if b := w.sidecar.assume(t, w.idToken(t, "alice", nil), engineerRole); b.Code != "IDPRejectedClaim" {
		t.Errorf("a login from before: %d %s", b.status, b.body)
	}
	command("--clear", id)
	if a := ask(); a.status != http.StatusOK {
		t.Errorf("after the order was cleared: %d %s", a.status, a.body)
	}
	eventually(t, "both are on record", func() bool {
		found := map[string]int{}
		for _, e := range w.sidecar.events(t) {
			if e.ID == id && e.Kind == "admin" {
				found[e.Request.Operation]++
			}
		}
		return found["Revoke"] == 1 && found["ClearRevocation"] == 1
	})
}
