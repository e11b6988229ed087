package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

const canary = "canary-51c7"

// TestMain lets this binary be another process of gimme.
func TestMain(m *testing.M) {
	if play := os.Getenv("STORE_TEST_PART"); play != "" {
		os.Exit(parts[play](os.Getenv("STORE_TEST_FOLDER")))
	}
	os.Exit(m.Run())
}

// parts are what another process does; each returns its exit code.
var parts = map[string]func(folder string) int{
	"hold": func(folder string) int {
		_, ok, err := store.Open(folder, store.Options{}).TryLock("login-x")
		fmt.Println(ok, err)
		select {}
	},
	"churn": func(folder string) int {
		if err := churn(store.Open(folder, store.Options{}), 30); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	},
	"token": func(folder string) int {
		s := store.Open(folder, store.Options{})
		began := time.Now()
		rest, err := s.PutRefreshToken(context.Background(), "k", secret.New(canary))
		fmt.Printf("%q %q %v %v\n", rest.Place, rest.Why, rest.First, err)
		token, err := store.Open(folder, store.Options{}).RefreshToken(context.Background(), "k")
		fmt.Println(token.Equal(secret.New(canary)), err)
		rest, err = s.PutRefreshToken(context.Background(), "k", secret.New(canary))
		fmt.Println(rest.First, err)
		if took := time.Since(began); took > 3500*time.Millisecond {
			fmt.Println("took", took)
			return 1
		}
		return 0
	},
}

func part(t *testing.T, name, folder string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{"STORE_TEST_PART=" + name, "STORE_TEST_FOLDER=" + folder, "HOME=" + folder, "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// churn puts and reads credentials whose parts belong together.
func churn(s *store.Store, rounds int) error {
	for i := range rounds {
		text := strings.Repeat(fmt.Sprintf("%d-%d.", os.Getpid(), i), 200)
		err := s.PutCredentials("c", &store.Credentials{AccessKeyID: text, SecretAccessKey: secret.New(text), SessionToken: secret.New(text)})
		if err != nil {
			return err
		}
		c, err := s.Credentials("c")
		if err != nil {
			return err
		}
		if c == nil || c.SecretAccessKey.Reveal() != c.AccessKeyID || c.SessionToken.Reveal() != c.AccessKeyID {
			return errors.New("credentials were torn, or gone")
		}
	}
	return nil
}

// memory is a keyring of this process.
type memory struct {
	mu      sync.Mutex
	entries map[string]string
	refuse  error
	forget  bool
	hang    chan struct{}
}

func (m *memory) Name() string { return "memory" }

func (m *memory) Get(entry string) (secret.Text, error) {
	if m.hang != nil {
		<-m.hang
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.entries[entry]
	if !ok {
		return secret.Text{}, store.ErrNoEntry
	}
	return secret.New(text), nil
}

func (m *memory) Set(entry string, t secret.Text) error {
	if m.hang != nil {
		<-m.hang
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	if !m.forget {
		m.entries[entry] = t.Reveal()
	}
	return nil
}

func (m *memory) Delete(entry string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, entry)
	return nil
}

func open(t *testing.T, o store.Options) (*store.Store, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "state")
	if o.Keyring == nil {
		o.Keyring = &memory{entries: map[string]string{}}
	}
	return store.Open(folder, o), folder
}

func some() *store.Credentials {
	now := time.Now().UTC().Truncate(time.Second)
	return &store.Credentials{
		AccessKeyID: "ASIA1", SecretAccessKey: secret.New(canary), SessionToken: secret.New(canary + "-t"),
		Issued: now, Expires: now.Add(time.Hour), Role: "r", Region: "g", Endpoint: "e",
		Issuer: "i", Subject: "s", Email: "m", Login: "l", Source: "browser",
	}
}

func TestCredentialsComeBack(t *testing.T) {
	s, folder := open(t, store.Options{})
	if c, err := s.Credentials("k"); c != nil || err != nil {
		t.Fatalf("got %v, %v of an empty store", c, err)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("reading made the folder")
	}
	want := some()
	if err := s.PutCredentials("k", want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Credentials("k")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(secret.Text.Equal)); diff != "" {
		t.Error(diff)
	}
	path := filepath.Join(folder, "credentials", "k.json")
	for path, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, folder: 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	for _, broken := range []string{"", "{", `{"version":2,"data":{"access_key_id":"a","secret_access_key":"b"}}`, `{"version":1}`, `[]`} {
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Credentials("k"); c != nil || err != nil {
			t.Errorf("%q: got %v, %v", broken, c, err)
		}
	}
	if err := errors.Join(s.DropCredentials("k"), s.DropCredentials("k")); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"", "../k", "a/b", ".", "a.b"} {
		if err := s.PutCredentials(key, want); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
}

func TestWhatOthersMayTouchIsRefused(t *testing.T) {
	s, folder := open(t, store.Options{})
	if err := s.PutCredentials("k", some()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "credentials", "k.json")
	before, _ := os.ReadFile(path)
	for _, mode := range []os.FileMode{0o666, 0o620, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Credentials("k"); c != nil || err == nil || !strings.Contains(err.Error(), "run chmod") {
			t.Errorf("mode %o: got %v, %v", mode, c, err)
		}
	}
	os.Chmod(path, 0o600)
	for _, wide := range []string{folder, filepath.Dir(path)} {
		os.Chmod(wide, 0o777)
		if err := s.PutCredentials("k", &store.Credentials{}); err == nil || !strings.Contains(err.Error(), "run chmod") {
			t.Errorf("%s: %v", wide, err)
		}
		os.Chmod(wide, 0o700)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("what was refused was written")
	}
	if os.Geteuid() == 0 {
		os.Chown(path, 4711, 4711)
		if c, err := s.Credentials("k"); c != nil || err == nil || !strings.Contains(err.Error(), "another user") {
			t.Errorf("another's file: got %v, %v", c, err)
		}
	}
}

func TestAFolderThatCannotBeMade(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := store.Open(folder, store.Options{Plain: true})
	_, tokenErr := s.PutRefreshToken(t.Context(), "k", secret.New(canary))
	_, _, lockErr := s.TryLock("x")
	for _, err := range []error{s.PutCredentials("k", some()), tokenErr, lockErr, s.BeginAttempt("k", time.Now())} {
		if err == nil || !strings.Contains(err.Error(), folder) || strings.Contains(err.Error(), canary) {
			t.Errorf("got %v", err)
		}
	}
}

func TestManyAtOnceNeverReadTornCredentials(t *testing.T) {
	s, folder := open(t, store.Options{})
	var all sync.WaitGroup
	for range 10 {
		cmd := part(t, "churn", folder)
		all.Go(func() {
			if out, err := cmd.Output(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	for range 50 {
		all.Go(func() {
			if err := churn(s, 5); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if left, _ := filepath.Glob(filepath.Join(folder, "credentials", ".gimme-*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestALockEndsWithItsProcess(t *testing.T) {
	s, folder := open(t, store.Options{})
	holder := part(t, "hold", folder)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	if n, _ := out.Read(line); string(line[:n]) != "true <nil>\n" {
		t.Fatalf("the holder says %q", line[:n])
	}
	if _, ok, err := s.TryLock("login-x"); ok || err != nil {
		t.Errorf("a held lock was got: %v, %v", ok, err)
	}
	polls := 0
	unlock, err := s.Lock(t.Context(), "login-x", func() bool { polls++; return polls == 3 })
	if unlock != nil || err != nil || polls != 3 {
		t.Errorf("done did not end the wait: %v, %d polls", err, polls)
	}
	short, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(short, "login-x", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	unlock, err = s.Lock(t.Context(), "login-x", func() bool { holder.Process.Kill(); return false })
	if err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	if _, ok, _ := s.TryLock("login-x"); ok {
		t.Error("two hold one lock")
	}
	unlock()
	if unlock, ok, _ := s.TryLock("login-x"); !ok {
		t.Error("an unlocked lock is held")
	} else {
		unlock()
	}
}

func TestASilentKeyringHangsNobody(t *testing.T) {
	folder := t.TempDir()
	bus, err := net.Listen("unix", filepath.Join(folder, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close() // accepts by the kernel's hand, and never answers
	file := filepath.Join(folder, "state", "tokens", "k.json")
	for env, why := range map[string]string{
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + bus.Addr().String(): "the keyring did not answer within 3s",
		"XDG_RUNTIME_DIR=" + folder:                                 "the keyring did not answer within 3s",
		"DBUS_SESSION_BUS_ADDRESS=autolaunch:":                      "there is no D-Bus session here, so no keyring",
		"UNSET=":                                                    "there is no D-Bus session here, so no keyring",
	} {
		os.RemoveAll(filepath.Join(folder, "state"))
		out, err := part(t, "token", filepath.Join(folder, "state"), env).Output()
		if want := fmt.Sprintf("%q %q true <nil>\ntrue <nil>\nfalse <nil>\n", file, why); err != nil || string(out) != want {
			t.Errorf("%s: got %v\n%swant\n%s", env, err, out, want)
		}
	}
}

func TestRefreshTokensMoveBetweenKeyringAndFile(t *testing.T) {
	ring := &memory{entries: map[string]string{}}
	s, folder := open(t, store.Options{Keyring: ring})
	file := filepath.Join(folder, "tokens", "k.json")
	put := func(token, place, why string, first bool) {
		t.Helper()
		rest, err := s.PutRefreshToken(t.Context(), "k", secret.New(token))
		if diff := cmp.Diff(store.Rest{Place: place, Why: why, First: first}, rest); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		if got, err := s.RefreshToken(t.Context(), "k"); err != nil || got.Reveal() != token {
			t.Errorf("got %q, %v", got.Reveal(), err)
		}
		data, _ := os.ReadFile(file)
		inFile, inRing := strings.Contains(string(data), token), len(ring.entries) > 0
		if inFile == (why == "") || inRing != (why == "") {
			t.Errorf("%s is in the file: %v; something is in the keyring: %v", token, inFile, inRing)
		}
	}
	put("one", "the OS keyring (memory)", "", false)
	ring.refuse = errors.New("bad \x1b[31m secret two")
	put("two", file, "the keyring refused: bad  [31m secret [secret]", true)
	ring.refuse, ring.forget = nil, true
	put("three", file, "the keyring did not keep it", true)
	put("four", file, "the keyring did not keep it", false)
	ring.forget = false
	put("five", "the OS keyring (memory)", "", false)
	if w := s.Where(t.Context()); w.Folder != folder || w.Tokens != (store.Rest{Place: "the OS keyring (memory)"}) {
		t.Errorf("got %+v", w)
	}

	s = store.Open(folder, store.Options{Keyring: ring, Plain: true})
	put("six", file, "token_store says so", true)
	if err := s.DropRefreshToken(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	if got, err := s.RefreshToken(t.Context(), "k"); !got.Empty() || err != nil || len(ring.entries) != 0 {
		t.Errorf("still there: %q, %v", got.Reveal(), err)
	}
}

func TestARotatedTokenIsStoredAfterTheInterrupt(t *testing.T) {
	s, _ := open(t, store.Options{})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // of two ready cases a select takes either
		if rest, err := s.PutRefreshToken(over, "k", secret.New(canary)); err != nil || rest.Why != "" {
			t.Fatalf("got %+v, %v", rest, err)
		}
	}
	if got, err := s.RefreshToken(t.Context(), "k"); err != nil || got.Reveal() != canary {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPausesDoubleAndEnd(t *testing.T) {
	s, _ := open(t, store.Options{})
	now := time.Now()
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if err := s.BeginAttempt("k", now); err != nil {
			t.Fatal(err)
		}
		if p, err := s.Pause("k"); err != nil || p.Failures != i+1 || !p.Until.Equal(now.Add(want*time.Minute)) {
			t.Errorf("attempt %d: %+v, %v", i+1, p, err)
		}
	}
	for _, ahead := range []time.Duration{24 * time.Hour, 10 * time.Minute} {
		if err := errors.Join(s.EndAttempt("k"), s.BeginAttempt("k", now.Add(ahead))); err != nil {
			t.Fatal(err)
		}
		if p, _ := s.Pause("k"); !p.Until.IsZero() || p.Failures != 1 {
			t.Errorf("a pause from %v ahead holds: %+v", ahead, p)
		}
	}
	if err := s.EndAttempt("k"); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Pause("k"); err != nil || p != (store.Pause{}) {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestAnIDTokenRestsForMinutes(t *testing.T) {
	s, folder := open(t, store.Options{})
	now := time.Now()
	l := &store.Login{Subject: "s", At: now, IDToken: secret.New(canary), IDTokenExpires: now.Add(time.Hour)}
	for after, want := range map[time.Duration]bool{0: true, 5 * time.Minute: true, 301 * time.Second: false, -time.Second: false} {
		if _, ok := l.FreshIDToken(now.Add(after)); ok != want {
			t.Errorf("after %v: %v", after, ok)
		}
	}
	for age, kept := range map[time.Duration]bool{0: true, 6 * time.Minute: false} {
		l.At = now.Add(-age)
		if err := s.PutLogin("k", l); err != nil {
			t.Fatal(err)
		}
		got, err := s.Login("k")
		if err != nil || got.Subject != "s" || got.IDToken.Empty() == kept {
			t.Errorf("age %v: %+v, %v", age, got, err)
		}
		data, _ := os.ReadFile(filepath.Join(folder, "logins", "k.json"))
		if strings.Contains(string(data), canary) != kept {
			t.Errorf("age %v: the file has the token: %v", age, !kept)
		}
	}
	if err := s.DropLogin("k"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Login("k"); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	ring := &memory{entries: map[string]string{}}
	s, _ := open(t, store.Options{Keyring: ring})
	rest, _ := s.PutRefreshToken(t.Context(), "k", secret.New(canary))
	for _, v := range []any{some(), *some(), store.Login{IDToken: secret.New(canary)}, rest, s.Where(t.Context())} {
		text, err := json.Marshal(v)
		if all := fmt.Sprintf("%v %+v %#v %s %v", v, v, v, text, err); strings.Contains(all, canary) {
			t.Errorf("%T: %s", v, all)
		}
	}
}

func BenchmarkCredentials(b *testing.B) {
	s := store.Open(filepath.Join(b.TempDir(), "s"), store.Options{})
	c := some()
	c.SessionToken = secret.New(strings.Repeat("x", 1500))
	if err := s.PutCredentials("k", c); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if c, err := s.Credentials("k"); c == nil || err != nil {
			b.Fatal(err)
		}
	}
}
