package audit

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// LivePath is the path of the file that grows, given that of any file of the log.
func LivePath(path string) string {
	plain := strings.TrimSuffix(path, ".gz")
	m := removedName.FindStringIndex(filepath.Base(plain))
	if m == nil || filepath.Ext(plain) == "" {
		return plain
	}
	return filepath.Join(filepath.Dir(plain), filepath.Base(plain)[:m[0]]+filepath.Ext(plain))
}

// Lines are the lines of a file of the log, compressed or not, without their
// newlines. Each is good until the next. A last line that has no end is left out: it
// is no event, or not yet. An error ends them.
func Lines(path string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in, err := openLogFile(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer in.close()
		for {
			line, whole, err := in.line()
			if err != nil || !whole {
				if err := ignoreEOF(err); err != nil {
					yield(nil, fmt.Errorf("read %s: %w", path, err))
				}
				return
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}

// A logFile is a file of the log, open for reading, decompressed if need be.
type logFile struct {
	*bufio.Reader
	f     *os.File
	plain bool
}

func (f *logFile) close() error { return f.f.Close() }

// openLogFile opens a file of the log. If it was compressed since it was
// listed, the compressed one.
func openLogFile(path string) (*logFile, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && filepath.Ext(path) != ".gz" {
		if zipped, zipErr := os.Open(path + ".gz"); zipErr == nil {
			f, err, path = zipped, nil, path+".gz"
		}
	}
	if err != nil {
		return nil, err
	}
	in := &logFile{bufio.NewReaderSize(f, 256<<10), f, filepath.Ext(path) != ".gz"}
	if !in.plain {
		zip, err := gzip.NewReader(in.Reader)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		in.Reader = bufio.NewReaderSize(zip, 256<<10)
	}
	return in, nil
}

// line reads the next line without its newline; it is good until the next call.
// whole says whether the newline was there.
func (f *logFile) line() (line []byte, whole bool, err error) {
	line, err = f.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = append([]byte(nil), line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			var more []byte
			more, err = f.ReadSlice('\n')
			line = append(line, more...)
		}
	}
	if err == nil {
		return line[:len(line)-1], true, nil
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return line, false, nil
	}
	return nil, false, err
}

// skip goes to a line that comes no later than the one after last, without
// reading all that is before it, if the file is one that allows that.
func (f *logFile) skip(last head) error {
	if !f.plain {
		return nil
	}
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	for window := int64(1 << 20); window < info.Size(); window *= 4 {
		if err := f.seek(info.Size() - window); err != nil {
			return err
		}
		rest, _, err := f.line() // of a line that the window has cut
		if err != nil {
			return err
		}
		start := info.Size() - window + int64(len(rest)) + 1
		line, _, err := f.line()
		if p, ok := placeOf(line); err == nil && ok && p.log == last.log && p.seq <= last.seq+1 {
			return f.seek(start)
		}
	}
	return f.seek(0)
}

func (f *logFile) seek(offset int64) error {
	_, err := f.f.Seek(offset, io.SeekStart)
	f.Reset(f.f)
	return err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
