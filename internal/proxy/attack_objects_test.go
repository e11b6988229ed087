package proxy_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// objects attacks what is decided on.
func (a *attack) objects() {
	a.oracle()
	a.listings()
	a.uploads()
	a.ambiguousTags()
	a.impliedActions()
	a.labels()
	sse := base64.StdEncoding.EncodeToString([]byte("a key of a customer, 32 bytes!!!"))
	a.secrets = append(a.secrets, sse, "a key of a customer")
	headers := []string{"x-amz-server-side-encryption-customer-algorithm: AES256", "x-amz-server-side-encryption-customer-key: " + sse,
		"x-amz-server-side-encryption-customer-key-md5: MTIzNDU2Nzg5MDEyMzQ1Ng=="}
	a.run("advisory 57/keys of customers are in no event", func(t *testing.T) {
		a.wantPassed(t, a.signed(reading("/lake/customers/x", headers...), a.by("alice")), "alice", "GET /lake/customers/x")
	})
	a.refused("advisory 57/nor in that of what is refused", a.signed(reading("/lake/customers/x", headers...), a.by("bob")), want{status: 403, code: "AccessDenied", who: "bob"})
	unsigned := reading("/lake/customers/x").framed(a.host).sign(a.by("alice")).with(headers...)
	a.refused("advisory 57/nor when they are not signed", unsigned.String(), want{status: 403, code: "AccessDenied"})
	a.run("T26/an answer in another type is not sniffed", func(t *testing.T) {
		r, _ := a.wantPassed(t, a.signed(reading("/lake/customers/x?response-content-type=text/html"), a.by("alice")), "alice", "GET /lake/customers/x?response-content-type=text%2Fhtml")
		if r.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("got %v", r.header)
		}
	})
}

// oracle: what is denied is denied alike, whether it exists or not.
func (a *attack) oracle() {
	a.store.answerWith(nil)
	defer a.store.answerWith(ok)
	a.put("lake", "customers/aaaa", "hello")
	ids := regexp.MustCompile(`\b[A-Z2-7]{26}\b`)
	for name, of := range map[string]func(key string) message{
		"GET":    func(key string) message { return reading("/lake/customers/" + key) },
		"HEAD":   func(key string) message { return message{method: "HEAD", target: "/lake/customers/" + key} },
		"ranged": func(key string) message { return reading("/lake/customers/"+key, "range: bytes=0-0") },
		"if":     func(key string) message { return reading("/lake/customers/"+key, `if-match: "x"`) },
		"tags":   func(key string) message { return reading("/lake/customers/" + key + "?tagging") },
		"PUT": func(key string) message {
			return message{method: "PUT", target: "/lake/customers/" + key, body: "x", lines: []string{"if-none-match: *"}}
		},
		"DELETE": func(key string) message { return message{method: "DELETE", target: "/lake/customers/" + key} },
		"copy": func(key string) message {
			return message{method: "PUT", target: "/lake/public/y", lines: []string{"x-amz-copy-source: lake/customers/" + key}}
		},
		"list":  func(key string) message { return reading("/lake?list-type=2&prefix=customers/" + key) },
		"batch": func(key string) message { return batch(objectsXML("customers/" + key)) },
	} {
		a.run("T16/"+name, func(t *testing.T) {
			var answers []string
			for _, key := range []string{"aaaa", "zzzz"} {
				replies := exchangeRaw(t, a.host, a.roots, a.signed(of(key), a.by("bob")), false)
				a.wantNothingUpstream()
				if events := a.newEvents(); len(replies) != 1 || len(events) != 1 {
					t.Fatalf("%d answers, %d events", len(replies), len(events))
				}
				replies[0].header.Del("Date")
				answers = append(answers, strings.ReplaceAll(ids.ReplaceAllString(fmt.Sprint(replies[0].status, replies[0].header, replies[0].body), "ID"), key, "KEY"))
			}
			if answers[0] != answers[1] {
				t.Errorf("where it exists: %s\nwhere not: %s", answers[0], answers[1])
			}
		})
	}
}

// listings name nothing that is hidden.
func (a *attack) listings() {
	a.store.answerWith(nil)
	defer a.store.answerWith(ok)
	a.put("lake", "customers/hidden", "x")
	a.put("lake", "public/a", "x")
	for name, query := range map[string]string{
		"start-after": "list-type=2&prefix=public/&start-after=customers/", "marker": "prefix=public/&marker=customers/", "delimiter": "list-type=2&prefix=public/&delimiter=u",
		"token": "list-type=2&prefix=public/&continuation-token=Y3VzdG9tZXJzL2hpZGRlbg==", "encoding": "list-type=2&prefix=public/&encoding-type=url",
	} {
		a.run("T14/"+name, func(t *testing.T) {
			replies := exchangeRaw(t, a.host, a.roots, a.signed(reading("/lake?"+query), a.by("bob")), false)
			a.store.seen()
			a.newEvents()
			if len(replies) != 1 || strings.Contains(fmt.Sprint(replies[0].header, replies[0].body), "hidden") {
				t.Errorf("got %+v", replies)
			}
		})
	}
	a.refused("T14/token without a prefix", a.signed(reading("/lake?list-type=2&continuation-token=x"), a.by("bob")), want{status: 400, code: "InvalidArgument", who: "bob"})
	a.refused("T14/token of what is blocked", a.signed(reading("/secret-bucket?list-type=2&continuation-token=x"), a.by("bob")), want{status: 403, code: "AccessDenied", who: "bob"})
	a.refused("T14/uploads", a.signed(reading("/lake?uploads&prefix=customers/"), a.by("bob")), want{status: 403, code: "AccessDenied", who: "bob"})
	for _, target := range []string{"/", "/?prefix=secret", "/?max-buckets=1", "/?bucket-region=us-east-1"} {
		a.run("T15/"+target, func(t *testing.T) {
			replies := exchangeRaw(t, a.host, a.roots, a.signed(reading(target), a.by("bob")), false)
			a.store.seen()
			a.newEvents()
			if len(replies) != 1 || replies[0].status != 200 || strings.Contains(fmt.Sprint(replies[0].header, replies[0].body), "-bucket") {
				t.Errorf("got %+v", replies)
			}
		})
	}
}

// uploads: every step of an upload is decided on, by who takes it and when.
func (a *attack) uploads() {
	a.store.answerWith(nil)
	defer a.store.answerWith(ok)
	created := exchangeRaw(a.t, a.host, a.roots, a.signed(message{method: "POST", target: "/lake/customers/up?uploads"}, a.by("alice")), false)
	_, id, _ := strings.Cut(created[0].body, "<UploadId>")
	id, _, _ = strings.Cut(id, "</UploadId>")
	if id == "" {
		a.t.Fatalf("no upload: %+v", created)
	}
	a.newEvents()
	a.store.seen()
	document := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>5d41402abc4b2a76b9719d911017c592</ETag></Part></CompleteMultipartUpload>"
	of := func(who string) map[string]string {
		target := "/lake/customers/up?uploadId=" + id
		return map[string]string{
			"a part":      a.signed(message{method: "PUT", target: target + "&partNumber=1", body: "hello"}, a.by(who)),
			"a copy":      a.signed(message{method: "PUT", target: target + "&partNumber=1", lines: []string{"x-amz-copy-source: lake/public/a"}}, a.by(who)),
			"the end":     a.signed(message{method: "POST", target: target, body: document}, a.by(who)),
			"an abortion": a.signed(message{method: "DELETE", target: target}, a.by(who)),
			"its parts":   a.signed(reading(target), a.by(who)),
		}
	}
	for name, raw := range of("bob") {
		a.refused("T17/another person: "+name, raw, want{status: 403, code: "AccessDenied", who: "bob"})
	}
	a.reload(policies, "")
	for name, raw := range of("alice") {
		a.refused("T17/after the policy has changed: "+name, raw, want{status: 403, code: "AccessDenied", who: "alice"})
	}
	a.refused("T32/after the policy has changed, a session", a.signed(reading("/lake/customers/x"), a.by("alice")), want{status: 403, code: "AccessDenied", who: "alice"})
	a.refused("T18/after the policy has changed, a presigned URL", a.presigned(reading("/lake/customers/x"), a.by("alice")), want{status: 403, code: "AccessDenied", who: "alice"})
	a.reload(policies, policies)
}

// reload puts text in place of the policies on customers: old with all it lets
// people do taken away, or as it was.
func (a *attack) reload(old, text string) {
	a.sidecar.t = a.t
	if text == "" {
		text = strings.ReplaceAll(old, "data-engineering", "nobody-at-all")
	}
	a.write("policies/customers.yaml", text)
	if err := a.Reload(); err != nil {
		a.t.Fatal(err)
	}
	a.events()
}

// ambiguousTags: conditions on tags decide on what every store reads, or on
// nothing.
func (a *attack) ambiguousTags() {
	for name, tags := range map[string]string{
		"twice": "class=public&class=secret", "twice in disguise": "class=public&%63lass=secret", "divided by a semicolon": "class=public;owner=x",
		"no name": "=public", "broken": "class=%zz", "no UTF-8": "class=%ff", "a line": "class=x%0d%0ay",
	} {
		m := message{method: "PUT", target: "/lake/customers/x", lines: []string{"x-amz-tagging: " + tags}, body: "hello"}
		a.refused("T24/tags, "+name, a.signed(m, a.by("alice")), want{status: 400, code: "InvalidArgument", who: "alice", why: "x-amz-tagging"})
	}
	document := "<Tagging><TagSet><Tag><Key>class</Key><Value>public</Value></Tag><Tag><Key>class</Key><Value>secret</Value></Tag></TagSet></Tagging>"
	m := batch(document)
	m.method, m.target = "PUT", "/lake/customers/x?tagging"
	a.refused("T24/tags, twice in a document", a.signed(m, a.by("alice")), want{status: 400, code: "InvalidTag", who: "alice", why: "twice"})
}

// impliedActions: headers that do more need more, and the event says it.
func (a *attack) impliedActions() {
	for line, action := range map[string]string{
		"x-amz-tagging: a=b": "s3:PutObjectTagging", "x-amz-object-lock-mode: GOVERNANCE": "s3:PutObjectRetention",
		"x-amz-object-lock-legal-hold: ON": "s3:PutObjectLegalHold", "x-amz-acl: private": "s3:PutObjectAcl",
	} {
		a.run("advisory 38/"+line, func(t *testing.T) {
			m := message{method: "PUT", target: "/lake/customers/x", lines: []string{line}, body: "hello"}
			_, events := a.wantPassed(t, a.signed(m, a.by("alice")), "alice", "PUT /lake/customers/x")
			if !slices.Contains(events[0].Request.Actions, action) {
				t.Errorf("the event has the actions %q", events[0].Request.Actions)
			}
		})
		a.refused("advisory 38/presigned by another, "+line, a.presigned(message{method: "PUT", target: "/lake/public/x", lines: []string{line}, body: "hello"}, a.by("bob")),
			want{status: 403, code: "AccessDenied", who: "bob"})
	}
	a.run("advisory 40/a version is another action", func(t *testing.T) {
		_, events := a.wantPassed(t, a.signed(message{method: "HEAD", target: "/lake/customers/x?versionId=v1"}, a.by("alice")), "alice", "HEAD /lake/customers/x?versionId=v1")
		if q := events[0].Request; !slices.Equal(q.Actions, []string{"s3:GetObjectVersion"}) || q.VersionID != "v1" {
			t.Errorf("the event says %+v", q)
		}
	})
	a.run("advisory 67/underscores are another header", func(t *testing.T) {
		var sent http.Header
		a.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool { sent = r.Header.Clone(); return ok(w, r) })
		defer a.store.answerWith(ok)
		lines := []string{"X_Amz_Copy_Source: secret-bucket/x", "X_Amz_Acl: public-read", "X-Minio-Source-Replication-Request: true", "X-Seaweedfs-Principal: root",
			"X-Rgw-Something: x", "Cookie: a=b", "X-Forwarded-Access-Token: x", "Proxy-Authorization: Basic eDp5", "TE: trailers", "Via: 1.1 x"}
		m := message{method: "PUT", target: "/lake/customers/x", lines: lines, body: "hello"}
		a.wantPassed(t, a.signed(m, a.by("alice")), "alice", "PUT /lake/customers/x")
		for _, line := range lines {
			name, _, _ := strings.Cut(line, ":")
			for have := range sent {
				if strings.EqualFold(have, name) {
					t.Errorf("the upstream got %s", have)
				}
			}
		}
		if auth := sent.Get("Authorization"); !strings.Contains(auth, upstreamKey) || sent.Get("X-Amz-Security-Token") != "" {
			t.Errorf("the upstream got %v", sent)
		}
	})
}

// labels: of several that cover something, each must allow it.
func (a *attack) labels() {
	a.write("datamap.yaml", strings.Replace(dataMap, "[lake/public/]", "[lake/public/, lake/customers/shared/]", 1))
	if err := a.Reload(); err != nil {
		a.t.Fatal(err)
	}
	a.events()
	denied := want{status: 403, code: "AccessDenied", who: "bob", why: "SENSITIVE"}
	a.refused("advisory 39/one label allows, another denies", a.signed(reading("/lake/customers/shared/x"), a.by("bob")), denied)
	a.refused("advisory 39/and lists", a.signed(reading("/lake?list-type=2&prefix=customers/shared/"), a.by("bob")), denied)
	denied.who, denied.why = "alice", "delete"
	a.refused("advisory 39/and deletes", a.signed(message{method: "DELETE", target: "/lake/customers/shared/x"}, a.by("alice")), denied)
	a.write("datamap.yaml", dataMap)
	if err := a.Reload(); err != nil {
		a.t.Fatal(err)
	}
	a.events()
	for _, m := range []message{reading("/secret-bucket/x"), {method: "PUT", target: "/lake/public/x", body: "x"}, {method: "DELETE", target: "/lake/public/x"}, {method: "HEAD", target: "/secret-bucket"},
		{method: "POST", target: "/lake/public/x?uploads"}, reading("/secret-bucket?location"), reading("/lake/customers/x?tagging")} {
		a.refused(fmt.Sprintf("advisory 16/a role for everyone, %s %s", m.method, m.target), a.signed(m, a.by("bob")), want{status: 403, code: "AccessDenied", who: "bob"})
	}
}
