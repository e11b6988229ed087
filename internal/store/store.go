// Package store is where secrets rest on a person's machine: the credentials
// of roles and what is known of a login in files of their owner alone, refresh
// tokens in the operating system's keyring, and in such files where there is
// none. It keeps other runs of gimme out with kernel locks, and remembers
// logins that failed, so that nobody is asked again and again.
package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
)

// A Store is one folder and one keyring. It is safe for concurrent use, also
// by many processes; what reads and then writes holds a lock.
type Store struct {
	folder string
	plain  bool
	ring   *guard
}

// Options of a store. The zero value is what people should have.
type Options struct {
	Keyring Keyring // nil: the operating system's
	Plain   bool    // refresh tokens go to files by choice
}

// Open returns the store in folder, an absolute path. It makes and reads
// nothing yet.
func Open(folder string, o Options) *Store {
	if o.Keyring == nil {
		o.Keyring = system{}
	}
	return &Store{folder: folder, plain: o.Plain, ring: newGuard(o.Keyring)}
}

// Path is where the store is: GIMME_STATE_DIR, or gimme in XDG_STATE_HOME,
// which is .local/state in the home folder by default (LOCALAPPDATA on
// Windows).
func Path(getenv func(string) string) (string, error) {
	if path := getenv("GIMME_STATE_DIR"); path != "" {
		if !filepath.IsAbs(path) {
			return "", fmt.Errorf("GIMME_STATE_DIR %q is not an absolute path", path)
		}
		return filepath.Clean(path), nil
	}
	folder := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(folder) { // the specification says that others are ignored
		folder = ""
	}
	if folder == "" && runtime.GOOS == "windows" {
		folder = getenv("LOCALAPPDATA")
	}
	if folder == "" && getenv("HOME") != "" {
		folder = filepath.Join(getenv("HOME"), ".local", "state")
	}
	if !filepath.IsAbs(folder) {
		return "", errors.New("there is no home folder to keep credentials in: set HOME or GIMME_STATE_DIR")
	}
	return filepath.Join(folder, "gimme"), nil
}

// Key makes one name of parts that is safe as the name of a file and says
// nothing about them: a digest, in which the length of each part counts.
func Key(parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
