package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// report is the one place where errors are printed and become exit codes.
func (a App) report(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{code: exitFailed, err: err}
	}
	if ctx.Err() != nil {
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
