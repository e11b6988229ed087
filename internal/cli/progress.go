package cli

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login"
)

// sayEvery is how often a wait is told of where no line can be rewritten.
const sayEvery = 30 * time.Second

// A progress tells a person what goes on and what is waited for. On a terminal
// one line counts down; elsewhere a line comes every half minute. It is used
// from one goroutine at a time.
type progress struct {
	out  io.Writer
	live bool          // a line can be rewritten
	here login.Machine // where we are
	line int           // length of the line that is to be rewritten; 0: there is none
	said time.Duration // how much time was left when it was last said
}

func (a App) progress() *progress {
	live := isTerminal(a.Stderr) && !inBackground(a.Stderr) && a.Getenv("TERM") != "dumb"
	return &progress{out: a.Stderr, live: live, here: login.Look(a.Getenv)}
}

// say writes in the place of the line that counts down.
func (p *progress) say(format string, args ...any) {
	p.end()
	fmt.Fprintf(p.out, format, args...)
}

// rewrite puts text into the line that counts down. Blanks, and no escape
// sequence, make the old one go: every terminal knows those.
func (p *progress) rewrite(text string) {
	fmt.Fprintf(p.out, "\r%s%s", text, strings.Repeat(" ", max(0, p.line-len(text))))
	p.line = len(text)
}

// end takes the line away that counts down, so that the next one begins at the
// left. With it goes the ^C that terminals show.
func (p *progress) end() {
	if p.line > 0 {
		fmt.Fprintf(p.out, "\r%s\r", strings.Repeat(" ", p.line+len("^C")))
		p.line = 0
	}
}

// login tells the person what a login waits for.
func (p *progress) login(n login.Notice) {
	left := n.Left.Round(time.Second)
	switch n.Step {
	case login.Started:
		p.start(n)
		p.say("Waiting for the login, %s at most. Ctrl-C stops it.\n", left)
		p.said = left
	case login.BrowserFailed:
		p.say("No browser could be opened (%s): open the address above yourself.\n", printable(n.Err.Error()))
	case login.Waiting:
		// Who is expected to type a line must not see it rewritten.
		if p.live && n.Flow != login.Paste {
			p.rewrite(fmt.Sprintf("Waiting for the login, %s left", left))
		} else if p.said-left >= sayEvery {
			p.say("Still waiting for the login, %s left.\n", left)
			p.said = left
		}
	case login.Disturbed:
		p.say("Note: %d requests that do not belong to this login came in and were ignored. Something on this machine may be interfering.\n", n.Refused)
	case login.WrongLine:
		p.say("That is not the answer to this login: %s. Paste the whole address at which the browser ends up.\n", printable(n.Err.Error()))
	case login.Unreachable:
		p.say("The provider does not answer (%s); still trying.\n", printable(n.Err.Error()))
	case login.Answered:
		p.say("The login is answered; checking it.\n")
	}
}

// start says what the person has to do.
func (p *progress) start(n login.Notice) {
	host := hostOf(n.URL)
	switch {
	case n.Flow == login.Device:
		p.say("To log in at %s, open this address in a browser, on any machine:\n\n    %s\n\nand enter this code there:\n\n    %s\n\n", host, n.URL, printable(n.UserCode))
		p.say("Enter it only if you asked for this login yourself, just now. Whoever sends a code to you wants to log in as you.\n")
	case n.Browser:
		p.say("Opening a browser to log in at %s. If none opens, open this address yourself:\n\n  %s\n\n", host, n.URL)
	default:
		p.say("To log in at %s, open this address in a browser:\n\n  %s\n\n", host, n.URL)
		p.away(n)
	}
	if n.Paste {
		p.say("If the browser ends up at a page that does not open, paste its whole address here, and press Enter.\n")
	}
}

// away says how a browser elsewhere comes back to this machine.
func (p *progress) away(n login.Notice) {
	p.say("In the end the browser has to reach port %d of this machine.", n.Port)
	if line := p.here.Forward(n.Port); line != "" {
		p.say(" If it runs on another one, type this there first:\n\n  %s\n", line)
	}
	p.say("\n")
}

// broker tells what happens without anybody being asked.
func (p *progress) broker(n broker.Notice) {
	switch n.Step {
	case broker.WaitingForOther:
		p.say("Another gimme is logging in; waiting for it. Ctrl-C stops the waiting.\n")
	case broker.Refreshed:
		p.say("Logged in without asking: the provider remembers you.\n")
	case broker.Remembered:
		if n.Rest.Why != "" {
			p.say("Note: the refresh token rests in the file %s, which is yours alone, because %s. With --remember=false none is kept.\n", n.Rest.Place, printable(n.Rest.Why))
		}
	case broker.KeptOld:
		p.say("Note: no newer credentials could be had (%s); those at hand are still valid.\n", printable(n.Err.Error()))
	case broker.NotKept:
		p.say("Note: %s.\n", printable(n.Err.Error()))
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the identity provider"
	}
	return u.Host
}
