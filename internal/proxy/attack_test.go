package proxy_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// TestAttack sends what was used, or could be used, against servers and proxies
// of this kind. Its subtests are named by the row of the list of published
// advisories, or of the list of threats, that they stand for; rows has both
// lists. Unless a case says otherwise, the upstream must see nothing of it and
// exactly one event must be written.
func TestAttack(t *testing.T) {
	wantNoGoroutineLeft(t)
	a := newAttack(t, nil)
	a.store.answerWith(ok)
	a.corpus()
	for _, group := range []func(*attack){
		(*attack).signatures, (*attack).framing, (*attack).objects, (*attack).documents, (*attack).answers, (*attack).logins, (*attack).people,
	} {
		group(a)
	}
	a.wantEveryRow()
}

// wantNoGoroutineLeft fails the test when, after all of it has ended, there are
// more goroutines than before.
func wantNoGoroutineLeft(t *testing.T) {
	hangup := make(chan os.Signal, 1) // the first Notify starts a goroutine that is for the whole process
	signal.Notify(hangup, syscall.SIGHUP)
	signal.Stop(hangup)
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		var now int
		for range 500 {
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
			if now = runtime.NumGoroutine(); now <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		t.Errorf("%d goroutines before, %d after:\n%s", before, now, stacks)
	})
}

// An attack is a sidecar with what its attackers hold.
type attack struct {
	*sidecar
	t       *testing.T
	host    string
	roots   *x509.CertPool // with TLS
	held    map[string]aws.Credentials
	names   []string // of the subtests
	secrets []string // which must stand in no answer and no event
}

func newAttack(t *testing.T, edit func(string) string) *attack {
	t.Helper()
	c := start(t, edit)
	return c.attacked(t)
}

// attacked makes an attack of a sidecar that runs.
func (c *sidecar) attacked(t *testing.T) *attack {
	t.Helper()
	_, host, _ := strings.Cut(c.URL(), "://")
	a := &attack{sidecar: c, t: t, host: host}
	alice, bob := c.login(nil), c.login(bob)
	thief, crossed := alice, bob
	thief.SecretAccessKey = strings.Repeat("x", len(alice.SecretAccessKey))
	crossed.SessionToken = alice.SessionToken
	tokenless := alice
	tokenless.SessionToken = ""
	a.held = map[string]aws.Credentials{"alice": alice, "bob": bob, "thief": thief, "crossed": crossed, "tokenless": tokenless}
	a.secrets = []string{alice.SecretAccessKey, alice.SessionToken, bob.SecretAccessKey, bob.SessionToken, upstreamSecret, upstreamKey, "canary"}
	return a
}

// run runs a subtest and remembers its name.
func (a *attack) run(name string, f func(t *testing.T)) {
	a.names = append(a.names, name)
	a.t.Run(name, func(t *testing.T) {
		outer := a.sidecar.t
		a.sidecar.t = t
		defer func() { a.sidecar.t = outer }()
		f(t)
	})
}

// A want is what must become of a request.
type want struct {
	status int
	code   string // of the error; "" with an answer that is none
	who    string // whose request it is proven to be, in the event
	why    string // a part of the event's sentence
}

// refused sends raw as a subtest, which must be refused as w says.
func (a *attack) refused(name, raw string, w want) {
	a.run(name, func(t *testing.T) { a.wantRefused(t, raw, w) })
}

// wantRefused sends raw, which must be answered with one error, reach nobody,
// and leave one event.
func (a *attack) wantRefused(t *testing.T, raw string, w want) reply {
	t.Helper()
	replies := exchangeRaw(t, a.host, a.roots, raw, false)
	if len(replies) != 1 {
		t.Errorf("want one answer, got %d: %+v", len(replies), replies)
	}
	a.wantNothingUpstream()
	events := a.newEvents()
	if len(events) != 1 {
		t.Errorf("want one event, got %d: %+v", len(events), events)
	}
	if len(replies) == 0 || len(events) == 0 {
		return reply{}
	}
	head := strings.HasPrefix(raw, "HEAD ")
	a.wantRefusal(t, head, replies[0], events[0], w)
	return replies[0]
}

// wantRefusal judges an answer together with its event.
func (a *attack) wantRefusal(t *testing.T, head bool, r reply, e audit.Event, w want) {
	t.Helper()
	if head {
		if r.body != "" {
			t.Errorf("a HEAD was answered with a body: %q", r.body)
		}
		r.code, _, _ = strings.Cut(r.header.Get("X-Gimme-Reason"), ":")
		r.id = r.header.Get("X-Amz-Request-Id")
	}
	if r.status != w.status || r.code != w.code {
		t.Errorf("want %d %s, got %d %s: %s", w.status, w.code, r.status, r.code, r.body)
	}
	if kind := r.header.Get("Content-Type"); !strings.HasSuffix(kind, "/xml") {
		t.Errorf("the answer is of type %q", kind)
	}
	if r.id == "" || r.id != e.ID {
		t.Errorf("the answer has the id %q, its event %q", r.id, e.ID)
	}
	if e.Decision != audit.Blocked || e.Response == nil || e.Response.Code != w.code || e.Response.Status != w.status || !strings.Contains(e.Error, w.why) {
		t.Errorf("the event is %+v, response %+v", e, e.Response)
	}
	var who string
	if e.Principal != nil {
		who, _, _ = strings.Cut(e.Principal.Email, "@")
	}
	if who != w.who {
		t.Errorf("the event is of %q, want %q", who, w.who)
	}
	a.wantNoSecret(t, r, e)
}

// wantNoSecret looks for what must not leave in an answer and in events.
func (a *attack) wantNoSecret(t *testing.T, r reply, events ...audit.Event) {
	t.Helper()
	var text strings.Builder
	text.WriteString(fmt.Sprint(r.header, r.body))
	for _, e := range events {
		line, err := e.Line()
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(string(line))
	}
	for _, s := range a.secrets {
		if strings.Contains(text.String(), s) {
			t.Errorf("the secret %.10q... stands in %s", s, text.String())
		}
	}
}

// newEvents returns the events since the last call, and waits for the first of
// them, and for the outcome of what was allowed: they may come after the answer.
func (a *attack) newEvents() []audit.Event {
	a.sidecar.t.Helper()
	var list []audit.Event
	for range 2000 {
		list = append(list, a.events()...)
		open := map[string]bool{}
		for _, e := range list {
			if e.Kind == audit.KindDecision && e.Decision == audit.Allowed {
				open[e.ID] = true
			}
			if e.Kind == audit.KindOutcome {
				delete(open, e.ID)
			}
		}
		if len(list) > 0 && len(open) == 0 {
			return list
		}
		time.Sleep(time.Millisecond)
	}
	return list
}

// wantPassed sends raw, which must be answered without an error after the
// upstream was asked what is wanted, as a request of who.
func (a *attack) wantPassed(t *testing.T, raw, who string, upstream ...string) (reply, []audit.Event) {
	t.Helper()
	replies := exchangeRaw(t, a.host, a.roots, raw, false)
	if len(replies) != 1 || replies[0].status >= 300 {
		t.Fatalf("got %+v", replies)
	}
	if seen := a.store.seen(); !slices.Equal(seen, upstream) {
		t.Errorf("the upstream was asked %q, want %q", seen, upstream)
	}
	events := a.newEvents()
	if len(events) != 2 || events[0].Decision != audit.Allowed || events[1].Kind != audit.KindOutcome || events[0].Principal == nil ||
		!strings.HasPrefix(events[0].Principal.Email, who+"@") {
		t.Fatalf("events: %+v", events)
	}
	a.wantNoSecret(t, replies[0], events...)
	return replies[0], events
}
