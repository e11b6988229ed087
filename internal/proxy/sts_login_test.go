package proxy

import (
	"fmt"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
)

// What has been used is what was signed, whatever signature stands under it, for
// as long as it would be accepted. What is remembered is bounded.
func TestWhatIsUsedUp(t *testing.T) {
	c := &Config{}
	c.Limits.LoginsPerMinute.V = 600
	l, err := newLogins(c)
	if err != nil {
		t.Fatal(err)
	}
	once, often := &issuer{config: Issuer{SingleUse: true}}, &issuer{}
	now := time.Unix(1772442600, 0)
	token := &idtoken.Token{IssuedAt: now, Expires: now.Add(24 * time.Hour)}
	for _, step := range []struct {
		from  *issuer
		raw   string
		after time.Duration
		good  bool
	}{
		{often, "h.a.s", 0, true},
		{often, "h.a.s", 0, true},
		{once, "h.a.s", 0, true},
		{once, "h.a.s", 0, false},
		{once, "h.a.another", 0, false}, // as anyone can make of an ES256 signature
		{once, "h.ab.s", 0, true},
		{once, "h.a.s", time.Hour, false}, // the last moment at which it is accepted
	} {
		if err := l.spend(step.from, token, secret.New(step.raw), now.Add(step.after)); (err == nil) != step.good {
			t.Errorf("%s after %v: %v", step.raw, step.after, err)
		}
	}
	for i := range maxSpent {
		if err := l.spend(once, token, secret.New(fmt.Sprintf("h.%d.s", i)), now); err != nil {
			if asRefusal(err).Code != "Throttling" || len(l.spent) != maxSpent {
				t.Errorf("at %d: %v, %d are remembered", i, err, len(l.spent))
			}
			break
		}
	}
	if err := l.spend(once, &idtoken.Token{IssuedAt: now.Add(2 * time.Hour), Expires: now.Add(3 * time.Hour)}, secret.New("h.later.s"), now.Add(2*time.Hour)); err != nil || len(l.spent) != 1 {
		t.Errorf("once all are over: %v, %d are remembered", err, len(l.spent))
	}
}
