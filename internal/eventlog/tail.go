package eventlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How a log that grows is looked at.
const (
	lookEvery   = 200 * time.Millisecond
	firstWindow = 256 << 10 // bytes of its end that are looked at first
)

// A Tail reads the end of a file of a log, and what is added to it.
type Tail struct {
	path   string
	file   *os.File
	offset int64
	part   []byte // the beginning of a line whose end is not written yet
	paused bool   // the last look found nothing new
}

// OpenTail opens the file at path, which is plain.
func OpenTail(path string) (*Tail, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &Tail{path: path, file: f}, nil
}

// Close closes the file.
func (t *Tail) Close() error { return t.file.Close() }

// Last hands the end of the file to look, and more and more of it until look is
// satisfied or has it all. What comes after is for Follow.
func (t *Tail) Last(look func(read io.Reader) (enough bool, err error)) error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	whole, err := t.lastEnd(size)
	if err != nil {
		return err
	}
	magic := make([]byte, len(gzipMagic))
	if n, _ := t.file.ReadAt(magic, 0); string(magic[:n]) == gzipMagic {
		t.offset = size
		_, err := look(io.NewSectionReader(t.file, 0, size))
		return err
	}
	t.offset = whole
	for window := int64(firstWindow); ; window *= 8 {
		start, err := t.lineAt(max(0, whole-window))
		if err != nil {
			return err
		}
		enough, err := look(io.NewSectionReader(t.file, start, whole-start))
		if err != nil || enough || start == 0 {
			return err
		}
	}
}

// lastEnd is where the last whole line ends.
func (t *Tail) lastEnd(size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(0, end-int64(len(buf)))
		if _, err := t.file.ReadAt(buf[:end-start], start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:end-start], '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// lineAt is where the first line begins that begins at offset or later.
func (t *Tail) lineAt(offset int64) (int64, error) {
	if offset == 0 {
		return 0, nil
	}
	buf := make([]byte, 64<<10)
	for at := offset - 1; ; at += int64(len(buf)) {
		n, err := t.file.ReadAt(buf, at)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return at + int64(i) + 1, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// Follow hands whole lines to take as they are added, and none when there is a
// pause, until take says false or ctx ends. When the file is renamed or removed and another one stands in its
// place, it goes on there; when it becomes shorter, it begins anew.
func (t *Tail) Follow(ctx context.Context, take func(lines []byte) bool) error {
	timer := time.NewTicker(lookEvery)
	defer timer.Stop()
	for {
		more, err := t.added(take)
		if err != nil || !more {
			return err
		}
		next, err := t.next()
		if err != nil {
			return err
		}
		if next != nil {
			// What was written between the last look and the renaming comes first.
			more, err := t.added(take)
			if err != nil || !more {
				return errors.Join(err, next.Close())
			}
			if more, err = t.catchUp(take); err != nil || !more {
				return errors.Join(err, next.Close())
			}
			t.turn(next)
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		if t.paused && !take(nil) {
			return nil
		}
	}
}

// added hands over what was added since the last time.
func (t *Tail) added(take func(lines []byte) bool) (more bool, err error) {
	if info, err := t.file.Stat(); err != nil {
		return false, err
	} else if info.Size() < t.offset {
		t.offset, t.part = 0, nil
	}
	buf := make([]byte, firstWindow)
	t.paused = true
	for {
		n, err := t.file.ReadAt(buf, t.offset)
		t.paused = t.paused && n == 0
		t.offset += int64(n)
		t.part = append(t.part, buf[:n]...)
		if end := bytes.LastIndexByte(t.part, '\n') + 1; end > 0 {
			if !take(bytes.Clone(t.part[:end])) {
				return false, nil
			}
			t.part = append(t.part[:0], t.part[end:]...)
		} else if len(t.part) > maxLine {
			t.part = []byte{'!'} // no event is so long
		}
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, err
		}
	}
}

// turn goes on with another file.
func (t *Tail) turn(f *os.File) {
	t.file.Close()
	t.file, t.offset, t.part = f, 0, nil
}

// catchUp hands over what was written to files that came and went meanwhile.
func (t *Tail) catchUp(take func(lines []byte) bool) (more bool, err error) {
	names, err := t.between()
	if err != nil {
		return false, err
	}
	for _, name := range names {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		t.turn(f)
		if more, err := t.added(take); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// between are the files that were begun after the one that is read and closed
// before this was seen, the oldest first: those beside it whose name begins as its
// does, and that are not compressed yet.
func (t *Tail) between() ([]string, error) {
	here, err := t.file.Stat()
	if err != nil {
		return nil, err
	}
	ext := filepath.Ext(t.path)
	names, err := filepath.Glob(strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(strings.TrimSuffix(t.path, ext)) + "-*" + ext)
	if err != nil {
		return nil, err
	}
	type closed struct {
		name string
		at   time.Time
	}
	var later []closed
	for _, name := range names {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.ModTime().After(here.ModTime()) && !os.SameFile(info, here) {
			later = append(later, closed{name, info.ModTime()})
		}
	}
	slices.SortFunc(later, func(a, b closed) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.name, b.name)) })
	sorted := make([]string, len(later))
	for i, c := range later {
		sorted[i] = c.name
	}
	return sorted, nil
}

// next is the file that stands in the place of the one that is read; nil: that is
// still there, or nothing is.
func (t *Tail) next() (*os.File, error) {
	there, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	here, err := t.file.Stat()
	if err != nil {
		return nil, err
	}
	if os.SameFile(here, there) {
		return nil, nil
	}
	next, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	return next, nil
}
