package audit

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// tend compresses and removes closed files, until the log is closed.
func (l *Log) tend() {
	for {
		if err := l.tendOnce(); err != nil && !errors.Is(err, errClosed) { // then the next start does it
			l.options.report(fmt.Errorf("tend the files of the audit log: %w", err))
		}
		select {
		case <-l.stop:
			return
		case <-l.archive.turned:
		}
	}
}

func (l *Log) tendOnce() error {
	closed, err := l.archive.closed()
	if err != nil {
		return err
	}
	errs := []error{l.removeOld(closed)}
	if l.archive.rotation.Compress {
		for _, c := range closed {
			select {
			case <-l.stop: // the next start goes on with it
				return errors.Join(errs...)
			default:
			}
			if !c.gzipped {
				errs = append(errs, compress(c.path))
			}
		}
	}
	return errors.Join(errs...)
}

// removeOld removes what is more than the rotation keeps, once the log says so.
func (l *Log) removeOld(closed []closedFile) error {
	keep := l.archive.rotation.Keep
	if keep == 0 || len(closed) <= keep {
		return nil
	}
	old := closed[:len(closed)-keep]
	e := notice("log-removed", fmt.Sprintf("closed files of the log are removed, because %d are kept", keep))
	for _, c := range old {
		e.Request.Keys = append(e.Request.Keys, strings.TrimSuffix(filepath.Base(c.path), ".gz"))
	}
	if err := l.Write(e); err != nil {
		return err
	}
	var errs []error
	for _, c := range old {
		plain := strings.TrimSuffix(c.path, ".gz")
		for _, path := range []string{plain, plain + ".gz"} {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	if l.checkpoints != nil {
		errs = append(errs, l.checkpoints.forget(old[len(old)-1]))
	}
	return errors.Join(errs...)
}

// compress puts path.gz in the place of the closed file path. At any moment the
// one or the other is whole.
func compress(path string) (err error) {
	in, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) { // just removed
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	part := path + ".gz.part"
	out, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close(), os.Remove(part))
		}
	}()
	zip := gzip.NewWriter(out)
	if _, err := io.Copy(zip, in); err != nil {
		return err
	}
	for _, step := range []func() error{
		zip.Close, out.Sync, out.Close,
		func() error { return os.Chtimes(part, info.ModTime(), info.ModTime()) },
		func() error { return os.Rename(part, path+".gz") },
		func() error { return syncFolder(filepath.Dir(path)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return os.Remove(path)
}
