//go:build unix

package login_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
)

const page = "https://idp.example/a?b=c&d=$(x)"

// command writes a browser that does what the lines of shell say.
func command(t *testing.T, lines string) (path, folder string) {
	t.Helper()
	folder = t.TempDir()
	path = filepath.Join(folder, "browser")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ncd "+folder+"\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, folder
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestBrowserVariable(t *testing.T) {
	path, folder := command(t, `printf '%s\n' "$@" > args`)
	for value, want := range map[string]string{
		path:                            page,
		path + " -new-tab":              "-new-tab\n" + page,
		path + "  --url=%s  %s":         "--url=" + page + "\n" + page,
		"/nowhere/at/all:" + path:       page,
		"  :" + path + " ;touch hacked": ";touch\nhacked\n" + page,
	} {
		if err := login.SystemBrowser(environment("BROWSER="+value))(t.Context(), page); err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if got := strings.TrimSpace(read(t, filepath.Join(folder, "args"))); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "hacked")); err == nil {
		t.Error("a shell was in between")
	}
}

func TestAddressesThatNoBrowserOpens(t *testing.T) {
	path, folder := command(t, "touch ran")
	open := login.SystemBrowser(environment("BROWSER=" + path))
	for _, address := range []string{"", "file:///etc/passwd", "javascript:alert(1)", "--help", "https://x/\ny", "https://x/ y", "https://x/`y`", `https://x/"y`, "https://x/\x1b[2J"} {
		if err := open(t.Context(), address); err == nil {
			t.Errorf("%q was opened", address)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "ran")); err == nil {
		t.Error("the browser was run")
	}
}

// What the browser prints is seen nowhere: standard output is for machines.
func TestBrowserIsSilent(t *testing.T) {
	path, _ := command(t, "echo NOISE; echo NOISE >&2; echo NOISE 2>/dev/null >/dev/tty; cat; echo NOISE; exit 3")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	err = login.SystemBrowser(environment("BROWSER="+path))(t.Context(), "https://idp.example/")
	os.Stdout, os.Stderr = stdout, stderr
	w.Close()
	data := make([]byte, 100)
	if n, _ := r.Read(data); n != 0 {
		t.Errorf("it printed %q", data[:n])
	}
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "NOISE") {
		t.Errorf("error %v", err)
	}
}

func TestNoBrowser(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := login.SystemBrowser(environment("BROWSER=firefox"))(t.Context(), "https://idp.example/"); err == nil || !strings.Contains(err.Error(), "no program") {
		t.Errorf("error %v", err)
	}
}

// alive says whether the process whose id is in the file runs.
func alive(t *testing.T, file string) bool {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	return syscall.Kill(pid, 0) == nil
}

// until waits for something that a process does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: not in time", what)
}

const stays = "sleep 60 & echo $! > child.new; echo $$ > pid.new; mv child.new child; mv pid.new pid; wait"

func TestInterruptedBrowserLeavesNothingBehind(t *testing.T) {
	for name, script := range map[string]string{"plain": "trap 'touch bye; exit' TERM; " + stays, "deaf": "trap '' TERM; " + stays} {
		t.Run(name, func(t *testing.T) {
			path, folder := command(t, script)
			ctx, cancel := context.WithCancel(t.Context())
			i := logintest.NewIssuer(t)
			o := options(t, i, login.SystemBrowser(environment("BROWSER="+path)))
			pid := filepath.Join(folder, "pid")
			go func() {
				until(t, "start", func() bool { _, err := os.Stat(pid); return err == nil })
				cancel()
			}()
			before := runtime.NumGoroutine()
			if _, err := login.Run(ctx, o); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if alive(t, pid) {
				t.Error("the browser is still there")
			}
			if _, err := os.Stat(filepath.Join(folder, "bye")); (err == nil) != (name == "plain") {
				t.Errorf("it was not asked to end first: %v", err)
			}
			until(t, "its child", func() bool { return !alive(t, filepath.Join(folder, "child")) })
			settle(t, before)
		})
	}
}

// A browser that runs in the foreground is the person's, and stays when the
// login is over.
func TestBrowserOutlivesTheLogin(t *testing.T) {
	path, folder := command(t, `printf '%s' "$1" > url.new; mv url.new url; `+stays)
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	o := options(t, i, login.SystemBrowser(environment("BROWSER="+path)))
	url, pid := filepath.Join(folder, "url"), filepath.Join(folder, "pid")
	come := make(chan error, 1)
	go func() {
		until(t, "start", func() bool { _, err := os.Stat(pid); return err == nil })
		data, _ := os.ReadFile(url)
		come <- b.Open(context.Background(), string(data))
	}()
	start := time.Now()
	if _, err := login.Run(t.Context(), o); err != nil || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if err := <-come; err != nil || b.Status != 200 {
		t.Errorf("%v, page %d", err, b.Status)
	}
	if !alive(t, pid) {
		t.Error("the person's browser was closed")
	}
	id, err := strconv.Atoi(strings.TrimSpace(read(t, pid)))
	if err != nil {
		t.Fatal(err)
	}
	if session, err := unix.Getsid(id); err != nil || session != id {
		t.Errorf("it is in session %d, and the terminal's signals reach it: %v", session, err)
	}
	syscall.Kill(-id, syscall.SIGKILL)
	until(t, "end", func() bool { return !alive(t, pid) })
}

func TestCommands(t *testing.T) {
	const u = "https://x/"
	rundll := []string{"rundll32.exe", "url.dll,FileProtocolHandler", u}
	xdg := [][]string{{"xdg-open", u}, {"x-www-browser", u}, {"www-browser", u}}
	for _, test := range []struct {
		env, system string
		wsl         bool
		want        [][]string
	}{
		{"", "linux", false, xdg},
		{"BROWSER=", "freebsd", false, xdg},
		{"BROWSER=lynx -x:w3m %s", "linux", false, append([][]string{{"lynx", "-x", u}, {"w3m", u}}, xdg...)},
		{"", "darwin", false, [][]string{{"open", u}}},
		{"", "windows", false, [][]string{rundll}},
		{"", "linux", true, append([][]string{{"wslview", u}, rundll, {"/mnt/c/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler", u}}, xdg...)},
	} {
		if diff := cmp.Diff(test.want, login.Commands(environment(test.env), test.system, test.wsl, u)); diff != "" {
			t.Errorf("%+v (-want +got)\n%s", test, diff)
		}
	}
}
