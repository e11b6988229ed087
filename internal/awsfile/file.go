package awsfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
)

// A fileEdit is a change to one file.
type fileEdit struct {
	path   string // with symbolic links followed
	change func(*document) error
}

// read gives the file as it is; info is nil when there is none.
func (e *fileEdit) read() (data []byte, info fs.FileInfo, err error) {
	info, err = os.Stat(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &Fault{File: e.path, Text: "this is not a plain file"}
	}
	f, err := os.Open(e.path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, maxSize+1))
	return data, info, err
}

// scan reads the file.
func (e *fileEdit) scan() (*document, error) {
	data, _, err := e.read()
	if err != nil {
		return nil, err
	}
	return scan(e.path, data)
}

// edited gives the file as it is and as it shall be.
func (e *fileEdit) edited() (before, after []byte, info fs.FileInfo, err error) {
	before, info, err = e.read()
	if err != nil {
		return nil, nil, nil, err
	}
	after, err = e.apply(before)
	return before, after, info, err
}

// apply edits data, and leaves it as it was.
func (e *fileEdit) apply(data []byte) ([]byte, error) {
	d, err := scan(e.path, data)
	if err != nil {
		return nil, err
	}
	if err := e.change(d); err != nil {
		return nil, err
	}
	return d.data, nil
}

// write makes edits in their order, each under its file's lock, after finding
// out that none of them would fail.
func write(ctx context.Context, edits []*fileEdit) (notices []string, err error) {
	for _, e := range edits {
		if err := e.check(); err != nil {
			return nil, err
		}
	}
	for _, e := range edits {
		notice, err := e.write(ctx)
		if err != nil {
			return notices, err
		}
		if notice != "" {
			notices = append(notices, notice)
		}
	}
	return notices, nil
}

// check does all that write does, up to making a file in the folder.
func (e *fileEdit) check() error {
	before, after, info, err := e.edited()
	if err != nil {
		return err
	}
	if e.idle(before, after, info) {
		return nil
	}
	if info != nil && !durable.MayOwn(info) {
		return &Fault{File: e.path, Text: "the file belongs to somebody else, and would not any more after it is replaced"}
	}
	return durable.Check(e.path)
}

// write edits the file under the lock.
func (e *fileEdit) write(ctx context.Context) (notice string, err error) {
	if before, after, info, err := e.edited(); err == nil && e.idle(before, after, info) {
		return "", nil
	}
	unlock, err := durable.Lock(ctx, e.path)
	if err != nil {
		return "", err
	}
	defer unlock()
	before, after, info, err := e.edited()
	if err != nil {
		return "", err
	}
	mode := fs.FileMode(0o600)
	if info != nil {
		mode = info.Mode().Perm() & 0o600
		if wide := info.Mode().Perm(); wide&^0o600 != 0 && durable.ModesMean {
			notice = fmt.Sprintf("%s could be read or changed by others (mode %04o); it is now yours alone (%04o)", e.path, wide, mode)
		}
	}
	if e.idle(before, after, info) {
		return "", nil
	}
	sweep(filepath.Dir(e.path), time.Now())
	return notice, durable.Replace(e.path, after, mode)
}

// idle says that there is nothing to do: no byte changes, and nobody else may
// read the file.
func (e *fileEdit) idle(before, after []byte, info fs.FileInfo) bool {
	return bytes.Equal(before, after) && (info == nil || info.Mode().Perm()&^0o600 == 0 || !durable.ModesMean)
}

// sweep takes away temporary files that a killed gimme left in folder: plain
// files of the name that such files have, an hour old, when a write takes
// milliseconds. What cannot be taken away stays.
func sweep(folder string, now time.Time) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		digits, ok := strings.CutPrefix(entry.Name(), ".gimme-")
		if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > time.Hour {
			_ = os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
}
