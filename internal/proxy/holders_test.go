package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// Who was served a moment ago is judged like anybody else: by the signature, the
// session's end and the orders. Nobody is remembered who was not admitted.
func TestWhoIsRememberedIsStillJudged(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "sessions: {", "sessions: {lifetime: 3s, ", 1)
	})
	c.put("lake", "public/a.txt", "hello")
	ask := func(keys aws.Credentials) string {
		t.Helper()
		response, body := c.raw(keys, http.MethodGet, "/lake/public/a.txt", sigv4.UnsignedPayload, nil)
		if response.StatusCode == http.StatusOK {
			return body
		}
		_, code, _ := strings.Cut(body, "<Code>")
		code, _, _ = strings.Cut(code, "</Code>")
		return code
	}
	remembered := func(when string, want int) {
		t.Helper()
		if got := proxy.Remembered(c.Server); got != want {
			t.Errorf("%s: %d holders are remembered, want %d", when, got, want)
		}
	}
	// refused asks, and nothing goes upstream.
	refused := func(when string, keys aws.Credentials, code string) {
		t.Helper()
		c.requests()
		c.store.seen()
		if got := ask(keys); got != code {
			t.Errorf("%s: got %s, want %s", when, got, code)
		}
		if events := c.requests(); len(events) != 1 || events[0].Response.Code != code {
			t.Errorf("%s: events %+v", when, events)
		}
		c.wantNothingUpstream()
	}
	served := func(keys aws.Credentials) {
		t.Helper()
		if got := ask(keys); got != "hello" {
			t.Fatalf("got %s", got)
		}
	}
	alice, carol := c.login(nil), c.login(bob)
	wrong, altered, crossed := alice, alice, alice
	wrong.SecretAccessKey = strings.Repeat("x", 40)
	altered.SessionToken = alice.SessionToken[:len(alice.SessionToken)-4] + "AAAA"
	crossed.SessionToken = carol.SessionToken
	strange := func(when string) {
		t.Helper()
		refused("another secret "+when, wrong, "SignatureDoesNotMatch")
		refused("another token "+when, altered, "InvalidToken")
		refused("somebody else's token "+when, crossed, "InvalidToken")
	}
	strange("at first")
	remembered("at first", 0)
	served(alice)
	served(alice)
	remembered("once alice was served", 1)
	strange("while alice is remembered")
	served(carol)
	strange("while both are remembered")
	remembered("once both were served", 2)

	c.revoke(revocation.Order{Scope: revocation.Session, Session: session.IDOf(carol.AccessKeyID)}, time.Now())
	refused("revoked while remembered", carol, "InvalidToken")

	late := c.login(map[string]any{"sub": "late"})
	time.Sleep(time.Until(late.Expires) + 100*time.Millisecond)
	refused("expired while remembered", alice, "ExpiredToken")
	refused("expired before it was used", late, "ExpiredToken")
	remembered("at the end", 2)
}
