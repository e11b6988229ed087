package proxy

import (
	"io"
	"sync/atomic"
)

// A sending reader is a body on its way upstream. The transport reads it on a
// goroutine of its own.
type sending struct {
	r    io.Reader // nil: there is none of the client's
	size int64     // in bytes

	begun atomic.Bool
	whole atomic.Bool
	given int64 // bytes, so far; of Read alone
}

func (b *sending) Read(p []byte) (int, error) {
	b.begun.Store(true)
	n, err := b.r.Read(p)
	b.given += int64(n)
	// The upstream may answer as soon as it has the last byte, which was proven
	// before it was given away.
	if err == io.EOF || err == nil && b.given >= b.size {
		b.whole.Store(true)
	}
	return n, err
}

// hasBegun says whether anything was read, so that it cannot be sent again.
func (b *sending) hasBegun() bool { return b.begun.Load() }

// isWhole says whether there is nothing left to send.
func (b *sending) isWhole() bool { return b.r == nil || b.whole.Load() }
