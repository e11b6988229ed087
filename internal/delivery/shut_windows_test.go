package delivery

import "syscall"

func shutRead(fd uintptr) { syscall.Shutdown(syscall.Handle(fd), syscall.SHUT_RD) }
