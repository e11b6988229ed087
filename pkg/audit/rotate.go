package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Rotation says when a file of the log is closed and the next begun.
type Rotation struct {
	Size     int64 // in bytes; 0 is never
	Keep     int   // how many closed files stay; 0 is all
	Compress bool  // closed files are compressed with gzip
}

// An archive is where the files of a log lie: the one that grows, and beside it
// those that are closed, named after their log and their last line.
type archive struct {
	path     string
	rotation Rotation
	report   func(error)
	turned   chan struct{} // told when a file is closed
}

func newArchive(path string, o Options) *archive {
	return &archive{path: path, rotation: o.Rotate, report: o.report, turned: make(chan struct{}, 1)}
}

func (a *archive) due(size int64, more int) bool {
	return a.rotation.Size > 0 && size > 0 && size+int64(more) > a.rotation.Size
}

// next is the name of the file that will be the growing one. It is in the log
// once the one before is out of its place.
func (a *archive) next() string { return a.path + ".next" }

// finish ends a rotation that a crash has cut.
func (a *archive) finish() error {
	if _, err := os.Stat(a.next()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := os.Lstat(a.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(a.next(), a.path)
	case err != nil:
		return err
	}
	return os.Remove(a.next()) // nobody was told that its line is written
}

// rotate closes the file and begins the next one with lines, which come after
// last. If it cannot, it says so, and done is false when lines are still to be
// written to the old file.
func (f *file) rotate(lines []byte, last head) (done bool, err error) {
	a := f.archive
	next, err := f.prepare(lines)
	if err != nil {
		a.report(fmt.Errorf("rotate audit log: %w", err))
		return false, nil
	}
	closed := a.closedName(last)
	if err = os.Rename(a.path, closed); err == nil {
		if err = os.Rename(a.next(), a.path); err != nil {
			if back := os.Rename(closed, a.path); back != nil {
				return true, fmt.Errorf("rotate audit log: %w", errors.Join(err, back, next.Close()))
			}
		}
	}
	if err != nil {
		a.report(fmt.Errorf("rotate audit log: %w", errors.Join(err, next.Close(), os.Remove(a.next()))))
		return false, nil
	}
	if err := errors.Join(syncFolder(filepath.Dir(a.path)), f.f.Close()); err != nil {
		a.report(fmt.Errorf("rotate audit log: %w", err))
	}
	f.mu.Lock()
	f.f, f.size = next, int64(len(lines))
	f.mu.Unlock()
	select {
	case a.turned <- struct{}{}:
	default:
	}
	return true, nil
}

// prepare makes the next file, with lines on the disk, and the old file too.
func (f *file) prepare(lines []byte) (_ *os.File, err error) {
	info, err := f.f.Stat()
	if err != nil {
		return nil, err
	}
	next, err := os.OpenFile(f.archive.next(), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, next.Close(), os.Remove(f.archive.next()))
		}
	}()
	if err := next.Chmod(info.Mode().Perm()); err != nil {
		return nil, err
	}
	if _, err := next.Write(lines); err != nil {
		return nil, err
	}
	return next, errors.Join(next.Sync(), f.f.Sync())
}

// closedName is the name of a file that ends with last: of audit.jsonl,
// audit-LOG-000000012345.jsonl. No two files ever have one name.
func (a *archive) closedName(last head) string {
	ext := filepath.Ext(a.path)
	return fmt.Sprintf("%s-%s-%012d%s", strings.TrimSuffix(a.path, ext), last.log, last.seq, ext)
}

// A closedFile is one that grows no more.
type closedFile struct {
	path    string
	log     string
	last    uint64
	gzipped bool
	changed time.Time
}

// asClosed reads the name of a file beside live.
func asClosed(live, path string) (c closedFile, ok bool) {
	ext := filepath.Ext(live)
	rest, gzipped := strings.CutSuffix(path, ".gz")
	rest, ok = strings.CutPrefix(rest, strings.TrimSuffix(live, ext)+"-")
	if !ok {
		return c, false
	}
	if rest, ok = strings.CutSuffix(rest, ext); !ok {
		return c, false
	}
	log, number, _ := strings.Cut(rest, "-")
	last, err := strconv.ParseUint(number, 10, 63)
	return closedFile{path: path, log: log, last: last, gzipped: gzipped}, err == nil && isLogName(log) && len(number) >= 12
}

// closed lists the closed files, the oldest first. One that is there both
// plain and compressed is listed plain.
func (a *archive) closed() ([]closedFile, error) {
	folder := filepath.Dir(a.path)
	list, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []closedFile
	began := map[string]time.Time{} // when the oldest file of each log was closed
	for _, entry := range list {
		c, ok := asClosed(a.path, filepath.Join(folder, entry.Name()))
		if !ok {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // compressed or removed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		c.changed = info.ModTime()
		if first, known := began[c.log]; !known || c.changed.Before(first) {
			began[c.log] = c.changed
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b closedFile) int {
		return cmp.Or(began[a.log].Compare(began[b.log]), cmp.Compare(a.log, b.log), cmp.Compare(a.last, b.last), strings.Compare(a.path, b.path))
	})
	return slices.CompactFunc(all, func(a, b closedFile) bool { return a.log == b.log && a.last == b.last }), nil
}

// Files lists the files of the log whose growing file is at path, in the order
// of their lines. While it is used, a file can be compressed (then .gz is
// added to its name) or removed.
func Files(path string) ([]string, error) {
	a := newArchive(path, Options{})
	closed, err := a.closed()
	if err != nil {
		return nil, fmt.Errorf("list the files of the audit log: %w", err)
	}
	names := make([]string, 0, len(closed)+1)
	for _, c := range closed {
		names = append(names, c.path)
	}
	if _, err := os.Stat(path); err == nil || len(names) == 0 {
		names = append(names, path)
	}
	return names, nil
}
