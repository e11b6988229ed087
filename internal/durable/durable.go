// Package durable replaces whole files so that whoever reads one, at any moment
// and after any crash, finds the old or the new one. Symbolic links are
// followed and stay; the owner stays; locks are files of their own.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Resolve follows symbolic links, so that the link stays and its target is
// replaced. The target need not exist.
func Resolve(path string) (string, error) {
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

// Check finds out whether path can be replaced, by making a file beside it and
// taking it away. A folder that is missing counts as made.
func Check(path string) error {
	folder := filepath.Dir(path)
	for {
		probe, err := os.CreateTemp(folder, ".gimme-*")
		if err == nil {
			return errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
		if _, there := os.Stat(folder); there == nil || !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s could not be written: %w", path, err)
		}
		folder = filepath.Dir(folder)
	}
}

// Replace puts data in the place of path, which must not be a link, in one
// step. The new file has mode, and the owner of the old one.
func Replace(path string, data []byte, mode fs.FileMode) (err error) {
	folder := filepath.Dir(path)
	old, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
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
	if err := tmp.Chmod(mode); err != nil && ModesMean {
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
