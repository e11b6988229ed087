package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gimme-broker/gimme/internal/awsfile"
	"github.com/gimme-broker/gimme/internal/broker"
)

// Exit codes. Scripts branch on them, so they stay.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitLogin       = 4 // a person has to log in, and did not
	exitInterrupted = 130
)

// exitHelp stands in the help of every command.
const exitHelp = `Exit codes:
  0    done
  1    failed; stderr says why
  2    wrong usage: a flag, an argument or a profile
  4    a login is needed: it timed out, or was declined
  130  interrupted`

// A failure is an error with what a person can do about it.
type failure struct {
	code int
	err  error
	hint string // empty: nothing to suggest
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage makes an error about the command line itself.
func usage(hint, format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...), hint}
}

// brokerFailure gives what the broker says its exit code.
func brokerFailure(err error) error {
	e, ok := errors.AsType[*broker.Error](err)
	if !ok {
		return err
	}
	code := map[broker.Kind]int{broker.Failed: exitFailed, broker.Wrong: exitUsage, broker.LoginNeeded: exitLogin}[e.Kind]
	return &failure{code, e.Err, e.Hint}
}

// fileFailure says what to do about a file that cannot be written.
func fileFailure(err error) error {
	fault, ok := errors.AsType[*awsfile.Fault](err)
	switch {
	case !ok:
		return &failure{exitFailed, err, "make it possible to write there, or name other files with AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE and GIMME_CONFIG"}
	case fault.Taken:
		return &failure{exitFailed, err, "choose another name: --profile NAME"}
	}
	return &failure{exitFailed, err, "correct the file; gimme changed nothing in it"}
}

// report is the one place where errors are printed and become exit codes.
func (a App) report(err error) int {
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{code: exitFailed, err: err}
	}
	if errors.Is(err, context.Canceled) {
		f = &failure{code: exitInterrupted, err: errors.New("interrupted")}
	}
	fmt.Fprintf(a.Stderr, "gimme: error: %s\n", printable(f.err.Error()))
	if f.hint != "" {
		fmt.Fprintf(a.Stderr, "gimme: hint: %s\n", printable(f.hint))
	}
	return f.code
}

// printable drops control characters, which could rewrite what a terminal
// shows. Line breaks stay: some errors have many lines.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r <= 0x9f) {
			return -1
		}
		return r
	}, s)
}
