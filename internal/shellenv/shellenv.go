// Package shellenv writes variables of the environment in the forms that
// shells, programs and CI systems read, so that every value arrives as it was
// or is refused.
package shellenv

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Format is one of Formats.
type Format string

// The formats.
const (
	Shell      Format = "shell"      // POSIX: eval "$(…)"
	Fish       Format = "fish"       // … | source
	PowerShell Format = "powershell" // … | Out-String | Invoke-Expression
	Dotenv     Format = "dotenv"     // a .env file
	GitHub     Format = "github"     // the file that GITHUB_ENV names
	GitLab     Format = "gitlab"     // a report of artifacts:reports:dotenv
	JSON       Format = "json"       // one object
)

// Formats are all there are.
func Formats() []Format { return []Format{Shell, Fish, PowerShell, Dotenv, GitHub, GitLab, JSON} }

// A Var is one variable. Secret is for who masks; it changes nothing here.
type Var struct {
	Name, Value string
	Secret      bool
}

// maxGitLab is how large a dotenv report may be, in bytes, as GitLab has it by
// default.
const maxGitLab = 5 << 10

// Write writes vars to w: all of them, or none when one cannot be written in
// the format. Errors name a variable and never its value.
func Write(w io.Writer, f Format, vars []Var) error {
	text, err := render(f, vars)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// Append adds vars to the file at path, all of them or none. The file is made,
// for its owner alone, if it is not there.
func Append(path string, f Format, vars []Var) error {
	text, err := render(f, vars)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func render(f Format, vars []Var) (string, error) {
	if !slices.Contains(Formats(), f) {
		return "", fmt.Errorf("format %q is not known", f)
	}
	seen := map[string]bool{}
	var b strings.Builder
	for _, v := range vars {
		if err := v.check(f); err != nil {
			return "", err
		}
		if seen[v.Name] {
			return "", fmt.Errorf("variable %s stands twice", v.Name)
		}
		seen[v.Name] = true
		b.WriteString(f.line(v))
	}
	switch {
	case f == JSON:
		return "{" + strings.TrimSuffix(b.String(), ",") + "\n}\n", nil
	case f == GitLab && b.Len() > maxGitLab:
		return "", fmt.Errorf("the variables take %d bytes, and GitLab reads no dotenv report of more than %d", b.Len(), maxGitLab)
	}
	return b.String(), nil
}

// line is v in the format, which can hold it.
func (f Format) line(v Var) string {
	switch f {
	case Fish: // in single quotes, \\ and \' alone are escapes
		return "set -gx " + v.Name + " '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v.Value) + "'\n"
	case PowerShell: // which takes typographic quotes for quotes
		return "$env:" + v.Name + " = '" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(v.Value) + "'\n"
	case Dotenv:
		if plain(v.Value) { // which also readers that know no quotes understand
			return v.Name + "=" + v.Value + "\n"
		}
		return v.Name + "='" + v.Value + "'\n"
	case GitHub:
		end := "gimme_" + rand.Text()
		return v.Name + "<<" + end + "\n" + v.Value + "\n" + end + "\n"
	case GitLab:
		return v.Name + "=" + v.Value + "\n"
	case JSON:
		return "\n  " + quote(v.Name) + ": " + quote(v.Value) + ","
	}
	return "export " + v.Name + "='" + strings.ReplaceAll(v.Value, "'", `'\''`) + "'\n"
}

// check refuses what the format cannot hold, or what its readers do not agree
// about.
func (v Var) check(f Format) error {
	if !name(v.Name) {
		return fmt.Errorf("%q is not the name of a variable", v.Name)
	}
	var bad string
	switch {
	case strings.ContainsRune(v.Value, 0) || !utf8.ValidString(v.Value):
		bad = "a zero byte, or is not UTF-8"
	case f == GitHub && strings.Contains(v.Value, "\r"):
		bad = "a carriage return" // the runner takes it for an end of line
	case f == PowerShell && strings.Contains(v.Value, "\r"):
		bad = "a carriage return" // the pipe makes line ends its own
	case f == Dotenv && (strings.ContainsAny(v.Value, "'$") || strings.Contains(v.Value, `\\`) || strings.HasSuffix(v.Value, `\`)):
		bad = "a quote, a dollar sign, or backslashes side by side or at the end"
	case f == GitLab && (strings.Contains(v.Value, "$") || strings.Trim(v.Value, " ") != v.Value || v.Value == ""):
		bad = "a dollar sign, or blanks at an end, or is empty"
	case (f == Dotenv || f == GitLab) && strings.ContainsFunc(v.Value, unicode.IsControl):
		bad = "a line break or another control character"
	}
	if bad != "" {
		return fmt.Errorf("variable %s cannot be written in format %s: its value holds %s", v.Name, f, bad)
	}
	return nil
}

func name(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !letter(r) && r != '_' && !digit(r) }) && !digit(rune(s[0]))
}

func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !letter(r) && !digit(r) && !strings.ContainsRune("_-./:+=,@%", r) })
}

func letter(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }
func digit(r rune) bool  { return r >= '0' && r <= '9' }
