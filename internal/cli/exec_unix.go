//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// replace turns this process into the command, and returns only if it cannot.
func replace(path string, args, env []string) error {
	// What is ignored stays so in the command, and most programs count on being
	// ended by SIGPIPE. What is handled does not stay; Reset would leave it
	// ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return syscall.Exec(path, args, env)
}

// handedOn are the signals that the command gets from us. SIGINT and SIGQUIT
// come from a terminal, and to the whole group.
func handedOn() []os.Signal {
	return []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}
}

// codeOf is the exit code as shells have it: 128 and the signal that ended it.
func codeOf(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}
