package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A world is a provider, an upstream and a sidecar before it, and somebody's
// home folder. It ends with the test.
type world struct {
	*provider
	upstream *upstream
	sidecar  *sidecar
	home     string
	more     []string // further variables of the person's environment
}

// newWorld starts a world. Of the settings, those that are not given are made.
func newWorld(t *testing.T, s settings) *world {
	t.Helper()
	w := &world{provider: startProvider(t, place{Quirk: s.Quirk}), upstream: startUpstream(t), home: t.TempDir()}
	s.Issuer = w.issuer
	w.sidecar = startSidecar(t, w.upstream, s, nil)
	return w
}

// env is the environment of the person in this world.
func (w *world) env(settings ...string) []string {
	return environment(w.home, append(slices.Clone(w.more), settings...)...)
}

func (w *world) credentialsFile() string { return filepath.Join(w.home, ".aws", "credentials") }
func (w *world) configFile() string      { return filepath.Join(w.home, ".aws", "config") }

// loginAs has a person log in for the profile "sidecar", and fails the test
// unless it works.
func (w *world) loginAs(t *testing.T, name string, args ...string) result {
	t.Helper()
	l := beginLogin(t, w.env(), append([]string{"--profile", "sidecar", "--address", w.sidecar.address}, args...)...)
	shown, got := l.as(t, name, nil)
	got.must(t)
	if strings.Contains(shown.url, "code=") || !strings.Contains(shown.url, "127.0.0.1") {
		t.Errorf("the login ends at %s", shown.url)
	}
	if got.out != "" {
		t.Errorf("stdout is for machines, and holds %q", got.out)
	}
	return got
}

// untouched fails the test if there is anything in the home's AWS folder.
func (w *world) untouched(t *testing.T) {
	t.Helper()
	for _, path := range []string{w.credentialsFile(), w.configFile()} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was made: %s", path, readFile(t, path))
		}
	}
}
