// Package login has a person log in with their identity provider and brings
// back a verified ID token.
//
// First of all it is the authorization code flow of OpenID Connect for native
// applications (RFC 8252): the system's browser, a listener on loopback that is
// open before the browser is, PKCE with S256 always (RFC 7636), state, nonce, and
// the provider's name in the answer (RFC 9207). Where the browser is at another
// machine, the person pastes the address at which it ended up, or uses the device
// flow (RFC 8628). The package also refreshes and ends logins. It keeps nothing
// on disk and prints nothing; whoever calls it tells the person what goes on.
package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
)

// DefaultTimeout is how long a person has for the login.
const DefaultTimeout = 5 * time.Minute

// ErrTimeout says that the person did not finish the login in time.
var ErrTimeout = errors.New("nobody finished the login in time")

// ErrNoIDToken says that a refresh gave no ID token: the person has to log in.
var ErrNoIDToken = errors.New("the provider gives no ID token without a login")

// ErrNotOffered says that the provider has no endpoint for what was wanted.
var ErrNotOffered = errors.New("the provider does not offer it")

// A Refusal is the provider's own answer that there will be no token. Its texts
// are made safe for a terminal.
type Refusal struct {
	Code        string // such as access_denied
	Description string // may be empty
}

func (r *Refusal) Error() string {
	if r.Description == "" {
		return fmt.Sprintf("the identity provider answers %q", r.Code)
	}
	return fmt.Sprintf("the identity provider answers %q: %s", r.Code, r.Description)
}

// A Flow is a way to log in.
type Flow string

const (
	Browser Flow = "browser" // the browser of this machine comes back to a listener on loopback
	Device  Flow = "device"  // a code is typed into a page on any machine (RFC 8628)
	Paste   Flow = "paste"   // a browser elsewhere; where it ends up is pasted here
)

// Options say who logs in where. Provider, ClientID and HTTP are required.
type Options struct {
	Provider     *idtoken.Provider
	ClientID     string
	ClientSecret secret.Text   // empty, but for providers that insist on one
	Scopes       []string      // "openid" is added when it is missing
	HTTP         *http.Client  // redirects are not followed, whatever it does
	Timeout      time.Duration // of a login; 0: DefaultTimeout

	Flow         Flow   // empty: Browser
	RedirectHost string // 127.0.0.1, localhost or [::1]; empty: 127.0.0.1
	Ports        []int  // of the listener, tried in order; empty: any that is free

	// Parameters go into the authorization request, or that of the device
	// flow, as they are. Those that protect the login cannot be set.
	Parameters map[string]string

	// Fresh asks for a wholly new login, also where the provider still knows
	// the person.
	Fresh bool

	// OpenBrowser shows the address to the person, and returns when that is
	// done or ctx ends. Nil: the person opens it, told by Notify.
	OpenBrowser func(ctx context.Context, url string) error

	// Notify is told what goes on, from one goroutine. May be nil.
	Notify func(Notice)

	// Lines gives the next line that the person pastes while the flows Browser
	// and Paste wait, and ends when ctx does. Nil: nobody can paste.
	Lines func(ctx context.Context) (string, error)
}

// A Step is what a notice is about.
type Step int

const (
	Started       Step = iota // the address is known and the listener open
	BrowserFailed             // OpenBrowser returned Err
	Waiting                   // still; comes every second
	Disturbed                 // Refused requests were none of the login's
	Answered                  // the browser came back, an answer was pasted, or the device login was approved
	WrongLine                 // the line that was pasted is no answer to this login: Err says why
	Unreachable               // the provider does not answer (Err); the device flow goes on trying
)

// A Notice tells what goes on.
type Notice struct {
	Step    Step
	Flow    Flow
	URL     string        // to open; https, or http on loopback
	Browser bool          // whether a browser is asked to open it
	Paste   bool          // whether a line may be pasted
	Port    int           // of the listener; 0: the device flow has none
	Left    time.Duration // until the login is given up
	Refused int
	Err     error

	// UserCode is what the person types at URL in the device flow. Complete, if
	// there is one, is URL with the code in it, and never to be shown alone:
	// the person compares the code.
	UserCode string
	Complete string
}

// A Result is a login that worked.
type Result struct {
	IDToken      secret.Text    // as the provider sent it
	RefreshToken secret.Text    // empty: the provider gave none
	Token        *idtoken.Token // what the ID token says, verified
	Flow         Flow           // by which the answer came; empty: by a refresh
}

const noticeEvery = time.Second

// Run has a person log in. Errors are ErrTimeout, ErrNotOffered, *Refusal,
// *idtoken.Error, *PortsError, ctx's own, of the network, or say what is wrong
// with o. When it returns, nothing listens any more.
func Run(ctx context.Context, o Options) (*Result, error) {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	run := Options.runCode
	switch o.Flow {
	case "", Browser:
		o.Flow = Browser
	case Paste:
		o.OpenBrowser = nil
	case Device:
		run = Options.runDevice
	default:
		return nil, fmt.Errorf("flow %q of a login is not known", o.Flow)
	}
	if err := o.checkParameters(); err != nil {
		return nil, err
	}
	result, err := run(o, ctx)
	if err != nil && ctx.Err() != nil {
		if parent.Err() != nil {
			return nil, parent.Err()
		}
		return nil, ErrTimeout
	}
	return result, err
}

func (o Options) timeout() time.Duration {
	if o.Timeout <= 0 {
		return DefaultTimeout
	}
	return o.Timeout
}

func (o Options) notify(n Notice) {
	if o.Notify != nil {
		o.Notify(n)
	}
}

// left is how long ctx gives.
func left(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return max(0, time.Until(deadline))
}

// checkURL lets only addresses reach the browser that a browser alone opens:
// operating systems start other programs for other schemes.
func checkURL(address, what, issuer string) error {
	u, err := url.Parse(address)
	if err != nil || strings.ContainsFunc(address, unsafeInURL) || u.User != nil || u.Hostname() == "" {
		return fmt.Errorf("the %s of %q is not an address that can be opened", what, issuer)
	}
	if u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(issuer, "http:") && idtoken.IsLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("the %s of %q has scheme %q, but https is wanted", what, issuer, u.Scheme)
}

func unsafeInURL(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'`<>\\^{|}", r)
}

// clean makes a stranger's text fit for a terminal: printable, and short.
func clean(s string) string {
	if len(s) > 4096 {
		s = s[:4096]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "..."
	}
	return s
}
