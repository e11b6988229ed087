package login

import (
	"context"
	"io"

	"github.com/pkg/browser"
)

// SystemBrowser gives an opener of the browser that $BROWSER names, or of the
// system's, without a shell.
func SystemBrowser(getenv func(string) string) func(ctx context.Context, url string) error {
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
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
