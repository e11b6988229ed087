package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// A Log takes events, one line each, in the order in which Write is called.
// It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex // guards out and torn
	out  io.Writer
	torn bool // the last line may lack its end
}

// NewLog writes to out. Each event is handed over in a single Write.
func NewLog(out io.Writer) *Log { return &Log{out: out} }

// Open appends to the file at path, made with mode 0600 when it is not there.
// A last line that a crash has torn is ended first, so that it spoils no other.
func Open(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l := NewLog(f)
	if l.torn, err = endsTorn(f); err != nil {
		return nil, errors.Join(fmt.Errorf("read audit log %q: %w", path, err), f.Close())
	}
	return l, nil
}

func endsTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// Write appends e. When it returns nil the whole line has been handed to the
// operating system, so it outlives this process. After an error, part of a line
// may have been written; the next event starts on a line of its own.
func (l *Log) Write(e Event) error {
	line, err := e.Line()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := l.out.Write(line)
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	if err != nil {
		l.torn = l.torn || n > 0
		return fmt.Errorf("write audit event %q: %w", e.ID, err)
	}
	l.torn = false
	return nil
}

// Close closes what the log writes to, if it can be closed.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.out.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
