package load

import (
	"io"
	"net"
	"time"
)

// A bodySource throws away what comes from a connection.
type bodySource interface {
	// discard returns when n bytes have come, or with what prevented it.
	discard(n int64) error
}

// A copySource reads what it throws away.
type copySource struct{ io.Reader }

func (s copySource) discard(n int64) error {
	_, err := io.CopyN(io.Discard, s.Reader, n)
	return err
}

// A tcpSource has the kernel throw it away, where that can be.
type tcpSource struct{ *net.TCPConn }

func (s tcpSource) discard(n int64) error { return Discard(s.TCPConn, n) }

// A slowSource takes so many bytes a second, in small pieces.
type slowSource struct {
	io.Reader
	rate int
}

// beat is how often a slowSource reads.
const beat = 20 * time.Millisecond

func (s slowSource) discard(n int64) error {
	began, taken := time.Now(), int64(0)
	for taken < n {
		allowed := min(int64(time.Since(began).Seconds()*float64(s.rate)), n)
		if allowed > taken {
			if err := (copySource{s.Reader}).discard(allowed - taken); err != nil {
				return err
			}
			taken = allowed
		}
		time.Sleep(beat)
	}
	return nil
}
