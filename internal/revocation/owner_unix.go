//go:build unix

package revocation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// CheckOwner says who should run this process instead, if the file at path
// belongs to somebody else: what it makes would be theirs alone to read. A file
// that is not there belongs to nobody.
func CheckOwner(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, as whom the sidecar runs, and this is user %d: run it with sudo -u '#%d'", path, stat.Uid, os.Geteuid(), stat.Uid)
	}
	return nil
}
