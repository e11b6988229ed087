package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// A terminal is a program with a controlling terminal of its own, on which all
// of its streams are unless it was started otherwise.
type terminal struct {
	*process
	screen *os.File
	shown  *output // what the person sees
}

// startOnTerminal starts a program as a shell does. With apart its standard
// output and error are kept apart from the terminal, and its standard input is
// empty, as a program is run that an SDK starts.
func startOnTerminal(t *testing.T, c command, apart bool) *terminal {
	t.Helper()
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if err := pty.Setsize(screen, &pty.Winsize{Rows: 40, Cols: 200}); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(c.path, c.args...), out: new(output), err: new(output), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir = append(c.env, "TERM=xterm"), c.dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	if apart {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = null, p.out, p.err
		p.cmd.ExtraFiles = []*os.File{tty}
		p.cmd.SysProcAttr.Ctty = 3
	}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", c.path, err)
	}
	x := &terminal{process: p, screen: screen, shown: new(output)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buffer := make([]byte, 4096)
		for {
			n, err := screen.Read(buffer) // ends with EIO when the last of the other end is closed
			_, _ = x.shown.Write(buffer[:n])
			if err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
		select {
		case <-read:
		case <-time.After(time.Second): // somebody still holds the terminal
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		screen.Close()
		<-read
		if t.Failed() {
			t.Logf("%s %s\nshowed:\n%s\nprinted:\n%s%s", c.path, strings.Join(c.args, " "), clip(x.text()), clip(p.out.String()), clip(p.err.String()))
		}
		if strings.Contains(x.text()+p.err.String(), "DATA RACE") {
			t.Errorf("%s raced:\n%s", c.path, x.text())
		}
	})
	return x
}

// text is what was shown so far, with ends of lines as programs write them.
func (x *terminal) text() string {
	return string(bytes.ReplaceAll([]byte(x.shown.String()), []byte("\r\n"), []byte("\n")))
}

// types has the person type.
func (x *terminal) types(t *testing.T, text string) {
	t.Helper()
	if _, err := x.screen.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// shows waits until something is on the screen.
func (x *terminal) shows(t *testing.T, what string) {
	t.Helper()
	eventually(t, "the terminal shows "+what, func() bool {
		select {
		case <-x.ended:
			if !strings.Contains(x.text(), what) {
				t.Fatalf("it ended with %d and never showed %q:\n%s", x.cmd.ProcessState.ExitCode(), what, x.text())
			}
		default:
		}
		return strings.Contains(x.text(), what)
	})
}

// address waits for the address of the provider, whole.
func (x *terminal) address(t *testing.T) string {
	t.Helper()
	var found string
	eventually(t, "the terminal shows an address", func() bool {
		select {
		case <-x.ended:
			t.Fatalf("it ended with %d:\n%s", x.cmd.ProcessState.ExitCode(), x.text())
		default:
		}
		text := x.text()
		at := loginAddress.FindStringIndex(text)
		if at == nil || at[1] == len(text) {
			return false
		}
		found = text[at[0]:at[1]]
		return true
	})
	return found
}
