package awsfile

import (
	"context"
	"time"
)

// Found is what stands under one profile's name in the two files. Its zero value
// is: nothing.
type Found struct {
	Credentials, Config bool // whether the profile has a section in the file

	AccessKeyID string    // of keys in the credentials file, or else in the configuration file; empty: none
	Temporary   bool      // the keys come with a session token
	Expires     time.Time // of the keys, as gimme and others note it; zero: not noted
	Static      bool      // the keys are as gimme writes them

	Process     string   // the command line of credential_process; empty: none
	ProcessArgs []string // the words of Process when it is gimme's own; else nil

	Region   string
	Endpoint string   // where requests to S3 go; empty: S3 itself
	Services string   // the name of the services section in use; empty: none
	Ours     bool     // gimme wrote something of this profile that Remove would take out
	Foreign  []string // keys with which somebody else has the profile get credentials in another way, such as sso_session
	Shadowed bool     // static keys stand beside Process, and SDKs take those
}

// Find says what stands under the profile's name. Missing files are empty ones;
// a file that SDKs could not read is a *Fault.
func (f Files) Find(name string) (Found, error) { panic("not yet") }

// Diff says what Write would change in both files, as a unified diff in which
// every secret value is [secret]. It is empty when nothing would change.
func (f Files) Diff(p Profile) (string, error) { panic("not yet") }

// DiffRemove says in the same way what Remove would change.
func (f Files) DiffRemove(name string) (string, error) { panic("not yet") }

// Remove takes out what gimme wrote for the profile, and leaves everything else.
func (f Files) Remove(ctx context.Context, name string) (notices []string, err error) {
	panic("not yet")
}

// CheckProcess refuses commands that cannot stand in a profile so that every SDK
// runs them.
func CheckProcess(argv []string) error { panic("not yet") }
