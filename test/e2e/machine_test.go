package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// isolated says whether the test runs with mounts (and with network, a network)
// of its own. Where it does not, it starts itself again there, and its result is
// that one's.
func isolated(t *testing.T, network bool) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	unshare := need(t, namespace)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-m"}
	if network {
		args = append(args, "-n")
	}
	got := finish(t, command{
		path: unshare, args: append(args, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+patience.String()), dir: folder,
		env: append(os.Environ(), insideVariable+"=1", "GIMME_E2E_BINARY="+gimme),
	})
	if got.code != 0 || !strings.Contains(got.out, "--- PASS: "+t.Name()) {
		t.Errorf("in the namespace: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	return false
}

func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Fatalf("mount %q: %v: %s", args, err, out)
	}
}

// TestReadOnlyHome finds the AWS folder on a file system that cannot be written.
// That is said before anybody logs in.
func TestReadOnlyHome(t *testing.T) {
	if !isolated(t, false) {
		return
	}
	s, at, home := newScripted(t), newSTS(t), t.TempDir()
	folder := filepath.Join(home, ".aws")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	const kept = "[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = kept\n"
	writeFile(t, filepath.Join(folder, "credentials"), kept)
	mount(t, "--bind", folder, folder)
	defer exec.Command("umount", folder).Run()
	mount(t, "-o", "remount,bind,ro", folder)
	got := finish(t, command{path: gimme, args: directArgs(s, at), env: environment(home)}).fails(t, 1, folder, "read-only")
	if loginAddress.MatchString(got.err) || s.times("/authorize")+s.times("/token")+at.count() != 0 {
		t.Errorf("somebody was asked to log in: %s", got.err)
	}
	if text := readFile(t, filepath.Join(folder, "credentials")); text != kept {
		t.Errorf("the file is now:\n%s", text)
	}
}

// TestFullDisk has no room for the profile. What stood there stays, whole.
func TestFullDisk(t *testing.T) {
	if !isolated(t, false) {
		return
	}
	for name, below := range map[string]string{"the AWS folder": ".aws", "the state": ".local"} {
		t.Run(name, func(t *testing.T) {
			s, at, home := newScripted(t), newSTS(t), t.TempDir()
			s.idToken = func(c map[string]any) any { return signJWT(t, s.key, c) }
			folder := filepath.Join(home, below)
			for _, f := range []string{folder, filepath.Join(home, ".aws")} {
				if err := os.MkdirAll(f, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			mount(t, "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", folder)
			defer exec.Command("umount", folder).Run()
			kept := "[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = kept\n"
			credentials := filepath.Join(home, ".aws", "credentials")
			writeFile(t, credentials, kept)
			fill(t, folder)
			l := beginOrEnd(t, environment(home), directArgs(s, at)...)
			if l.address != "" {
				if _, err := show(http.Get(l.address)); err != nil {
					t.Error(err)
				}
			}
			code, text := l.wait(t), l.err.String()
			if below == ".aws" && code != 1 || !strings.Contains(text, "no space left") || !strings.Contains(text, folder) {
				t.Errorf("exit code %d: %s", code, text)
			}
			// Without a cache the credentials are still good for the profile.
			if now := readFile(t, credentials); code != 0 && now != kept || !strings.HasPrefix(now, kept) {
				t.Errorf("the file is now:\n%s", now)
			}
			entries, err := os.ReadDir(filepath.Join(home, ".aws"))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if !regexp.MustCompile(`^(credentials|config|filler)(\.gimme\.lock|\.lock)?$|lock$`).MatchString(e.Name()) {
					t.Errorf("%s was left behind", e.Name())
				}
			}
		})
	}
}

// fill leaves no room in a file system.
func fill(t *testing.T, folder string) {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}

// beginOrEnd is begin, for a gimme that may end before it asks anybody.
func beginOrEnd(t *testing.T, env []string, args ...string) *login {
	t.Helper()
	l := &login{process: start(t, command{path: gimme, args: args, env: env})}
	eventually(t, "gimme prints an address, or ends", func() bool {
		text := l.err.String()
		if at := loginAddress.FindStringIndex(text); at != nil && at[1] < len(text) {
			l.address = text[at[0]:at[1]]
			return true
		}
		select {
		case <-l.ended:
			return true
		default:
			return false
		}
	})
	return l
}
