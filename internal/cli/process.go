package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/athand"
	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/store"
)

// processDeadline is how long a credential_process may take: the SDK for Go
// kills it after a minute.
const processDeadline = 45 * time.Second

func (a App) credentialProcess() *cobra.Command {
	c := &cobra.Command{
		Use:   "credential-process",
		Short: "Print the credentials of a profile for the SDKs (credential_process)",
		Long: `Prints the credentials of a profile as one JSON object, in the form that AWS
calls credential_process. The aws CLI and the SDKs run it by themselves, often
and many at once; gimme s3 --profile NAME --refresh writes it into ~/.aws/config.

What is at hand is printed at once, and renewed without asking where the
identity provider permits it. Where a person has to log in, one browser opens for
all that wait, and they give up after 45 seconds; the login can be finished
after that.

stdout has the JSON object or nothing. stdin is not read.`,
		Example: `  gimme credential-process --profile sidecar
  gimme credential-process --profile sidecar --no-login`,
	}
	c.Flags().String("profile", "", "`NAME` of gimme's profile")
	c.Flags().Bool("no-login", false, "ask nobody to log in (GIMME_NO_LOGIN=true)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		name, _ := c.Flags().GetString("profile")
		noLogin, _ := c.Flags().GetBool("no-login")
		return oneLine(a.runProcess(c.Context(), name, noLogin || a.Getenv("GIMME_NO_LOGIN") == "true" || a.Getenv("GIMME_NO_LOGIN") == "1"))
	}
	return c
}

// oneLine makes an error fit in a line: the aws CLI shows what comes on stderr
// as it is, inside a sentence of its own.
func oneLine(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{code: exitFailed, err: err}
	}
	text, _, _ := strings.Cut(f.err.Error(), "\n")
	if f.hint != "" {
		text += "; " + f.hint
	}
	return &failure{code: f.code, err: errors.New(text)}
}

// runProcess finds the credentials of a profile and prints them.
func (a App) runProcess(ctx context.Context, name string, noLogin bool) error {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, processDeadline)
	defer cancel()
	p, err := a.process(name)
	if err != nil {
		return err
	}
	if err := p.connect(); err != nil {
		return err
	}
	p.noLogin = noLogin
	got, err := p.credentials(ctx)
	switch {
	case parent.Err() != nil:
		return parent.Err()
	case errors.Is(err, context.DeadlineExceeded) && p.waited:
		return &failure{exitLogin, errors.New("nobody finished the login in time"), "finish the login in the browser, then run it again"}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{exitFailed, fmt.Errorf("no answer within %s", processDeadline), "gimme login --profile " + p.name}
	case err != nil:
		return brokerFailure(err)
	}
	return printProcess(a.Stdout, got)
}

// printProcess writes the one object that the SDKs read.
func printProcess(w io.Writer, c *store.Credentials) error {
	return athand.Print(w, c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), c.Expires)
}

// A process is one run of credential-process.
type process struct {
	App
	name    string
	request broker.Request
	broker  broker.Broker // asks nobody
	flow    login.Flow    // empty: as the machine suggests
	noLogin bool
	waited  bool // for another gimme, or for the login

	config     athand.Stamp // of the configuration, before it was read
	configured bool         // there is one
}

// credentials are those at hand, those that can be had silently, or those that
// come of a login, for which one process at a time may ask.
func (p *process) credentials(ctx context.Context) (*store.Credentials, error) {
	_, kept, err := p.broker.Known(p.request)
	if err == nil && broker.FreshnessOf(kept, time.Now()) >= broker.Due {
		return p.broker.Credentials(ctx, p.request)
	}
	var newer *store.Credentials
	unlock, err := p.broker.Store.Lock(ctx, "ask-"+p.request.Key(), func() bool {
		newer = p.usable()
		p.waited = p.waited || newer == nil
		return newer != nil
	})
	if newer != nil || err != nil {
		return newer, cmp.Or(ctx.Err(), err)
	}
	defer unlock()
	got, err := p.broker.Credentials(ctx, p.request)
	if e, ok := errors.AsType[*broker.Error](err); !ok || e.Kind != broker.LoginNeeded {
		return got, err
	}
	if got, err = p.ask(ctx, err); err == nil {
		return got, nil
	}
	// A login could have given newer ones. Now the old ones have to do.
	if _, kept, known := p.broker.Known(p.request); known == nil && broker.FreshnessOf(kept, time.Now()) != broker.None && !errors.Is(err, context.Canceled) {
		return kept, nil
	}
	return nil, err
}

// usable are the credentials at hand, if nobody needs to wait for others.
func (p *process) usable() *store.Credentials {
	_, c, err := p.broker.Known(p.request)
	if err != nil || broker.FreshnessOf(c, time.Now()) < broker.Due {
		return nil
	}
	return c
}

// ask has a person log in where that can be done: in a browser by a process of
// its own, or at the terminal. Needed is the error where it cannot.
func (p *process) ask(ctx context.Context, needed error) (*store.Credentials, error) {
	e, _ := errors.AsType[*broker.Error](needed)
	refuse := &failure{exitLogin, e.Err, "run: gimme login --profile " + p.name}
	machine := login.Look(p.Getenv)
	if p.noLogin || machine.CI || !e.Until.IsZero() {
		return nil, refuse
	}
	flow, _ := machine.Choose()
	flow = cmp.Or(p.flow, flow)
	if v := p.Getenv("GIMME_NO_BROWSER"); flow == login.Browser && (v == "1" || v == "true") {
		flow = login.Paste
	}
	if flow == login.Browser && p.OpenBrowser != nil && p.Executable != "" {
		p.waited = true
		return p.loginInBackground(ctx)
	}
	if p.OpenTerminal == nil {
		return nil, refuse
	}
	terminal, err := p.OpenTerminal()
	if err != nil || terminal == nil {
		return nil, refuse
	}
	defer terminal.Close()
	return p.atTerminal(ctx, terminal, flow)
}

// atTerminal prompts at the controlling terminal, which neither stdout nor
// stderr is: the aws CLI reads both.
func (p *process) atTerminal(ctx context.Context, terminal io.ReadWriter, flow login.Flow) (*store.Credentials, error) {
	shown := p.App
	shown.Stderr = terminal
	b := p.broker
	told := shown.progress()
	defer told.end()
	b.Ask = &broker.Ask{Flow: flow, Notify: told.login, Lines: linesOf(terminal), Patient: true, Timeout: timeLeft(ctx)}
	return b.Credentials(ctx, p.request)
}

// timeLeft is until shortly before ctx ends.
func timeLeft(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return processDeadline
	}
	return max(time.Second, time.Until(end)-time.Second)
}

// linesOf gives what is typed, line by line. The reading ends with the terminal
// or the process; a context cannot end it.
func linesOf(r io.Reader) func(context.Context) (string, error) {
	type line struct {
		text string
		err  error
	}
	lines := make(chan line)
	ask := make(chan struct{}, 1)
	go func() {
		for range ask {
			text, err := readLine(r)
			lines <- line{text, err}
		}
	}()
	waiting := false
	return func(ctx context.Context) (string, error) {
		if !waiting {
			ask <- struct{}{}
			waiting = true
		}
		select {
		case l := <-lines:
			waiting = false
			return l.text, l.err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// maxLine is longer than any address that a login ends up at, in bytes.
const maxLine = 64 << 10

// readLine reads byte by byte: what comes after the line is not ours.
func readLine(r io.Reader) (string, error) {
	var b strings.Builder
	one := make([]byte, 1)
	for b.Len() < maxLine {
		n, err := r.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSuffix(b.String(), "\r"), nil
		case n == 1:
			b.WriteByte(one[0])
		case err != nil:
			return "", err
		}
	}
	return "", errors.New("the line is too long")
}
