//go:build unix

package cli

import (
	"os"
	"syscall"
)

// apart puts a process into a group of its own, so that Ctrl-C is for us to
// hand on, and leaves it in our session, so that it has our terminal.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// stop ends a process as Ctrl-C would.
func stop(p *os.Process) { p.Signal(syscall.SIGTERM) }
