// Package devstack runs all that gimme needs inside one process, on loopback
// and in one temporary folder: an identity provider with two people, an S3
// server that checks signatures, and the sidecar between them. Demo tells the
// whole story with it and checks every step; Dev starts it and stays.
//
// Nothing in it is fit for production, and nothing in it is known beforehand:
// keys and passwords are made at start and forgotten at the end.
package devstack

import (
	"context"
	"io"
	"log/slog"
)

// A Gimme runs one gimme command and returns its exit code. The command line
// hands itself in, so that this package need not import it.
type Gimme func(ctx context.Context, g Invocation) int

// An Invocation is one run of the gimme command.
type Invocation struct {
	Args        []string          // without the name of the program
	Env         map[string]string // the complete environment
	OpenBrowser func(ctx context.Context, url string) error
	Stdout      io.Writer
	Stderr      io.Writer
}

// Options says how Demo and Dev are run.
type Options struct {
	Gimme Gimme     // required by Demo
	Out   io.Writer // for people; required

	// Browser says that a person logs in by hand in the browser that
	// OpenBrowser opens. Otherwise Demo fills in the login page itself.
	Browser     bool
	OpenBrowser func(ctx context.Context, url string) error

	Log *slog.Logger // of the sidecar; nil for none
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}
