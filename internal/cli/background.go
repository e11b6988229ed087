package cli

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/store"
)

// backgroundArguments are those of the process that logs in for all that wait.
// They hold no secret: everybody on the machine can read them.
func backgroundArguments(profile string) []string {
	return []string{"login", "--profile", profile, "--background"}
}

// isBackground says whether args are backgroundArguments, and of which profile.
func isBackground(args []string) (profile string, ok bool) {
	if len(args) == 4 && args[0] == "login" && args[1] == "--profile" && args[3] == "--background" {
		return args[2], true
	}
	return "", false
}

// backgroundLogin is the process that loginInBackground starts. It has the
// person log in, in the browser, and keeps the credentials for those who wait,
// and for whoever comes later. It goes on when they die. Nobody called for it
// by name, so that it respects the pause after a login that failed.
func (a App) backgroundLogin(ctx context.Context, profile string) error {
	p, err := a.process(profile)
	if err != nil {
		return err
	}
	if err := p.connect(); err != nil {
		return err
	}
	// Nobody may be reading stderr any more. People read the terminal.
	a.Stderr = io.Discard
	if a.OpenTerminal != nil {
		if terminal, err := a.OpenTerminal(); err == nil && terminal != nil {
			defer terminal.Close()
			a.Stderr = terminal
		}
	}
	b := p.broker
	told := a.progress()
	defer told.end()
	b.Ask = &broker.Ask{Flow: login.Browser, OpenBrowser: a.OpenBrowser, Notify: told.login, Patient: true}
	if _, err := b.Credentials(ctx, p.request); err != nil {
		return brokerFailure(err)
	}
	return nil
}

const (
	pollEvery  = 100 * time.Millisecond
	stopWithin = 2 * time.Second
)

// loginInBackground starts a process of its own for the login, and waits for
// what it brings. Whoever waits may die without taking the login with them; who
// is interrupted takes it along; and when the time is up it goes on.
func (p *process) loginInBackground(ctx context.Context) (*store.Credentials, error) {
	child := exec.Command(p.Executable, backgroundArguments(p.name)...)
	child.Env = p.Environ // nil: ours
	child.SysProcAttr = apart()
	stderr, err := child.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, &failure{exitFailed, err, "run: gimme login --profile " + p.name}
	}
	ended := make(chan error, 1)
	go func() {
		said, _ := io.ReadAll(io.LimitReader(stderr, 16<<10))
		io.Copy(io.Discard, stderr)
		ended <- p.childFailure(child.Wait(), string(said))
	}()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if c := p.usable(); c != nil {
				return c, nil
			} else if err != nil {
				return nil, err
			}
			// Done, but with credentials that do not last: as good as it gets.
			return p.broker.Credentials(ctx, p.request)
		case <-tick.C:
			if c := p.usable(); c != nil {
				return c, nil
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				stop(child.Process)
				select {
				case <-ended:
				case <-time.After(stopWithin):
					child.Process.Kill()
				}
			}
			return nil, ctx.Err()
		}
	}
}

// childFailure is what the process said that logged in, if it failed.
func (p *process) childFailure(err error, said string) error {
	if err == nil {
		return nil
	}
	f := &failure{code: exitLogin, err: errors.New("the login ended before it was finished"), hint: "run: gimme login --profile " + p.name}
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() > 0 && e.ExitCode() != exitInterrupted {
		f.code = e.ExitCode()
	}
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "gimme: error: "); ok {
			f.err = errors.New(text)
		}
		if text, ok := strings.CutPrefix(line, "gimme: hint: "); ok {
			f.hint = text
		}
	}
	return f
}
