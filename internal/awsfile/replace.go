package awsfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A fileEdit is a change to one file.
type fileEdit struct {
	path   string // with symbolic links followed
	nested bool   // see scan
	change func(*document) error
}

// resolve follows symbolic links, so that the link stays and its target is
// replaced. The target need not exist.
func resolve(path string) (string, error) {
	start := path
	for range 32 {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return path, nil
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink == 0:
			return path, nil
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%q leads through too many symbolic links", start)
}

// read gives the file as it is; info is nil when there is none.
func (e *fileEdit) read() (data []byte, info fs.FileInfo, err error) {
	f, err := os.Open(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &Fault{e.path, 0, "this is not a plain file"}
	}
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
	if info != nil && !mayOwn(info) {
		return &Fault{e.path, 0, "the file belongs to somebody else, and would not any more after it is replaced"}
	}
	folder := filepath.Dir(e.path)
	for {
		probe, err := os.CreateTemp(folder, ".gimme-*")
		if err == nil {
			return errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
		if _, there := os.Stat(folder); there == nil || !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s could not be written: %w", e.path, err)
		}
		folder = filepath.Dir(folder) // the folder will be made
	}
}

// write edits the file under the lock.
func (e *fileEdit) write(ctx context.Context) (notice string, err error) {
	if err := os.MkdirAll(filepath.Dir(e.path), 0o700); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, e.path+".lock")
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
		if wide := info.Mode().Perm(); wide&^0o600 != 0 && modesMean {
			notice = fmt.Sprintf("%s could be read or changed by others (mode %04o); it is now yours alone (%04o)", e.path, wide, mode)
		}
	}
	if info != nil && notice == "" && string(before) == string(after) {
		return "", nil
	}
	return notice, replace(e.path, after, mode, info)
}

// replace puts data in the place of path in one step: whoever reads sees the
// old file or the new one, also when the machine stops meanwhile.
func replace(path string, data []byte, mode fs.FileMode, old fs.FileInfo) (err error) {
	folder := filepath.Dir(path)
	tmp, err := os.CreateTemp(folder, ".gimme-*")
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
			err = fmt.Errorf("replace %s: %w", path, err)
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := tmp.Chmod(mode); err != nil && modesMean {
		return err
	}
	if old != nil {
		if err := keepOwner(tmp, old); err != nil {
			return err
		}
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}
