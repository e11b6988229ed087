//go:build unix

package store

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// nonblock keeps opening a pipe that somebody put there from waiting.
const nonblock = syscall.O_NONBLOCK

// ours refuses a folder, or a file, that belongs to another or that others may
// write.
func ours(path string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (%d, and this is %d): run gimme as that one, or set GIMME_STATE_DIR to a folder of your own",
			path, stat.Uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("others may write %s (mode %04o): run chmod go-w %q, or set GIMME_STATE_DIR to a folder of your own",
			path, mode, path)
	}
	return nil
}

// private refuses, as ours does, and a file that others may read.
func private(path string, info fs.FileInfo) error {
	if err := ours(path, info); err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others may read %s (mode %04o): run chmod 600 %q, or take it away", path, mode, path)
	}
	return nil
}
