package session_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/session"
)

const serviceKeyFile = "verify 00c0ffee qhEiM0RVZneImaq7zN3u/wABAgMEBQYHCAkKCwwNDg8=\n" +
	"active 3f9a1c07 /+7dzLuqmYh3ZlVEMyIRAA8ODQwLCgkIBwYFBAMCAQA=\n"

// The derivation of docs/revocation.md, written down a second time.
func serviceSecret(t *testing.T, root, deployment, accessKeyID string) string {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(root)
	if err != nil {
		t.Fatal(err)
	}
	id, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(accessKeyID[4:])
	if err != nil {
		t.Fatal(err)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "gimme/service-key/v1|"+deployment, 32)
	if err != nil {
		t.Fatal(err)
	}
	out, err := hkdf.Expand(sha256.New, key, "gimme/service/v1|"+string(id), 30)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out)
}

func TestServiceKeys(t *testing.T) {
	keys, err := session.ParseKeyring(serviceKeyFile, "lake")
	if err != nil {
		t.Fatal(err)
	}
	id := keys.NewServiceKeyID()
	kid, err := session.RootOfServiceKey(id)
	if err != nil || kid != "3f9a1c07" || keys.Active() != kid || len(id) != 30 || !strings.HasPrefix(id, "GS") {
		t.Fatalf("%s of %s, %v", id, kid, err)
	}
	if again := keys.NewServiceKeyID(); again == id {
		t.Error("two keys have one id")
	}
	got, err := keys.ServiceSecret(id)
	if err != nil || got.Reveal() != serviceSecret(t, "/+7dzLuqmYh3ZlVEMyIRAA8ODQwLCgkIBwYFBAMCAQA=", "lake", id) {
		t.Errorf("the secret is not the documented one: %v", err)
	}
	other, err := session.ParseKeyring(serviceKeyFile, "other")
	if err != nil {
		t.Fatal(err)
	}
	if elsewhere, err := other.ServiceSecret(id); err != nil || elsewhere.Reveal() == got.Reveal() {
		t.Errorf("another deployment has the same secret, %v", err)
	}
	// A service key has nothing of the session that has the same 16 bytes.
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(id[4:])
	if err != nil {
		t.Fatal(err)
	}
	c := alice()
	c.ID = [16]byte(raw)
	if s, err := keys.Issue(c); err != nil || s.SecretAccessKey.Reveal() == got.Reveal() {
		t.Errorf("a session and a service key have one secret, %v", err)
	}
	gone, err := session.ParseKeyring(strings.SplitAfter("active"+strings.TrimPrefix(serviceKeyFile, "verify"), "\n")[0], "lake")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := gone.ServiceSecret(id); !errors.Is(err, session.ErrRootGone) || s.Reveal() != "" {
		t.Errorf("without its root: %v", err)
	}
}

// An id has one spelling.
func TestServiceKeyIDs(t *testing.T) {
	keys, err := session.ParseKeyring(serviceKeyFile, "lake")
	if err != nil {
		t.Fatal(err)
	}
	id := keys.NewServiceKeyID()
	last := id[len(id)-1]
	for name, bad := range map[string]string{
		"empty": "", "short": id[:29], "long": id + "A", "a session's": "GM" + id[2:], "lower case": strings.ToLower(id), "another tag": id[:2] + "AA" + id[4:],
		"spare bits": id[:29] + string(rune(last+1)), "not base32": id[:29] + "1", "AWS's": "AKIAIOSFODNN7EXAMPLE",
	} {
		if _, err := keys.ServiceSecret(bad); !errors.Is(err, session.ErrServiceKeyID) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := session.RootOfServiceKey(bad); !errors.Is(err, session.ErrServiceKeyID) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The access key id of a session leads to the id that events name.
func TestIDOf(t *testing.T) {
	keys, err := session.ParseKeyring(serviceKeyFile, "lake")
	if err != nil {
		t.Fatal(err)
	}
	s, err := keys.Issue(alice())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{s.AccessKeyID, s.ID} {
		if got := session.IDOf(text); got != s.ID {
			t.Errorf("%s is of session %s, want %s", text, got, s.ID)
		}
	}
	if id := keys.NewServiceKeyID(); session.IDOf(id) != id {
		t.Error("a service key is taken for a session")
	}
	opened, err := keys.Open(s.SessionToken.Reveal(), s.AccessKeyID)
	if err != nil || opened.Key != "3f9a1c07" {
		t.Errorf("opened with key %q, %v", opened.Key, err)
	}
	if _, err := hex.DecodeString(opened.Key); err != nil {
		t.Error(err)
	}
}
