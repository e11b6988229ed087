//go:build !unix

package store

import "io/fs"

const nonblock = 0

// ours and private leave it to the folder's access list, which a folder in
// the user's own one inherits.
func ours(string, fs.FileInfo) error { return nil }

func private(string, fs.FileInfo) error { return nil }
