package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestSecretsStayOutOfSight does what people do, well and badly, and then looks
// for secrets in all that gimme has printed or written for others to read.
func TestSecretsStayOutOfSight(t *testing.T) {
	w := newWorld(t, settings{})
	s := w.sidecar
	// By login: the person's own keys, the code and the state.
	printed := w.loginAs(t, "alice").err
	secrets := map[string]string{
		"upstream secret": upstreamSecret, "login's own secret key": setting(t, w, "aws_secret_access_key"), "login's own token": setting(t, w, "aws_session_token"),
	}
	// By hand: tokens and signatures that are known here.
	tokens := map[string]string{
		"ID token": w.idToken(t, "alice", nil), "ID token without a role": w.idToken(t, "bob", nil),
		"expired ID token": w.idToken(t, "alice", map[string]any{"exp": 1}),
	}
	for _, token := range tokens {
		s.assume(t, token, engineerRole)
	}
	k := s.session(t, w.provider, "alice", engineerRole)
	secrets["secret key"], secrets["session token"] = k.SecretAccessKey, k.SessionToken
	wrong := k
	wrong.SecretAccessKey = "not-the-secret-at-all-but-still-one"
	secrets["wrong secret key"] = wrong.SecretAccessKey
	for _, keys := range []aws.Credentials{k, wrong} {
		for _, target := range []string{"/acme-lake/customers/2026.csv", "/acme-lake/payroll/2026.csv", "/acme-lake?policy="} {
			r := s.signed(t, keys, "GET", target, "")
			r.Header.Set("User-Agent", "test")
			_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			secrets["signature of "+target+keys.SecretAccessKey[:3]] = signature
			s.send(t, r)
		}
	}
	bearer := s.newRequest(t, "GET", "/.gimme/roles", "")
	bearer.Header.Set("Authorization", "Bearer "+tokens["ID token without a role"])
	s.send(t, bearer)
	// A session token where none belongs: in a path, in a query, in a header.
	s.send(t, s.newRequest(t, "GET", "/acme-lake/customers/2026.csv?X-Amz-Security-Token="+k.SessionToken, ""))
	s.send(t, s.newRequest(t, "GET", "/acme-lake/customers/2026.csv?AWSAccessKeyId=a&Signature=b&x-amz-security-token="+k.SessionToken, ""))

	for name, token := range tokens {
		for i, part := range strings.Split(token, ".")[1:] { // the header is no secret
			secrets[name+" part "+string(rune('2'+i))] = part
		}
	}
	for _, key := range regexp.MustCompile(`[A-Za-z0-9_\-+/]{40,}`).FindAllString(readFile(t, s.path("session-keys")), -1) {
		secrets["sealing key"] = key
	}
	if _, ok := secrets["sealing key"]; !ok {
		t.Error("the key file has no key that could be looked for")
	}
	public := map[string]string{
		"the audit log": readFile(t, s.path("audit.jsonl")), "the sidecar's log": s.err.String() + s.out.String(), "gimme's output": printed,
	}
	for where, text := range public {
		if len(text) < 100 {
			t.Errorf("%s holds next to nothing: %q", where, text)
		}
		for what, secret := range secrets {
			if len(secret) < 16 {
				t.Errorf("%s is too short to look for: %q", what, secret)
			}
			if strings.Contains(text, secret) || strings.Contains(text, secret[:16]) && !strings.HasPrefix(what, "upstream") {
				t.Errorf("%s holds the %s", where, what)
			}
		}
	}
	private(t, w)
}

// setting is a key of the profile in ~/.aws/credentials.
func setting(t *testing.T, w *world, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `\s*=\s*(\S+)`).FindStringSubmatch(readFile(t, w.credentialsFile()))
	if m == nil {
		t.Fatalf("the credentials have no %s", name)
	}
	return m[1]
}

// private fails the test if others may read what has secrets in it.
func private(t *testing.T, w *world) {
	t.Helper()
	for _, path := range []string{w.credentialsFile(), w.sidecar.path("session-keys"), w.sidecar.path("audit.jsonl")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if info, err := os.Stat(filepath.Dir(w.credentialsFile())); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v", filepath.Dir(w.credentialsFile()), info.Mode(), err)
	}
}
