package login_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/login"
)

func environment(pairs string) func(string) string {
	m := map[string]string{}
	for pair := range strings.SplitSeq(pairs, "|") {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = value
	}
	return func(name string) string { return m[name] }
}

func TestMachine(t *testing.T) {
	const desktop = "|USER=alice|DISPLAY=:0"
	file := func(path, data string) fstest.MapFS { return fstest.MapFS{path: {Data: []byte(data)}} }
	const microsoft = "Linux version 6.6.87.2-microsoft-standard-WSL2 (root@x)"
	for _, test := range []struct {
		name, env, system string
		files             fstest.MapFS
		want              login.Machine
		flow              login.Flow
		why               string // a part of it
		forward           string
	}{
		{"desktop", desktop, "linux", nil, login.Machine{User: "alice", Host: "box"}, login.Browser, "has a browser", ""},
		{"Wayland", "USER=alice|WAYLAND_DISPLAY=wayland-0", "linux", nil, login.Machine{User: "alice", Host: "box"}, login.Browser, "has a browser", ""},
		{"Mac", "USER=alice", "darwin", nil, login.Machine{User: "alice", Host: "box"}, login.Browser, "has a browser", ""},
		{"Windows", "USERNAME=alice", "windows", nil, login.Machine{User: "alice", Host: "box"}, login.Browser, "has a browser", ""},
		{"no display", "USER=alice", "linux", nil, login.Machine{Headless: true, User: "alice", Host: "box"}, login.Paste, "no display", "ssh -L 127.0.0.1:8401:127.0.0.1:8401 alice@box"},
		{"no display, but a browser", "USER=alice|BROWSER=lynx", "freebsd", nil, login.Machine{Named: true, User: "alice", Host: "box"}, login.Browser, "BROWSER", ""},
		{"SSH", "USER=alice|SSH_CONNECTION=10.0.0.9 50000 10.0.0.7 22", "linux", nil, login.Machine{SSH: true, Headless: true, User: "alice", Host: "10.0.0.7"}, login.Paste, "SSH", "ssh -L 127.0.0.1:8401:127.0.0.1:8401 alice@10.0.0.7"},
		{"SSH with X", desktop + "|SSH_CONNECTION=10.0.0.9 50000 10.0.0.7 22", "linux", nil, login.Machine{SSH: true, User: "alice", Host: "10.0.0.7"}, login.Paste, "SSH", "ssh -L 127.0.0.1:8401:127.0.0.1:8401 alice@10.0.0.7"},
		{"SSH at a port", desktop + "|SSH_CONNECTION=::1 50000 2001:db8::7 2222", "linux", nil, login.Machine{SSH: true, User: "alice", Host: "2001:db8::7", SSHPort: "2222"}, login.Paste, "SSH", "ssh -p 2222 -L 127.0.0.1:8401:127.0.0.1:8401 alice@2001:db8::7"},
		{"SSH to a Mac", "USER=alice|SSH_TTY=/dev/ttys001", "darwin", nil, login.Machine{SSH: true, User: "alice", Host: "box"}, login.Paste, "SSH", "ssh -L 127.0.0.1:8401:127.0.0.1:8401 alice@box"},
		{"SSH by an address of one link", desktop + "|SSH_CONNECTION=fe80::2%eth0 50000 fe80::1%eth0 22", "linux", nil, login.Machine{SSH: true, User: "alice", Host: "box"}, login.Paste, "SSH", "ssh -L 127.0.0.1:8401:127.0.0.1:8401 alice@box"},
		{"SSH, odd values", "USER=a;id|DISPLAY=:0|SSH_CONNECTION=x y $(id) 22;id", "linux", nil, login.Machine{SSH: true, User: "a;id", Host: "box"}, login.Paste, "SSH", ""},
		{"user like an option", "USER=-oProxyCommand=x|SSH_TTY=x|DISPLAY=:0", "linux", nil, login.Machine{SSH: true, User: "-oProxyCommand=x", Host: "box"}, login.Paste, "SSH", ""},
		{"user like a flag", "USER=-A|SSH_TTY=x|DISPLAY=:0", "linux", nil, login.Machine{SSH: true, User: "-A", Host: "box"}, login.Paste, "SSH", ""},
		{"nobody's name", "SSH_TTY=x|DISPLAY=:0", "linux", nil, login.Machine{SSH: true, Host: "box"}, login.Paste, "SSH", ""},
		{"WSL", "USER=alice|WSL_DISTRO_NAME=Ubuntu", "linux", nil, login.Machine{WSL: true, User: "alice", Host: "box"}, login.Browser, "Windows", ""},
		{"WSL without variables", "USER=alice", "linux", file("proc/version", microsoft), login.Machine{WSL: true, User: "alice", Host: "box"}, login.Browser, "Windows", ""},
		{"Docker", "USER=root", "linux", file(".dockerenv", ""), login.Machine{Container: true, Headless: true, User: "root", Host: "box"}, login.Paste, "container", ""},
		{"Docker in WSL", "USER=root", "linux", fstest.MapFS{".dockerenv": {}, "proc/version": {Data: []byte(microsoft)}}, login.Machine{Container: true, Headless: true, User: "root", Host: "box"}, login.Paste, "container", ""},
		{"Podman", desktop, "linux", file("run/.containerenv", ""), login.Machine{Container: true, User: "alice", Host: "box"}, login.Paste, "container", ""},
		{"Kubernetes", "KUBERNETES_SERVICE_HOST=10.96.0.1", "linux", nil, login.Machine{Container: true, Headless: true, Host: "box"}, login.Paste, "container", ""},
		{"Codespaces", "CODESPACES=true|USER=codespace", "linux", nil, login.Machine{Container: true, Headless: true, User: "codespace", Host: "box"}, login.Paste, "container", ""},
		{"development container", "REMOTE_CONTAINERS=true|USER=vscode|BROWSER=/x.sh", "linux", nil, login.Machine{Container: true, Named: true, User: "vscode", Host: "box"}, login.Browser, "BROWSER", ""},
		{"SSH with a browser", "USER=alice|SSH_TTY=x|BROWSER=firefox", "linux", nil, login.Machine{SSH: true, Named: true, User: "alice", Host: "box"}, login.Paste, "SSH", "ssh -L 127.0.0.1:8401:127.0.0.1:8401 alice@box"},
		{"CI", desktop + "|CI=true", "linux", nil, login.Machine{CI: true, User: "alice", Host: "box"}, login.Paste, "CI job", ""},
		{"no CI", desktop + "|CI=false", "linux", nil, login.Machine{User: "alice", Host: "box"}, login.Browser, "has a browser", ""},
		{"files of another system", "USER=alice", "darwin", file(".dockerenv", ""), login.Machine{User: "alice", Host: "box"}, login.Browser, "has a browser", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.files == nil {
				test.files = file("proc/version", "Linux version 6.12")
			}
			m := login.LookAt(environment(test.env), test.files, test.system, "box")
			if diff := cmp.Diff(test.want, m); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if flow, why := m.Choose(); flow != test.flow || !strings.Contains(why, test.why) {
				t.Errorf("%s, because %s", flow, why)
			}
			if got := m.Forward(8401); got != test.forward {
				t.Errorf("forward %q, want %q", got, test.forward)
			}
			if got := m.Forward(0); got != "" {
				t.Errorf("forward without a port: %q", got)
			}
		})
	}
}

func TestLook(t *testing.T) {
	if m := login.Look(environment("SSH_TTY=x|USER=alice")); !m.SSH || m.Host == "" || m.User != "alice" {
		t.Errorf("%+v", m)
	}
}
