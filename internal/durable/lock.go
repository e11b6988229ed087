package durable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// patience is how long another run of gimme may hold a lock. Editing takes
// milliseconds.
const patience = 15 * time.Second

// Lock keeps other runs of gimme from path until unlock, with a lock on a file
// beside it, and makes the folder, for the owner alone, when there is none.
// Others are waited for, at most until ctx ends. The kernel lets go of it when
// the process ends, however it ends; the file stays, because taking it away
// would let two hold two different ones.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, path, err := openLock(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := tryLock(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if ok {
			return func() { f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("another gimme holds %s: %w", path, ctx.Err()), f.Close())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TryLock is Lock for those who do not wait: ok says whether path is theirs,
// until unlock. Nothing has to be unlocked otherwise.
func TryLock(path string) (unlock func(), ok bool, err error) {
	f, path, err := openLock(path)
	if err != nil {
		return nil, false, err
	}
	ok, err = tryLock(f)
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	if !ok {
		return nil, false, f.Close()
	}
	return func() { f.Close() }, true, nil
}

// openLock opens the file whose lock stands for path.
func openLock(path string) (*os.File, string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, path, err
	}
	path += ".lock"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	return f, path, err
}
