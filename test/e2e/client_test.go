package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLoginRefused runs `gimme s3` where it must not work. It says why and what
// to do, and touches no file.
func TestLoginRefused(t *testing.T) {
	w := newWorld(t, settings{})
	second := startProvider(t, place{})
	strange := startSidecar(t, w.upstream, settings{Issuer: second.issuer + "/"}, nil)
	nothing := "http://" + freeAddress(t)

	rows := map[string]struct {
		args []string
		code int
		want []string
	}{
		"an address where nothing listens": {[]string{"--address", nothing}, 1, []string{nothing, "gimme: hint: "}},
		"an address that is no sidecar":    {[]string{"--address", w.upstream.endpoint}, 1, []string{w.upstream.endpoint, "gimme: hint: "}},
		"an open address":                  {[]string{"--address", "http://192.0.2.1"}, 2, []string{"https"}},
		"another issuer than it says":      {[]string{"--address", strange.address}, 1, []string{second.issuer, "slash"}},
		"no profile's name":                {nil, 2, []string{"gimme: hint: gimme s3"}},
		"an unknown flag":                  {[]string{"--adress", nothing}, 2, []string{"adress"}},
		"no role in direct mode":           {[]string{"--issuer", w.issuer, "--client-id", "gimme"}, 2, []string{"role"}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			seen := w.upstream.seen()
			args := append([]string{"s3", "--no-browser", "--timeout", "5s"}, row.args...)
			if row.args != nil {
				args = append(args, "--profile", "sidecar")
			}
			got := finish(t, command{path: gimme, args: args, env: w.env()})
			if got.code != row.code || got.out != "" || !strings.Contains(got.err, "gimme: error: ") {
				t.Errorf("exit code %d, want %d; printed %q, %q", got.code, row.code, got.out, got.err)
			}
			for _, want := range row.want {
				if !strings.Contains(got.err, want) {
					t.Errorf("it does not say %q: %s", want, got.err)
				}
			}
			w.untouched(t)
			if name != "an address that is no sidecar" && w.upstream.seen() != seen {
				t.Error("the upstream was asked")
			}
		})
	}
}

// TestLoginWithoutRole logs people in who may not have what they ask for.
func TestLoginWithoutRole(t *testing.T) {
	w := newWorld(t, settings{})
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"bob":   {nil, "bob@example.com"},
		"alice": {[]string{"--role", staffRole}, "alice@example.com may not take role"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{provider: w.provider, upstream: w.upstream, sidecar: w.sidecar, home: t.TempDir()} // each has a machine
			l := beginLogin(t, w.env(), append([]string{"--profile", "sidecar", "--address", w.sidecar.address}, row.args...)...)
			shown, got := l.as(t, name, nil)
			if got.code != 1 || !strings.Contains(got.err, row.want) || !strings.Contains(got.err, "gimme: hint: ") {
				t.Errorf("exit code %d: %s", got.code, got.err)
			}
			if shown.status != http.StatusOK || shown.text == "" {
				t.Errorf("the browser shows %d %s", shown.status, shown.text)
			}
			w.untouched(t)
		})
	}
	if w.upstream.seen() != 0 {
		t.Error("the upstream was asked")
	}
}

// TestLoginInterrupted stops gimme while it waits.
func TestLoginInterrupted(t *testing.T) {
	w := newWorld(t, settings{})
	l := beginLogin(t, w.env(), "--profile", "sidecar", "--address", w.sidecar.address)
	began := time.Now()
	l.signal(t, syscall.SIGINT)
	if code := l.wait(t); code != 130 || !strings.Contains(l.err.String(), "interrupted") {
		t.Errorf("exit code %d: %s", code, l.err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	w.untouched(t)
	if list := list(t, w.home); strings.Contains(list, "config.yaml") {
		t.Errorf("settings were kept:\n%s", list)
	}
	if _, err := signIn(l.address, "alice", nil); err == nil {
		t.Error("something still listens for the browser")
	}
}

// TestLoginTimesOut waits for a person who does not come.
func TestLoginTimesOut(t *testing.T) {
	w := newWorld(t, settings{})
	got := finish(t, command{path: gimme, args: []string{"s3", "--no-browser", "--timeout", "1s", "--profile", "sidecar", "--address", w.sidecar.address}, env: w.env()})
	if got.code != 4 || !strings.Contains(got.err, "gimme: hint: ") {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	w.untouched(t)
}

// TestBrokenFiles finds AWS files that cannot be parsed: that is said before
// anyone logs in, and not a byte changes.
func TestBrokenFiles(t *testing.T) {
	w := newWorld(t, settings{})
	if err := os.Mkdir(filepath.Join(w.home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	good := "[default]\naws_access_key_id = AKIAMINE\n"
	for name, text := range map[string]string{
		"credentials": "[default]\naws_access_key_id = AKIAMINE\nthis is no key\n",
		"config":      "[profile a]\nregion = x\n[profile a]\nregion = y\n",
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, w.credentialsFile(), good)
			writeFile(t, w.configFile(), "")
			path := filepath.Join(w.home, ".aws", name)
			writeFile(t, path, text)
			got := finish(t, command{path: gimme, args: []string{"s3", "--no-browser", "--profile", "sidecar", "--address", w.sidecar.address}, env: w.env()})
			if got.code != 1 || !strings.Contains(got.err, path) || !strings.Contains(got.err, "3") || strings.Contains(got.err, "/auth?") {
				t.Errorf("exit code %d: %s", got.code, got.err)
			}
			if after := readFile(t, path); after != text {
				t.Errorf("the file is now:\n%s", after)
			}
		})
	}
}
