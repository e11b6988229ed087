package cli

import (
	"context"
	"errors"
	"io"
	"syscall"

	"golang.org/x/term"
)

// A terminal is the one that the person sits at, whatever stdin, stdout and
// stderr are. All that ask something in one run share it: a line that one of
// them still waits for belongs to the next.
type terminal struct {
	io.ReadWriteCloser
	lines func(context.Context) (string, error)
}

// terminal opens it; nil: nobody can be asked anything.
func (a App) terminal() *terminal {
	if a.OpenTerminal == nil {
		return nil
	}
	t, err := a.OpenTerminal()
	if err != nil || t == nil {
		return nil
	}
	return &terminal{t, linesOf(t)}
}

// close is Close for a terminal that may not be there.
func (t *terminal) close() {
	if t != nil {
		t.Close()
	}
}

// inForeground is open, but for a program that runs in the background of its
// terminal: who reads there is stopped by the system.
func inForeground(open func() (io.ReadWriteCloser, error)) func() (io.ReadWriteCloser, error) {
	return func() (io.ReadWriteCloser, error) {
		t, err := open()
		if err != nil || t == nil {
			return t, err
		}
		if inBackground(t) {
			t.Close()
			return nil, errors.New("gimme runs in the background of the terminal")
		}
		return t, nil
	}
}

// inBackground says whether another program has the terminal x now.
func inBackground(x any) (is bool) {
	onDescriptor(x, func(fd int) { is = isBackgroundOf(fd) })
	return is
}

// isTerminal says whether a person reads what is written to w.
func isTerminal(w any) (is bool) {
	onDescriptor(w, func(fd int) { is = term.IsTerminal(fd) })
	return is
}

// onDescriptor calls f with the descriptor of x, if it has one. (os.File.Fd
// would make its reads block for good.)
func onDescriptor(x any, f func(fd int)) {
	c, ok := x.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
