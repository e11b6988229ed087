// Package broker is the client's spine: from where somebody wants to go to
// credentials for S3. It looks into the store, refreshes or has a person log
// in, chooses the role and exchanges the ID token at an STS, which is the
// sidecar's or AWS's own: both speak the same call. A workload brings an ID
// token of its own, and nobody logs in.
//
// However many processes ask at once, one of them goes this way and the others
// read what it found: the kernel's locks see to that, and they let go when a
// process dies. The package prints nothing; it writes into the store alone.
package broker

import (
	"context"
	"net/http"
	"time"

	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
	"github.com/gimme-broker/gimme/internal/workload"
)

// DefaultRegion is used where neither the person nor the sidecar names one.
const DefaultRegion = "us-east-1"

// A Broker gets credentials. HTTP and Store are required; HTTP must not follow
// redirects, as idtoken.NewClient does not, for ID tokens are sent with it.
type Broker struct {
	HTTP  *http.Client
	Store *store.Store

	// Ask says how a person is asked to log in. Nil: nobody may be asked.
	Ask *Ask

	// Choose lets a person choose among roles, which are ARNs, and returns one
	// of them. Nil: several roles are an error that lists them.
	Choose func(ctx context.Context, roles []string) (string, error)

	// Notify is told what happens without anybody being asked. May be nil.
	Notify func(Notice)
}

// An Ask is how a person is asked to log in. See login.Options for the fields
// that are not explained here.
type Ask struct {
	Flow        login.Flow
	OpenBrowser func(ctx context.Context, url string) error
	Notify      func(login.Notice)
	Lines       func(ctx context.Context) (string, error)
	Timeout     time.Duration

	Fresh   bool // a wholly new login, whatever is kept
	Patient bool // respects the pause after a login that failed; for where nobody called for this login by name
}

// A Step is what a notice is about.
type Step int

const (
	WaitingForOther Step = iota // another gimme is at it; its result will do
	Refreshed                   // a new ID token came without asking anybody
	Remembered                  // the refresh token rests at Rest.Place, said once
	KeptOld                     // nothing newer could be had (Err): the credentials at hand are given
	NotKept                     // something could not be written down (Err); the credentials are good
)

// A Notice tells what goes on.
type Notice struct {
	Step Step
	Rest store.Rest
	Err  error
}

// A Request says what credentials are for: a sidecar's Address, or an Issuer,
// ClientID and Role at an STS. A workload without a sidecar needs no ClientID.
type Request struct {
	Address string

	Issuer      string
	ClientID    string
	STSEndpoint string // empty: AWS's own in Region

	Role     string        // ARN; with a sidecar also its last part, or empty for the only one
	Region   string        // empty: the sidecar's, or DefaultRegion
	Scopes   []string      // besides the sidecar's and the preset's
	Duration time.Duration // 0: as the STS has it

	// How people log in; what is empty, the sidecar or the preset says.
	IDP          string // a preset's name; empty: by the issuer's form
	RedirectHost string
	Ports        []int
	ClientSecret secret.Text
	Parameters   map[string]string
	LoginHint    string
	Remember     bool // keep a refresh token

	// Workload is where a program's ID token comes from. Its Identity "person"
	// means none; empty: a workload inside a CI job, else a person.
	Workload workload.Options
}

// An Error is what went wrong, with what a person can do about it.
type Error struct {
	Kind Kind
	Err  error
	Hint string // may be empty

	// Until is set with LoginNeeded where a login was not finished lately:
	// nobody is asked before then who did not call for it by name.
	Until time.Time
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// A Kind says what sort of remedy an error has.
type Kind int

const (
	Failed      Kind = iota // none that is sure
	Wrong                   // the request itself has to be another
	LoginNeeded             // a person has to log in, and did not
)

func (b *Broker) notify(n Notice) {
	if b.Notify != nil {
		b.Notify(n)
	}
}
