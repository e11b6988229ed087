package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// seen is what browser.mjs tells.
type seen struct {
	URL, Title, Text, Referrer string
	Scripts, Links             int
	Addresses, Hosts, Faults   []string
}

// TestBrowser has a real browser walk through the whole login. A picture of the
// page that a person sees in the end is left in artifacts/.
func TestBrowser(t *testing.T) {
	chromium, node := need(t, browser), need(t, nodeParts)
	w := newWorld(t, settings{})
	l := beginLogin(t, w.env(), "--profile", "sidecar", "--address", w.sidecar.address)

	artifacts, err := filepath.Abs(filepath.Join("..", "..", "artifacts"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		t.Fatal(err)
	}
	task, err := json.Marshal(map[string]string{
		"url": l.address, "login": "alice", "password": people()["alice"].Password,
		"screenshot": filepath.Join(artifacts, "login-result.png"), "executable": chromium,
	})
	if err != nil {
		t.Fatal(err)
	}
	drive := finish(t, command{path: "node", args: []string{filepath.Join(node, "browser.mjs"), string(task)}, env: w.env(), dir: node}).must(t)
	if code := l.wait(t); code != 0 {
		t.Fatalf("gimme ended with %d: %s", code, l.err)
	}
	var last seen
	if err := json.Unmarshal([]byte(drive.out), &last); err != nil {
		t.Fatalf("%v: %s", err, drive.out)
	}
	last.check(t, w)
	tellsWhatWasDone(t, w, l.err.String())
}

// check judges the page that the person is left with.
func (last seen) check(t *testing.T, w *world) {
	t.Helper()
	if strings.ContainsAny(last.URL, "?#") || strings.Contains(last.URL, "code=") {
		t.Errorf("the address bar still shows what the provider sent: %s", last.URL)
	}
	if !strings.Contains(last.Text, "signed in") || !strings.Contains(last.Text, "close") {
		t.Errorf("the page does not say that it is over: %q", last.Text)
	}
	if last.Referrer != "" || last.Scripts != 0 || last.Links != 0 {
		t.Errorf("the page has a referrer, scripts or other files: %+v", last)
	}
	for _, host := range last.Hosts {
		if host != "127.0.0.1" {
			t.Errorf("the browser was sent to %s", host)
		}
	}
	if len(last.Faults) != 0 {
		t.Errorf("the browser complained: %q", last.Faults)
	}
	if strings.Contains(last.Text, w.issuer) || strings.Contains(last.Text, "alice") {
		t.Errorf("the page repeats what came from outside: %q", last.Text)
	}
}

// tellsWhatWasDone judges what gimme prints after a login.
func tellsWhatWasDone(t *testing.T, w *world, stderr string) {
	t.Helper()
	for _, want := range []string{
		"alice@example.com", engineerRole, w.credentialsFile(), w.configFile(), "[profile sidecar]", "aws s3 ls --profile sidecar",
		"Valid until", w.sidecar.address,
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("gimme does not tell %q:\n%s", want, stderr)
		}
	}
}

// TestProfile judges the files that a login leaves, and that the profile's name
// alone repeats it.
func TestProfile(t *testing.T) {
	w := newWorld(t, settings{})
	own := "# mine\n[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = kept\n"
	config := "[default]\nregion = eu-west-1\n\n[profile other]\ns3 =\n  max_concurrent_requests = 5\n"
	if err := os.Mkdir(filepath.Join(w.home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, w.credentialsFile(), own)
	writeFile(t, w.configFile(), config)

	tellsWhatWasDone(t, w, w.loginAs(t, "alice").err)
	first := readFile(t, w.credentialsFile())
	if !strings.HasPrefix(first, own) || !strings.HasPrefix(readFile(t, w.configFile()), config) {
		t.Errorf("other sections have changed:\n%s\n%s", first, readFile(t, w.configFile()))
	}
	for _, want := range []string{"[profile sidecar]", "region = us-east-1", "services = ", "endpoint_url = " + w.sidecar.address} {
		if !strings.Contains(readFile(t, w.configFile()), want) {
			t.Errorf("the config has no %q:\n%s", want, readFile(t, w.configFile()))
		}
	}
	for _, path := range []string{w.credentialsFile(), w.configFile()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}

	again, got := beginLogin(t, w.env(), "--profile", "sidecar").as(t, "alice", nil)
	got.must(t)
	if !strings.Contains(again.text, "signed in") {
		t.Errorf("the page says %q", again.text)
	}
	second := readFile(t, w.credentialsFile())
	if second == first || strings.Count(second, "[sidecar]") != 1 || !strings.HasPrefix(second, own) {
		t.Errorf("the second login left:\n%s", second)
	}
	if w.upstream.seen() != 0 {
		t.Error("a login reached the upstream")
	}
	resultPage(t, again)
}

// resultPage judges the headers of the page at the end of a login.
func resultPage(t *testing.T, p page) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": `default-src 'none'`, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"X-Content-Type-Options": "nosniff", "Content-Type": "text/html",
	} {
		if !regexp.MustCompile(want).MatchString(p.header.Get(name)) {
			t.Errorf("%s of the result page is %q, want %q in it", name, p.header.Get(name), want)
		}
	}
}
