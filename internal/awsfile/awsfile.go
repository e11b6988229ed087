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
	"regexp"
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

var profileName = regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,128}$`)

// CheckName refuses profile names that not every reader finds again: only
// letters, digits and _.@- may stand in one.
func CheckName(name string) error {
	if !profileName.MatchString(name) {
		return fmt.Errorf("profile name %q: 1 to 128 letters, digits and any of _.@- are wanted", name)
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
	for _, e := range edits {
		if err := e.check(); err != nil {
			return nil, err
		}
	}
	for _, e := range edits {
		notice, err := e.write(ctx)
		if err != nil {
			return notices, err
		}
		if notice != "" {
			notices = append(notices, notice)
		}
	}
	return notices, nil
}

// edits says what p means in each of the files.
func (f Files) edits(p Profile) ([]*fileEdit, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	config, err := durable.Resolve(f.Config)
	if err != nil {
		return nil, err
	}
	credentials, err := durable.Resolve(f.Credentials)
	if err != nil {
		return nil, err
	}
	return []*fileEdit{
		{path: config, nested: true, change: p.configuration},
		{path: credentials, change: p.credentials},
	}, nil
}

// Values come from a server, and are not trusted to be free of line breaks,
// comments and quotes.
var (
	regionForm = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	valueForm  = regexp.MustCompile("^[!$-&(-:<-_a-~]+$") // printable, no blank, none of "#';`
)

func (p Profile) check() error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	if !regionForm.MatchString(p.Region) {
		return fmt.Errorf("region %q: letters, digits and - are wanted", p.Region)
	}
	if p.Endpoint != "" && !valueForm.MatchString(p.Endpoint) {
		return fmt.Errorf("endpoint %q cannot stand in a profile", p.Endpoint)
	}
	if !valueForm.MatchString(p.AccessKeyID) || !valueForm.MatchString(p.SecretAccessKey.Reveal()) || !valueForm.MatchString(p.SessionToken.Reveal()) {
		return errors.New("the credentials are empty or hold characters that cannot stand in a profile")
	}
	return nil
}
