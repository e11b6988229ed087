// Package cli is the command line: one file a command, flags in, one call
// down, answer out. It prints for people on stderr and for machines on stdout,
// and decides on exit codes; what is done, others do.
//
// It reads the environment through App.Getenv alone, so that a whole run of
// gimme can be had inside a test or inside the demo.
package cli

import (
	"context"
	"io"
)

// An App is one gimme, with the world it runs in. All fields but Stdin and
// OpenBrowser are required.
type App struct {
	Stdin  io.Reader
	Stdout io.Writer // for machines
	Stderr io.Writer // for people

	// Getenv reads the environment. HOME (USERPROFILE on Windows) must be there
	// unless every file is named by a variable of its own.
	Getenv func(string) string

	// OpenBrowser shows url to the person. It returns when that is done, or
	// when ctx ends. Nil: there is no browser, and the address is only printed.
	OpenBrowser func(ctx context.Context, url string) error

	// OpenTerminal opens the terminal that the person sits at, whatever stdin,
	// stdout and stderr are. Nil, or an error: there is none.
	OpenTerminal func() (io.ReadWriteCloser, error)

	Environ    []string // of the programs that are started; nil: that of this process
	Executable string   // absolute path of gimme; empty: it cannot be started again

	Version string
}

// Run runs one command line, without the program's name, and returns the exit
// code. It writes errors to Stderr itself.
func (a App) Run(ctx context.Context, args []string) int {
	if a.AtHand(args) {
		return exitOK
	}
	if a.OpenTerminal != nil {
		a.OpenTerminal = inForeground(a.OpenTerminal)
	}
	if profile, ok := isBackground(args); ok {
		return a.report(a.backgroundLogin(ctx, profile))
	}
	root := a.root()
	root.SetArgs(args)
	return a.report(root.ExecuteContext(ctx))
}
