//go:build unix

package cli

import "golang.org/x/sys/unix"

// isBackgroundOf says whether another group of processes has the terminal.
func isBackgroundOf(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group != unix.Getpgrp()
}
