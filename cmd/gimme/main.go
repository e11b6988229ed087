// Command gimme gets short-lived S3 credentials for people and machines, and
// runs the sidecar that stands before S3. All it does is in internal/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/gimme-broker/gimme/internal/cli"
	"github.com/gimme-broker/gimme/internal/login"
)

// version is set by the release build.
var version string

func main() {
	// SDKs run gimme for each of their own starts, often and many at once.
	if (cli.App{Stdout: os.Stdout, Getenv: os.Getenv}).AtHand(os.Args[1:]) {
		return
	}
	os.Exit(run())
}

func run() int {
	signal.Ignore(syscall.SIGPIPE) // a reader that has seen enough is no reason to leave things behind
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	defer stop()
	return cli.App{
		Stdin:        os.Stdin,
		Stdout:       os.Stdout,
		Stderr:       os.Stderr,
		Getenv:       os.Getenv,
		OpenBrowser:  login.SystemBrowser(os.Getenv),
		OpenTerminal: terminal,
		Executable:   executable(),
		Version:      versionText(),
	}.Run(ctx, os.Args[1:])
}

// executable is where gimme is, or empty where the system does not say.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
