package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInit(t *testing.T) {
	w := newWorld(t)
	w.typed = "n\n"
	w.fails(t, t.Context(), 1, []string{"Log in at    " + w.issuer.URL, "eu-central-1", "config.yaml: profile sidecar", "nothing was written"}, "init", w.sidecar.URL)
	says(t, w.screen.String(), "Write it? [y/N] ")
	w.typed = "" // no terminal
	w.fails(t, t.Context(), 2, []string{"there is no terminal to ask at", "hint: gimme init " + w.sidecar.URL + " --yes"}, "init", w.sidecar.URL)
	w.typed = "y\n"
	says(t, w.does(t, "init", w.sidecar.URL+"/").stderr, "Written", "Next         gimme s3 --profile sidecar --refresh")
	if got, want := w.read(t, ".config/gimme/config.yaml"), "address: "+w.sidecar.URL+"\n"; !strings.Contains(got, want) {
		t.Errorf("settings:\n%s", got)
	}
	w.typed = ""
	says(t, w.does(t, "init", w.sidecar.URL, "--yes").stderr, "As it was")
	w.does(t, "init", w.sidecar.URL, "--profile", "lake", "--yes")
	says(t, w.read(t, ".config/gimme/config.yaml"), "lake:", "sidecar:")
	if _, err := os.Stat(filepath.Join(w.home, ".aws")); err == nil || w.logins != 0 {
		t.Errorf("%d logins, or .aws was made", w.logins)
	}
	w.does(t, "s3", "--profile", "lake")
}

func TestInitRefused(t *testing.T) {
	w := newWorld(t)
	direct := "profiles: {data: {issuer: 'https://i.example', client_id: c, role_arn: '" + engineer + "'}}\n"
	w.write(t, ".config/gimme/config.yaml", direct)
	w.fails(t, t.Context(), 2, []string{"one address is wanted, and 0 are given"}, "init")
	w.fails(t, t.Context(), 2, []string{"https"}, "init", "http://s3.example", "--yes")
	w.fails(t, t.Context(), 2, []string{`profile name "a]b"`}, "init", w.sidecar.URL, "--profile", "a]b", "--yes")
	w.fails(t, t.Context(), 1, []string{"the sidecar"}, "init", w.issuer.URL, "--yes")
	w.fails(t, t.Context(), 1, []string{`profile "data" is there already, without a sidecar`, "--profile NAME"}, "init", w.sidecar.URL, "--profile", "data", "--yes")
}
