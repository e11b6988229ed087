//go:build unix

package transport

import (
	"net"
	"syscall"
)

// quiet says whether nothing has come on a connection since it was last used:
// no byte, no end, no error.
func quiet(raw net.Conn) bool {
	c, ok := raw.(syscall.Conn)
	if !ok {
		return true // no socket: it is a test's own
	}
	handle, err := c.SyscallConn()
	if err != nil {
		return false
	}
	empty := false
	err = handle.Control(func(fd uintptr) { // not Read, which heeds the deadline of what was read before
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		empty = err == syscall.EAGAIN
	})
	return err == nil && empty
}
