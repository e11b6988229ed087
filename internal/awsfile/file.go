package awsfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/gimme-broker/gimme/internal/durable"
)

// A fileEdit is a change to one file.
type fileEdit struct {
	path   string // with symbolic links followed
	nested bool   // see scan
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

// edited gives the file as it is and as it shall be.
func (e *fileEdit) edited() (before, after []byte, info fs.FileInfo, err error) {
	before, info, err = e.read()
	if err != nil {
		return nil, nil, nil, err
	}
	d, err := scan(e.path, before, e.nested)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := e.change(d); err != nil {
		return nil, nil, nil, err
	}
	return before, d.data, info, nil
}

// check does all that write does, up to making a file in the folder.
func (e *fileEdit) check() error {
	_, _, info, err := e.edited()
	if err != nil {
		return err
	}
	if info != nil && !durable.MayOwn(info) {
		return &Fault{File: e.path, Text: "the file belongs to somebody else, and would not any more after it is replaced"}
	}
	return durable.Check(e.path)
}

// write edits the file under the lock.
func (e *fileEdit) write(ctx context.Context) (notice string, err error) {
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
	if info != nil && notice == "" && string(before) == string(after) {
		return "", nil
	}
	return notice, durable.Replace(e.path, after, mode)
}
