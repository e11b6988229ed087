//go:build unix

package login

import (
	"os/exec"
	"syscall"
)

// detach gives the command a session of its own.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// end ends the command, and what it started in its session.
func end(c *exec.Cmd, hard bool) {
	signal := syscall.SIGTERM
	if hard {
		signal = syscall.SIGKILL
	}
	syscall.Kill(-c.Process.Pid, signal)
}
