//go:build !linux

package load

import (
	"net"
	"time"
)

// Discard throws away n bytes that come from c.
func Discard(c *net.TCPConn, n int64) error { return copySource{c}.discard(n) }

func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }
