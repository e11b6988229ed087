//go:build unix && !darwin

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	ss "github.com/zalando/go-keyring/secret_service"
)

const systemName = "Secret Service"

// ready says whether the keyring can be asked: there is a bus, and nobody
// would be asked for a password. A prompt would stand on the screen for as
// long as we wait, and then be gone.
func ready() error {
	if !onBus() {
		return errNoBus
	}
	service, err := ss.NewSecretService()
	if err != nil {
		return err
	}
	value, err := service.GetLoginCollection().GetProperty("org.freedesktop.Secret.Collection.Locked")
	if err != nil {
		return nil // the call that follows says more about it
	}
	if locked, _ := value.Value().(bool); locked {
		return errLocked
	}
	return nil
}

// onBus says whether there is a session bus, and makes sure that the library
// finds the one there is: it would start a bus of its own (dbus-launch)
// otherwise. The library reads the environment of the process, so this does.
func onBus() bool {
	const variable = "DBUS_SESSION_BUS_ADDRESS"
	if address := os.Getenv(variable); address != "" && address != "autolaunch:" {
		return true
	}
	folder := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(folder) {
		return false
	}
	path := filepath.Join(folder, "bus")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return false // another's: sudo keeps the variable, at times
	}
	return os.Setenv(variable, "unix:path="+escape(path)) == nil
}

// escape writes a value of a D-Bus address (D-Bus Specification, Server
// Addresses).
func escape(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_/.*", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}
