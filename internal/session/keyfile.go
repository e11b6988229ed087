package session

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const (
	maxKeyFile    = 64 << 10 // bytes
	maxDeployment = 64       // characters
)

// The states of a key. All of them open; one seals.
const (
	next   = "next"   // is to become active, and is here before any replica seals with it
	active = "active" // seals
	verify = "verify" // was active; opens until its last session has expired
)

var states = []string{next, active, verify}

// posix says whether files have modes, and folders can be synced.
const posix = runtime.GOOS != "windows"

// An entry is one line of a key file.
type entry struct {
	state  string
	kid    [kidSize]byte
	secret []byte
}

// OpenKeyring reads the key file at path (docs/session.md, "The key file"). If
// there is none it makes one with one active key, mode 0600; of several that do
// so at once one makes it and all read it. A file that others may read, that
// holds no active key or two, or a key that is short or not random, is refused,
// and never replaced. Deployment is part of what sessions are sealed for: 1 to
// 64 letters, digits, dots, hyphens and underscores.
func OpenKeyring(path, deployment string) (*Keyring, error) {
	if err := CheckDeployment(deployment); err != nil {
		return nil, err
	}
	data, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKeyFile(path); err != nil {
			return nil, fmt.Errorf("make key file %q: %w", path, err)
		}
		data, err = readKeyFile(path)
	}
	if err != nil {
		return nil, err
	}
	entries, err := parseKeyFile(data)
	if err != nil {
		return nil, fmt.Errorf("key file %q: %w", path, err)
	}
	for _, e := range entries {
		if slices.Contains(published, base64.StdEncoding.EncodeToString(e.secret)) {
			return nil, fmt.Errorf("key file %q: key %x is published in docs/session.md, so anyone could use it; make one of your own", path, e.kid)
		}
	}
	return newKeyring(entries, deployment)
}

// CheckDeployment says what is wrong with the name of a deployment.
func CheckDeployment(name string) error {
	if name == "" || len(name) > maxDeployment || strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	}) {
		return fmt.Errorf("deployment %q is not 1 to %d letters, digits, dots, hyphens and underscores", name, maxDeployment)
	}
	return nil
}

// published are the keys of the documentation's example.
var published = []string{
	"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}

// readKeyFile reads the file, if nobody but its owner may.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read key file: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("key file %q is not a file", path)
	case info.Mode().Perm()&^0o600 != 0 && posix:
		return nil, fmt.Errorf("key file %q has mode %04o, and nobody but its owner may read it; if nobody has, run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("key file %q has more than %d bytes", path, maxKeyFile)
	}
	return data, nil
}

// makeKeyFile makes the file with one active key, unless it has come into
// being meanwhile. The file is complete when it appears under its name.
func makeKeyFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".session-keys-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "# The keys that seal the sessions of gimme proxy, one a line: state, id, secret.\n"+
		"# Whoever reads this file can make a session for anyone. See docs/session.md.\n%s %s %s\n",
		active, hex.EncodeToString(random(kidSize)), base64.StdEncoding.EncodeToString(random(rootSize)))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// A link, and not a rename: it does not replace a file.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	if posix {
		return folder.Sync()
	}
	return nil
}

// parseKeyFile reads all lines, and says all that is wrong with them. What it
// says holds no secret.
func parseKeyFile(data []byte) ([]entry, error) {
	var entries []entry
	var faults []string
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		e, err := parseEntry(text)
		if err == nil {
			err = e.fits(entries)
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("line %d: %v", number, err))
			continue
		}
		entries = append(entries, e)
	}
	isActive := func(e entry) bool { return e.state == active }
	if len(faults) == 0 && !slices.ContainsFunc(entries, isActive) {
		faults = append(faults, "no key is active; write one line: active, an id (openssl rand -hex 4), a secret (openssl rand -base64 32)")
	}
	if len(faults) > 0 {
		return nil, errors.New(strings.Join(faults, "; "))
	}
	return entries, nil
}

func parseEntry(line string) (entry, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return entry{}, fmt.Errorf("%d words; three are wanted: state, id, secret", len(fields))
	}
	e := entry{state: fields[0]}
	if !slices.Contains(states, e.state) {
		return entry{}, errors.New("the state (first word) is not next, active or verify")
	}
	kid, err := hex.DecodeString(fields[1])
	if err != nil || len(kid) != kidSize || strings.ToLower(fields[1]) != fields[1] {
		return entry{}, errors.New("the id (second word) is not 8 lower-case hexadecimal digits, as openssl rand -hex 4 prints")
	}
	copy(e.kid[:], kid)
	e.secret, err = base64.StdEncoding.Strict().DecodeString(fields[2])
	switch {
	case err != nil:
		return entry{}, errors.New("the secret (third word) is not base64, as openssl rand -base64 32 prints")
	case len(e.secret) != rootSize:
		return entry{}, fmt.Errorf("the secret (third word) has %d bytes; %d are wanted", len(e.secret), rootSize)
	case bytes.Count(e.secret, e.secret[:1]) == rootSize:
		return entry{}, errors.New("the secret (third word) is one byte over and over, and not random")
	}
	return e, nil
}

// fits says what keeps e from standing beside others.
func (e entry) fits(others []entry) error {
	for _, o := range others {
		switch {
		case o.kid == e.kid:
			return fmt.Errorf("id %x stands twice", e.kid)
		case bytes.Equal(o.secret, e.secret):
			return fmt.Errorf("id %x has the secret of id %x", e.kid, o.kid)
		case o.state == active && e.state == active:
			return fmt.Errorf("id %x is active beside id %x; one key is", e.kid, o.kid)
		}
	}
	return nil
}
