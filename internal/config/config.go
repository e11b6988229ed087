// Package config has the client's settings: what stands in its file, under a
// profile's name, and how flags and the environment go before it.
//
// The file is ~/.config/gimme/config.yaml:
//
//	profiles:
//	  sidecar:
//	    address: https://s3.sidecar.example
//	    role: data-engineering
//	  data:
//	    issuer: https://idp.example
//	    client_id: gimme
//	    role_arn: arn:aws:iam::111122223333:role/data
//	    region: eu-west-1
//
// It holds no secret. docs/clients.md lists the settings for users.
package config

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
)

// A Profile says how to get credentials. Zero values are settings that are not
// made.
type Profile struct {
	// With a sidecar.
	Address string // its address
	Role    string // ARN or last part; empty: the only one

	// Without one.
	Issuer      string
	ClientID    string
	RoleARN     string
	STSEndpoint string // empty: AWS's own

	Region   string
	Scopes   []string
	Duration time.Duration

	// How a person logs in.
	Flow         string            // auto, browser, device or paste; empty: auto
	IDP          string            // a preset of idp; empty: the sidecar's, or guessed from the issuer
	RedirectHost string            // 127.0.0.1, localhost or [::1]; empty: the preset's
	Ports        []int             // to wait at, in order; nil: the preset's
	ClientSecret string            // what Google's desktop clients have; it is not confidential
	Parameters   map[string]string // further ones of the authorization request
	LoginHint    string            // who is to log in
	Remember     string            // "false": no refresh token is asked for or kept
	TokenStore   string            // where refresh tokens rest: auto or file; empty: auto

	// How a program gets its ID token.
	Identity     string // person, auto, or a system of workload; empty: auto in a CI job, else person
	Audience     string // of the token; empty: the sidecar's address, or the client id
	TokenFile    string
	TokenEnv     string
	TokenCommand []string // run without a shell
	TokenURL     string

	// FromEnvironment are the keys of settings that hold for this run alone,
	// because only the environment made them: see Setting.Passing. Save leaves
	// them as the file has them.
	FromEnvironment []string
}

// A File is the configuration file as it was read.
type File struct {
	path     string
	data     []byte
	profiles map[string]Profile
}

// Path is where the file is: GIMME_CONFIG, or gimme/config.yaml in
// XDG_CONFIG_HOME, which is .config in the home folder by default (AppData on
// Windows).
func Path(getenv func(string) string) (string, error) {
	if path := getenv("GIMME_CONFIG"); path != "" {
		return filepath.Abs(path)
	}
	folder := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(folder) { // the specification says that others are ignored
		folder = ""
	}
	if folder == "" && runtime.GOOS == "windows" {
		folder = getenv("AppData")
	}
	if folder == "" && getenv("HOME") != "" {
		folder = filepath.Join(getenv("HOME"), ".config")
	}
	if folder == "" {
		return "", errors.New("there is no home folder to find the configuration in: set HOME or GIMME_CONFIG")
	}
	return filepath.Join(folder, "gimme", "config.yaml"), nil
}

// Load reads the file at path. One that is not there has no profiles. The error
// is strictyaml.Faults, with everything that is wrong, or the system's.
func Load(path string) (*File, error) {
	f := &File{path: path, profiles: map[string]Profile{}}
	var err error
	if f.data, err = os.ReadFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if blank(f.data) {
		return f, nil
	}
	return f, f.decode()
}

// Path is where the file is, or will be.
func (f *File) Path() string { return f.path }

// Profile is what stands in the file under a name.
func (f *File) Profile(name string) (p Profile, ok bool) {
	p, ok = f.profiles[name]
	return p, ok
}

// Names are the profiles' names, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.profiles)) }

// Save writes the profile into the file, unless it stands there already, and
// says whether it did. Comments and other profiles stay, and so do the settings
// of FromEnvironment. The file is read anew, under a lock, so that nobody's
// change is lost.
func (f *File) Save(ctx context.Context, name string, p Profile) (saved bool, err error) {
	if was, ok := f.profiles[name]; ok && reflect.DeepEqual(was, p.over(was)) {
		return false, nil
	}
	return true, f.change(ctx, func(now *File) ([]byte, error) { return now.with(name, p.over(now.profiles[name])) })
}

// Remove takes the profile out of the file, if it is there. Comments and other
// profiles stay.
func (f *File) Remove(ctx context.Context, name string) error {
	if _, ok := f.profiles[name]; !ok {
		return nil
	}
	return f.change(ctx, func(now *File) ([]byte, error) { return now.without(name) })
}

// change replaces the file by what edit makes of it as it is now.
func (f *File) change(ctx context.Context, edit func(now *File) ([]byte, error)) error {
	path, err := durable.Resolve(f.path)
	if err != nil {
		return err
	}
	unlock, err := durable.Lock(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := Load(path)
	if err != nil {
		return err
	}
	data, err := edit(now)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return durable.Replace(path, data, mode)
}

// Check finds out whether Save could write.
func (f *File) Check() error {
	path, err := durable.Resolve(f.path)
	if err != nil {
		return err
	}
	return durable.Check(path)
}
