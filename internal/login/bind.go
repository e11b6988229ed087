package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

const defaultHost = "127.0.0.1"

// A PortsError says that every port on which the listener may be is taken.
type PortsError struct {
	Ports   []int
	Holders []string // of each port, the program that holds it where that can be told, or empty
}

func (e *PortsError) Error() string {
	list := make([]string, len(e.Ports))
	for i, port := range e.Ports {
		list[i] = fmt.Sprint(port)
		if e.Holders[i] != "" {
			list[i] += " (by " + e.Holders[i] + ")"
		}
	}
	if len(list) == 1 {
		return "listen for the browser: the only port that is registered for it is taken: " + list[0]
	}
	return "listen for the browser: all ports that are registered for it are taken: " + strings.Join(list, ", ")
}

// bind opens the listener on the first of ports that is free, or on any free
// port. Only loopback literals are bound, whatever the redirect URI calls them.
func bind(ctx context.Context, host string, ports []int) ([]net.Listener, int, error) {
	switch host {
	case "", "127.0.0.1", "localhost", "[::1]":
	default:
		return nil, 0, fmt.Errorf("redirect host %q is none of 127.0.0.1, localhost and [::1]", clean(host))
	}
	for _, port := range ports {
		if port < 1 || port > 65535 {
			return nil, 0, fmt.Errorf("port %d for the browser is not between 1 and 65535", port)
		}
	}
	if len(ports) == 0 {
		return bindAny(ctx, host)
	}
	taken := &PortsError{Ports: ports}
	for _, port := range ports {
		listeners, err := bindOne(ctx, host, port)
		if err == nil {
			return listeners, port, nil
		}
		if !isTaken(err) {
			return nil, 0, fmt.Errorf("listen for the browser: %w", err)
		}
		taken.Holders = append(taken.Holders, holder(os.DirFS("/proc"), port))
	}
	return nil, 0, taken
}

// bindAny tries again where a port of localhost is free in one family alone.
func bindAny(ctx context.Context, host string) (listeners []net.Listener, port int, err error) {
	for range 10 {
		if listeners, err = bindOne(ctx, host, 0); err == nil {
			return listeners, listeners[0].Addr().(*net.TCPAddr).Port, nil
		}
		if !isTaken(err) {
			break
		}
	}
	return nil, 0, fmt.Errorf("listen for the browser: %w", err)
}

// bindOne listens on one port, which for localhost is that of both families:
// browsers go to either. A machine without IPv6 has no second one, but a
// stranger there would get the person's code.
func bindOne(ctx context.Context, host string, port int) ([]net.Listener, error) {
	listen := func(network, ip string, port int) (net.Listener, error) {
		return new(net.ListenConfig).Listen(ctx, network, net.JoinHostPort(ip, fmt.Sprint(port)))
	}
	if host == "[::1]" {
		l, err := listen("tcp6", "::1", port)
		return []net.Listener{l}, err
	}
	l, err := listen("tcp4", "127.0.0.1", port)
	if err != nil || host != "localhost" {
		return []net.Listener{l}, err
	}
	second, err := listen("tcp6", "::1", l.Addr().(*net.TCPAddr).Port)
	switch {
	case err == nil:
		return []net.Listener{l, second}, nil
	case isTaken(err):
		l.Close()
		return nil, err
	}
	return []net.Listener{l}, nil
}

// isTaken: Windows forbids a port that is reserved.
func isTaken(err error) bool {
	const windowsInUse, windowsDenied = syscall.Errno(10048), syscall.Errno(10013)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) || errors.Is(err, windowsInUse) || errors.Is(err, windowsDenied)
}

// holder names the program that listens on port, in words, where proc is that
// of Linux and the program the same person's; else it is empty.
func holder(proc fs.FS, port int) string {
	inode := cmp.Or(listeningInode(proc, "net/tcp", port), listeningInode(proc, "net/tcp6", port))
	if inode == "" {
		return ""
	}
	links, err := fs.Glob(proc, "[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, link := range links {
		if to, err := fs.ReadLink(proc, link); err == nil && to == "socket:["+inode+"]" {
			pid, _, _ := strings.Cut(link, "/")
			name, err := fs.ReadFile(proc, pid+"/comm")
			if err != nil {
				return "process " + pid
			}
			return fmt.Sprintf("%q, process %s", clean(strings.TrimSpace(string(name))), pid)
		}
	}
	return ""
}

// listeningInode finds the socket in a table as proc_net(5) shows it.
func listeningInode(proc fs.FS, table string, port int) string {
	const address, state, inode, listening = 1, 3, 9, "0A"
	data, err := fs.ReadFile(proc, table)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) > inode && f[state] == listening && strings.HasSuffix(f[address], fmt.Sprintf(":%04X", port)) {
			return f[inode]
		}
	}
	return ""
}
