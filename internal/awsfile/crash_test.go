//go:build unix

package awsfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/awsfile"
	"github.com/gimme-broker/gimme/internal/secret"
)

// childVariable says what a test binary does that is started as another
// process: see TestMain.
const childVariable = "GIMME_AWSFILE_CHILD"

func TestMain(m *testing.M) {
	what, rest, _ := strings.Cut(os.Getenv(childVariable), " ")
	switch what {
	case "":
		os.Exit(m.Run())
	case "once":
		os.Exit(childOnce(rest))
	case "corpus":
		os.Exit(childCorpus(rest))
	case "loop":
		os.Exit(childLoop())
	}
	os.Exit(3)
}

func childFiles() awsfile.Files {
	f, err := awsfile.Locate(os.Getenv)
	if err != nil {
		panic(err)
	}
	return f
}

// childOnce writes the profile called name, with a limit of the size of any
// file where GIMME_AWSFILE_LIMIT is set.
func childOnce(name string) int {
	if limit := os.Getenv("GIMME_AWSFILE_LIMIT"); limit != "" {
		var n uint64
		fmt.Sscan(limit, &n)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			panic(err)
		}
	}
	if _, err := childFiles().Write(context.Background(), profile(name, endpoint)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// childLoop writes one of two states in turn until it is killed, and a byte
// after each.
func childLoop() int {
	f := childFiles()
	for i := 0; ; i++ {
		if _, err := f.Write(context.Background(), state(i)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		os.Stdout.Write([]byte{'.'})
	}
}

// childCorpus writes a profile into the files of every folder in root, for the
// end-to-end tests, which have other readers look at them. It prints a line for
// each: the folder, a tab, and what was wrong.
func childCorpus(root string) int {
	folders, err := os.ReadDir(root)
	if err != nil {
		panic(err)
	}
	for i, folder := range folders {
		path := filepath.Join(root, folder.Name())
		p := profile("sidecar", endpoint)
		if i%2 == 1 {
			p = process("sidecar", os.Getenv("GIMME_AWSFILE_PROGRAM"))
		}
		text := ""
		if _, err := (awsfile.Files{Credentials: filepath.Join(path, "credentials"), Config: filepath.Join(path, "config")}).Write(context.Background(), p); err != nil {
			text = err.Error()
		}
		fmt.Printf("%s\t%s\n", folder.Name(), text)
	}
	return 0
}

func state(i int) awsfile.Profile {
	p := profile("sidecar", endpoint)
	if i%2 == 1 {
		p.SecretAccessKey, p.SessionToken = secret.New(strings.Repeat("long/", 200)), secret.New(strings.Repeat("longer", 2000))
		p.Endpoint = "https://" + strings.Repeat("another.", 20) + "example"
	}
	return p
}

func child(t *testing.T, f awsfile.Files, what string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+what, "AWS_SHARED_CREDENTIALS_FILE="+f.Credentials, "AWS_CONFIG_FILE="+f.Config)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// A gimme that is killed at any moment leaves the old or the new file, whole
// and private, and the next one works.
func TestKilled(t *testing.T) {
	const own = "# mine\n[own]\nk = v\n"
	f := files(t, own, own)
	wantCredentials, wantConfig := map[string]bool{own: true}, map[string]bool{own: true}
	for i := range 2 {
		g := files(t, own, own)
		write(t, g, state(i))
		wantCredentials[read(t, g.Credentials)], wantConfig[read(t, g.Config)] = true, true
	}
	random := rand.New(rand.NewPCG(1, 2))
	var midway int // kills that found a file half made
	for i := range 250 {
		cmd := child(t, f, "loop")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, 1+random.IntN(3))); err != nil {
			t.Errorf("kill %d: the child ended by itself: %v", i, err)
		}
		time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond) // the moment is what varies
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatalf("kill %d: %s", i, &stderr)
		}
		if c := read(t, f.Credentials); !wantCredentials[c] {
			t.Fatalf("kill %d: credentials are %q", i, c)
		}
		if c := read(t, f.Config); !wantConfig[c] {
			t.Fatalf("kill %d: config is %q", i, c)
		}
		for _, path := range []string{f.Credentials, f.Config} {
			if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
				t.Fatalf("kill %d: %v, %v", i, info, err)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.Config), ".gimme-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		midway++
		if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("left behind: %v, %v", info, err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if midway == 0 {
		t.Error("no kill met a write: the test shows nothing")
	}
	recent := filepath.Join(filepath.Dir(f.Config), ".gimme-123")
	foreign := filepath.Join(filepath.Dir(f.Config), ".gimme-notes")
	for _, path := range []string{recent, foreign} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(foreign, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	write(t, f, process("sidecar", "/bin/gimme"))
	onlyFiles(t, filepath.Dir(f.Config), ".gimme-123", ".gimme-notes", "config", "credentials")
}

// Twenty processes write twenty profiles at once, and nothing is lost.
func TestTwentyProcesses(t *testing.T) {
	f := files(t, "# top\n[own]\nk = v\n", "-")
	var started []*exec.Cmd
	for i := range 20 {
		cmd := child(t, f, fmt.Sprintf("once p%d", i))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		started = append(started, cmd)
	}
	for _, cmd := range started {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	credentials, config := read(t, f.Credentials), read(t, f.Config)
	if !strings.HasPrefix(credentials, "# top\n[own]\nk = v\n") {
		t.Error("the owner's section changed")
	}
	for i := range 20 {
		name := fmt.Sprintf("p%d", i)
		if strings.Count(credentials, "["+name+"]\n"+ourKeys) != 1 || strings.Count(config, "[profile "+name+"]\n") != 1 || strings.Count(config, "[services gimme-"+name+"]\n") != 1 {
			t.Errorf("profile %s is not whole", name)
		}
	}
	onlyFiles(t, filepath.Dir(f.Config), "config", "credentials")
	for i := range 20 { // and all can be taken out again
		if _, err := f.Remove(t.Context(), fmt.Sprintf("p%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, f.Credentials); got != "# top\n[own]\nk = v\n" || read(t, f.Config) != "" {
		t.Errorf("left: %q", got)
	}
}

// A file that cannot be written whole, as on a full disk, is not written.
func TestNoRoom(t *testing.T) {
	old := "[own]\nk = " + strings.Repeat("v", 400) + "\n"
	f := files(t, old, old)
	out, err := child(t, f, "once sidecar", "GIMME_AWSFILE_LIMIT=200").CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), f.Config) || !strings.Contains(string(out), "file too large") {
		t.Errorf("%v: %s", err, out)
	}
	if diff := cmp.Diff([]string{old, old}, []string{read(t, f.Credentials), read(t, f.Config)}); diff != "" {
		t.Error(diff)
	}
	onlyFiles(t, filepath.Dir(f.Config), "config", "credentials")
}

// The owner stays, also where root writes, and nobody else takes a file over.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give files away; the rest is checked")
		return
	}
	f := files(t, "", "")
	for _, path := range []string{f.Credentials, f.Config} {
		if err := os.Chown(path, 1234, 2345); err != nil {
			t.Fatal(err)
		}
	}
	write(t, f, profile("sidecar", endpoint))
	for _, path := range []string{f.Credentials, f.Config} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != 1234 || s.Gid != 2345 {
			t.Errorf("%s belongs to %d:%d", path, s.Uid, s.Gid)
		}
	}
}

func TestStricterModesStay(t *testing.T) {
	f := files(t, "", "")
	if err := os.Chmod(f.Credentials, 0o400); err != nil {
		t.Fatal(err)
	}
	if notices := write(t, f, profile("sidecar", endpoint)); notices != nil {
		t.Errorf("notices %q", notices)
	}
	if info, err := os.Stat(f.Credentials); err != nil || info.Mode() != 0o400 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
