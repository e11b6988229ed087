package login

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strings"
)

// A Machine says what kind of place this is.
type Machine struct {
	SSH       bool // the person is at another machine
	WSL       bool // Linux inside Windows
	Container bool
	Headless  bool // no display
	Named     bool // BROWSER names a browser, which is meant to be used here
	CI        bool // a job, where nobody sits

	User, Host string // with which ssh reaches this machine, as well as can be told; may be empty
	SSHPort    string // of that ssh; empty: 22
}

// Look finds out what kind of place this is, from the environment and from
// files that are there or not.
func Look(getenv func(string) string) Machine {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	return look(getenv, os.DirFS("/"), runtime.GOOS, name)
}

func look(getenv func(string) string, root fs.FS, system, hostname string) Machine {
	set := func(names ...string) bool {
		for _, name := range names {
			if v := strings.ToLower(getenv(name)); v != "" && v != "false" && v != "0" {
				return true
			}
		}
		return false
	}
	exists := func(path string) bool {
		_, err := fs.Stat(root, path)
		return err == nil
	}
	m := Machine{
		SSH:       set("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"),
		Container: set("KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES"),
		CI:        set("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION"),
		Named:     getenv("BROWSER") != "",
		User:      cmp.Or(getenv("USER"), getenv("LOGNAME"), getenv("USERNAME")),
		Host:      hostname,
	}
	if system == "linux" {
		version, _ := fs.ReadFile(root, "proc/version")
		m.Container = m.Container || exists(".dockerenv") || exists("run/.containerenv")
		m.WSL = set("WSL_DISTRO_NAME") || !m.Container && strings.Contains(strings.ToLower(string(version)), "microsoft")
	}
	if system != "darwin" && system != "windows" && !m.WSL {
		m.Headless = getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "" && getenv("BROWSER") == ""
	}
	// The client's address and port, and ours.
	if f := strings.Fields(getenv("SSH_CONNECTION")); len(f) == 4 {
		if ip, err := netip.ParseAddr(f[2]); err == nil && ip.Zone() == "" {
			m.Host = ip.Unmap().String()
		}
		if f[3] != "22" && plain(f[3], "") {
			m.SSHPort = f[3]
		}
	}
	return m
}

// Choose says which flow suits, and why, in words for people. It never is
// Device, which people are tricked with: that is for the person to choose.
func (m Machine) Choose() (f Flow, why string) {
	switch {
	case m.CI:
		return Paste, "this is a CI job, in which nobody has a browser"
	case m.SSH:
		return Paste, "this is a session over SSH, and the browser is at the machine you sit at"
	case m.Named: // editors that work in containers set it
		return Browser, "BROWSER names one"
	case m.Container:
		return Paste, "this is a container, and the browser is outside"
	case m.WSL:
		return Browser, "this is Linux inside Windows, whose browser is opened; where it cannot come back, paste the address at which it ends up"
	case m.Headless:
		return Paste, "this machine has no display for a browser"
	}
	return Browser, "this machine has a browser"
}

// Forward is the command that a person types at their own machine so that the
// browser there reaches port here, or empty where ssh does not lead here or it
// cannot be told how.
func (m Machine) Forward(port int) string {
	reached := m.SSH || m.Headless && !m.Container && !m.CI
	if !reached || port == 0 || !plain(m.User, "._-@+") || !plain(m.Host, ".:-") {
		return ""
	}
	with := ""
	if m.SSHPort != "" {
		with = "-p " + m.SSHPort + " "
	}
	return fmt.Sprintf("ssh %s-L 127.0.0.1:%[2]d:127.0.0.1:%[2]d %s@%s", with, port, m.User, m.Host)
}

// plain says whether s can stand in a command as it is: letters, digits and the
// further characters, and no dash in front.
func plain(s, further string) bool {
	return s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(further, r)
	})
}
