package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
)

// poll is how often a lock is tried, give or take a fifth.
const poll = 25 * time.Millisecond

// Lock keeps others, in this process and in others, from name until unlock. It
// waits as long as ctx does. The kernel holds the lock for the process, so
// that one which dies keeps nobody out.
//
// While it waits it calls each, if there is one, about every 25 milliseconds:
// done ends the wait, because what the lock was wanted for is there, and then
// unlock and err are nil.
func (s *Store) Lock(ctx context.Context, name string, each func() (done bool)) (unlock func(), err error) {
	for {
		unlock, ok, err := s.TryLock(name)
		if err != nil || ok {
			return unlock, err
		}
		if each != nil && each() {
			return nil, nil
		}
		wait := time.NewTimer(poll - poll/5 + rand.N(2*poll/5))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil, fmt.Errorf("wait for another gimme, which holds the lock %q: %w", name, ctx.Err())
		case <-wait.C:
		}
	}
}

// TryLock is Lock without the wait: ok says whether name is ours.
func (s *Store) TryLock(name string) (unlock func(), ok bool, err error) {
	path, err := s.lockPath(name)
	if err != nil {
		return nil, false, err
	}
	return durable.TryLock(path)
}

// lockPath is what is locked for name, in a folder that is there.
func (s *Store) lockPath(name string) (string, error) {
	path, err := s.path(locksRoom, name)
	if err != nil {
		return "", err
	}
	if err := s.room(locksRoom); err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(path), strings.TrimSuffix(filepath.Base(path), ".json")), nil
}
