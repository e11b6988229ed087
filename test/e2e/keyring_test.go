package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// at puts the person of a world at a desktop.
func (w *world) at(d desktop) { w.more = append(w.more, d.env()[:2]...) }

// refreshToken is the one that the provider issued last.
func (w *world) refreshToken(t *testing.T) string {
	t.Helper()
	var last string
	for _, c := range w.calls(t, "token") {
		if text, ok := c.Body["refresh_token"].(string); ok {
			last = text
		}
	}
	if last == "" {
		t.Fatal("the provider has issued no refresh token")
	}
	return last
}

// holding are the files of the home that hold a text.
func (w *world) holding(t *testing.T, text string) []string {
	t.Helper()
	var list []string
	for path, data := range contentsOf(t, w.home) {
		if strings.Contains(data, text) {
			list = append(list, path)
		}
	}
	return list
}

// TestKeyring keeps the refresh token where the desktop keeps its secrets, and
// nowhere else.
func TestKeyring(t *testing.T) {
	w, d := newWorld(t, settings{}), newKeyring(t)
	w.at(d)
	w.login(t, "alice", "s3")
	first := w.refreshToken(t)
	if !strings.Contains(d.kept(t), first) {
		t.Errorf("the keyring does not hold the refresh token: %s", d.kept(t))
	}
	w.age(t, time.Minute)
	w.run(t, "s3", "--profile", "sidecar").silent(t)
	w.asked(t, "token refresh_token", 1)
	second := w.refreshToken(t)
	kept := d.kept(t)
	if second == first || !strings.Contains(kept, second) || strings.Contains(kept, first) {
		t.Errorf("after rotation the keyring holds %s", kept)
	}
	for _, token := range []string{first, second} {
		if files := w.holding(t, token); len(files) != 0 {
			t.Errorf("a refresh token stands in %q", files)
		}
	}
	if got := w.run(t, "status").must(t); !strings.Contains(strings.ToLower(got.out+got.err), "keyring") {
		t.Errorf("status does not say where it is: %s%s", got.out, got.err)
	}
	w.run(t, "logout", "--profile", "sidecar", "--no-browser").must(t)
	if kept := d.kept(t); strings.Contains(kept, second) {
		t.Errorf("after the logout the keyring holds %s", kept)
	}
}

// TestKeyringHangs meets session buses on which no keyring answers. Nobody
// waits for them, and the file that stands in is spoken of once.
func TestKeyringHangs(t *testing.T) {
	for name, desk := range map[string]func(*testing.T) desktop{
		"a deaf bus": newDeafBus,
		"a locked keyring": func(t *testing.T) desktop {
			daemon := need(t, keyring)
			d := newDesktop(t)
			d.unlock(t, daemon)
			d.lock(t)
			return d
		},
		"no keyring": newDesktop,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			w.at(desk(t))
			l := begin(t, w.env(), "s3", "--no-browser", "--profile", "sidecar", "--address", w.sidecar.address)
			began := time.Now()
			_, got := l.as(t, "alice", nil)
			got.must(t)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("the login took %v", took)
			}
			files := w.holding(t, w.refreshToken(t))
			if len(files) != 1 {
				t.Fatalf("the refresh token is in %q", files)
			}
			if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", files[0], info.Mode(), err)
			}
			if info, err := os.Stat(filepath.Dir(files[0])); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", filepath.Dir(files[0]), info.Mode(), err)
			}
			got.says(t, files[0], "keyring")
			again := w.login(t, "alice", "s3", "--force")
			if strings.Contains(again.err, files[0]) {
				t.Errorf("it is said again: %s", again.err)
			}
			began = time.Now()
			status := w.run(t, "status").must(t)
			if took := time.Since(began); !strings.Contains(status.out+status.err, filepath.Dir(files[0])) || took > 15*time.Second {
				t.Errorf("after %v, status says %s%s", took, status.out, status.err)
			}
			// A cached answer asks no keyring.
			began = time.Now()
			w.run(t, "credential-process", "--profile", "sidecar").silent(t)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("a cached answer took %v", took)
			}
		})
	}
}

// TestLogout takes back all that a login has left.
func TestLogout(t *testing.T) {
	w := newWorld(t, settings{})
	if err := os.Mkdir(filepath.Dir(w.configFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	before := map[string]string{
		w.credentialsFile(): "# mine\r\n[other]\r\naws_access_key_id = AKIAOTHER\r\naws_secret_access_key = kept\r\n",
		w.configFile():      "[default]\nregion = eu-west-1\n\n\n[profile other]\ns3 =\n  max_concurrent_requests = 5",
	}
	for path, text := range before {
		writeFile(t, path, text)
	}
	for _, args := range [][]string{{"s3"}, {"s3", "--refresh"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			revoked := len(w.calls(t, "revocation"))
			w.login(t, "alice", args...)
			token := w.refreshToken(t)
			got := w.run(t, "logout", "--profile", "sidecar", "--no-browser").must(t)
			calls := w.asked(t, "revocation", revoked+1)
			if len(calls) > revoked && calls[revoked].Params["token"] != token {
				t.Errorf("another token was revoked: %v", calls[revoked].Params)
			}
			got.says(t, w.issuer+"/session/end")
			for path, text := range before {
				if now := readFile(t, path); now != text {
					t.Errorf("%s was\n%q\nand is\n%q", path, text, now)
				}
			}
			for path, text := range contentsOf(t, w.state()) {
				if strings.Contains(text, token) || strings.Contains(text, "eyJ") || strings.Contains(text, "g1.") {
					t.Errorf("%s still holds a secret: %s", path, text)
				}
			}
			response, err := http.PostForm(w.issuer+"/token", url.Values{"client_id": {"gimme"}, "grant_type": {"refresh_token"}, "refresh_token": {token}})
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusBadRequest {
				t.Errorf("the refresh token still works: %s", response.Status)
			}
			if got := w.run(t, "credential-process", "--profile", "sidecar"); got.code != 4 || got.out != "" {
				t.Errorf("after the logout: exit code %d, %q, %q", got.code, got.out, got.err)
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		revoked := len(w.calls(t, "revocation"))
		w.run(t, "logout", "--profile", "sidecar", "--no-browser").must(t)
		w.asked(t, "revocation", revoked)
	})
}

// TestLogoutWithoutRevocation is a provider that cannot take tokens back.
func TestLogoutWithoutRevocation(t *testing.T) {
	w := newWorld(t, settings{Quirk: quirk{NoRevocation: true, NoLogout: true}})
	w.login(t, "alice", "s3")
	got := w.run(t, "logout", "--profile", "sidecar", "--no-browser").must(t)
	if strings.Contains(got.err, "/session/end") {
		t.Errorf("it names an address that is not there: %s", got.err)
	}
	if files := w.holding(t, w.refreshToken(t)); len(files) != 0 {
		t.Errorf("the refresh token is still in %q", files)
	}
}
