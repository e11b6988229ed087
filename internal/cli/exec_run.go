package cli

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// become runs the command in our place, with our streams. Where the system can
// do it, this process turns into the command, so that signals, the terminal and
// the exit code are the command's own.
func (a App) become(path string, args, env []string) error {
	if a.Stdin == os.Stdin && a.Stdout == os.Stdout && a.Stderr == os.Stderr {
		if err := replace(path, args, env); !errors.Is(err, errors.ErrUnsupported) {
			return notRun(args[0], err)
		}
	}
	return a.run(path, args, env)
}

// run runs the command beside us, and ends with its exit code. What interrupts
// us reaches it by itself, because it is in our group; what is sent to us alone
// is handed on.
func (a App) run(path string, args, env []string) error {
	c := exec.Command(path, args[1:]...)
	c.Args[0] = args[0]
	c.Env, c.Stdin, c.Stdout, c.Stderr = env, a.Stdin, a.Stdout, a.Stderr
	if err := c.Start(); err != nil {
		return notRun(args[0], err)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, handedOn()...)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case s := <-signals:
			c.Process.Signal(s)
		case err := <-ended:
			if e, ok := errors.AsType[*exec.ExitError](err); ok {
				return exitCode(codeOf(e.ProcessState))
			}
			return err
		}
	}
}
