package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A reader of lines runs Options.Lines beside the login.
type lineReader struct {
	read   chan string
	done   chan struct{}
	cancel context.CancelFunc
}

// readLines reads what the person pastes, until there is no more of it.
func (o Options) readLines(ctx context.Context) *lineReader {
	ctx, cancel := context.WithCancel(ctx)
	l := &lineReader{read: make(chan string), done: make(chan struct{}), cancel: cancel}
	if o.Lines == nil {
		close(l.done)
		return l
	}
	go func() {
		defer close(l.done)
		for {
			line, err := o.Lines(ctx)
			if err != nil {
				return
			}
			select {
			case l.read <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return l
}

// close makes Lines return, and waits for it a moment only: reading from a
// terminal cannot always be interrupted.
func (l *lineReader) close() {
	l.cancel()
	select {
	case <-l.done:
	case <-time.After(100 * time.Millisecond):
	}
}

// paste judges a line as ServeHTTP judges a request: it is the address at which
// the browser ended up, or its query. An empty line is nothing. The errors do
// not repeat the line.
func (c *callback) paste(line string) error {
	line = strings.Trim(line, " \t\r\n\"'<>")
	if line == "" {
		return nil
	}
	if strings.ContainsFunc(line, unsafeInURL) {
		return errors.New("it has characters that no address has")
	}
	line, _, _ = strings.Cut(line, "#") // a browser sends no fragment
	query, ours := strings.CutPrefix(strings.TrimPrefix(line, "http://"), c.host+callbackPath+"?")
	if !ours {
		query = strings.TrimPrefix(line, "?")
		name, _, ok := strings.Cut(query, "=")
		if !ok || strings.ContainsAny(name, ":/?") {
			return fmt.Errorf("it is not the address at which the browser ended up, which begins with %s?", c.redirect())
		}
	}
	return c.accept(query, true)
}
