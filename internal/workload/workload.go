// Package workload gets ID tokens for programs: a job of a CI system, a pod, a
// machine. Where the system lets the audience be chosen it is always ours and
// never the system's default; where it does not, the token's audience is looked
// at before the token goes anywhere.
//
// It verifies nothing else: that is for whoever the token is shown to.
package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

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

	projected string       // for tests: instead of projectedToken
	direct    *http.Client // for tests: instead of a client that uses no proxy
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

// Get gets a token that is for o.Audience, asking anew every time: tokens are
// replaced while programs run. Errors are *Error, or those of ctx.
func Get(ctx context.Context, o Options) (*Token, error) {
	name, ok := Detect(o)
	if !ok {
		return nil, unknown(o)
	}
	s, _ := find(name)
	if o.Audience == "" {
		return nil, &Error{s.Name, fmt.Errorf("get an ID token from %s: nobody said whom it is for", s.Title), "set audience"}
	}
	raw, err := s.get(ctx, o)
	if err == nil {
		raw, err = clean(raw)
	}
	if err == nil {
		err = s.check(raw, o.Audience)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, &Error{s.Name, fmt.Errorf("get an ID token from %s: %w", s.Title, e.Err), cmp.Or(e.Hint, jobsHint)}
	}
	if err != nil {
		return nil, &Error{s.Name, fmt.Errorf("get an ID token from %s: %w", s.Title, err), jobsHint}
	}
	return &Token{secret.New(raw), s.Name}, nil
}

// jobsHint is for what only the system itself can explain.
const jobsHint = "docs/ci.md says what a job of this system needs"

func unknown(o Options) error {
	if o.Identity == "" || o.Identity == "auto" {
		return &Error{Err: errors.New("no CI system or workload was found that gives ID tokens"), Hint: "name it with --identity, or where the token is with --token-file, --token-env, --token-command or --token-url"}
	}
	names := make([]string, 0, len(table()))
	for _, s := range table() {
		names = append(names, s.Name)
	}
	return &Error{Err: fmt.Errorf("identity %q gives no ID tokens", o.Identity), Hint: "those that do: " + strings.Join(names, ", ")}
}

// Detect says which system a token would come from, by the environment and
// files alone. With o.Identity empty or "auto" a token setting (File, Env,
// Command, URL) comes first, then the CI system that this is a job of, then
// Kubernetes, where a pod must have been given a token for the purpose.
func Detect(o Options) (system string, ok bool) {
	switch o.Identity {
	case "", "auto":
	default:
		s, ok := find(o.Identity)
		return s.Name, ok
	}
	platform := Platform(o.Getenv)
	if set := o.setting(); set != "" {
		// Of some systems the token is in a place that the person names.
		if s, ok := find(platform); ok && s.takes(set) {
			return platform, true
		}
		return set, true
	}
	if platform != "" {
		return platform, true
	}
	if _, hint := o.podToken(); hint == "" {
		return kubernetes, true
	}
	return "", false
}

// setting is the name of the generic system that o's settings speak of.
func (o Options) setting() string {
	switch {
	case o.File != "":
		return tokenFile
	case o.Env != "":
		return tokenEnv
	case len(o.Command) > 0:
		return tokenCommand
	case o.URL != "":
		return tokenURL
	}
	return ""
}

// Platform names the CI system that this is a job of, whatever the identity is;
// empty if it is none that is known.
func Platform(getenv func(string) string) string {
	for _, s := range table() {
		if s.here != nil && s.here(getenv) {
			return s.Name
		}
	}
	return ""
}

// InJob says whether this is a job of a CI system, known or not, where nobody
// can be asked.
func InJob(getenv func(string) string) bool {
	if Platform(getenv) != "" {
		return true
	}
	for _, name := range []string{"TEAMCITY_VERSION", "CODEBUILD_BUILD_ID", "DRONE", "SEMAPHORE", "HARNESS_BUILD_ID"} {
		if getenv(name) != "" {
			return true
		}
	}
	ci := strings.ToLower(getenv("CI"))
	return ci != "" && ci != "false" && ci != "0"
}
