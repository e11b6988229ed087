package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// A fileSink appends to a file, which is opened for each batch, so that
// whatever rotates it need not tell us.
type fileSink struct{ path string }

func openFile(s Sink, _ Options) (sink, error) { return fileSink{s.Path.V}, nil }

func (f fileSink) Close() error { return nil }

func (f fileSink) send(_ context.Context, batch []record) (_ result, err error) {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return result{}, err
	}
	open := ""
	if last := make([]byte, 1); info.Mode().IsRegular() && info.Size() > 0 {
		if _, err := file.ReadAt(last, info.Size()-1); err != nil {
			return result{}, err
		}
		if last[0] != '\n' { // a line that a crash has torn spoils no other
			open = "\n"
		}
	}
	if _, err := file.Write(joined(batch, open, "\n", "\n")); err != nil {
		return result{}, err
	}
	if err := file.Sync(); err != nil && info.Mode().IsRegular() {
		return result{}, fmt.Errorf("sync %s: %w", f.path, err)
	}
	return all(batch), nil
}

// A stdoutSink writes to standard output, for what collects the output of
// containers.
type stdoutSink struct {
	out  io.Writer
	torn bool
}

func openStdout(_ Sink, o Options) (sink, error) { return &stdoutSink{out: o.Stdout}, nil }

func (s *stdoutSink) Close() error { return nil }

func (s *stdoutSink) send(_ context.Context, batch []record) (result, error) {
	open := ""
	if s.torn {
		open = "\n"
	}
	lines := joined(batch, open, "\n", "\n")
	n, err := s.out.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.torn = s.torn || n > 0
		return result{}, err
	}
	s.torn = false
	return all(batch), nil
}
