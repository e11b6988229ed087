// Package awsfile writes one profile into ~/.aws/credentials and ~/.aws/config
// and disturbs nothing else in them: every byte outside the profile's own
// sections stays as it was. It refuses to touch a file that the AWS command
// line could not read, naming the line.
//
// The files are replaced atomically, under a lock of gimme's own, with mode
// 0600; a symbolic link is followed and stays a link. What the readers of these
// files understand is not written down in one place: the rules here are those
// of botocore, which is the strictest, with what the Go and JavaScript SDKs do
// not find taken away.
package awsfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
	"github.com/gimme-broker/gimme/internal/secret"
)

// A Profile is what is written.
type Profile struct {
	Name            string // see CheckName
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text
	Expires         time.Time // written for people and tools; no SDK reads it
	Region          string
	Endpoint        string // of the sidecar, for S3 alone; empty: S3 itself, and no services section

	// Process is the command that SDKs run for credentials, as
	// [/abs/gimme credential-process --profile NAME]: see CheckProcess. With it
	// no keys are written, and temporary ones of the profile are taken away.
	Process []string
}

// Files are the two shared files.
type Files struct {
	Credentials string
	Config      string
}

// A Fault is a reason why a file is not touched. Nothing has been changed then.
type Fault struct {
	File string
	Line int // from 1; 0 when the fault is the whole file's
	Text string

	// Taken says that the file is well, but the profile is used for something
	// else: another name would do.
	Taken bool
}

func (f *Fault) Error() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Text)
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// Locate finds the files: AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, or
// those in .aws in the home folder.
func Locate(getenv func(string) string) (Files, error) {
	home := getenv("HOME")
	if runtime.GOOS == "windows" {
		home = getenv("USERPROFILE")
	}
	find := func(variable, name string) (string, error) {
		path := getenv(variable)
		switch rest, tilde := strings.CutPrefix(path, "~/"); {
		case path != "" && !tilde:
			return filepath.Abs(path)
		case home == "":
			return "", fmt.Errorf("there is no home folder to find .aws/%s in: set HOME or %s", name, variable)
		case tilde:
			return filepath.Join(home, rest), nil
		}
		return filepath.Join(home, ".aws", name), nil
	}
	credentials, err := find("AWS_SHARED_CREDENTIALS_FILE", "credentials")
	if err != nil {
		return Files{}, err
	}
	config, err := find("AWS_CONFIG_FILE", "config")
	return Files{credentials, config}, err
}

// CheckName refuses profile names that not every reader finds again: only
// letters, digits and _.@- may stand in one.
func CheckName(name string) error {
	if name == "" || len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool { return !letterOrDigit(r) && !strings.ContainsRune("_.@-", r) }) {
		return fmt.Errorf("profile name %q: 1 to 128 letters, digits and any of _.@- are wanted", name)
	}
	if name == "DEFAULT" {
		return fmt.Errorf("profile name %q: some SDKs take it for values of every profile; default is the one that they use by themselves", name)
	}
	return nil
}

// Check finds out whether p could be written now: the files can be read and
// edited, the profile is free to be gimme's, and the folders can be written to.
// It changes nothing. Keys, expiry and region of p may be missing.
func (f Files) Check(p Profile) error {
	p.AccessKeyID, p.SecretAccessKey, p.SessionToken = "check", secret.New("check"), secret.New("check")
	p.Region = cmp.Or(p.Region, "check")
	edits, err := f.edits(p)
	if err != nil {
		return err
	}
	for _, e := range edits {
		if err := e.check(); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the profile into both files, the configuration first: keys of
// the sidecar never stand there without its endpoint. It returns sentences
// about what a person should know. Other runs of gimme are waited for, at most
// until ctx ends.
func (f Files) Write(ctx context.Context, p Profile) (notices []string, err error) {
	edits, err := f.edits(p)
	if err != nil {
		return nil, err
	}
	return write(ctx, edits)
}

// Remove takes out what gimme wrote for the profile: keys with an expiry beside
// them, its credential_process, the services section and what selects it, and
// its sections that are empty then. Everything else stays; a value of the
// owner's that gimme had replaced is not put back. Where gimme wrote nothing,
// no file changes. It returns sentences about what a person should know.
func (f Files) Remove(ctx context.Context, name string) (notices []string, err error) {
	edits, err := f.removal(name)
	if err != nil {
		return nil, err
	}
	return write(ctx, edits)
}

// Diff says what Write would change in both files, as a unified diff in which
// every secret value is [secret]. It is empty when nothing would change.
func (f Files) Diff(p Profile) (string, error) {
	edits, err := f.edits(p)
	if err != nil {
		return "", err
	}
	return differences(edits)
}

// DiffRemove says in the same way what Remove would change.
func (f Files) DiffRemove(name string) (string, error) {
	edits, err := f.removal(name)
	if err != nil {
		return "", err
	}
	return differences(edits)
}

// edits says what p means in each of the files. Where keys take the place of a
// process, the process goes last, so that the profile works at every moment.
func (f Files) edits(p Profile) ([]*fileEdit, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	f, err := f.resolved()
	if err != nil {
		return nil, err
	}
	return []*fileEdit{
		{path: f.Config, change: p.configuration},
		{path: f.Credentials, change: p.credentials},
		{path: f.Config, change: p.settle},
	}, nil
}

// removal says what is to be taken out. Keys go first: those of the sidecar
// never stand there without its endpoint.
func (f Files) removal(name string) ([]*fileEdit, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	f, err := f.resolved()
	if err != nil {
		return nil, err
	}
	r := &removal{name: name}
	return []*fileEdit{{path: f.Credentials, change: r.credentials}, {path: f.Config, change: r.configuration}}, nil
}

// resolved follows symbolic links.
func (f Files) resolved() (Files, error) {
	config, err := durable.Resolve(f.Config)
	if err != nil {
		return Files{}, err
	}
	credentials, err := durable.Resolve(f.Credentials)
	return Files{Credentials: credentials, Config: config}, err
}

// check finds what is wrong with the profile itself. Values come from a server,
// and are not trusted to be free of line breaks, comments and quotes.
func (p Profile) check() error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	if p.Region == "" || len(p.Region) > 64 || strings.ContainsFunc(p.Region, func(r rune) bool { return (!letterOrDigit(r) || 'A' <= r && r <= 'Z') && r != '-' }) {
		return fmt.Errorf("region %q: letters, digits and - are wanted", p.Region)
	}
	if p.Endpoint != "" && !plainValue(p.Endpoint) {
		return fmt.Errorf("endpoint %q cannot stand in a profile", p.Endpoint)
	}
	if p.Process != nil {
		if err := CheckProcess(p.Process); err != nil {
			return err
		}
		if p.Process[3] != p.Name {
			return fmt.Errorf("credential process of profile %q is for profile %q", p.Name, p.Process[3])
		}
		return nil
	}
	if !plainValue(p.AccessKeyID) || !plainValue(p.SecretAccessKey.Reveal()) || !plainValue(p.SessionToken.Reveal()) {
		return errors.New("the credentials are empty or hold characters that cannot stand in a profile")
	}
	return nil
}

// plainValue says that every reader finds s as it is: printable, not empty,
// without blanks, comments and quotes.
func plainValue(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"#';`", r) })
}
