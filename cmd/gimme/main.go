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
	signal.Ignore(syscall.SIGPIPE) // a reader that has seen enough is no reason to leave things behind
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := cli.App{
		Stdin:       os.Stdin,
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		Getenv:      os.Getenv,
		OpenBrowser: login.SystemBrowser(os.Getenv),
		Version:     versionText(),
	}.Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
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
