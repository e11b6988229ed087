package durable_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
)

func TestALockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "file")
	unlock, ok, err := durable.TryLock(path)
	if !ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
	if again, ok, err := durable.TryLock(path); ok || again != nil || err != nil {
		t.Errorf("tried: got %v, %v", ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := durable.Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited: got %v", err)
	}
	unlock()
	unlock, err = durable.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
