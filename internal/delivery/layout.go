package delivery

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// A layout is how the log lies on disk: the file that grows, and beside it
// those that are closed, some of them compressed. It is shared by all readers.
type layout struct {
	path string // of the file that grows

	mu  sync.Mutex        // guards ids
	ids map[string]string // of closed files, by path
}

// A segment is one file of the log. It is told by its first line, which stays
// when the file is renamed and compressed.
type segment struct {
	path string
	id   string // empty when the file has no event yet
}

// segments lists the files of the log. It looks twice, because between the
// looks of one listing a file can be closed and be missed.
func (l *layout) segments() ([]segment, error) {
	var before []segment
	for range 4 {
		now, err := l.list()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil && before != nil && slices.Equal(before, now) {
			return now, nil
		}
		before = now
	}
	return nil, fs.ErrNotExist // it is being rotated, or is not there yet
}

func (l *layout) list() ([]segment, error) {
	paths, err := audit.Files(l.path)
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, path := range paths {
		id, err := l.id(path)
		if err != nil {
			return nil, err
		}
		all = append(all, segment{path, id})
	}
	return all, nil
}

// id reads what tells the file at path from all others.
func (l *layout) id(path string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id, known := l.ids[path]; known {
		return id, nil
	}
	f, err := openSegment(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for in := bufio.NewReader(f); ; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("read %s: %w", path, err)
		}
		if h, ok := readHead(line); ok {
			if path != l.path {
				l.ids[path] = h.id()
			}
			return h.id(), nil
		}
	}
}

// openSegment opens a file of the log, compressed or not.
func openSegment(path string) (io.ReadSeekCloser, error) {
	f, err := os.Open(path)
	if err != nil || filepath.Ext(path) != ".gz" {
		return f, err
	}
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), f.Close())
	}
	return &compressed{z, f}, nil
}

// A compressed file is read from its start.
type compressed struct {
	*gzip.Reader
	file *os.File
}

func (c *compressed) Close() error { return errors.Join(c.Reader.Close(), c.file.Close()) }

// Seek goes forward from where nothing was read yet.
func (c *compressed) Seek(offset int64, _ int) (int64, error) {
	return io.CopyN(io.Discard, c.Reader, offset)
}

// last is the last event in the file that grows; its Seq is 0 when there is none.
func (l *layout) last() (head, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return head{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return head{}, err
	}
	const largest = 4 << 20 // events are smaller
	for size := int64(16 << 10); ; size *= 16 {
		from := max(0, info.Size()-size)
		tail, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
		if err != nil {
			return head{}, err
		}
		if h, ok := lastIn(string(tail), from == 0); ok || from == 0 || size >= largest {
			return h, nil
		}
	}
}

// lastIn is the last event whose line is whole in tail. first says that tail
// begins with a line.
func lastIn(tail string, first bool) (head, bool) {
	end := strings.LastIndexByte(tail, '\n')
	for end > 0 {
		start := strings.LastIndexByte(tail[:end], '\n') + 1
		if start == 0 && !first {
			return head{}, false
		}
		if h, ok := readHead([]byte(tail[start:end])); ok {
			return h, true
		}
		end = start - 1
	}
	return head{}, false
}
