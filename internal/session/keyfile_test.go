package session_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gimme-broker/gimme/internal/session"
)

const (
	secretA = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	secretB = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

func TestKeyFileIsMadeOnce(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "session-keys")
	first, err := session.OpenKeyring(path, "default")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := session.OpenKeyring(path, "default")
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Error("the second start has changed the key file")
	}
	credentials, err := first.Issue(alice())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Open(credentials.SessionToken.Reveal(), credentials.AccessKeyID); err != nil {
		t.Error("the second start does not open sessions of the first")
	}
	alone(t, folder)
}

// alone says that nothing but the key file has been left in folder.
func alone(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

func TestReplicasThatStartAtOnceAgree(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "session-keys")
	rings := make([]*session.Keyring, 16)
	var all sync.WaitGroup
	for i := range rings {
		all.Go(func() {
			var err error
			if rings[i], err = session.OpenKeyring(path, "default"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	credentials, err := rings[0].Issue(alice())
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range rings {
		if _, err := k.Open(credentials.SessionToken.Reveal(), credentials.AccessKeyID); err != nil {
			t.Errorf("replica %d: %v", i, err)
		}
	}
	alone(t, folder)
}

func TestTwoFilesAreTwoKeys(t *testing.T) {
	a, err := session.OpenKeyring(filepath.Join(t.TempDir(), "k"), "default")
	if err != nil {
		t.Fatal(err)
	}
	b, err := session.OpenKeyring(filepath.Join(t.TempDir(), "k"), "default")
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := a.Issue(alice())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(credentials.SessionToken.Reveal(), credentials.AccessKeyID); err != session.ErrInvalid {
		t.Errorf("Open = %v", err)
	}
}

func TestKeyFileFaults(t *testing.T) {
	good := "active 0000000a " + secretA + "\n"
	for name, row := range map[string]struct{ text, want string }{
		"empty":             {"", "no key is active"},
		"comments alone":    {"# active 0000000a\n\n", "no key is active"},
		"no active key":     {"verify 0000000a " + secretA + "\n", "no key is active; write one line: active"},
		"two active keys":   {good + "active 0000000b " + secretB + "\n", "line 2: id 0000000b is active beside id 0000000a"},
		"short key":         {"active 0000000a AAECAwQFBgcICQoLDA0ODw==\n", "line 1: the secret (third word) has 16 bytes; 32 are wanted"},
		"long key":          {"active 0000000a " + strings.Repeat("AAECAwQF", 8) + "\n", "has 48 bytes; 32 are wanted"},
		"zero key":          {"active 0000000a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "one byte over and over"},
		"0xff key":          {"active 0000000a //////////////////////////////////////////8=\n", "one byte over and over"},
		"no base64":         {"active 0000000a ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n", "not base64"},
		"unknown state":     {"retired 0000000a " + secretA + "\n" + good, "line 1: the state (first word) is not next, active or verify"},
		"state in capitals": {"Active 0000000a " + secretA + "\n", "the state"},
		"id too short":      {"active 0a " + secretA + "\n", "the id (second word)"},
		"id in capitals":    {"active 0000000A " + secretA + "\n", "the id (second word)"},
		"id no hex":         {"active ghijklmn " + secretA + "\n", "the id (second word)"},
		"same id":           {good + "verify 0000000a " + secretB + "\n", "line 2: id 0000000a stands twice"},
		"same secret":       {good + "verify 0000000b " + secretA + "\n", "id 0000000b has the secret of id 0000000a"},
		"two words":         {"active " + secretA + "\n", "line 1: 2 words; three are wanted"},
		"four words":        {good[:len(good)-1] + " x\n", "4 words"},
		"all faults":        {"\nactive\nverify x " + secretA + "\n", "line 2: 1 words; three are wanted: state, id, secret; line 3: the id"},
		"too large":         {good + strings.Repeat("#\n", 40000), "more than 65536 bytes"},
		"PEM":               {"-----BEGIN PRIVATE KEY-----\n", "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "session-keys")
			if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
				t.Fatal(err)
			}
			k, err := session.OpenKeyring(path, "default")
			if err == nil || k != nil {
				t.Fatal("the key file was taken")
			}
			if text := err.Error(); !strings.Contains(text, row.want) || !strings.Contains(text, path) {
				t.Errorf("error %q; want %q and the path in it", text, row.want)
			}
			if text := err.Error(); strings.Contains(text, secretA) || strings.Contains(text, secretB) {
				t.Errorf("a secret is in the error %q", text)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != row.text {
				t.Error("the key file has changed")
			}
		})
	}
}

func TestKeyFileModes(t *testing.T) {
	for mode, taken := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o644: false, 0o660: false, 0o666: false, 0o610: false, 0o700: false} {
		path := filepath.Join(t.TempDir(), "session-keys")
		if err := os.WriteFile(path, []byte("active 0000000a ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj0=\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := session.OpenKeyring(path, "default")
		if taken != (err == nil) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: no remedy in %q", mode, err)
		}
	}
}

func TestKeyFileCannotBeReadOrMade(t *testing.T) {
	folder := t.TempDir()
	dangling := filepath.Join(folder, "dangling")
	if err := os.Symlink(filepath.Join(folder, "nowhere", "x"), dangling); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ path, want string }{
		"a folder":      {folder, "is not a file"},
		"no folder":     {filepath.Join(folder, "none", "session-keys"), "make key file"},
		"dangling link": {dangling, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := session.OpenKeyring(row.path, "default")
			if err == nil || k != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("OpenKeyring = %v, %v", k, err)
			}
		})
	}
	alone(t, folder)
}

func TestDeploymentNames(t *testing.T) {
	for name, taken := range map[string]bool{
		"default": true, "prod-eu_1.b": true, strings.Repeat("d", 64): true,
		"": false, strings.Repeat("d", 65): false, "a|b": false, "a b": false, "é": false, "a\n": false,
	} {
		path := filepath.Join(t.TempDir(), "session-keys")
		_, err := session.OpenKeyring(path, name)
		if taken != (err == nil) {
			t.Errorf("deployment %q: %v", name, err)
		}
		if _, made := os.Stat(path); !taken && made == nil {
			t.Errorf("deployment %q: refused, and a key file was made", name)
		}
	}
}

// The example of the documentation is no key: everyone has it.
func TestPublishedKeysAreRefused(t *testing.T) {
	doc, err := os.ReadFile("../../docs/session.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "# state  id        secret\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example in docs/session.md")
	}
	for line := range strings.Lines(example) {
		path := filepath.Join(t.TempDir(), "keys")
		line = strings.Replace(line, "verify", "active", 1)
		if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := session.OpenKeyring(path, "default"); err == nil || !strings.Contains(err.Error(), "is published") {
			t.Errorf("%q: %v", line, err)
		}
	}
}
