// Package shellenv writes variables of the environment in the forms that
// shells, programs and CI systems read, so that every value arrives as it was
// or is refused.
package shellenv

import (
	"errors"
	"io"
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

// Write writes vars to w, all of them or none.
func Write(w io.Writer, f Format, vars []Var) error { return errors.New("not yet") }

// Append adds vars to the file at path, all of them or none.
func Append(path string, f Format, vars []Var) error { return errors.New("not yet") }
