package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// run runs gimme to its end, as the person of this world.
func (w *world) run(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, command{path: gimme, args: args, env: w.env(), dir: w.home})
}

// login runs gimme with args and the world's sidecar and profile, and has a
// person log in. It fails the test unless that works.
func (w *world) login(t *testing.T, name string, args ...string) result {
	t.Helper()
	args = append(args, "--no-browser", "--profile", "sidecar")
	if _, err := os.Stat(w.settingsFile()); err != nil {
		args = append(args, "--address", w.sidecar.address)
	}
	_, got := begin(t, w.env(), args...).as(t, name, nil)
	return got.must(t)
}

func (w *world) settingsFile() string {
	return filepath.Join(w.home, ".config", "gimme", "config.yaml")
}
func (w *world) state() string { return filepath.Join(w.home, ".local", "state", "gimme") }

// silent fails the test unless a run asked nobody for anything.
func (r result) silent(t *testing.T) result {
	t.Helper()
	r.must(t)
	if loginAddress.MatchString(r.err) {
		t.Errorf("somebody was asked to log in: %s", r.err)
	}
	return r
}

// says fails the test unless everything stands in what was printed for people.
func (r result) says(t *testing.T, want ...string) result {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(r.err, w) {
			t.Errorf("it does not say %q: %s", w, r.err)
		}
	}
	return r
}

// fails fails the test unless a run ended with code, said why and what to do,
// and printed nothing for machines.
func (r result) fails(t *testing.T, code int, want ...string) result {
	t.Helper()
	if r.code != code || r.out != "" || !strings.Contains(r.err, "gimme: error: ") || !strings.Contains(r.err, "gimme: hint: ") {
		t.Errorf("exit code %d, want %d; printed %q, %q", r.code, code, r.out, r.err)
	}
	return r.says(t, want...)
}

// files are the contents of all files below folder, by path.
func contentsOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all[path] = readFile(t, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

var expiry = regexp.MustCompile(`"(expires|Expires|expiration)":\s*"[^"]+"`)

var since = regexp.MustCompile(`"at":\s*"[^"]+"`)

// age makes the credentials that are kept look as if they ended in left, and the
// login as if it were ten minutes old, when its ID token is kept no longer:
// tests cannot wait for an hour.
func (w *world) age(t *testing.T, left time.Duration) {
	t.Helper()
	changed := 0
	for path, text := range contentsOf(t, w.state()) {
		if strings.Contains(text, `"id_token"`) {
			writeFile(t, path, since.ReplaceAllString(text, `"at":"`+time.Now().Add(-10*time.Minute).UTC().Format(time.RFC3339)+`"`))
			continue
		}
		if !strings.Contains(text, "AWS") && !strings.Contains(strings.ToLower(text), "secret_access_key") && !strings.Contains(strings.ToLower(text), "secretaccesskey") {
			continue
		}
		aged := expiry.ReplaceAllString(text, `"$1":"`+time.Now().Add(left).UTC().Format(time.RFC3339)+`"`)
		if aged != text {
			changed++
			writeFile(t, path, aged)
		}
	}
	if changed != 1 {
		t.Fatalf("%d entries of credentials were found in %s:\n%s", changed, w.state(), list(t, w.state()))
	}
}

// gone fails the test if a process of this home is still there.
func gone(t *testing.T, home string) {
	t.Helper()
	var left string
	eventually(t, "every process of the home has ended", func() bool {
		left = arguments(home)
		return left == ""
	})
}
