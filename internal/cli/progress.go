package cli

import (
	"fmt"
	"net/url"
	"time"

	"github.com/gimme-broker/gimme/internal/login"
)

// notify tells the person what a login waits for.
func (a App) notify(n login.Notice) {
	left := n.Left.Round(time.Second)
	switch n.Step {
	case login.Started:
		if n.Browser {
			fmt.Fprintf(a.Stderr, "Opening a browser to log in at %s. If none opens, open this address yourself:\n\n  %s\n\n", hostOf(n.URL), n.URL)
		} else {
			fmt.Fprintf(a.Stderr, "To log in at %s, open this address in a browser on this machine:\n\n  %s\n\n", hostOf(n.URL), n.URL)
		}
		fmt.Fprintf(a.Stderr, "Waiting for the login in the browser, %s at most. Ctrl-C stops it.\n", left)
	case login.BrowserFailed:
		fmt.Fprintf(a.Stderr, "No browser could be opened (%s): open the address above yourself.\n", printable(n.Err.Error()))
	case login.Waiting:
		fmt.Fprintf(a.Stderr, "Still waiting for the login in the browser, %s left.\n", left)
	case login.Disturbed:
		fmt.Fprintf(a.Stderr, "Note: %d requests that do not belong to this login came in and were ignored. Something on this machine may be interfering.\n", n.Refused)
	case login.Answered:
		fmt.Fprintln(a.Stderr, "The browser is back; checking the login.")
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the identity provider"
	}
	return u.Host
}
