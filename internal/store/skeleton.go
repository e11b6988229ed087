package store

import (
	"context"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

type guard struct{}

// A Keyring keeps small secrets for one person. Its methods may hang: the
// store waits for none of them for long, and never calls two at once.
type Keyring interface {
	// Name says what it is, to people: "Secret Service".
	Name() string
	// Get returns the secret of an entry, or ErrNoEntry.
	Get(entry string) (secret.Text, error)
	// Set makes or replaces an entry.
	Set(entry string, t secret.Text) error
	// Delete takes an entry away, or returns ErrNoEntry.
	Delete(entry string) error
}

// Credentials are those of one role, with who they are for.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text
	Issued, Expires time.Time

	Role, Region string
	Endpoint     string // the sidecar's address; empty: S3 itself

	Issuer, Subject, Email string // who

	Login  string // key of the Login they came from; empty for a workload
	Source string // "browser", "device", "paste", "refresh", or the workload's system, such as "github"
}

func (s *Store) Credentials(key string) (*Credentials, error)    { panic("not yet") }
func (s *Store) PutCredentials(key string, c *Credentials) error { panic("not yet") }
func (s *Store) DropCredentials(key string) error                { panic("not yet") }

// A Login is what is known of somebody who logged in.
type Login struct {
	Issuer, ClientID     string
	Subject, Email, Name string
	Flow                 string
	At                   time.Time
	IDToken              secret.Text
	IDTokenExpires       time.Time
}

func (s *Store) Login(key string) (*Login, error)               { panic("not yet") }
func (s *Store) PutLogin(key string, l *Login) error            { panic("not yet") }
func (s *Store) DropLogin(key string) error                     { panic("not yet") }
func (l *Login) FreshIDToken(now time.Time) (secret.Text, bool) { panic("not yet") }

// Rest says where a refresh token rests.
type Rest struct {
	Place string // "the OS keyring (Secret Service)", or the path of a file
	Why   string // why not the keyring; empty where it is
	First bool   // nobody on this machine was told so far
}

func (s *Store) RefreshToken(ctx context.Context, key string) (secret.Text, error) { panic("not yet") }
func (s *Store) PutRefreshToken(ctx context.Context, key string, t secret.Text) (Rest, error) {
	panic("not yet")
}
func (s *Store) DropRefreshToken(ctx context.Context, key string) error { panic("not yet") }

// Places say where everything rests, for people.
type Places struct {
	Folder string // of the credentials, logins and locks
	Tokens Rest   // where a refresh token would rest now
}

func (s *Store) Where(ctx context.Context) Places { panic("not yet") }

// A Pause keeps gimme from asking by itself after a login that failed.
type Pause struct {
	Until    time.Time // zero: no pause
	Failures int
}

func (s *Store) Pause(key string) (Pause, error)              { panic("not yet") }
func (s *Store) BeginAttempt(key string, now time.Time) error { panic("not yet") }
func (s *Store) EndAttempt(key string) error                  { panic("not yet") }

func (s *Store) Lock(ctx context.Context, name string, each func() (done bool)) (unlock func(), err error) {
	panic("not yet")
}
func (s *Store) TryLock(name string) (unlock func(), ok bool, err error) { panic("not yet") }
