package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// A stream is a device of which nothing can be taken back: standard output, a
// pipe.
type stream struct {
	out  io.Writer
	torn bool // the last line may lack its end
}

func (s *stream) put(lines []byte, _ head) error {
	if s.torn { // the next event starts on a line of its own
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := s.out.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	s.torn = err != nil && (s.torn || n > 0)
	return err
}

func (s *stream) sync() error { return nil }

func (s *stream) Close() error {
	if c, ok := s.out.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// A file is a regular file that grows.
type file struct {
	mu      sync.Mutex // guards f, which only put changes
	f       *os.File
	size    int64 // of whole lines that are in the log
	torn    bool  // there may be more after them, which is not
	durable bool  // put waits for the disk
	archive *archive
}

func (f *file) put(lines []byte, last head) error {
	if f.torn {
		if err := f.cut(); err != nil {
			return err
		}
	}
	if f.archive.due(f.size, len(lines)) {
		if done, err := f.rotate(lines, last); done {
			return err
		}
	}
	_, err := f.f.Write(lines)
	if err == nil && f.durable {
		// After a failure the kernel may count the pages as written, so the
		// lines must go: nobody was told that they are there.
		err = f.f.Sync()
	}
	if err != nil {
		f.torn = true
		return errors.Join(err, f.cut())
	}
	f.size += int64(len(lines))
	return nil
}

// cut takes away what a failed write has left.
func (f *file) cut() error {
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > f.size {
		if err := f.f.Truncate(f.size); err != nil {
			return fmt.Errorf("take back a torn line: %w", err)
		}
	}
	f.size, f.torn = min(f.size, info.Size()), false
	return nil
}

func (f *file) sync() error {
	f.mu.Lock()
	current := f.f
	f.mu.Unlock()
	return current.Sync()
}

func (f *file) Close() error { return f.f.Close() }

// Open appends to the file at path, made with mode 0600 when it is not there.
// One process may have it open at a time; the caller sees to that.
func Open(path string) (*Log, error) { return Options{}.Open(path) }

// Open is the function Open with these options. The log that is in the file
// goes on. What a crash has torn is taken away first: it is part of an event
// of which nobody was told that it is recorded.
func (o Options) Open(path string) (*Log, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // so that the file is rotated, and not a link to it
	}
	a := newArchive(path, o)
	if err := a.finish(); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l, err := o.openFile(f, a)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open audit log %q: %w", path, err), f.Close())
	}
	return l, nil
}

func (o Options) openFile(f *os.File, a *archive) (*Log, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return o.NewLog(f), nil
	}
	if info.Size() == 0 {
		if err := syncFolder(filepath.Dir(a.path)); err != nil {
			return nil, err
		}
	}
	last, size, err := lastLine(f, info.Size())
	if err != nil {
		return nil, err
	}
	var notices []Event
	if torn := info.Size() - size; torn > 0 {
		text, err := tornText(f, size, torn)
		if err != nil {
			return nil, err
		}
		if err := f.Truncate(size); err != nil {
			return nil, err
		}
		notices = append(notices, notice("log-repaired", text))
	}
	h := newHead()
	if p, ok := placeOf(last); ok {
		h = head{log: p.log, seq: p.seq, sum: sha256.Sum256(last)}
	} else if size > 0 {
		notices = append(notices, notice("log-begun", "the last line of the file has no place in a log; this line begins a new one"))
	}
	l := newLog(o, &file{f: f, size: size, durable: o.Durability == DurableFsync, archive: a}, h)
	if o.Checkpoints > 0 {
		begun, err := l.openCheckpoints(a)
		if err != nil {
			return nil, err
		}
		notices = append(notices, begun...)
	}
	if err := l.begin(a, notices); err != nil {
		return nil, err
	}
	return l, nil
}

// begin starts what runs in the background, and writes what opening has found.
func (l *Log) begin(a *archive, notices []Event) error {
	if a.rotation.Size > 0 {
		l.archive = a
		l.background.Go(l.tend)
	}
	if l.checkpoints != nil {
		l.background.Go(l.sign)
	}
	for _, e := range notices {
		if err := l.Write(e); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	return nil
}

func tornText(f *os.File, from, n int64) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, from, n)); err != nil {
		return "", err
	}
	return fmt.Sprintf("a crash had torn the last line, which nobody was told is written; %d bytes were taken away, sha256 %x", n, h.Sum(nil)), nil
}

// lastLine returns the last whole line of a file, without its newline, and
// where it ends.
func lastLine(f io.ReaderAt, size int64) (line []byte, end int64, err error) {
	for window := int64(64 << 10); ; window *= 4 {
		window = min(window, size)
		tail := make([]byte, window)
		if _, err := f.ReadAt(tail, size-window); err != nil && window > 0 {
			return nil, 0, err
		}
		whole := window == size
		last := bytes.LastIndexByte(tail, '\n')
		if last < 0 && !whole {
			continue
		}
		if last < 0 {
			return nil, 0, nil
		}
		start := bytes.LastIndexByte(tail[:last], '\n') + 1
		if start > 0 || whole {
			return tail[start:last], size - window + int64(last) + 1, nil
		}
	}
}

// syncFolder makes what was made, renamed or removed in folder last.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" { // where folders cannot be synced
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
