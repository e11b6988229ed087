package login

import (
	"context"
	"io"

	"github.com/pkg/browser"
)

// Browser gives an opener of the system's browser, without a shell. What the
// browser prints goes to stderr: stdout is for machines. It sets that for the
// whole process, and is called once, by main.
func Browser(stderr io.Writer) func(ctx context.Context, url string) error {
	browser.Stdout, browser.Stderr = stderr, stderr
	return func(ctx context.Context, url string) error {
		opened := make(chan error, 1)
		// Some browsers run in the foreground of the program that opens them,
		// so that this ends only with the browser: it is not waited for.
		go func() { opened <- browser.OpenURL(url) }()
		select {
		case err := <-opened:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
