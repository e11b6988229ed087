package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// Clients know S3's sentences, and some compare them: what the upstream says of
// a request is not edited. What it says of the sidecar is not passed on.
func TestUpstreamErrorsArePassedOnInItsOwnWords(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	for name, test := range map[string]struct {
		header  string // of the request, set to "1"
		status  int
		said    string // by the upstream
		message string
		absent  string
	}{
		"a sentence and details": {
			"", 416, `<Code>InvalidRange</Code><Message>The requested range is not satisfiable</Message><RangeRequested>bytes=9-</RangeRequested><HostId>canary</HostId>`,
			"<Message>The requested range is not satisfiable</Message><RangeRequested>bytes=9-</RangeRequested>", "canary",
		},
		"no sentence":         {"", 503, `<Code>SlowDown</Code>`, "<Message>The real S3 refuses this. Event ", "<Message></Message>"},
		"an object lock":      {"", 403, `<Code>AccessDenied</Code><Message>Access Denied because object protected by object lock.</Message>`, "<Message>Access Denied because object protected by object lock.</Message>", "Event"},
		"another account":     {"X-Amz-Expected-Bucket-Owner", 403, `<Code>AccessDenied</Code><Message>Access Denied</Message>`, "<Message>Access Denied</Message>", "Event"},
		"the role":            {"", 403, `<Code>AccessDenied</Code><Message>Access Denied</Message>`, "denies it to the role of your session. Event", "<Message>Access Denied"},
		"the role's own name": {"X-Amz-Expected-Bucket-Owner", 403, `<Code>AccessDenied</Code><Message>User: canary may not</Message>`, "denies it to the role of your session. Event", "canary"},
		"the sidecar's key":   {"", 403, `<Code>InvalidAccessKeyId</Code><Message>No canary</Message><ArgumentValue>canary</ArgumentValue>`, "The real S3 did not accept the sidecar", "canary"},
	} {
		t.Run(name, func(t *testing.T) {
			c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(test.status)
				io.WriteString(w, "<Error>"+test.said+"</Error>")
				return true
			})
			var more []string
			if test.header != "" {
				more = []string{test.header, "1"}
			}
			response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil, more...)
			if !strings.Contains(body, test.message) || strings.Contains(body, test.absent) {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			if why, id := response.Header.Get("X-Gimme-Reason"), response.Header.Get("X-Amz-Request-Id"); !strings.HasSuffix(why, " Event "+id+".") || strings.Contains(why, "canary") {
				t.Errorf("the header says %q, the event is %s", why, id)
			}
		})
	}
}
