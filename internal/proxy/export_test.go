package proxy

import (
	"context"
	"net"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// Times are how long a sidecar under test waits; zero ones stay as they are.
type Times struct{ Header, Idle, Progress, Linger, Drain, Proceed, KeepAlive, Order time.Duration }

// SetTimes is called before Run.
func (s *Server) SetTimes(t Times) {
	set := func(to *time.Duration, v time.Duration) {
		if v != 0 {
			*to = v
		}
	}
	set(&s.times.header, t.Header)
	set(&s.times.idle, t.Idle)
	set(&s.times.progress, t.Progress)
	set(&s.times.linger, t.Linger)
	set(&s.times.drain, t.Drain)
	set(&s.times.proceed, t.Proceed)
	set(&s.times.keepAlive, t.KeepAlive)
	set(&s.times.order, t.Order)
	s.transport.Proceed, s.transport.Progress = s.times.proceed, s.times.progress
}

// DialUpstream has connections to the upstream made by dial.
func (s *Server) DialUpstream(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.transport.Dial = dial
}

// Count counts an event that nothing has written.
func (s *Server) Count(e *audit.Event) { s.metrics.Event(e, 0, nil) }

// CountNoCredentials counts that there were none for the upstream.
func (s *Server) CountNoCredentials() { s.noCredentials(nil) }

// Remembered is how many holders are.
func Remembered(s *Server) int {
	s.holders.mu.Lock()
	defer s.holders.mu.Unlock()
	return len(s.holders.young) + len(s.holders.old)
}
