package cli_test

import (
	"strings"
	"testing"
)

const analyst = "arn:aws:iam::111122223333:role/team/analyst"

// several is a world in which alice may take two roles, and types something.
func several(t *testing.T, typed string) (*world, []string) {
	w := newWorld(t)
	w.sidecar.roles, w.typed = []string{engineer, analyst}, typed
	return w, []string{"--profile", "sidecar", "--address", w.sidecar.URL}
}

func TestPicker(t *testing.T) {
	for typed, want := range map[string]string{
		"\n": engineer, "1\n": engineer, "2\n": analyst, " 2 \r\n": analyst, "ANALYST\n": analyst, "team/\n": analyst, analyst + "\n": analyst,
		"3\n0\nrole\nnobody\n2\n": analyst,
	} {
		w, args := several(t, typed)
		r := w.does(t, append([]string{"s3"}, args...)...)
		says(t, w.screen.String(), " 1  "+engineer, " 2  "+analyst, "Which one?")
		says(t, r.stderr, "Role         "+want)
		says(t, w.read(t, ".config/gimme/config.yaml"), "role: "+want)
		// It is asked once, and no login is needed for the role again.
		w.typed = ""
		w.does(t, "s3")
		if n := len(w.sidecar.asked()); n != 1 || w.logins != 1 {
			t.Errorf("%q: %d exchanges, %d logins", typed, n, w.logins)
		}
	}
	w, args := several(t, "3\nrole\nnobody\n2\n")
	w.does(t, append([]string{"s3"}, args...)...)
	says(t, w.screen.String(), "There is no number 3.", "2 roles are called so.", "No role is called so.")
}

func TestPickerIsLeft(t *testing.T) {
	for typed, test := range map[string]struct {
		code  int
		words []string
	}{
		"q\n":    {130, []string{"interrupted"}},
		"nobody": {2, []string{"none was chosen", "hint: choose one: --role " + engineer}}, // and hangs up
	} {
		w, args := several(t, typed)
		r := w.gimme(t, t.Context(), append([]string{"s3"}, args...)...)
		says(t, r.stderr, test.words...)
		if r.code != test.code || len(w.sidecar.asked()) != 0 || strings.Contains(w.files(t), "aws_access_key_id") || strings.Contains(w.files(t), "role:") {
			t.Errorf("%q: exit code %d, %d exchanges\n%s", typed, r.code, len(w.sidecar.asked()), w.files(t))
		}
	}
}

// Whichever command asks, the choice stays with a profile that has settings.
func TestPickerKeepsTheRole(t *testing.T) {
	for _, args := range [][]string{{"login"}, {"env", "--region", "eu-west-9"}, {"exec", "--region", "eu-west-9", "--", "true"}} {
		w, _ := several(t, "2\n")
		w.write(t, ".config/gimme/config.yaml", "profiles:\n  sidecar:\n    address: "+w.sidecar.URL+" # the lake\n")
		w.does(t, args...)
		got := w.read(t, ".config/gimme/config.yaml")
		says(t, got, "# the lake\n", "role: "+analyst)
		if strings.Contains(got, "region") {
			t.Errorf("what was said for one run alone was kept:\n%s", got)
		}
	}
}
