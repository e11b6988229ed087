// Package doctor finds out why credentials do not come or do not work: it looks
// at the clock, the network, the sidecar, the identity provider, the AWS files
// and the programs on this machine, and says for each fault what to do.
//
// It changes nothing, asks nobody to log in and sends no secret anywhere.
package doctor

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gimme-broker/gimme/internal/awsfile"
	"github.com/gimme-broker/gimme/internal/idp"
)

// A State says how a check ended.
type State string

const (
	OK      State = "ok"
	Note    State = "note"    // works, but there is something to know
	Fault   State = "fault"   // does not work
	Skipped State = "skipped" // could not be checked; Text says why
)

// A Finding is what one check found.
type Finding struct {
	Check  string `json:"check"` // such as "clock"
	State  State  `json:"state"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Options say what is examined. HTTP and Getenv are required; with an Address
// issuer and client id are the sidecar's.
type Options struct {
	HTTP   *http.Client // must not follow redirects: idtoken.NewClient
	Getenv func(string) string

	Address  string // of the sidecar; empty: straight to AWS
	Issuer   string
	ClientID string
	Region   string

	IDP          string // preset; empty: guessed from the issuer
	RedirectHost string
	Ports        []int

	Profile string // of the AWS files
	Files   awsfile.Files

	// Run runs a program and returns its output, both streams together. Nil:
	// the programs on the machine are not asked.
	Run func(ctx context.Context, env []string, name string, args ...string) (string, error)
	// Environ is the environment in which they run, as KEY=value.
	Environ []string
}

// An examination is one run of the doctor.
type examination struct {
	Options
	report func(Finding)
	faults int

	preset   idp.Preset
	provider provider
	clocks   []reading
}

// A reading is what somebody else's clock said.
type reading struct {
	of    string
	ahead time.Duration // of ours
}

// Run examines everything, tells report each finding as it is made, and returns
// how many faults there are. It ends early, without an error, when ctx does.
func Run(ctx context.Context, o Options, report func(Finding)) (faults int) {
	x := &examination{Options: o, report: report}
	for _, check := range []func(context.Context){
		x.sidecar, x.identityProvider, x.redirect, x.clock, x.environment, x.awsFiles, x.programs,
	} {
		if ctx.Err() != nil {
			break
		}
		check(ctx)
	}
	return x.faults
}

func (x *examination) find(check string, state State, text, remedy string) {
	if state == Fault {
		x.faults++
	}
	x.report(Finding{check, state, text, remedy})
}

// hostOf is the host of an address that has been checked.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Hostname()
}
