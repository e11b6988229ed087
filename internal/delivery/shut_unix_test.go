//go:build unix

package delivery

import "syscall"

func shutRead(fd uintptr) { syscall.Shutdown(int(fd), syscall.SHUT_RD) }
