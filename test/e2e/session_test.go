package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A desktop is a session bus of a test's own, perhaps with a keyring on it.
type desktop struct {
	home, runtime, address string
}

// env is what a program on this desktop finds in its environment.
func (d desktop) env() []string {
	return []string{"DBUS_SESSION_BUS_ADDRESS=" + d.address, "XDG_RUNTIME_DIR=" + d.runtime, "XDG_DATA_HOME=" + filepath.Join(d.home, ".data")}
}

// newDesktop starts a session bus. Paths of sockets are short, so its folder is
// not the test's.
func newDesktop(t *testing.T) desktop {
	t.Helper()
	path := need(t, bus)
	runtime, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	d := desktop{home: t.TempDir(), runtime: runtime, address: "unix:path=" + filepath.Join(runtime, "bus")}
	start(t, command{path: path, args: []string{"--session", "--nofork", "--nopidfile", "--address=" + d.address}, env: environment(d.home, d.env()...)})
	eventually(t, "the session bus listens", func() bool {
		c, err := net.Dial("unix", filepath.Join(runtime, "bus"))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return d
}

// newKeyring starts a desktop with a keyring, and opens it.
func newKeyring(t *testing.T) desktop {
	t.Helper()
	daemon := need(t, keyring)
	d := newDesktop(t)
	d.unlock(t, daemon)
	return d
}

// unlock starts a keyring with its login collection open.
func (d desktop) unlock(t *testing.T, daemon string) {
	t.Helper()
	d.keyring(t, daemon, "the keyring's password", "--unlock")
	// The first write makes sure that it serves and is open.
	d.tool(t, "probe", "store", "--label=probe", "probe", "probe").must(t)
}

// keyring starts the daemon, and has it read password.
func (d desktop) keyring(t *testing.T, daemon, password string, args ...string) *process {
	t.Helper()
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := feed.WriteString(password); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	p := start(t, command{path: daemon, args: append([]string{"--foreground", "--components=secrets"}, args...), env: environment(d.home, d.env()...), stdin: in})
	eventually(t, "the keyring is on the bus", func() bool { return strings.Contains(d.names(t), `"org.freedesktop.secrets"`) })
	return p
}

// lock closes the keyring, which only a person at the desktop could open again.
func (d desktop) lock(t *testing.T) {
	t.Helper()
	finish(t, command{path: "dbus-send", args: []string{"--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets",
		"org.freedesktop.Secret.Service.Lock", "array:objpath:/org/freedesktop/secrets/collection/login"}, env: environment(d.home, d.env()...)}).must(t)
}

// names lists who is on the bus.
func (d desktop) names(t *testing.T) string {
	t.Helper()
	return finish(t, command{path: "dbus-send", args: []string{"--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames"},
		env: environment(d.home, d.env()...)}).out
}

// tool runs secret-tool, which reads a secret from its standard input.
func (d desktop) tool(t *testing.T, secret string, args ...string) result {
	t.Helper()
	path := need(t, secretTool)
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := feed.WriteString(secret); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	return finish(t, command{path: path, args: args, env: environment(d.home, d.env()...), stdin: in})
}

// kept are the secrets of gimme in the keyring.
func (d desktop) kept(t *testing.T) string {
	t.Helper()
	return d.tool(t, "", "search", "--all", "--unlock", "service", "gimme").out
}

// newDeafBus is a session bus that takes every call and never answers.
func newDeafBus(t *testing.T) desktop {
	t.Helper()
	runtime, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	path := filepath.Join(runtime, "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
		for _, c := range open {
			c.Close()
		}
	})
	return desktop{home: t.TempDir(), runtime: runtime, address: "unix:path=" + path}
}
