package login

import (
	"os/exec"
	"syscall"
)

// detach keeps the terminal's interrupts from the command.
func detach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// end ends the command, for which Windows has one way only.
func end(c *exec.Cmd, _ bool) { c.Process.Kill() }
