// Package workload gets ID tokens for programs: a job of a CI system, a pod, a
// machine. Where the system lets the audience be chosen it is always ours and
// never the system's default; where it does not, the token's audience is looked
// at before the token goes anywhere.
//
// It verifies nothing else: that is for whoever the token is shown to.
package workload

import (
	"context"
	"errors"
	"net/http"

	"github.com/gimme-broker/gimme/internal/secret"
)

// Options say where a token comes from.
type Options struct {
	Getenv   func(string) string // required
	HTTP     *http.Client        // for the systems that are asked over HTTP; required for those
	Identity string              // a system's name; empty or "auto": found out; "person": none
	Audience string              // whom the token must be for; required

	File    string   // path of a file that holds the token
	Env     string   // name of the variable that holds the token
	URL     string   // where a token is asked for; {audience} in it is replaced
	Command []string // prints a token; run without a shell
}

// A Token is an ID token, and the name of the system that it came from.
type Token struct {
	Raw    secret.Text
	System string
}

// An Error says why there is no token, and what to do about it. It never holds
// a token.
type Error struct {
	System string // empty: none was found
	Err    error
	Hint   string // may be empty
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Get gets a token that is for o.Audience. Errors are *Error, or those of ctx.
func Get(ctx context.Context, o Options) (*Token, error) {
	return nil, &Error{Err: errors.New("not yet")}
}

// InJob says whether this is a job of a CI system, known or not.
func InJob(getenv func(string) string) bool { return false }

// Detect says which system a token would come from.
func Detect(o Options) (system string, ok bool) { return "", false }

// Platform names the CI system that this is a job of, or is empty.
func Platform(getenv func(string) string) string { return "" }
