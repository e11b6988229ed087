//go:build unix

package athand

import (
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

func isAbs(path string) bool { return strings.HasPrefix(path, "/") }

func join(parts ...string) string {
	parts[0] = strings.TrimRight(parts[0], "/")
	return strings.Join(parts, "/")
}

// StampOf stamps the file as it is now.
func StampOf(path string) (Stamp, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return Stamp{}, false
	}
	return stamp(path, info)
}

func stamp(path string, info fs.FileInfo) (Stamp, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return Stamp{}, false
	}
	return Stamp{path, uint64(stat.Ino), info.Size(), info.ModTime().UnixNano()}, true
}

// readPrivate reads a file that is ours and that nobody else may read.
func readPrivate(path string) ([]byte, Stamp, bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, Stamp{}, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Mode().Perm()&0o077 != 0 || info.Size() > maxFile {
		return nil, Stamp{}, false
	}
	s, ok := stamp(path, info)
	if stat, is := info.Sys().(*syscall.Stat_t); !ok || !is || int(stat.Uid) != os.Geteuid() {
		return nil, Stamp{}, false
	}
	data, err := io.ReadAll(f)
	return data, s, err == nil
}
