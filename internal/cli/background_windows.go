package cli

import (
	"os"
	"syscall"
)

// apart puts a process into a group of its own, so that Ctrl-C is for us to
// hand on.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// stop ends a process. There is no gentler way to another group here.
func stop(p *os.Process) { p.Kill() }
