package upstream_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gimme-broker/gimme/internal/upstream"
)

func wrongToken() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(baseKey, baseSecret, baseToken+"x")
}

var grammar = regexp.MustCompile(`^[a-zA-Z0-9_+=,.@-]{2,64}$`)

func TestSourceIdentity(t *testing.T) {
	long := strings.Repeat("a", 65)
	subjects := []string{"alice", "al", "a", "auth0|123", "auth0_123", "Alice", "älice", long, long + "a", long[:64], "a b", "a\x00b",
		"3f2504e0-4f89-41d3-9a0c-0305e82c3301", "sha256-x"}
	for _, s := range subjects {
		subjects = append(subjects, upstream.SourceIdentity(upstream.Principal{Subject: s}))
	}
	byIdentity := map[string]string{}
	for _, s := range subjects {
		id := upstream.SourceIdentity(upstream.Principal{Subject: s, Email: "any@example.com"})
		if !grammar.MatchString(id) {
			t.Errorf("%q becomes %q", s, id)
		}
		if other, taken := byIdentity[id]; taken && other != s {
			t.Errorf("%q and %q both become %q", s, other, id)
		}
		byIdentity[id] = s
	}
	for subject, want := range map[string]string{
		"alice":     "alice",
		"auth0|123": "sha256-ibbuixvn53vsuxmillz4cm7wb32xki5b76d3uihnzrnw3y4s5nwa",
	} {
		if got := upstream.SourceIdentity(upstream.Principal{Subject: subject}); got != want {
			t.Errorf("SourceIdentity(%q) = %q, want %q", subject, got, want)
		}
	}
}

func TestSessionName(t *testing.T) {
	for _, p := range []upstream.Principal{{Subject: "s|1", Email: "o'brien@example.com"}, {Subject: "s|1"}} {
		if n := upstream.SessionName(p); !grammar.MatchString(n) || !strings.HasPrefix(n, "sha256-") {
			t.Errorf("%+v: %q", p, n)
		}
	}
	if n := upstream.SessionName(alice); n != alice.Email {
		t.Errorf("%q", n)
	}
	if n := upstream.SessionName(upstream.Principal{Subject: "alice"}); n != "alice" {
		t.Errorf("%q", n)
	}
}
