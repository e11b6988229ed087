package cli

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"golang.org/x/term"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login"
)

// sayEvery is how often a wait is told of where no line can be rewritten.
const sayEvery = 30 * time.Second

// notify tells the person what a login waits for.
func (a App) notify(n login.Notice) {
	left := n.Left.Round(time.Second)
	live := a.live() && !n.Paste // what the person types must not be rewritten
	if live && n.Step != login.Waiting {
		fmt.Fprint(a.Stderr, "\r\x1b[K")
	}
	switch n.Step {
	case login.Started:
		a.tellStart(n, left)
	case login.BrowserFailed:
		fmt.Fprintf(a.Stderr, "No browser could be opened (%s): open the address above yourself.\n", printable(n.Err.Error()))
	case login.Waiting:
		if live {
			fmt.Fprintf(a.Stderr, "\r\x1b[KWaiting for the login, %s left ", left)
		} else if left%sayEvery == 0 {
			fmt.Fprintf(a.Stderr, "Still waiting for the login in the browser, %s left.\n", left)
		}
	case login.Disturbed:
		fmt.Fprintf(a.Stderr, "Note: %d requests that do not belong to this login came in and were ignored. Something on this machine may be interfering.\n", n.Refused)
	case login.WrongLine:
		fmt.Fprintf(a.Stderr, "That is not the answer to this login: %s. Paste the whole address at which the browser ends up.\n", printable(n.Err.Error()))
	case login.Unreachable:
		fmt.Fprintf(a.Stderr, "The provider does not answer (%s); still trying.\n", printable(n.Err.Error()))
	case login.Answered:
		fmt.Fprintln(a.Stderr, "The login is answered; checking it.")
	}
}

// tellStart says what the person has to do.
func (a App) tellStart(n login.Notice, left time.Duration) {
	host := hostOf(n.URL)
	switch {
	case n.Flow == login.Device:
		fmt.Fprintf(a.Stderr, "To log in at %s, open this address in a browser, on any machine:\n\n  %s\n\nand enter this code:\n\n  %s\n\n", host, n.URL, printable(n.UserCode))
		fmt.Fprintln(a.Stderr, "Enter it only if you asked for this login yourself, just now. Whoever sends a code to you wants to log in as you.")
	case n.Browser:
		fmt.Fprintf(a.Stderr, "Opening a browser to log in at %s. If none opens, open this address yourself:\n\n  %s\n\n", host, n.URL)
	default:
		fmt.Fprintf(a.Stderr, "To log in at %s, open this address in a browser:\n\n  %s\n\n", host, n.URL)
		a.tellAway(n)
	}
	if n.Paste {
		fmt.Fprintln(a.Stderr, "If the browser ends up at a page that does not open, paste its whole address here, and press Enter.")
	}
	fmt.Fprintf(a.Stderr, "Waiting for the login in the browser, %s at most. Ctrl-C stops it.\n", left)
}

// tellAway says how a browser elsewhere comes back to this machine.
func (a App) tellAway(n login.Notice) {
	if line := login.Look(a.Getenv).Forward(n.Port); line != "" {
		fmt.Fprintf(a.Stderr, "In the end the browser has to reach port %d of this machine. If it runs on another one, type this there first:\n\n  %s\n\n", n.Port, line)
		return
	}
	fmt.Fprintf(a.Stderr, "In the end the browser has to reach port %d of this machine.\n", n.Port)
}

// notifyBroker tells what happens without anybody being asked.
func (a App) notifyBroker(n broker.Notice) {
	switch n.Step {
	case broker.WaitingForOther:
		fmt.Fprintln(a.Stderr, "Another gimme is logging in; waiting for it. Ctrl-C stops the waiting.")
	case broker.Refreshed:
		fmt.Fprintln(a.Stderr, "Logged in without asking: the provider remembers you.")
	case broker.Remembered:
		if n.Rest.Why != "" {
			fmt.Fprintf(a.Stderr, "Note: the refresh token rests in the file %s, which is yours alone, because %s. With --remember=false none is kept.\n", n.Rest.Place, printable(n.Rest.Why))
		}
	case broker.KeptOld:
		fmt.Fprintf(a.Stderr, "Note: no newer credentials could be had (%s); those at hand are still valid.\n", printable(n.Err.Error()))
	case broker.NotKept:
		fmt.Fprintf(a.Stderr, "Note: %s.\n", printable(n.Err.Error()))
	}
}

// live says whether a line on stderr can be rewritten.
func (a App) live() bool { return isTerminal(a.Stderr) && a.Getenv("TERM") != "dumb" }

func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the identity provider"
	}
	return u.Host
}
