//go:build unix

package main

import (
	"io"
	"os"
)

// terminal opens the one that the person sits at.
func terminal() (io.ReadWriteCloser, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }
