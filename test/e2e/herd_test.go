package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A herd is many SDKs of one person that all want credentials at once.
type herd struct {
	*world
	windows string // a file with a line for each browser that was opened
}

// profiles of a herd: two sessions at one provider.
var profiles = [...]string{"sidecar", "short"}

func newHerd(t *testing.T) *herd {
	t.Helper()
	h := &herd{world: newWorld(t, settings{})}
	h.windows = filepath.Join(h.home, "windows")
	browser := filepath.Join(h.home, "browser")
	writeFile(t, browser, "#!/bin/sh\nprintf '%s\\n' \"$1\" >> \"$HOME/windows\"\n")
	if err := os.Chmod(browser, 0o700); err != nil {
		t.Fatal(err)
	}
	h.more = []string{"BROWSER=" + browser, "GIMME_FLOW=browser"}
	if err := os.MkdirAll(filepath.Dir(h.settingsFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, h.settingsFile(), fmt.Sprintf("profiles:\n  sidecar:\n    address: %[1]s\n  short:\n    address: %[1]s\n    duration: 30m\n", h.sidecar.address))
	return h
}

// run starts n callers, in turn for each of the profiles.
func (h *herd) run(t *testing.T, n int, profiles ...string) []*process {
	t.Helper()
	callers := make([]*process, n)
	for i := range callers {
		// Stdin is closed, as some programs have it.
		callers[i] = start(t, command{path: gimme, args: []string{"credential-process", "--profile", profiles[i%len(profiles)]}, env: h.env(), dir: h.home})
	}
	return callers
}

// opened are the addresses that browsers were asked to open.
func (h *herd) opened(t *testing.T) []string {
	t.Helper()
	return strings.Fields(readFile(t, h.windows))
}

// window waits for the nth window, counted from 1.
func (h *herd) window(t *testing.T, n int) string {
	t.Helper()
	eventually(t, "a browser opens", func() bool { return len(h.opened(t)) >= n })
	return h.opened(t)[n-1]
}

func (h *herd) signIn(t *testing.T, window int) {
	t.Helper()
	if _, err := signIn(h.window(t, window), "alice", nil); err != nil {
		t.Fatal(err)
	}
}

// want checks how often who was asked, by the logs of those who were.
func (h *herd) want(t *testing.T, windows, codes, refreshes, sessions int) {
	t.Helper()
	if got := len(h.opened(t)); got != windows {
		t.Errorf("%d windows, want %d", got, windows)
	}
	h.asked(t, "token authorization_code", codes)
	h.asked(t, "token refresh_token", refreshes)
	n := 0
	for _, e := range h.sidecar.events(t) {
		if e.Kind == "session" {
			n++
		}
	}
	if n != sessions {
		t.Errorf("the sidecar's STS was asked %d times, want %d", n, sessions)
	}
}

// answered waits for callers and checks that those of a profile all got the
// same, and nothing else was printed.
func answered(t *testing.T, callers []*process, profiles int) {
	t.Helper()
	for i, p := range callers {
		if code := p.wait(t); code != 0 || p.err.String() != "" {
			t.Errorf("caller %d ended with %d: %s", i, code, p.err)
		}
		if first := callers[i%profiles].out.String(); p.out.String() != first || !strings.HasPrefix(first, `{"Version":1,`) {
			t.Errorf("caller %d and %d were given different things", i, i%profiles)
		}
	}
}

// expire makes everything at hand older than it may be: only the refresh token
// is left.
func (h *herd) expire(t *testing.T) {
	t.Helper()
	n := 0
	for path, text := range contentsOf(t, h.state()) {
		switch {
		case strings.Contains(text, `"id_token"`):
			writeFile(t, path, since.ReplaceAllString(text, `"at":"`+time.Now().Add(-10*time.Minute).UTC().Format(time.RFC3339)+`"`))
		case strings.Contains(text, `"secret_access_key"`):
			n++
			writeFile(t, path, expiry.ReplaceAllString(text, `"$1":"`+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)+`"`))
		}
	}
	if n != len(profiles) {
		t.Fatalf("%d credentials are at hand, want %d", n, len(profiles))
	}
}

// TestHerd starts fifty processes with nothing at hand, with what has expired,
// and with what is fresh.
func TestHerd(t *testing.T) {
	h := newHerd(t)
	callers := h.run(t, 50, profiles[:]...)
	h.signIn(t, 1)
	answered(t, callers, 2)
	h.want(t, 1, 1, 0, 2)

	h.expire(t)
	answered(t, h.run(t, 50, profiles[:]...), 2)
	h.want(t, 1, 1, 1, 4)

	answered(t, h.run(t, 50, profiles[:]...), 2)
	h.want(t, 1, 1, 1, 4)
	gone(t, h.home)
}

// TestHerdIsKilled kills callers while the person logs in. It costs nobody else
// anything.
func TestHerdIsKilled(t *testing.T) {
	h := newHerd(t)
	callers := h.run(t, 50, "sidecar")
	address := h.window(t, 1)
	leader := h.parentOfLogin(t)
	var left []*process
	for i, p := range callers {
		if p.cmd.Process.Pid == leader || i%3 == 0 {
			p.signal(t, syscall.SIGKILL)
			<-p.ended
		} else {
			left = append(left, p)
		}
	}
	if _, err := signIn(address, "alice", nil); err != nil {
		t.Fatal(err)
	}
	answered(t, left, 1)
	h.want(t, 1, 1, 0, 1)
	gone(t, h.home)
}

// loginProcess is the one that logs in for all.
func (h *herd) loginProcess(t *testing.T) (pid int) {
	t.Helper()
	eventually(t, "a process logs in", func() bool {
		paths, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
		for _, path := range paths {
			line, _ := os.ReadFile(path) // it may have ended
			if !strings.HasSuffix(string(line), "\x00--background\x00") || !strings.Contains(readEnviron(path), "HOME="+h.home+"\x00") {
				continue
			}
			pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
		return pid != 0
	})
	return pid
}

func readEnviron(cmdline string) string {
	data, _ := os.ReadFile(filepath.Join(filepath.Dir(cmdline), "environ")) // it may have ended
	return string(data)
}

// parentOfLogin is the caller that started it.
func (h *herd) parentOfLogin(t *testing.T) int {
	t.Helper()
	for line := range strings.Lines(readFile(t, fmt.Sprintf("/proc/%d/status", h.loginProcess(t)))) {
		if pid, ok := strings.CutPrefix(line, "PPid:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(pid))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("the process that logs in has no parent")
	return 0
}

// TestLoginIsKilled kills the process that logs in. All who wait are told, and
// nobody opens a browser again for a while, but who calls for it by name.
func TestLoginIsKilled(t *testing.T) {
	h := newHerd(t)
	callers := h.run(t, 20, "sidecar")
	h.window(t, 1)
	if err := syscall.Kill(h.loginProcess(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for i, p := range append(callers, h.run(t, 5, "sidecar")...) {
		code := p.wait(t)
		text := p.err.String()
		if code != 4 || p.out.String() != "" || strings.Count(text, "\n") != 1 || !strings.Contains(text, "gimme login") {
			t.Errorf("caller %d ended with %d: %q, %q", i, code, p.out, text)
		}
	}
	h.want(t, 1, 0, 0, 0)
	gone(t, h.home)

	named := start(t, command{path: gimme, args: []string{"login", "--profile", "sidecar"}, env: h.env(), dir: h.home})
	h.signIn(t, 2)
	if code := named.wait(t); code != 0 {
		t.Errorf("gimme login ended with %d: %s", code, named.err)
	}
	answered(t, h.run(t, 1, "sidecar"), 1)
	h.want(t, 2, 1, 0, 1)
}

// TestCallerIsInterrupted stops the caller that a login was started for: Ctrl-C
// leaves nothing behind.
func TestCallerIsInterrupted(t *testing.T) {
	h := newHerd(t)
	caller := h.run(t, 1, "sidecar")[0]
	address := h.window(t, 1)
	caller.signal(t, syscall.SIGINT)
	if code := caller.wait(t); code != 130 || caller.out.String() != "" {
		t.Errorf("the caller ended with %d: %s", code, caller.err)
	}
	gone(t, h.home)
	nobodyListens(t, address)
}

// TestNobodyMayBeAsked is where a login is needed and not to be had.
func TestNobodyMayBeAsked(t *testing.T) {
	h := newHerd(t)
	for name, row := range map[string]struct {
		args, env []string
	}{
		"no login": {[]string{"--no-login"}, nil},
		"by env":   {nil, []string{"GIMME_NO_LOGIN=true"}},
		"CI":       {nil, []string{"CI=true", "GIMME_IDENTITY=person"}},
		"paste":    {nil, []string{"GIMME_FLOW=paste"}},
	} {
		got := finish(t, command{path: gimme, args: append([]string{"credential-process", "--profile", "sidecar"}, row.args...), env: h.env(row.env...), dir: h.home})
		if got.code != 4 || got.out != "" || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, "gimme login --profile sidecar") {
			t.Errorf("%s: exit code %d: %q, %q", name, got.code, got.out, got.err)
		}
	}
	h.want(t, 0, 0, 0, 0)
}

// TestSlowPerson takes longer than a credential_process may: the caller says
// so, and the login is finished after it.
func TestSlowPerson(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	began := time.Now()
	caller := h.run(t, 1, "sidecar")[0]
	address := h.window(t, 1)
	select {
	case <-caller.ended:
	case <-time.After(55 * time.Second):
	}
	if took := time.Since(began); took > 50*time.Second {
		t.Errorf("the caller took %v", took)
	}
	if code := caller.wait(t); code != 4 || !strings.Contains(caller.err.String(), "finish the login in the browser") {
		t.Errorf("the caller ended with %d: %s", code, caller.err)
	}
	if _, err := signIn(address, "alice", nil); err != nil {
		t.Fatal(err)
	}
	gone(t, h.home)
	answered(t, h.run(t, 1, "sidecar"), 1)
	h.want(t, 1, 1, 0, 1)
}
