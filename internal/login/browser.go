package login

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// SystemBrowser gives an opener of the browser that $BROWSER names (a list of
// commands, in which %s stands for the address), or of the system's. No shell
// is in between, and nothing of what the browser prints is seen anywhere.
//
// Some browsers run in the foreground of the program that opens them: then the
// opener returns only when the browser is closed or ctx ends. What it started is
// ended with it if ctx was interrupted, but goes on when the login is over: the
// browser is the person's.
func SystemBrowser(getenv func(string) string) func(ctx context.Context, url string) error {
	return func(ctx context.Context, url string) error {
		if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsFunc(url, unsafeInURL) {
			return errors.New("open a browser: this is not the address of a web page")
		}
		return start(ctx, commands(getenv, runtime.GOOS, Look(getenv).WSL, url))
	}
}

// commands are those that may open url, in the order in which to try them.
func commands(getenv func(string) string, system string, wsl bool, url string) [][]string {
	var list [][]string
	for _, one := range filepath.SplitList(getenv("BROWSER")) {
		words := strings.Fields(one)
		placed := false
		for i, word := range words {
			placed = placed || strings.Contains(word, "%s")
			words[i] = strings.ReplaceAll(word, "%s", url)
		}
		if !placed {
			words = append(words, url)
		}
		if len(words) > 1 || placed {
			list = append(list, words)
		}
	}
	windows := []string{"url.dll,FileProtocolHandler", url}
	switch {
	case system == "windows":
		return append(list, append([]string{"rundll32.exe"}, windows...))
	case system == "darwin":
		return append(list, []string{"open", url})
	case wsl:
		list = append(list, []string{"wslview", url}, append([]string{"rundll32.exe"}, windows...),
			append([]string{"/mnt/c/Windows/System32/rundll32.exe"}, windows...))
	}
	return append(list, []string{"xdg-open", url}, []string{"x-www-browser", url}, []string{"www-browser", url})
}

// start runs the first command that is there.
func start(ctx context.Context, list [][]string) error {
	for _, words := range list {
		path, err := exec.LookPath(words[0])
		if err != nil {
			continue
		}
		return run(ctx, exec.Command(path, words[1:]...))
	}
	return errors.New("open a browser: this machine has no program for it")
}

// run waits for the command, which has a session of its own: neither the
// terminal's signals reach it, nor its words the terminal.
func run(ctx context.Context, c *exec.Cmd) error {
	detach(c)
	if err := c.Start(); err != nil {
		return fmt.Errorf("open a browser with %q: %w", c.Path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("open a browser with %q: %w", c.Path, err)
		}
		return nil
	case <-ctx.Done():
	}
	if cause := context.Cause(ctx); !errors.Is(cause, errFinished) && !errors.Is(cause, context.DeadlineExceeded) {
		end(c, false)
		select {
		case <-ended:
		case <-time.After(500 * time.Millisecond):
			end(c, true)
			<-ended
		}
	}
	return ctx.Err()
}
