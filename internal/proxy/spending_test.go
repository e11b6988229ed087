package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// limited starts a sidecar with one grant of each kind of access to SENSITIVE
// data, with those limits. Its upstream says ok to everything.
func limited(t *testing.T, limits string) *sidecar {
	t.Helper()
	c := start(t, nil)
	c.store.answerWith(ok)
	c.ruled(fmt.Sprintf("{reads: [{data: any, %[1]s}], updates: [{data: any, %[1]s}], deletes: [{data: any, %[1]s}]}", limits))
	return c
}

// wantShort asserts that a request was refused for a limit before anything went
// upstream.
func (c *sidecar) wantShort(t *testing.T, response *http.Response, body, code, sentence string) audit.Event {
	t.Helper()
	retry, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if code == "SlowDown" && (response.StatusCode != 503 || err != nil || retry < 1) || code == "AccessDenied" && (response.StatusCode != 403 || err == nil) || !strings.Contains(body, sentence) || !strings.Contains(body, "<Code>"+code) {
		t.Errorf("got %d, Retry-After %q, %s", response.StatusCode, response.Header.Get("Retry-After"), body)
	}
	c.wantNothingUpstream()
	e := c.wantOneRefusal(code, sentence)
	if len(e.Reasons) != 1 || e.Reasons[0].Policy != "customer-data" || e.Reasons[0].Label != "SENSITIVE" || !slices.Contains(e.Labels, "SENSITIVE") {
		t.Errorf("event: labels %q, reasons %+v", e.Labels, e.Reasons)
	}
	return e
}

func TestBudgetOfObjects(t *testing.T) {
	c := limited(t, "rateLimit: 2/1h")
	alice, bobs := c.login(nil), c.login(bob)
	do := func(keys aws.Credentials, method, path string, headers ...string) (*http.Response, string) {
		return c.raw(keys, method, path, sigv4.UnsignedPayload, nil, headers...)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		response, body := do(alice, method, "/lake/customers/x")
		c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	}
	response, body := do(alice, http.MethodGet, "/lake/customers/y")
	c.wantShort(t, response, body, "SlowDown", "alice@example.com may not GetObject s3://lake/customers/y now (label SENSITIVE): rule 1 of policy customer-data lets you read 2 objects in 1h of SENSITIVE data, and that is used up. Try again in ")
	response, body = do(alice, http.MethodPut, "/lake/public/y", "X-Amz-Copy-Source", "lake/customers/y")
	c.wantShort(t, response, body, "SlowDown", "may not CopyObject s3://lake/public/y now")
	for _, r := range [][]string{{"PUT", "/lake/customers/x"}, {"DELETE", "/lake/customers/x"}, {"GET", "/lake/public/x"}, {"HEAD", "/lake"}} {
		response, body := do(alice, r[0], r[1])
		c.wantLetThrough(t, response.StatusCode, body, audit.Allowed) // of another kind of access, another label, no object
	}
	response, body = do(bobs, http.MethodGet, "/lake/customers/x")
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)

	// An upload in parts is one object, which is counted when it begins.
	for _, r := range [][]string{{"POST", "/lake/customers/big?uploads="}, {"PUT", "/lake/customers/big?partNumber=1&uploadId=u"}, {"PUT", "/lake/customers/big?partNumber=2&uploadId=u"}} {
		response, body := do(alice, r[0], r[1])
		c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	}
	response, body = do(alice, http.MethodPut, "/lake/customers/z")
	c.wantShort(t, response, body, "SlowDown", "lets you update 2 objects in 1h")
}

// The time to wait is the one after which there is room.
func TestTheTimeToWait(t *testing.T) {
	c := limited(t, "rateLimit: 1/1s")
	keys := c.login(nil)
	get := func() (*http.Response, string) {
		return c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	}
	response, body := get()
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	response, body = get()
	c.wantShort(t, response, body, "SlowDown", "1 objects in 1s")
	wait, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	if wait > 2 {
		t.Fatalf("told to wait %d s", wait)
	}
	time.Sleep(time.Duration(wait) * time.Second)
	response, body = get()
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
}

// sends has the upstream answer reads with text.
func (c *sidecar) sends(text string) {
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			io.WriteString(w, text)
			return true
		}
		return ok(w, r)
	})
}

// A download that there is no room for is refused once the upstream has said how
// large it is, and before a byte of it is sent.
func TestBudgetOfDownloads(t *testing.T) {
	c := limited(t, "bytes: 15B/1h")
	c.sends("0123456789")
	keys := c.login(nil)
	get := func(headers ...string) (*http.Response, string) {
		return c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil, headers...)
	}
	response, body := get()
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	response, body = get()
	if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || strings.Contains(body, "0123") || !strings.Contains(body, "lets you read 15B in 1h of SENSITIVE data, and that is used up") {
		t.Errorf("got %d %v %s", response.StatusCode, response.Header, body)
	}
	events := c.ended(2)
	if len(events) != 2 || events[0].Decision != audit.Allowed || events[1].Kind != audit.KindOutcome || events[1].Decision != audit.Blocked ||
		events[1].Response.Code != "SlowDown" || len(events[1].Reasons) != 1 || events[1].Reasons[0].Rule != "rule 1" || !strings.Contains(events[1].Error, "used up") {
		t.Errorf("events: %+v", events)
	}
	response, body = c.raw(keys, http.MethodHead, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	c.sends("01234")
	response, body = get("Range", "bytes=0-4")
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	c.store.seen()

	c.sends("0123456789abcdef")
	response, body = get()
	if response.StatusCode != 403 || response.Header.Get("Retry-After") != "" || !strings.Contains(body, "and this is more than that. Waiting does not help.") {
		t.Errorf("got %d %v %s", response.StatusCode, response.Header, body)
	}
}

// What was taken for a download and not sent is given back.
func TestACutDownloadIsCountedAsFarAsItWas(t *testing.T) {
	c := limited(t, "bytes: 100000B/1h")
	keys := c.login(nil)
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "90000")
		io.WriteString(w, strings.Repeat("x", 10000))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if _, err := c.tryRaw(keys, "/lake/customers/x"); err == nil {
		t.Error("the body ended as if it were whole")
	}
	c.outcome()
	c.sends(strings.Repeat("y", 90000))
	response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	c.store.seen()
	if response.StatusCode != 200 || len(body) != 90000 {
		t.Errorf("got %d, %d bytes", response.StatusCode, len(body))
	}
	c.outcome()
	response, _ = c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	if response.StatusCode != 503 {
		t.Errorf("got %d", response.StatusCode)
	}
}

// tryRaw reads an object, and returns the error with which its body ended.
func (c *sidecar) tryRaw(keys aws.Credentials, path string) (string, error) {
	r := must(http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.URL()+path, nil))
	sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", sigv4.UnsignedPayload, time.Now())
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// A body of which the upstream does not say how long it is is cut where the
// budget ends, and never looks whole.
func TestABodyOfUnknownLengthIsCut(t *testing.T) {
	c := limited(t, "bytes: 200KB/1h")
	keys := c.login(nil)
	c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
		for range 100 {
			if _, err := io.WriteString(w, strings.Repeat("x", 10000)); err != nil {
				break
			}
			http.NewResponseController(w).Flush()
		}
		return true
	})
	body, err := c.tryRaw(keys, "/lake/customers/x")
	if err == nil || len(body) > 200000 || len(body) < 100000 {
		t.Errorf("got %d bytes, %v", len(body), err)
	}
	e := c.outcome()
	if e.Decision != audit.Blocked || len(e.Reasons) != 1 || !strings.Contains(e.Error, "the answer was cut") || !strings.Contains(e.Error, "used up") {
		t.Errorf("outcome: %+v", e)
	}

	// What there is no room for at all is told before the head.
	c = limited(t, "bytes: 5000B/1h")
	keys = c.login(nil)
	c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
		io.WriteString(w, strings.Repeat("x", 10000))
		return true
	})
	if body, err := c.tryRaw(keys, "/lake/customers/x"); err == nil || len(body) > 5000 {
		t.Errorf("got %d bytes, %v", len(body), err)
	}
	c.outcome()
	response, told := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !strings.Contains(told, "used up") {
		t.Errorf("got %d %v %s", response.StatusCode, response.Header, told)
	}
}

// An upload is taken at its word before anything of it is read, and given back as
// far as it does not come.
func TestBudgetOfUploads(t *testing.T) {
	c := limited(t, "bytes: 30B/1h")
	keys := c.login(nil)
	put := func(text, path string) (*http.Response, string) {
		return c.raw(keys, http.MethodPut, path, sigv4.UnsignedPayload, strings.NewReader(text))
	}
	// The upstream refuses before the client has sent anything.
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<Error><Code>QuotaExceeded</Code><Message>no room</Message></Error>")
		return true
	})
	conn := c.dial()
	io.WriteString(conn, c.head(keys, http.MethodPut, "/lake/customers/x", 30, "Expect", "100-continue"))
	if response, code, _, _ := s3Error(t, conn); response.StatusCode != 403 || code != "QuotaExceeded" {
		t.Errorf("got %d %s", response.StatusCode, code)
	}
	c.outcome()
	c.store.seen()
	c.store.answerWith(ok)

	response, body := put(strings.Repeat("x", 31), "/lake/customers/x")
	c.wantShort(t, response, body, "AccessDenied", "lets you update 30B in 1h of SENSITIVE data, and this is more than that")
	response, body = put(strings.Repeat("x", 20), "/lake/customers/x?partNumber=1&uploadId=u")
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	response, body = put(strings.Repeat("x", 20), "/lake/customers/x")
	c.wantShort(t, response, body, "SlowDown", "and that is used up")
	response, body = put(strings.Repeat("x", 100), "/lake/public/x")
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
}

// The bytes of an upload are updates, whatever else it does.
func TestBytesOfAnUploadWithAnACL(t *testing.T) {
	c := start(t, nil)
	c.store.answerWith(ok)
	c.ruled("{updates: [{data: any, bytes: 30B/1h}], manages: [{data: any, bytes: 5B/1h}]}")
	keys := c.login(nil)
	for i, want := range []int{200, 503} {
		response, body := c.raw(keys, http.MethodPut, "/lake/customers/x", sigv4.UnsignedPayload, strings.NewReader(strings.Repeat("x", 20)), "X-Amz-Acl", "public-read")
		if response.StatusCode != want || want == 503 && !strings.Contains(body, "lets you update 30B") {
			t.Errorf("upload %d: %d %s", i, response.StatusCode, body)
		}
	}
}

// Of the grants that speak for somebody one with room is enough; of the policies
// over a label each must have some.
func TestBudgetsOfSeveralGrants(t *testing.T) {
	c := start(t, nil)
	c.store.answerWith(ok)
	c.policies(`
name: customer-data
data: [SENSITIVE]
rules:
  - reads: [{data: any, rateLimit: 1/1h}]
  - identities: {users: [alice-1]}
    reads: [{data: any, rateLimit: 2/1d}]
`)
	alice, bobs := c.login(nil), c.login(bob)
	get := func(keys aws.Credentials) (*http.Response, string) {
		return c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	}
	for _, keys := range []aws.Credentials{alice, alice, bobs} {
		response, body := get(keys)
		c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	}
	response, body := get(alice)
	c.wantShort(t, response, body, "SlowDown", "rule 1 of policy customer-data lets you read 1 objects in 1h") // which has room first
	response, body = get(bobs)
	c.wantShort(t, response, body, "SlowDown", "rule 1 of policy customer-data")
	c.write("policies/more.yaml", "name: more\ndata: [PUBLIC]\nrules: [{reads: [{data: any, rateLimit: 1/1h}]}]\n")
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	c.events()
	for i, want := range []int{200, 503} {
		response, body := c.raw(alice, http.MethodGet, "/lake/public/x", sigv4.UnsignedPayload, nil)
		if response.StatusCode != want {
			t.Errorf("request %d: %d %s", i, response.StatusCode, body)
		}
	}

	// What several policies bound is used once.
	c.policies("name: customer-data\ndata: [SENSITIVE]\nrules: [{reads: [{data: any, rateLimit: 2/30m}]}]\n")
	c.write("policies/more.yaml", "name: more\ndata: [SENSITIVE]\nrules: [{reads: [{data: any, rateLimit: 5/30m}]}]\n")
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 200, 503} {
		response, body := c.raw(bobs, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
		if response.StatusCode != want {
			t.Errorf("request %d: %d %s", i, response.StatusCode, body)
		}
	}
}

// A batch that names more objects of a label than the policy has rows is blocked
// whole, and each of its objects counts.
func TestLimitsOfBatches(t *testing.T) {
	a := limited(t, "rows: 3, rateLimit: 4/1h").attacked(t)
	a.ruled("{deletes: [{data: any, rows: 3, rateLimit: 4/1h}]}")
	remove := func(keys ...string) string { return a.signed(batch(objectsXML(keys...)), a.by("alice")) }
	deleted := func(w http.ResponseWriter, _ *http.Request) bool {
		io.WriteString(w, "<DeleteResult></DeleteResult>")
		return true
	}
	a.store.answerWith(deleted)
	a.run("too many rows", func(t *testing.T) {
		r := a.wantRefused(t, remove("customers/a", "customers/b", "public/a", "customers/c", "customers/d"), want{status: 403, code: "AccessDenied", who: "alice",
			why: "alice@example.com may not DeleteObjects s3://lake (label SENSITIVE): policy customer-data lets you delete 3 objects of SENSITIVE data in one request, and these are 4; needed: at most 3 objects in one request."})
		if strings.Contains(r.body, "Deleted") {
			t.Errorf("answered %s", r.body)
		}
	})
	a.run("twice the same", func(t *testing.T) {
		a.wantPassed(t, remove("customers/a", "public/a", "customers/b", "customers/a"), "alice", "POST /lake?delete=")
	})
	a.run("budget", func(t *testing.T) {
		r := a.wantRefused(t, remove("customers/a", "customers/b", "other/x", "customers/c"), want{status: 503, code: "SlowDown", who: "alice", why: "lets you delete 4 objects in 1h of SENSITIVE data, and that is used up"})
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
	a.run("what is left", func(t *testing.T) {
		a.wantPassed(t, remove("customers/a", "customers/b"), "alice", "POST /lake?delete=")
	})
}

// Who is told briefly learns how long to wait, and not of what.
func TestBriefShortage(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "policies: [policies]", "policies: [policies], explain_to_caller: brief", 1)
	})
	c.store.answerWith(ok)
	c.ruled("{reads: [{data: any, rateLimit: 1/1h}]}")
	keys := c.login(nil)
	c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	c.outcome()
	c.store.seen()
	response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	if !strings.Contains(body, "may not GetObject s3://lake/customers/x now. Try again in ") || strings.Contains(body, "SENSITIVE") || strings.Contains(body, "customer-data") || response.Header.Get("Retry-After") == "" {
		t.Errorf("told %s", body)
	}
	c.wantNothingUpstream()
	c.wantOneRefusal("SlowDown", "(label SENSITIVE): rule 1 of policy customer-data")
}
