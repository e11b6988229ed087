package shellenv_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/shellenv"
)

// hostile values do harm where quoting fails.
func hostile() []string {
	return []string{
		"", "plain", "a b", "  both ends  ", "'", "''", `"`, `\`, `\\`, `\'`, `it's`, `a\`, "$HOME", "${HOME}", "$(touch owned)", "`touch owned`",
		"!!", "# no comment", "a#b", "a;touch owned", "a&b|c>d<e", "*?[x]", "~", "-n", "=", "%s%n%d", "%25", "\t", "a\nb", "\n", "a\n\n", "a\r\nb", "\r",
		"‘’‚‛“”", "日本語 é 🔑", "\x1b[31m", "\x7f", "\\n\\t\\x41", "<&>\u2028", "'; touch owned; '", "'\ntouch owned\n'", "EOF\nX=1", "@'", "gimme_x",
		"FwoGZXIvYXdzEJr//////////wEaDH+/=", "g1.AbC-_09",
	}
}

func render(t *testing.T, f shellenv.Format, vars ...shellenv.Var) (string, error) {
	t.Helper()
	var b bytes.Buffer
	err := shellenv.Write(&b, f, vars)
	if err != nil && b.Len() > 0 {
		t.Errorf("%s: %q was written in spite of %v", f, b.String(), err)
	}
	return b.String(), err
}

// evaluate runs a program on input, in an empty folder that must stay empty.
func evaluate(t testing.TB, input string, argv ...string) string {
	t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	c.Dir = t.TempDir()
	c.Stdin = strings.NewReader(input)
	c.Env = append(os.Environ(), "HOME=/home/nobody")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v: %s; input %q", argv[0], err, stderr.String(), input)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Dir, "*")); len(left) > 0 {
		t.Errorf("%s: input %q ran something", argv[0], input)
	}
	return string(out)
}

// Real shells read back every value, byte for byte.
func TestShell(t *testing.T) {
	for _, shell := range []string{"sh", "bash"} {
		for _, value := range hostile() {
			text, err := render(t, shellenv.Shell, shellenv.Var{Name: "GIMME_X", Value: value})
			if err != nil {
				t.Fatal(err)
			}
			// As people do it: the text goes through a substitution.
			path := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, script := range []string{text, `eval "$(cat '` + path + `')"` + "\n"} {
				if got := evaluate(t, script+`sh -c 'printf %s "$GIMME_X"'`, shell); got != value {
					t.Errorf("%s: %q became %q", shell, value, got)
				}
			}
		}
	}
}

func FuzzShell(f *testing.F) {
	for _, v := range hostile() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var b bytes.Buffer
		err := shellenv.Write(&b, shellenv.Shell, []shellenv.Var{{Name: "GIMME_X", Value: value}})
		if refused := strings.Contains(value, "\x00") || !utf8.ValidString(value); refused != (err != nil) {
			t.Fatalf("%q: %v", value, err)
		} else if refused {
			return
		}
		if got := evaluate(t, b.String()+`printf %s "$GIMME_X"`, "sh"); got != value {
			t.Errorf("%q became %q", value, got)
		}
	})
}

// What readers of the other formats make of each value, by their rules.
func TestFormats(t *testing.T) {
	readers := map[shellenv.Format]func(t *testing.T, text string) string{
		shellenv.Fish:       fish,
		shellenv.PowerShell: powershell,
		shellenv.GitHub:     github,
		shellenv.GitLab:     func(t *testing.T, text string) string { return between(t, text, "GIMME_X=", "\n") },
		shellenv.Dotenv:     func(t *testing.T, text string) string { return evaluate(t, text+`printf %s "$GIMME_X"`, "sh") },
		shellenv.JSON: func(t *testing.T, text string) string {
			var m map[string]string
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatal(err)
			}
			return m["GIMME_X"]
		},
	}
	refused := map[shellenv.Format][]string{
		shellenv.PowerShell: {"a\r\nb", "\r"},
		shellenv.GitHub:     {"a\r\nb", "\r"},
		shellenv.Dotenv: {
			"'", "''", `\`, `\\`, `\'`, "it's", `a\`, "$HOME", "${HOME}", "$(touch owned)", "\t", "a\nb", "\n", "a\n\n", "a\r\nb", "\r", "\x1b[31m", "\x7f",
			"'; touch owned; '", "'\ntouch owned\n'", "EOF\nX=1", "@'",
		},
		shellenv.GitLab: {"", "  both ends  ", "$HOME", "${HOME}", "$(touch owned)", "\t", "a\nb", "\n", "a\n\n", "a\r\nb", "\r", "\x1b[31m", "\x7f", "'\ntouch owned\n'", "EOF\nX=1"},
	}
	for format, read := range readers {
		t.Run(string(format), func(t *testing.T) {
			var got []string
			for _, value := range hostile() {
				text, err := render(t, format, shellenv.Var{Name: "GIMME_X", Value: value})
				if err != nil {
					if len(value) > 2 && strings.Contains(err.Error(), value) {
						t.Errorf("%v holds the value", err)
					}
					got = append(got, value)
					continue
				}
				if back := read(t, text); back != value {
					t.Errorf("%q became %q by way of %q", value, back, text)
				}
			}
			if diff := cmp.Diff(refused[format], got); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

// Node's own reader of .env files agrees with the shells.
func TestDotenvInNode(t *testing.T) {
	want := map[string]string{}
	var vars []shellenv.Var
	for i, value := range hostile() {
		v := shellenv.Var{Name: "X" + strings.Repeat("_", i), Value: value}
		if _, err := render(t, shellenv.Dotenv, v); err == nil {
			vars, want[v.Name] = append(vars, v), value
		}
	}
	text, err := render(t, shellenv.Dotenv, vars...)
	if err != nil {
		t.Fatal(err)
	}
	out := evaluate(t, text, "node", "-e", `console.log(JSON.stringify(require("util").parseEnv(require("fs").readFileSync(0, "utf8"))))`)
	got := map[string]string{}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// All values in one object, in another program.
func TestJSONInPython(t *testing.T) {
	var vars []shellenv.Var
	for i, value := range hostile() {
		vars = append(vars, shellenv.Var{Name: "X" + strings.Repeat("_", i), Value: value})
	}
	text, err := render(t, shellenv.JSON, vars...)
	if err != nil {
		t.Fatal(err)
	}
	out := evaluate(t, text, "python3", "-c", `import json,sys; sys.stdout.buffer.write("\0".join(json.load(sys.stdin).values()).encode())`)
	if diff := cmp.Diff(hostile(), strings.Split(out, "\x00")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What needs no quotes has none: docker run --env-file knows none.
func TestDotenvPlain(t *testing.T) {
	text, err := render(t, shellenv.Dotenv, shellenv.Var{Name: "AWS_SESSION_TOKEN", Value: "g1.AbC-_09+/="})
	if err != nil || text != "AWS_SESSION_TOKEN=g1.AbC-_09+/=\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestRefused(t *testing.T) {
	for _, f := range shellenv.Formats() {
		for _, vars := range [][]shellenv.Var{
			{{Name: "A", Value: "1"}, {Name: ""}},
			{{Name: "A", Value: "1"}, {Name: "1A"}},
			{{Name: "A", Value: "1"}, {Name: "B C"}},
			{{Name: "A", Value: "1"}, {Name: "B;touch"}},
			{{Name: "A", Value: "1"}, {Name: "Ä"}},
			{{Name: "A", Value: "1"}, {Name: "A", Value: "2"}},
			{{Name: "A", Value: "1"}, {Name: "B", Value: "a\x00b"}},
			{{Name: "A", Value: "1"}, {Name: "B", Value: "\xff"}},
		} {
			if text, err := render(t, f, vars...); err == nil {
				t.Errorf("%s: %v was accepted: %q", f, vars, text)
			}
			path := filepath.Join(t.TempDir(), "env")
			if err := shellenv.Append(path, f, vars); err == nil {
				t.Errorf("%s: %v was appended", f, vars)
			}
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("%s: %v made a file", f, vars)
			}
		}
	}
	if _, err := render(t, "sh"); err == nil {
		t.Error("an unknown format was accepted")
	}
	if _, err := render(t, shellenv.GitLab, shellenv.Var{Name: "A", Value: strings.Repeat("x", 5<<10)}); err == nil {
		t.Error("a report that GitLab does not read was written")
	}
}

// Append leaves what is there, and makes files for their owner alone.
func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "env")
	for _, v := range []string{"1", "2"} {
		if err := shellenv.Append(path, shellenv.GitLab, []shellenv.Var{{Name: "A" + v, Value: v}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "A1=1\nA2=2\n" {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func between(t *testing.T, text, before, after string) string {
	t.Helper()
	rest, ok := strings.CutPrefix(text, before)
	value, ok2 := strings.CutSuffix(rest, after)
	if !ok || !ok2 {
		t.Fatalf("%q does not stand between %q and %q", text, before, after)
	}
	return value
}

// fish reads single quotes as fish does.
func fish(t *testing.T, text string) string {
	var b strings.Builder
	body := []rune(between(t, text, "set -gx GIMME_X '", "'\n"))
	for i := 0; i < len(body); i++ {
		if body[i] == '\\' && i+1 < len(body) && (body[i+1] == '\\' || body[i+1] == '\'') {
			i++
		} else if body[i] == '\'' {
			t.Fatalf("%q ends too early", text)
		}
		b.WriteRune(body[i])
	}
	return b.String()
}

// powershell reads single quotes as PowerShell does: two of any kind of single
// quote side by side are the first of them.
func powershell(t *testing.T, text string) string {
	var b strings.Builder
	body := []rune(between(t, text, "$env:GIMME_X = '", "'\n"))
	for i := 0; i < len(body); i++ {
		b.WriteRune(body[i])
		if strings.ContainsRune("'‘’‚‛", body[i]) {
			if i++; i == len(body) || !strings.ContainsRune("'‘’‚‛", body[i]) {
				t.Fatalf("%q ends too early", text)
			}
		}
	}
	return b.String()
}

// github reads as the runner does: to the first line that is the delimiter.
func github(t *testing.T, text string) string {
	name, rest, _ := strings.Cut(text, "<<")
	end, rest, ok := strings.Cut(rest, "\n")
	if name != "GIMME_X" || !ok || len(end) < 26 {
		t.Fatalf("%q", text)
	}
	var lines []string
	for line := range strings.SplitSeq(rest, "\n") {
		if line == end {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, line)
	}
	t.Fatalf("%q has no end", text)
	return ""
}
