package broker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login/logintest"
)

// A denial says what the token says and what would admit it, once, and never
// the token.
func TestDenied(t *testing.T) {
	for _, test := range []struct {
		name, code, message string
		status, asked       int
		direct              bool
		words               []string // of the error and its hint
	}{
		{"sidecar", "AccessDenied", "no", 403, 1, false, []string{"AccessDenied", "alice-1", "groups", "ask who runs the sidecar"}},
		{"direct", "AccessDenied", "Not authorized", 403, 1, true, []string{`:aud": "gimme"`, `:sub": "alice-1"`, "111122223333:oidc-provider/127.0.0.1:", "compare"}},
		{"no provider", "InvalidIdentityToken", "No OpenIDConnect provider found", 400, 1, true, []string{"OpenID Connect provider", `:aud": "gimme"`}},
		{"unknown issuer", "InvalidIdentityToken", "no", 400, 1, false, []string{"client_id: gimme", "tell who runs"}},
		{"expired", "ExpiredTokenException", "Token expired", 400, 1, true, []string{"run it again"}},
		{"keys", "IDPCommunicationError", "cannot read", 400, 3, true, []string{"public on the internet"}},
		{"rejected", "IDPRejectedClaim", "rejected", 403, 1, true, []string{"--force"}},
		{"tags", "PackedPolicyTooLarge", "too large", 400, 1, true, []string{"session tags"}},
		{"region", "RegionDisabledException", "disabled", 403, 1, true, []string{"--region"}},
		{"policy", "MalformedPolicyDocument", "malformed", 400, 1, true, []string{"sends no policy"}},
		{"duration", "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400, 1, true, []string{"--duration", "2h0m0s"}},
		{"throttled", "Throttling", "slow down", 400, 3, true, []string{"Throttling"}},
		{"down", "InternalFailure", "oops", 500, 3, true, []string{"InternalFailure"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.request()
			r.Duration = 2 * time.Hour
			if test.direct {
				r.Address, r.Issuer, r.ClientID, r.STSEndpoint = "", w.issuer.URL, logintest.ClientID, w.sidecar.URL
			}
			for range 5 {
				w.sidecar.next(deny(test.status, test.code, test.message))
			}
			c, err := w.broker().Credentials(t.Context(), r)
			if c != nil || kindOf(t, err) != broker.Failed {
				t.Fatalf("%v, %v", c, err)
			}
			said := explained(err)
			for _, word := range append(test.words, test.message, "issuer    "+w.issuer.URL, "audience  gimme", "expires ") {
				if !strings.Contains(said, word) {
					t.Errorf("%q is missing in\n%s", word, said)
				}
			}
			w.noSecrets(t, said)
			if got := len(w.sidecar.asked()); got != test.asked {
				t.Errorf("the STS was asked %d times, want %d", got, test.asked)
			}
			if kept, _ := w.store.Credentials(r.Key()); kept != nil {
				t.Error("something was kept")
			}
		})
	}
}

func explained(err error) string {
	if e, ok := err.(*broker.Error); ok {
		return e.Error() + "\n" + e.Hint
	}
	return err.Error()
}

// What can pass does.
func TestRetried(t *testing.T) {
	w := newWorld(t)
	w.sidecar.next(deny(400, "IDPCommunicationError", "cannot read"), deny(503, "ServiceUnavailable", "busy"), nil)
	if _, err := w.broker().Credentials(t.Context(), w.request()); err != nil {
		t.Error(err)
	}
	w.want(t, 1, 1, 3)
}

// The clock of this machine is named when it is to blame.
func TestClockSkew(t *testing.T) {
	for by, word := range map[time.Duration]string{7 * time.Minute: "behind", -7 * time.Minute: "ahead of"} {
		w := newWorld(t)
		w.sidecar.next(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
			deny(400, "InvalidIdentityToken", "no")(rw, r)
		})
		_, err := w.broker().Credentials(t.Context(), w.request())
		if kindOf(t, err); !strings.Contains(err.Error(), "Clock skew") || !strings.Contains(err.Error(), word+" that of the sidecar") || !strings.Contains(explained(err), "set the clock") {
			t.Errorf("%s: %v", by, err)
		}
	}
	w := newWorld(t)
	w.sidecar.next(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat))
		deny(400, "InvalidIdentityToken", "no")(rw, r)
	})
	if _, err := w.broker().Credentials(t.Context(), w.request()); strings.Contains(err.Error(), "Clock skew") {
		t.Errorf("90s: %v", err)
	}
}

// Entra ID leaves groups out when there are too many.
func TestOverage(t *testing.T) {
	w := newWorld(t)
	w.issuer.Claims = func(c map[string]any) {
		delete(c, "groups")
		c["_claim_names"], c["_claim_sources"] = map[string]any{"groups": "src1"}, map[string]any{"src1": map[string]any{"endpoint": "https://graph.example"}}
	}
	w.sidecar.next(deny(403, "AccessDenied", "no"))
	_, err := w.broker().Credentials(t.Context(), w.request())
	if said := explained(err); !strings.Contains(said, "group overage") || !strings.Contains(said, "assigned to this application") {
		t.Error(said)
	}
}

// Google's tokens have conditions of their own at AWS.
func TestGoogle(t *testing.T) {
	got := broker.Trust(reader, "https://accounts.google.com", "web-client", "desktop-client", `1"2`)
	for _, want := range []string{
		`"Federated": "accounts.google.com"`, `"accounts.google.com:aud": "desktop-client"`, `"accounts.google.com:oaud": "web-client"`, `"accounts.google.com:sub": "1\"2"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}
