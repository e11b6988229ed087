package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/session"
)

func alice() session.Claims {
	return session.Claims{
		Principal: session.Principal{Issuer: "https://idp.example", Subject: "248289761001", Email: "alice@example.com", Name: "Alice", EmailDecides: true},
		Groups:    []string{"data-engineering", "everyone"},
		Role:      "arn:aws:iam::111122223333:role/data-engineering",
		Issued:    time.Date(2026, 3, 2, 9, 10, 0, 987654321, time.UTC),
		Expires:   time.Date(2026, 3, 2, 10, 10, 0, 987654321, time.UTC),
		AuthTime:  time.Date(2026, 3, 2, 9, 9, 0, 0, time.UTC),
		AMR:       []string{"pwd", "otp"}, ACR: "mfa", Method: "oidc", IdPSession: "8c1f",
	}
}

func TestIssueAndOpen(t *testing.T) {
	k := keyring(t, vectorKeys, "default")
	first, err := k.Issue(alice())
	if err != nil {
		t.Fatal(err)
	}
	second, err := k.Issue(alice())
	if err != nil {
		t.Fatal(err)
	}
	if first.ID == second.ID || first.SessionToken == second.SessionToken || first.SecretAccessKey.Equal(second.SecretAccessKey) {
		t.Error("two sessions share an id, a token or a secret")
	}
	s, err := k.Open(first.SessionToken.Reveal(), first.AccessKeyID)
	if err != nil {
		t.Fatal(err)
	}
	want := alice()
	want.ID = s.ID
	want.Issued, want.Expires = want.Issued.Truncate(time.Second), want.Expires.Truncate(time.Second)
	if diff := cmp.Diff(want, s.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if !s.SecretAccessKey.Equal(first.SecretAccessKey) || len(first.SecretAccessKey.Reveal()) != 40 {
		t.Error("the secret access key is not the one that was issued, or not 40 characters")
	}
	if first.ID != base64.RawURLEncoding.EncodeToString(s.ID[:]) || !first.Expires.Equal(s.Expires) {
		t.Errorf("credentials have id %s and expiry %s, the session has %x and %s", first.ID, first.Expires, s.ID, s.Expires)
	}
	if !regexp.MustCompile(`^GM[A-Z2-7]{28}$`).MatchString(first.AccessKeyID) {
		t.Errorf("access key id %q", first.AccessKeyID)
	}
	if n := len(first.SessionToken.Reveal()); n > 1024 {
		t.Errorf("an ordinary token has %d characters", n)
	}
}

func upstreamOf(token string) *session.UpstreamCredentials {
	return &session.UpstreamCredentials{AccessKeyID: "ASIA", SecretAccessKey: secret.New("canary-secret"), SessionToken: secret.New(token)}
}

// What goes upstream is sealed with the rest, and comes out of it again.
func TestUpstreamCredentialsAreSealed(t *testing.T) {
	k := keyring(t, vectorKeys, "default")
	c := alice()
	c.Name, c.Upstream = "botocore-session-1", upstreamOf("canary-token")
	got, err := k.Issue(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Open(got.SessionToken.Reveal(), got.AccessKeyID)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != c.Name || s.Upstream == nil || s.Upstream.AccessKeyID != "ASIA" || s.Upstream.SecretAccessKey.Reveal() != "canary-secret" || s.Upstream.SessionToken.Reveal() != "canary-token" {
		t.Errorf("got %+v", s.Claims)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(got.SessionToken.Reveal(), "g1."))
	if asText := fmt.Sprintf("%+v %+v", s, *s.Upstream); bytes.Contains(raw, []byte("canary")) || strings.Contains(asText, "canary") {
		t.Errorf("a secret is in the open: %s", asText)
	}
}

func TestIssueKeepsTheIDThatItIsGiven(t *testing.T) {
	c := alice()
	c.ID = [16]byte{1, 2, 3}
	got, err := keyring(t, vectorKeys, "default").Issue(c)
	if err != nil || got.ID != base64.RawURLEncoding.EncodeToString(c.ID[:]) {
		t.Errorf("Issue = %s, %v", got.ID, err)
	}
}

func TestCredentialsPrintNoSecret(t *testing.T) {
	got, err := keyring(t, vectorKeys, "default").Issue(alice())
	if err != nil {
		t.Fatal(err)
	}
	asJSON, _ := json.Marshal(got)
	for _, out := range []string{fmt.Sprintf("%v %+v %#v %s", got, got, got, got), string(asJSON)} {
		if strings.Contains(out, got.SessionToken.Reveal()) || strings.Contains(out, got.SecretAccessKey.Reveal()) {
			t.Errorf("a secret is in %s", out)
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*session.Claims)
		want   string
	}{
		"no issuer":      {func(c *session.Claims) { c.Principal.Issuer = "" }, "no issuer or no subject"},
		"no subject":     {func(c *session.Claims) { c.Principal.Subject = "" }, "no issuer or no subject"},
		"no role":        {func(c *session.Claims) { c.Role = "" }, "no role"},
		"no times":       {func(c *session.Claims) { c.Issued, c.Expires = time.Time{}, time.Time{} }, "1970 to 9999"},
		"too late":       {func(c *session.Claims) { c.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "1970 to 9999"},
		"login too late": {func(c *session.Claims) { c.AuthTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "1970 to 9999"},
		"expired":        {func(c *session.Claims) { c.Expires = c.Issued }, "expires before"},
		"half a second": {func(c *session.Claims) {
			c.Issued = c.Issued.Truncate(time.Second)
			c.Expires = c.Issued.Add(time.Second / 2)
		}, "expires before"},
		"not UTF-8":   {func(c *session.Claims) { c.Groups = []string{"a\xff"} }, "not UTF-8"},
		"long text":   {func(c *session.Claims) { c.Principal.Name = strings.Repeat("n", 70000) }, "70000 bytes"},
		"many groups": {func(c *session.Claims) { c.Groups = make([]string, 70000) }, "70000 groups"},
		"over 4096": {func(c *session.Claims) { c.Groups = slices.Repeat([]string{strings.Repeat("g", 36)}, 80) },
			"more than the 4096 that clients and servers carry reliably; 80 groups take 3040 bytes"},
		"over 4096 with the upstream's": {func(c *session.Claims) { c.Upstream = upstreamOf(strings.Repeat("t", 2900)) },
			"2 groups take 28 bytes of it, and the upstream's credentials 2923"},
		"long upstream token":           {func(c *session.Claims) { c.Upstream = upstreamOf(strings.Repeat("t", 70000)) }, "70000 bytes"},
		"upstream without a token":      {func(c *session.Claims) { c.Upstream = upstreamOf("") }, "not three texts"},
		"upstream token that is binary": {func(c *session.Claims) { c.Upstream = upstreamOf("canary\xff") }, "not three texts"},
		"name that is not UTF-8":        {func(c *session.Claims) { c.Name = "a\xff" }, "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			c := alice()
			row.change(&c)
			got, err := keyring(t, vectorKeys, "default").Issue(c)
			if err == nil || !strings.Contains(err.Error(), row.want) || got != (session.Credentials{}) {
				t.Errorf("Issue = %v, %v; want an error with %q", got, err, row.want)
			}
		})
	}
}

func TestLargestToken(t *testing.T) {
	k := keyring(t, vectorKeys, "default")
	var longest int
	for n := range 4096 {
		c := alice()
		c.Principal.Name = strings.Repeat("n", n)
		got, err := k.Issue(c)
		if err != nil {
			break
		}
		longest = len(got.SessionToken.Reveal())
		if _, err := k.Open(got.SessionToken.Reveal(), got.AccessKeyID); err != nil {
			t.Fatalf("a token of %d characters was issued and does not open", longest)
		}
	}
	if longest < session.MaxToken-3 || longest > session.MaxToken {
		t.Errorf("the longest token has %d characters", longest)
	}
}

func TestExpired(t *testing.T) {
	s := session.Session{Claims: session.Claims{Expires: time.Unix(1000, 0)}}
	for now, want := range map[time.Time]bool{
		time.Unix(999, 999999999): false,
		time.Unix(1000, 0):        true,
		time.Unix(1001, 0):        true,
	} {
		if s.Expired(now) != want {
			t.Errorf("Expired(%v) = %v", now, !want)
		}
	}
}

// A session issued by one replica opens at another in every state of a
// rotation.
func TestRotation(t *testing.T) {
	const a, b = " 0000000a ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n", " 0000000b AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
	steps := []string{"active" + a, "active" + a + "next" + b, "verify" + a + "active" + b, "active" + b}
	for i, file := range steps {
		credentials, err := keyring(t, file, "default").Issue(alice())
		if err != nil {
			t.Fatal(err)
		}
		for j, other := range steps {
			_, err := keyring(t, other, "default").Open(credentials.SessionToken.Reveal(), credentials.AccessKeyID)
			if neighbours := j-i <= 1 && i-j <= 1; neighbours && err != nil {
				t.Errorf("issued at step %d, refused at step %d", i, j)
			}
			if i == 0 && j == 3 && !errors.Is(err, session.ErrInvalid) {
				t.Errorf("a key that is gone still opens: %v", err)
			}
		}
	}
}

func TestFitGroups(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("group-%03d", i))
	}
	exact := slices.Repeat([]string{strings.Repeat("g", 14)}, 64) // 64 × (2 + 14) bytes
	for name, row := range map[string]struct{ groups, named, want []string }{
		"few":                 {[]string{"a", "b"}, []string{"a"}, []string{"a", "b"}},
		"none":                {nil, []string{"a"}, nil},
		"just fit":            {exact, nil, exact},
		"one too many":        {append(slices.Clone(exact), "x"), []string{"x"}, []string{"x"}},
		"only those named":    {many, []string{"group-050", "group-007", "other"}, []string{"group-007", "group-050"}},
		"none of them named":  {many, []string{"group"}, []string{}},
		"prefix is not equal": {many, []string{"group-0"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(row.groups)
			if diff := cmp.Diff(row.want, session.FitGroups(row.groups, row.named)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !slices.Equal(before, row.groups) {
				t.Error("the groups that were given have changed")
			}
		})
	}
}

// No change of one bit anywhere in a token leaves it valid.
func TestEveryBitMatters(t *testing.T) {
	k := keyring(t, vectorKeys, "default")
	credentials, err := k.Issue(alice())
	if err != nil {
		t.Fatal(err)
	}
	token := []byte(credentials.SessionToken.Reveal())
	for i := range token {
		for bit := range 8 {
			changed := bytes.Clone(token)
			changed[i] ^= 1 << bit
			if _, err := k.Open(string(changed), credentials.AccessKeyID); !errors.Is(err, session.ErrInvalid) {
				t.Fatalf("bit %d of character %d changed: %v", bit, i, err)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	k, c := keyring(f, vectorKeys, "default"), alice()
	c.ID = [16]byte{1}
	// Known salt and nonce: every process that takes part has the same token.
	credentials, err := k.IssueWith(c, make([]byte, 32), make([]byte, 12))
	if err != nil {
		f.Fatal(err)
	}
	token := credentials.SessionToken.Reveal()
	f.Add(token, credentials.AccessKeyID)
	f.Add(token[:100], credentials.AccessKeyID)
	f.Add("g1.", "")
	f.Add("g1."+strings.Repeat("A", 200), "GMAA"+strings.Repeat("A", 26))
	f.Fuzz(func(t *testing.T, candidate, accessKeyID string) {
		s, err := k.Open(candidate, accessKeyID)
		genuine := candidate == token && accessKeyID == credentials.AccessKeyID
		if genuine != (err == nil) || (s == nil) != (err != nil) {
			t.Errorf("Open(%q, %q) = %v, %v", candidate, accessKeyID, s, err)
		}
		if err != nil && !errors.Is(err, session.ErrInvalid) {
			t.Errorf("error %v", err)
		}
	})
}

func FuzzClaims(f *testing.F) {
	c := alice()
	c.ID = [16]byte{1}
	plain, err := session.Encode(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add(append(plain, 0))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, err := session.Decode(plain)
		if err != nil {
			return
		}
		again, err := session.Encode(c)
		if err != nil || !bytes.Equal(plain, again) {
			t.Errorf("%x decodes, and encodes to %x, %v", plain, again, err)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	k, c := keyring(b, vectorKeys, "default"), alice()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Issue(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	k := keyring(b, vectorKeys, "default")
	credentials, err := k.Issue(alice())
	if err != nil {
		b.Fatal(err)
	}
	token := credentials.SessionToken.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(token, credentials.AccessKeyID); err != nil {
			b.Fatal(err)
		}
	}
}
