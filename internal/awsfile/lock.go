package awsfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// patience is how long another run of gimme may hold a lock. Editing takes
// milliseconds.
const patience = 15 * time.Second

// lock holds path, a file of its own beside the one that is edited, until
// unlock. The kernel lets go of it when the process ends, however it ends; the
// file stays, because taking it away would let two hold two different ones.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
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
