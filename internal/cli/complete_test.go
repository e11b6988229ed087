package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/cli"
)

func TestCompletion(t *testing.T) {
	w := loggedIn(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := w.does(t, "completion", shell); !strings.Contains(r.stdout, "gimme") || r.stderr != "" {
			t.Errorf("%s: %s", shell, r.stderr)
		}
	}
	for _, args := range [][]string{{}, {"tcsh"}, {"bash", "zsh"}} {
		w.fails(t, t.Context(), 2, []string{"bash, zsh, fish, powershell"}, append([]string{"completion"}, args...)...)
	}
	before := w.files(t)
	for line, want := range map[string]string{
		"s3 --profile ":               "sidecar",
		"exec --profile ":             "sidecar",
		"s3 --role ":                  engineer,
		"login --flow ":               "device",
		"env --format ":               "powershell",
		"completion ":                 "fish",
		"s3 --token-store ":           "file",
		"stat":                        "status",
		"status --profile sidecar --": "--json",
	} {
		got := w.does(t, append([]string{"__complete"}, strings.Split(line, " ")...)...).stdout
		if !strings.Contains("\n"+got, "\n"+want) {
			t.Errorf("%q completes to\n%s", line, got)
		}
	}
	if w.files(t) != before || w.logins != 1 {
		t.Error("completion did something")
	}
	// Broken settings complete to nothing, quietly.
	w.write(t, ".config/gimme/config.yaml", "nonsense")
	for _, flag := range []string{"--profile", "--role"} {
		if got := w.does(t, "__complete", "s3", flag, "").stdout; !strings.HasPrefix(got, ":") {
			t.Errorf("%s: %s", flag, got)
		}
	}
}

func TestManual(t *testing.T) {
	w := newWorld(t)
	says(t, w.does(t, "man").stdout, ".TH GIMME 1", ".SH COMMANDS", ".B gimme s3\n", "130")
	page := w.does(t, "man", "s3").stdout
	says(t, page, ".TH GIMME\\-S3 1", ".SH NAME\ngimme\\-s3 \\- Log in", ".SH OPTIONS", ".B \\-\\-dry\\-run", ".SH EXAMPLES\n.nf\n  gimme s3 \\-\\-address")
	if strings.Contains(page, "\n'") || strings.Contains(page, "--") {
		t.Errorf("the page is not roff:\n%s", page)
	}
	w.fails(t, t.Context(), 2, []string{`unknown command "statsu"`, `did you mean "status"?`}, "man", "statsu")
	w.fails(t, t.Context(), 2, []string{"one command is wanted"}, "man", "s3", "login")

	dir := filepath.Join(w.home, "man")
	w.does(t, "man", "--dir", dir)
	for _, c := range cli.Commands() {
		_, err := os.Stat(filepath.Join(dir, "gimme-"+c.Name()+".1"))
		if c.Hidden != (err != nil) {
			t.Errorf("%s: %v", c.Name(), err)
		}
	}
	if groff, err := exec.LookPath("groff"); err == nil {
		for _, name := range []string{"gimme.1", "gimme-s3.1", "gimme-exec.1"} {
			out, err := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z", filepath.Join(dir, name)).CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Errorf("%s: %v, %s", name, err, out)
			}
		}
	}
	w.write(t, "file", "")
	w.fails(t, t.Context(), 1, []string{"a folder that can be written"}, "man", "--dir", filepath.Join(w.home, "file"))
}
