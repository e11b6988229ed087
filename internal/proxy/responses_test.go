package proxy_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/durable"
	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/internal/response"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

const alertKey = "canary-alert-key-0123456789abcdefghij"

// A hook is a webhook's receiver.
type hook struct {
	*httptest.Server
	mu  sync.Mutex // guards got
	got []alerted
}

type alerted struct {
	header http.Header
	body   string
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, alerted{r.Header, string(body)})
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) alerts() []alerted {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

// responding starts a sidecar with responses, and a webhook.
func responding(t *testing.T, responses string) (*sidecar, *hook) {
	t.Helper()
	h := newHook(t)
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.write("alert-key", alertKey+"\n")
	c.launch(func(config string) string {
		return config + fmt.Sprintf("alerts: {url: %q, signing_key_file: alert-key}\nresponses:\n%s", h.URL, responses)
	})
	return c, h
}

// firings are the events of responses since the last call.
func firings(events []audit.Event) []audit.Event {
	var list []audit.Event
	for _, e := range events {
		if e.Request != nil && e.Request.Operation == "ResponseFired" {
			list = append(list, e)
		}
	}
	return list
}

// forbidden asks for what nobody may have.
func (c *sidecar) forbidden(keys aws.Credentials) error {
	_, err := c.s3(keys).DeleteObject(c.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/canary-key.csv")})
	return err
}

// Ten blocked requests make one event and one alert, which says who and how
// often, is signed, and names no object.
func TestAlert(t *testing.T) {
	c, h := responding(t, "  - {name: many-violations, when: {violations: 10, within: 10m}, do: [alert], mode: enforce}\n")
	alice, bob := c.login(nil), c.login(bob)
	for n := range 14 {
		wantCode(t, c.forbidden(alice), "AccessDenied", "")
		if n < 9 {
			wantCode(t, c.forbidden(bob), "AccessDenied", "")
		}
		if got := len(firings(c.events())); got != 0 && n != 9 || got != 1 && n == 9 {
			t.Fatalf("%d firings after %d blocked requests", got, n+1)
		}
	}
	c.wantNothingUpstream()
	c.eventually("an alert has come", func() bool { return len(h.alerts()) == 1 })
	got := h.alerts()[0]
	mac := hmac.New(sha256.New, []byte(alertKey))
	mac.Write([]byte(got.header.Get("Webhook-Id") + "." + got.header.Get("Webhook-Timestamp") + "." + got.body))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); got.header.Get("Webhook-Signature") != want {
		t.Errorf("signature %s, want %s", got.header.Get("Webhook-Signature"), want)
	}
	for _, bad := range []string{"canary-key", "customers", "lake", alertKey, alice.AccessKeyID} {
		if strings.Contains(got.body, bad) {
			t.Errorf("the alert has %q: %s", bad, got.body)
		}
	}
	var body struct {
		Type string
		Data struct {
			ID        string
			Principal audit.Principal
			Fired     audit.Fired
		}
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	fired := firings(parseEvents(t, c.rawEvents()))[0]
	if body.Type != "response.fired" || body.Data.ID != fired.ID || got.header.Get("Webhook-Id") != fired.ID {
		t.Errorf("alert %s of event %s", got.body, fired.ID)
	}
	if diff := cmp.Diff(audit.Principal{Issuer: c.provider.URL, Subject: "alice-1", Email: "alice@example.com", Name: "Alice Ahn"}, body.Data.Principal); diff != "" {
		t.Error(diff)
	}
	want := audit.Fired{
		Rule: "many-violations", Mode: "enforce", Do: []string{"alert"}, Event: fired.Fired.Event, Measure: "violations", Severity: "low",
		Count: 10, Limit: 10, Within: "10m",
	}
	if diff := cmp.Diff(want, body.Data.Fired); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(body.Data.Fired, *fired.Fired); diff != "" || fired.Kind != audit.KindAdmin || !strings.Contains(c.rawEvents(), `"id":"`+fired.Fired.Event+`"`) {
		t.Errorf("event %+v: %s", fired, diff)
	}
	if err := c.get(alice); err != nil && !strings.Contains(err.Error(), "NoSuchKey") {
		t.Errorf("an alert alone refuses: %v", err)
	}
}

func parseEvents(t *testing.T, text string) []audit.Event {
	t.Helper()
	var list []audit.Event
	for line := range strings.Lines(text) {
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// massDelete deletes so many public objects in one request.
func (c *sidecar) massDelete(keys aws.Credentials, n int) error {
	var batch types.Delete
	for k := range n {
		batch.Objects = append(batch.Objects, types.ObjectIdentifier{Key: aws.String(fmt.Sprintf("public/%d", k))})
	}
	_, err := c.s3(keys).DeleteObjects(c.t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("lake"), Delete: &batch})
	return err
}

const massDelete = "  - {name: mass-delete, when: {deletes: 100, within: 5m}, do: [alert, suspend], mode: %s}\n"

// Who deletes in mass is suspended: the next request and the next login are
// refused with the reason, and nothing goes upstream, until the order is cleared;
// also after a restart.
func TestSuspend(t *testing.T) {
	c, h := responding(t, fmt.Sprintf(massDelete, "enforce"))
	c.put("lake", "public/a.txt", "hello")
	alice, other := c.login(nil), c.login(map[string]any{"sub": "carol-1", "email": "carol@example.com", "sid": "idp-session-2"})
	if err := c.massDelete(alice, 99); err != nil {
		t.Fatal(err)
	}
	if err := c.get(alice); err != nil {
		t.Fatal(err)
	}
	if got := firings(c.events()); len(got) != 0 {
		t.Fatalf("fired at 99: %+v", got)
	}
	_ = c.massDelete(alice, 1) // it has been let through, and may be cut
	fired := firings(c.events())
	if len(fired) != 1 || fired[0].Fired.Order == "" || fired[0].Fired.Count != 100 || fired[0].Fired.Measure != "deletes" {
		t.Fatalf("%+v", fired)
	}
	order := fired[0].Fired.Order
	c.eventually("the order is on record", func() bool {
		return strings.Contains(c.rawEvents(), `"id":"`+order+`"`) && strings.Contains(c.rawEvents(), `"by":"response mass-delete"`)
	})
	c.eventually("an alert has come", func() bool { return len(h.alerts()) == 1 })

	refused := func() {
		t.Helper()
		c.requests()
		c.store.seen()
		wantCode(t, c.get(alice), "InvalidToken", "Your access was suspended at")
		c.wantOneSuspended(order, "InvalidToken")
		_, err := c.assume(roleEveryone, c.provider.token(t, nil))
		wantCode(t, err, "AccessDenied", "rule mass-delete, 100 objects deleted within 5m. Ask whoever runs this sidecar.")
		c.wantOneSuspended(order, "AccessDenied")
		if err := c.get(other); err != nil {
			t.Errorf("somebody else: %v", err)
		}
	}
	refused()
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.relaunch()
	refused()

	cleared, err := c.revocations().Clear(t.Context(), order, "operator carol", time.Now())
	if err != nil || cleared.By != "response mass-delete" || cleared.User != "alice-1" || cleared.Issuer != c.provider.URL {
		t.Fatalf("%+v, %v", cleared, err)
	}
	if err := c.get(alice); err != nil {
		t.Errorf("after the order was cleared: %v", err)
	}
	if _, err := c.assume(roleEveryone, c.provider.token(t, nil)); err != nil {
		t.Errorf("after the order was cleared: %v", err)
	}
	if err := c.massDelete(alice, 99); err != nil { // counts begin anew with the sidecar
		t.Error(err)
	}
	if err := c.get(alice); err != nil {
		t.Errorf("what was counted before the restart counts: %v", err)
	}
}

// relaunch starts the sidecar again with the configuration that it had.
func (c *sidecar) relaunch() {
	c.t.Helper()
	config := c.file("proxy.yaml")
	c.launch(func(string) string { return config })
}

// wantOneSuspended asserts that a request was refused because of the order, with
// one event, and that nothing went upstream.
func (c *sidecar) wantOneSuspended(order, code string) {
	c.t.Helper()
	events := c.requests()
	if len(events) != 1 || events[0].Decision != audit.Blocked || events[0].Response.Code != code || events[0].Revocation == nil || events[0].Revocation.Order != order {
		c.t.Errorf("want one event of a refusal by order %s, got %+v", order, events)
	}
	c.wantNothingUpstream()
}

// In monitor mode a rule says what it would do, and does nothing.
func TestResponseMonitored(t *testing.T) {
	c, h := responding(t, fmt.Sprintf(massDelete, "monitor"))
	c.put("lake", "public/a.txt", "hello")
	alice := c.login(nil)
	if err := c.massDelete(alice, 500); err != nil {
		t.Fatal(err)
	}
	fired := firings(c.events())
	if len(fired) != 1 || fired[0].Fired.Mode != "monitor" || fired[0].Fired.Order != "" || !cmp.Equal(fired[0].Fired.Do, []string{"alert", "suspend"}) {
		t.Fatalf("%+v", fired)
	}
	if err := c.get(alice); err != nil {
		t.Errorf("monitor mode refuses: %v", err)
	}
	if _, err := c.assume(roleEveryone, c.provider.token(t, nil)); err != nil {
		t.Errorf("monitor mode refuses: %v", err)
	}
	if err := c.stop(); err != nil { // an alert that was queued would be sent now
		t.Fatal(err)
	}
	if got := h.alerts(); len(got) != 0 {
		t.Errorf("monitor mode alerts: %+v", got)
	}
	orders, err := c.revocations().Orders(time.Now())
	if err != nil || len(orders) != 0 {
		t.Errorf("monitor mode gives orders: %+v, %v", orders, err)
	}
}

// A service is suspended by its name: its keys end, also new ones.
func TestSuspendService(t *testing.T) {
	c, key := withServiceKeyAnd(t, nil, "responses:\n  - {name: many, when: {violations: 3, within: 1m}, do: [suspend], mode: enforce}\n")
	c.put("lake", "public/a.txt", "hello")
	for range 3 {
		wantCode(t, c.forbidden(pair(key)), "AccessDenied", "")
	}
	fired := firings(c.events())
	if len(fired) != 1 || fired[0].Principal.Service != "backup" {
		t.Fatalf("%+v", fired)
	}
	c.store.seen()
	wantCode(t, c.get(pair(key)), "InvalidAccessKeyId", "rule many, 3 requests blocked by the policy within 1m. Ask")
	c.wantOneSuspended(fired[0].Fired.Order, "InvalidAccessKeyId")
	if _, err := c.revocations().Clear(t.Context(), fired[0].Fired.Order, "operator carol", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := c.get(pair(key)); err != nil {
		t.Errorf("after the order was cleared: %v", err)
	}
}

// Who is suspended already gets no second order, so that one clearing is enough.
func TestSuspendedOnce(t *testing.T) {
	c, _ := responding(t, "  - {name: a, when: {violations: 2, within: 1m}, do: [suspend], mode: enforce}\n  - {name: b, when: {violations: 2, within: 2m}, do: [suspend], mode: enforce}\n")
	alice := c.login(nil)
	for range 2 {
		wantCode(t, c.forbidden(alice), "AccessDenied", "")
	}
	fired := firings(c.events())
	if len(fired) != 2 || fired[0].Fired.Order == "" || fired[0].Fired.Order != fired[1].Fired.Order {
		t.Fatalf("%+v", fired)
	}
	orders, err := c.revocations().Orders(time.Now())
	if err != nil || len(orders) != 1 {
		t.Errorf("%+v, %v", orders, err)
	}
}

// An order that cannot be written is written when it can; the request does not
// wait for that.
func TestSuspendLate(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.tune = func(s *proxy.Server) { s.SetTimes(proxy.Times{Order: 50 * time.Millisecond}) }
	c.launch(func(config string) string {
		return config + "responses:\n  - {name: a, when: {violations: 1, within: 1m}, do: [suspend], mode: enforce}\n"
	})
	c.put("lake", "public/a.txt", "hello")
	alice := c.login(nil)
	unlock, err := durable.Lock(t.Context(), filepath.Join(c.folder, "session-keys.revoked")) // somebody else writes
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, c.forbidden(alice), "AccessDenied", "")
	fired := firings(c.events())
	if len(fired) != 1 || !strings.Contains(c.log.String(), "somebody is not suspended yet") {
		t.Fatalf("%+v, logged %s", fired, c.log)
	}
	unlock()
	c.eventually("alice is suspended", func() bool { return c.get(alice) != nil })
	wantCode(t, c.get(alice), "InvalidToken", "rule a, 1 request blocked")
	orders, err := c.revocations().Orders(time.Now())
	if err != nil || len(orders) != 1 || orders[0].ID != fired[0].Fired.Order {
		t.Errorf("%+v, %v", orders, err)
	}
}

// Outcomes have what reads are counted by: the label, objects and bytes.
func TestReadsAreCounted(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "public/a.txt", "hello")
	c.put("lake", "public/b.txt", "hello")
	alice := c.login(nil)
	if err := c.get(alice); err != nil {
		t.Fatal(err)
	}
	if _, err := c.s3(alice).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("lake"), Prefix: aws.String("public/")}); err != nil {
		t.Fatal(err)
	}
	var counted []int64
	for _, e := range c.events() {
		counts, now := response.New(readsOf(t, "PUBLIC"), 10), time.Now()
		counts.See(&e, now) // makes a history
		for range 2 {
			for _, f := range counts.See(&e, now.Add(2*time.Hour)) {
				counted = append(counted, f.Count)
			}
		}
	}
	if diff := cmp.Diff([]int64{2 * 1, 2 * 2}, counted); diff != "" {
		t.Error(diff)
	}
}

// readsOf is a rule that fires when more than is usual is read of the label.
func readsOf(t *testing.T, label string) []*response.Rule {
	t.Helper()
	var c response.Config
	text := "{name: r, when: {reads: {label: " + label + ", times: 1.01, history: 1, least_objects: 1}, within: 1h}, do: [alert]}"
	if err := strictyaml.Decode("f", []byte(text), &c); err != nil {
		t.Fatal(err)
	}
	rules, faults := response.Rules("f", []response.Config{c}, nil)
	if faults != nil {
		t.Fatal(faults)
	}
	return rules
}
