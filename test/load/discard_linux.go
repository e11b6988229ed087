package load

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// window is how much is thrown away at once. Its memory is never touched.
var window [1 << 20]byte

// Discard throws away n bytes that come from c, without copying them out of the
// kernel (tcp(7), MSG_TRUNC).
func Discard(c *net.TCPConn, n int64) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	err = raw.Read(func(fd uintptr) bool {
		for n > 0 {
			got, _, err := syscall.Recvfrom(int(fd), window[:min(n, int64(len(window)))], syscall.MSG_TRUNC)
			switch {
			case err == syscall.EAGAIN:
				return false
			case err == syscall.EINTR:
				continue
			case err != nil:
				fault = os.NewSyscallError("recvfrom", err)
				return true
			case got == 0:
				fault = fmt.Errorf("%d bytes are missing: %w", n, io.ErrUnexpectedEOF)
				return true
			}
			n -= int64(got)
		}
		return true
	})
	if err == nil {
		err = fault
	}
	return err
}

// sleepUntil returns at t, more exactly than time.Sleep does: that wakes up to
// a millisecond late.
func sleepUntil(t time.Time) {
	for d := time.Until(t); d > 0; d = time.Until(t) {
		pause := syscall.NsecToTimespec(int64(d))
		syscall.Nanosleep(&pause, nil)
	}
}
