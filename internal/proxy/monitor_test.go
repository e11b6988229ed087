package proxy_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// watched is a policy in monitor mode, with those rules.
func watched(rules string) string {
	return "name: customer-data\nmode: monitor\ndata: [SENSITIVE]\nrules:\n  - " + rules + "\n"
}

// What only a policy in monitor mode blocks is let through, and said so.
func TestAMonitoredPolicy(t *testing.T) {
	c := start(t, nil)
	c.store.answerWith(ok)
	c.policies(watched("{identities: {groups: [data-engineering]}, reads: [{data: any}]}"))
	alice, bobs := c.login(nil), c.login(bob)
	response, body := c.raw(alice, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	if e := c.wantLetThrough(t, response.StatusCode, body, audit.Allowed); len(e.Reasons) != 1 || e.Reasons[0].Rule != "rule 1" {
		t.Errorf("reasons: %+v", e.Reasons)
	}
	response, body = c.raw(bobs, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	e := c.wantLetThrough(t, response.StatusCode, body, audit.WouldBlock)
	if body != "ok" || !slices.Equal(e.Labels, []string{"SENSITIVE"}) || len(e.Reasons) != 1 || e.Reasons[0].Text != "policy customer-data has no rule that lets you read SENSITIVE data" || e.Error != "" {
		t.Errorf("got %q, event %+v", body, e)
	}
	// Another policy still blocks, and so does the want of a label.
	response, body = c.raw(bobs, http.MethodPut, "/lake/public/x", sigv4.UnsignedPayload, nil, "X-Amz-Copy-Source", "lake/customers/x")
	if e := c.wantBlocked(t, response.StatusCode, body, "policy public-data"); strings.Contains(body, "customer-data") || len(e.Reasons) != 1 {
		t.Errorf("told %s, reasons %+v", body, e.Reasons)
	}
	response, body = c.raw(bobs, http.MethodGet, "/unlabelled-bucket/x", sigv4.UnsignedPayload, nil)
	c.wantBlocked(t, response.StatusCode, body, "carries no label")
}

// With policy.mode monitor nothing is blocked that could be understood.
func TestMonitorMode(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "policies: [policies]", "policies: [policies], mode: monitor", 1)
	})
	c.store.answerWith(ok)
	keys := c.login(bob)
	for _, r := range [][]string{
		{"GET", "/lake/customers/x", "policy customer-data has no rule"}, {"GET", "/unlabelled-bucket/x", "carries no label"}, {"DELETE", "/lake/public/x", "policy public-data"},
		{"GET", "/secret-bucket?policy=", "policy customer-data"},
	} {
		response, body := c.raw(keys, r[0], r[1], sigv4.UnsignedPayload, nil)
		if e := c.wantLetThrough(t, response.StatusCode, body, audit.WouldBlock); len(e.Reasons) == 0 || !strings.Contains(e.Reasons[0].Text, r[2]) {
			t.Errorf("%s: %+v", r, e.Reasons)
		}
	}
	response, body := c.raw(keys, http.MethodGet, "/lake/public/x", sigv4.UnsignedPayload, nil)
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	response, _ = c.raw(keys, http.MethodGet, "/lake/customers/x?torrent=", sigv4.UnsignedPayload, nil)
	if response.StatusCode != http.StatusNotImplemented {
		t.Errorf("what is not served: %d", response.StatusCode)
	}
	c.wantNothingUpstream()
	c.wantOneRefusal("NotImplemented", "GetObjectTorrent")

	// Limits are noted, too.
	c.ruled("{reads: [{data: any, rateLimit: 1/1h}]}")
	for i, want := range []audit.Decision{audit.Allowed, audit.WouldBlock} {
		response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
		if e := c.wantLetThrough(t, response.StatusCode, body, want); i == 1 && !strings.Contains(e.Reasons[0].Text, "used up") {
			t.Errorf("reasons: %+v", e.Reasons)
		}
	}
}

// A batch of which one object is blocked, one would be, and one is allowed has
// an event for each, and one outcome.
func TestABatchOfThreeFates(t *testing.T) {
	a := newAttack(t, nil)
	a.policies(watched("{reads: [{data: any}]}"))
	var sent string
	a.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		data, _ := io.ReadAll(r.Body)
		sent = string(data)
		io.WriteString(w, "<DeleteResult></DeleteResult>")
		return true
	})
	r := exchangeRaw(t, a.host, nil, a.signed(batch(objectsXML("other/1", "customers/2", "public/3", "customers/4")), a.by("alice")), false)[0]
	events := a.ended(4)
	if r.status != 200 || strings.Count(r.body, "<Error>") != 1 || !strings.Contains(r.body, "other/1") || strings.Contains(sent, "other/1") || strings.Count(sent, "<Object>") != 3 {
		t.Errorf("sent %s, got %d %s", sent, r.status, r.body)
	}
	if len(events) != 4 {
		t.Fatalf("events: %+v", events)
	}
	for i, want := range []struct {
		kind     audit.Kind
		decision audit.Decision
		keys     []string
	}{
		{audit.KindDecision, audit.Blocked, []string{"other/1"}},
		{audit.KindDecision, audit.WouldBlock, []string{"customers/2", "customers/4"}},
		{audit.KindDecision, audit.Allowed, []string{"public/3"}},
		{audit.KindOutcome, "", []string{"public/3", "customers/2", "customers/4"}},
	} {
		if e := events[i]; e.ID != events[0].ID || e.Kind != want.kind || e.Decision != want.decision || !slices.Equal(e.Request.Keys, want.keys) {
			t.Errorf("event %d: %s %s %q", i, e.Kind, e.Decision, e.Request.Keys)
		}
	}
	if got := events[3].Response.Objects; got != 3 {
		t.Errorf("%d objects", got)
	}
}

// The limits of a policy in monitor mode are noted: before the request where
// they are known, and otherwise in its outcome.
func TestMonitoredLimits(t *testing.T) {
	a := newAttack(t, nil)
	a.sends("0123456789")
	a.policies(watched("{reads: [{data: any, rateLimit: 3/1h, bytes: 15B/1h}], deletes: [{data: any, rows: 1}]}"))
	keys := a.held["alice"]
	get := func() (*http.Response, string) {
		return a.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	}
	response, body := get()
	a.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	response, body = get()
	if response.StatusCode != 200 || body != "0123456789" {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
	a.store.seen()
	events := a.ended(2)
	if len(events) != 2 || events[0].Decision != audit.Allowed || events[1].Kind != audit.KindOutcome || events[1].Decision != audit.WouldBlock || !strings.Contains(events[1].Reasons[0].Text, "15B in 1h") {
		t.Errorf("events: %+v", events)
	}
	get()
	a.ended(2)
	a.store.seen()
	response, body = get()
	if e := a.wantLetThrough(t, response.StatusCode, body, audit.WouldBlock); !strings.Contains(e.Reasons[0].Text, "3 objects in 1h") || !slices.Equal(e.Labels, []string{"SENSITIVE"}) {
		t.Errorf("event: %+v", e)
	}
	a.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
		io.WriteString(w, "<DeleteResult></DeleteResult>")
		return true
	})
	r := exchangeRaw(t, a.host, nil, a.signed(batch(objectsXML("customers/1", "customers/2")), a.by("alice")), false)[0]
	if e := a.wantLetThrough(t, r.status, r.body, audit.WouldBlock); !strings.Contains(e.Reasons[0].Text, "1 objects of SENSITIVE data in one request, and these are 2") || len(e.Request.Keys) != 2 {
		t.Errorf("event: %+v", e)
	}
}
