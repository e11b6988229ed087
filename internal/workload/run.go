package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

const (
	runTime   = 30 * time.Second
	maxStderr = 300 // bytes of it in an error
)

// run runs a command without a shell and returns what it prints.
func run(ctx context.Context, argv ...string) (string, error) {
	return feed(ctx, "", argv...)
}

// feed runs a command with input and returns what it prints. It has this
// process's environment and no other descriptors of it.
func feed(ctx context.Context, input string, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	stdout, stderr := &limited{most: maxToken + 100}, &limited{most: maxStderr + 1}
	c.Stdout, c.Stderr = stdout, stderr
	if input != "" {
		c.Stdin = strings.NewReader(input)
	}
	c.WaitDelay = time.Second // children of it may hold its output open
	err := c.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("run %q: it was not done after %s", argv[0], runTime)
	case err != nil:
		return "", fmt.Errorf("run %q: %w%s", argv[0], err, sayable(stderr.String()))
	case stdout.over:
		return "", fmt.Errorf("run %q: it printed more than %d bytes", argv[0], stdout.most)
	}
	return stdout.String(), nil
}

// A limited is a buffer that passes over what does not fit.
type limited struct {
	bytes.Buffer
	most int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	fit := min(len(p), l.most-l.Len())
	l.over = l.over || fit < len(p)
	l.Buffer.Write(p[:fit])
	return len(p), nil
}

// ReadFrom hides that of the buffer, which knows no limit.
func (l *limited) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{l}, r)
}

// sayable is what a command said, if it can hold no token, whole or cut.
func sayable(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	long := false
	for word := range strings.SplitSeq(text, " ") {
		long = long || len(word) > 80 || strings.Contains(word, "eyJ")
	}
	switch {
	case text == "":
		return ""
	case long:
		return " (what it said may hold a secret and is not shown)"
	}
	return ": " + text[:min(len(text), maxStderr)]
}
