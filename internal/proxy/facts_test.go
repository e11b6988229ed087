package proxy_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// ruled puts the one rule of a policy over SENSITIVE data into force.
func (c *sidecar) ruled(rule string) {
	c.t.Helper()
	c.policies("name: customer-data\ndata: [SENSITIVE]\nrules:\n  - " + rule + "\n")
}

// policies puts a policy in the place of the one over SENSITIVE data.
func (c *sidecar) policies(text string) {
	c.t.Helper()
	c.write("policies/customers.yaml", text)
	if err := c.Reload(); err != nil {
		c.t.Fatal(err)
	}
	c.events()
}

// wantBlocked asserts that a request of the person was blocked: one event, and
// nothing upstream.
func (c *sidecar) wantBlocked(t *testing.T, status int, body, sentence string) audit.Event {
	t.Helper()
	if status != http.StatusForbidden || !strings.Contains(body, sentence) {
		t.Errorf("got %d %s, want %q", status, body, sentence)
	}
	outer := c.t
	defer func() { c.t = outer }()
	c.t = t
	c.wantNothingUpstream()
	return c.wantOneRefusal("AccessDenied", sentence)
}

// wantLetThrough asserts that a request was decided on so, and went upstream.
func (c *sidecar) wantLetThrough(t *testing.T, status int, body string, decision audit.Decision) audit.Event {
	t.Helper()
	if status >= 300 {
		t.Errorf("got %d %s", status, body)
	}
	if len(c.store.seen()) == 0 {
		t.Error("the upstream was not asked")
	}
	events := c.ended(2)
	if len(events) != 2 || events[0].Kind != audit.KindDecision || events[0].Decision != decision || events[1].Kind != audit.KindOutcome {
		t.Fatalf("want %s and an outcome, got %+v", decision, events)
	}
	return events[0]
}

// ended waits for so many events: outcomes may come after their answers.
func (c *sidecar) ended(n int) []audit.Event {
	var list []audit.Event
	for deadline := time.Now().Add(5 * time.Second); len(list) < n && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		list = append(list, c.events()...)
	}
	return list
}

// What a request and its login say reaches the conditions of rules and grants.
func TestFactsDecide(t *testing.T) {
	const upload, kms = "updates: [{data: any, when: {%s}}]", "arn:aws:kms:eu-west-1:111122223333:key/1"
	hour := map[string]any{"auth_time": time.Now().Add(-time.Hour).Unix(), "amr": []string{"pwd", "hwk"}}
	c := start(t, func(config string) string {
		return strings.Replace(config, "client_id: gimme, ", "client_id: gimme, client_ids: [gimme-device], client_methods: {gimme-device: device}, ", 1)
	})
	c.store.answerWith(ok)
	for name, test := range map[string]struct {
		rule    string
		claims  map[string]any
		method  string // of the request; GET if empty
		query   string
		headers []string
		blocked string // "" when it is let through
	}{
		"from here":                {"{when: {source_ip: [127.0.0.0/8]}, reads: [{data: any}]}", nil, "", "", nil, ""},
		"from elsewhere":           {"{hosts: [10.0.0.0/8], reads: [{data: any}]}", nil, "", "", nil, "the request comes from 127.0.0.1"},
		"no proxy is trusted":      {"{hosts: [10.0.0.0/8], reads: [{data: any}]}", nil, "", "", []string{"X-Forwarded-For", "10.0.0.1"}, "the request comes from 127.0.0.1"},
		"plain":                    {`{when: {tls: "1.2"}, reads: [{data: any}]}`, nil, "", "", nil, "policy customer-data"},
		"at the right time":        {"{when: {time: {days: [mon-sun], tz: Europe/Berlin}}, reads: [{data: any}]}", nil, "", "", nil, ""},
		"a fresh login":            {"{when: {mfa: {max_age: 2h}}, reads: [{data: any}]}", hour, "", "", nil, ""},
		"a login too old":          {"{when: {mfa: {max_age: 30m}}, reads: [{data: any}]}", hour, "", "", nil, "policy customer-data"},
		"a login with one factor":  {"{when: {mfa: {amr: [mfa, hwk]}}, reads: [{data: any}]}", map[string]any{"amr": []string{"pwd"}}, "", "", nil, "policy customer-data"},
		"a login at no known time": {"{when: {mfa: {max_age: 2h}}, reads: [{data: any}]}", map[string]any{"auth_time": nil, "amr": []string{"hwk"}}, "", "", nil, "policy customer-data"},
		"by browser":               {"{when: {auth_method: [browser]}, reads: [{data: any}]}", nil, "", "", nil, ""},
		"not by device":            {"{when: {auth_method: [device, ci, service-key]}, reads: [{data: any}]}", nil, "", "", nil, "policy customer-data"},
		"by device":                {"{when: {auth_method: [device]}, reads: [{data: any}]}", map[string]any{"aud": "gimme-device"}, "", "", nil, ""},
		"not presigned":            {"{when: {presigned: never}, reads: [{data: any}]}", nil, "", "", nil, ""},
		"encrypted":                {"{" + fmt.Sprintf(upload, "encryption: [aws:kms]") + "}", nil, "PUT", "", []string{"X-Amz-Server-Side-Encryption", "aws:kms"}, ""},
		"encrypted otherwise":      {"{" + fmt.Sprintf(upload, "encryption: [aws:kms]") + "}", nil, "PUT", "", []string{"X-Amz-Server-Side-Encryption", "AES256"}, "the upload asks for AES256"},
		"encrypted by the client":  {"{" + fmt.Sprintf(upload, "encryption: [SSE-C]") + "}", nil, "PUT", "", []string{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"}, ""},
		"not encrypted":            {"{" + fmt.Sprintf(upload, "encryption: [aws:kms, AES256]") + "}", nil, "PUT", "", nil, "the upload asks for none"},
		"begun unencrypted":        {"{" + fmt.Sprintf(upload, "encryption: [aws:kms, AES256]") + "}", nil, "POST", "?uploads=", nil, "the upload asks for none"},
		"a part":                   {"{" + fmt.Sprintf(upload, "encryption: [aws:kms, AES256]") + "}", nil, "PUT", "?partNumber=1&uploadId=u", nil, ""},
		"another key":              {"{" + fmt.Sprintf(upload, `kms_keys: ["*/2"]`) + "}", nil, "PUT", "", []string{"X-Amz-Server-Side-Encryption", "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", kms}, "the upload names " + kms},
		"the key":                  {"{" + fmt.Sprintf(upload, `kms_keys: ["*:key/1"]`) + "}", nil, "PUT", "", []string{"X-Amz-Server-Side-Encryption", "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", kms}, ""},
		"one's own tag":            {"{" + fmt.Sprintf(upload, `request_tags: {owner: "${email}"}`) + "}", nil, "PUT", "", []string{"X-Amz-Tagging", "class=x&owner=alice%40example.com"}, ""},
		"another's tag":            {"{" + fmt.Sprintf(upload, `request_tags: {owner: "${email}"}`) + "}", nil, "PUT", "", []string{"X-Amz-Tagging", "owner=bob%40example.com"}, "policy customer-data"},
		"no tags":                  {"{" + fmt.Sprintf(upload, `request_tags: {owner: x}`) + "}", nil, "PUT", "", nil, "no tag owner"},
		"tags taken away":          {"{" + fmt.Sprintf(upload, `request_tags: {owner: x}`) + "}", nil, "DELETE", "?tagging=", nil, "no tag owner"},
	} {
		t.Run(name, func(t *testing.T) {
			c.ruled(test.rule)
			keys := c.login(test.claims)
			method := test.method
			if method == "" {
				method = http.MethodGet
			}
			response, body := c.raw(keys, method, "/lake/customers/x"+test.query, sigv4.UnsignedPayload, nil, test.headers...)
			if test.blocked != "" {
				c.wantBlocked(t, response.StatusCode, body, test.blocked)
				return
			}
			c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
		})
	}
	if strings.Contains(c.rawEvents(), "bob") {
		t.Error("a tag is in the log")
	}
}

// The value of a tag is for the person who sent it, and not for the log.
func TestTagsAreNotLogged(t *testing.T) {
	c := start(t, nil)
	c.ruled(`{updates: [{data: any, when: {request_tags: {owner: "${email}"}}}]}`)
	response, body := c.raw(c.login(nil), http.MethodPut, "/lake/customers/x", sigv4.UnsignedPayload, nil, "X-Amz-Tagging", "owner=canary")
	if response.StatusCode != 403 || !strings.Contains(body, "owner=canary") {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
	c.wantNothingUpstream()
	if e := c.wantOneRefusal("AccessDenied", "the upload has owner=…"); len(e.Reasons) != 1 || e.Reasons[0].Need == "" {
		t.Errorf("reasons: %+v", e.Reasons)
	}
	if strings.Contains(c.rawEvents()+c.log.String(), "canary") {
		t.Error("the tag is logged")
	}
}

// The version of TLS is that of the client's connection; what a proxy in front
// speaks says nothing of it.
func TestTLSAsAFact(t *testing.T) {
	for name, test := range map[string]struct {
		config  string
		version uint16
		want    string // in the event
		blocked bool
	}{
		"1.3":                     {"", tls.VersionTLS13, "1.3", false},
		"1.2":                     {"", tls.VersionTLS12, "1.2", true},
		"1.3 of a proxy in front": {"trusted_proxies: [127.0.0.0/8]\n", tls.VersionTLS13, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
			pool := c.certificate()
			c.launch(func(config string) string {
				return config + test.config + "tls: {cert_file: cert.pem, key_file: key.pem}\n"
			})
			c.store.answerWith(ok)
			c.ruled(`{when: {tls: "1.3"}, reads: [{data: any}]}`)
			a := &attack{sidecar: c, t: t, host: strings.TrimPrefix(c.URL(), "https://")}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: test.version}}}
			defer client.CloseIdleConnections()
			keys := c.keysOver(client)
			r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL()+"/lake/customers/x", nil))
			sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", sigv4.UnsignedPayload, time.Now())
			response := must(client.Do(r))
			response.Body.Close()
			if (response.StatusCode == 403) != test.blocked {
				t.Errorf("got %d", response.StatusCode)
			}
			if test.blocked {
				c.wantNothingUpstream()
			}
			if events := a.newEvents(); events[0].Facts == nil || events[0].Facts.TLS != test.want {
				t.Errorf("events: %+v", events)
			}
		})
	}
}

// A presigned request is as old as its signature.
func TestPresignedAge(t *testing.T) {
	a := newAttack(t, nil)
	a.store.answerWith(ok)
	for rule, at := range map[string]time.Duration{"max_age: 15m": -time.Minute, "max_age: 10m": -11 * time.Minute, "never": 0} {
		condition := "{" + rule + "}"
		if rule == "never" {
			condition = rule
		}
		a.ruled("{when: {presigned: " + condition + "}, reads: [{data: any}]}")
		s := a.by("alice")
		s.at, s.expires = time.Now().Add(at), "3600"
		raw := a.presigned(reading("/lake/customers/x"), s)
		if rule != "max_age: 15m" {
			a.refused("presigned/"+rule, raw, want{status: 403, code: "AccessDenied", who: "alice", why: "policy customer-data"})
			continue
		}
		a.run("presigned/"+rule, func(t *testing.T) {
			replies := exchangeRaw(t, a.host, nil, raw, false)
			if len(replies) != 1 || replies[0].status != 200 {
				t.Errorf("got %+v", replies)
			}
			a.store.seen()
			if e := a.newEvents()[0]; e.Facts == nil || time.Since(e.Facts.Signed) < time.Minute || time.Since(e.Facts.Signed) > 2*time.Minute {
				t.Errorf("facts: %+v", e.Facts)
			}
		})
	}
}

// A session that was sealed before the sidecar kept how its holder had logged in
// has no method, and a service key has its own.
func TestMethods(t *testing.T) {
	c, key := withServiceKey(t, nil)
	c.store.answerWith(ok)
	ring := must(session.OpenKeyring(filepath.Join(c.folder, "session-keys"), "default"))
	old := must(ring.Issue(session.Claims{
		Principal: session.Principal{Issuer: c.provider.URL, Subject: "alice-1", Email: "alice@example.com"}, Groups: []string{"data-engineering"},
		Role: roleEveryone, Issued: time.Now(), Expires: time.Now().Add(time.Hour), Method: "oidc",
	}))
	c.ruled("{when: {auth_method: [browser, device, ci]}, reads: [{data: any}]}")
	response, body := c.raw(aws.Credentials{AccessKeyID: old.AccessKeyID, SecretAccessKey: old.SecretAccessKey.Reveal(), SessionToken: old.SessionToken.Reveal()},
		http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	if e := c.wantBlocked(t, response.StatusCode, body, "policy customer-data"); e.Facts == nil || e.Facts.AuthMethod != "" {
		t.Errorf("facts: %+v", e.Facts)
	}
	response, body = c.raw(pair(key), http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	c.wantBlocked(t, response.StatusCode, body, "policy customer-data")
	c.ruled("{when: {auth_method: [service-key]}, reads: [{data: any}]}")
	response, body = c.raw(pair(key), http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	if e := c.wantLetThrough(t, response.StatusCode, body, audit.Allowed); e.Facts.AuthMethod != "service-key" {
		t.Errorf("facts: %+v", e.Facts)
	}
}

// An issuer with require is one of jobs.
func TestTheMethodOfJobs(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "client_id: gimme, ", `client_id: gimme, require: {email: ["alice@example.com"]}, `, 1)
	})
	c.store.answerWith(ok)
	c.ruled("{when: {auth_method: [ci]}, reads: [{data: any}]}")
	response, body := c.raw(c.login(nil), http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
}

// The decision event is enough to decide again: who asked, for what, by which
// facts, at which moment, under which set.
func TestTheEventIsEnough(t *testing.T) {
	c := start(t, nil)
	c.store.answerWith(ok)
	files := map[string]string{
		"policies/customers.yaml": `
name: customer-data
data: [SENSITIVE]
rules:
  - identities: {users: [alice-1]}
    when: {source_ip: [127.0.0.1], mfa: {amr: [hwk], max_age: 1h}, auth_method: [browser]}
    reads: [{data: any, when: {presigned: never}}]
    updates: [{data: any, when: {encryption: [aws:kms], kms_keys: ["*/1"]}}]
  - identities: {users: [bob@example.com]}
    hosts: [10.0.0.0/8]
    reads: [{data: any}]
  - identities: {groups: [data-engineering]}
    valid_from: 2020-01-01T00:00:00Z
    deletes: [{data: any, rows: 5, rateLimit: 1000/1h}]
`,
	}
	c.policies(files["policies/customers.yaml"])
	set, _, err := policy.Parse(policy.Source{Data: []byte(dataMap)}, []policy.Source{{Data: []byte(files["policies/customers.yaml"])}, {Data: []byte(publicPolicy)}}, policy.Options{Repo: "S3"})
	if err != nil {
		t.Fatal(err)
	}
	strong := map[string]any{"amr": []string{"hwk"}}
	people := map[string]aws.Credentials{"alice": c.login(strong), "alice with a password": c.login(map[string]any{"amr": []string{"pwd"}}), "bob": c.login(bob)}
	c.store.seen()
	seen := map[audit.Decision]int{}
	for _, who := range slices.Sorted(maps.Keys(people)) {
		for _, r := range [][]string{
			{"GET", "/lake/customers/x"}, {"HEAD", "/lake/customers//x"}, {"GET", "/lake/public/x"}, {"GET", "/lake/other"}, {"DELETE", "/lake/customers/x"},
			{"PUT", "/lake/customers/x"}, {"PUT", "/lake/customers/x", "X-Amz-Server-Side-Encryption", "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "key/1"},
			{"PUT", "/lake/public/x", "X-Amz-Copy-Source", "lake/customers/x"}, {"GET", "/lake?list-type=2&prefix=customers%2F"}, {"GET", "/lake?policy="}, {"HEAD", "/lake"},
			{"PUT", "/lake/customers/x?partNumber=1&uploadId=u"}, {"DELETE", "/lake/customers/x?tagging="},
		} {
			response, body := c.raw(people[who], r[0], r[1], sigv4.UnsignedPayload, nil, r[2:]...)
			e := c.ended(1)[0]
			if e.Decision == "" || e.Request.Operation == "" {
				t.Fatalf("%s %q: %d %s %+v", who, r, response.StatusCode, body, e)
			}
			got := again(set, e)
			want := audit.Blocked
			if got.Allowed {
				want = audit.Allowed
			}
			if e.Decision != want || e.PolicyDigest != set.Digest() || !cmp.Equal(e.Labels, got.Labels()) || len(e.Reasons) != len(got.Reasons()) {
				t.Errorf("%s %q was %s for %+v, and is %s for %+v", who, r, e.Decision, e.Reasons, want, got.Reasons())
				continue
			}
			for i, reason := range got.Reasons() {
				if e.Reasons[i].Text != reason.Text || e.Reasons[i].Need != reason.Need || e.Reasons[i].Rule != reason.Rule {
					t.Errorf("%s %q: reason %+v is now %+v", who, r, e.Reasons[i], reason)
				}
			}
			seen[e.Decision]++
			for range 100 { // the outcome
				if c.events() != nil || e.Decision == audit.Blocked {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
	if seen[audit.Allowed] < 5 || seen[audit.Blocked] < 5 {
		t.Errorf("decided %v", seen)
	}
}

// again decides by an event.
func again(set *policy.Set, e audit.Event) policy.Decision {
	p := e.Principal
	facts := policy.Facts{
		Now: e.Time, SourceIP: netip.MustParseAddr(e.Client.IP), AuthTime: e.Facts.AuthTime, AMR: e.Facts.AMR, AuthMethod: e.Facts.AuthMethod, Signed: e.Facts.Signed,
	}
	if u := e.Facts.Upload; u != nil {
		facts.Upload = &policy.Upload{Encryption: u.Encryption, KMSKey: u.KMSKey, TagsAlone: u.TagsAlone}
	}
	var qs []policy.Question
	for _, t := range e.Request.Targets {
		qs = append(qs, policy.Question{Access: policy.Access(t.Access), Path: t.Path, Scope: policy.Scope(t.Scope)})
	}
	return set.Decide(&policy.Principal{Issuer: p.Issuer, Subject: p.Subject, Email: p.Email, Users: p.Users, Groups: p.Groups, Service: p.Service}, &facts, qs...)
}

// Who is blocked is told why, or only that; the event has it either way.
func TestExplainToCaller(t *testing.T) {
	const why = "policy customer-data has no rule that lets you read SENSITIVE data; needed: membership of data-engineering"
	for _, brief := range []bool{false, true} {
		a := newAttack(t, func(config string) string {
			if brief {
				config = strings.Replace(config, "policies: [policies]", "policies: [policies], explain_to_caller: brief", 1)
			}
			return config
		})
		for name, test := range map[string]struct{ raw, brief string }{
			"read": {a.signed(reading("/lake/customers/x"), a.by("bob")), "bob@example.com may not GetObject s3://lake/customers/x."},
			"list": {a.signed(reading("/lake?list-type=2&prefix=customers%2F"), a.by("bob")), "bob@example.com may not ListObjectsV2 s3://lake."},
			"copy": {a.signed(message{method: "PUT", target: "/lake/public/x", lines: []string{"X-Amz-Copy-Source: lake/customers/x"}}, a.by("bob")), "bob@example.com may not CopyObject s3://lake/public/x."},
			"head": {a.signed(message{method: "HEAD", target: "/lake/customers/x"}, a.by("bob")), "bob@example.com may not HeadObject s3://lake/customers/x."},
		} {
			a.run(fmt.Sprintf("%s/brief %v", name, brief), func(t *testing.T) {
				r := a.wantRefused(t, test.raw, want{status: 403, code: "AccessDenied", who: "bob", why: why})
				told, id := r.message, r.id
				if name == "head" {
					told, id = strings.TrimPrefix(r.header.Get("X-Gimme-Reason"), "AccessDenied: "), r.header.Get("X-Amz-Request-Id")
				}
				if brief && told != test.brief+" Event "+id+"." || !brief && !strings.Contains(told, why) {
					t.Errorf("told %q", told)
				}
				for _, word := range []string{"SENSITIVE", "customer-data", "data-engineering"} {
					if brief && strings.Contains(r.body+fmt.Sprint(r.header), word) {
						t.Errorf("the answer has %q: %s %v", word, r.body, r.header)
					}
				}
			})
		}
		a.run(fmt.Sprintf("batch/brief %v", brief), func(t *testing.T) {
			r := exchangeRaw(t, a.host, nil, a.signed(batch(objectsXML("customers/x")), a.by("alice")), false)[0]
			text, told := r.body, "alice@example.com may not DeleteObject s3://lake/customers/x"
			if r.status != 200 || !strings.Contains(text, "<Code>AccessDenied</Code>") || brief != strings.Contains(text, told+". Event") || brief == strings.Contains(text, "SENSITIVE") {
				t.Errorf("got %d %s", r.status, text)
			}
			a.wantNothingUpstream()
			if events := a.newEvents(); len(events) != 1 || events[0].Decision != audit.Blocked || !strings.Contains(events[0].Reasons[0].Text, "customer-data") {
				t.Errorf("events: %+v", events)
			}
		})
	}
}
