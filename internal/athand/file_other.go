//go:build !unix

package athand

import "path/filepath"

func isAbs(path string) bool { return filepath.IsAbs(path) }

func join(parts ...string) string { return filepath.Join(parts...) }

// Elsewhere files have no stamps that can be relied on, and every answer takes
// the long way.

func StampOf(string) (Stamp, bool) { return Stamp{}, false }

func readPrivate(string) ([]byte, Stamp, bool) { return nil, Stamp{}, false }
