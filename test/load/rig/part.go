package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Part is a program that runs, with the processes that it starts.
type Part struct {
	Name  string
	cmd   *exec.Cmd
	log   string // file of what it prints
	ended chan struct{}
	err   error // how it ended; good after ended
}

// start runs a program in folder, where its output is kept.
func (r *Rig) start(name, folder, program string, env []string, args ...string) (*Part, error) {
	p := &Part{Name: name, log: filepath.Join(folder, "output.log"), ended: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, out, out
	p.cmd.Env = append([]string{"HOME=" + folder, "PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for the rig, which stops its parts in order
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	r.parts = append(r.parts, p)
	return p, nil
}

// grace is how long a part may take to end.
const grace = 5 * time.Second

// Stop ends the part and all that it has started. It is nil when it had ended.
func (p *Part) Stop() error {
	err := p.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(grace):
	}
	// The group, so that nothing is left over of a part that would not end, or
	// that has not ended its children.
	if killed := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); killed != nil && killed != syscall.ESRCH {
		err = errors.Join(err, fmt.Errorf("stop %s: %w", p.Name, killed))
	}
	<-p.ended
	return err
}

// Signal sends the part a signal.
func (p *Part) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

// output is the end of what the part has printed.
func (p *Part) output() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(data[max(0, len(data)-2000):]))
}
