package replay_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/replay"
	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
)

const dataMap = `SENSITIVE: [{repo: S3, attributes: [finance/reports/]}]
PUBLIC: [{repo: S3, attributes: [website]}]
`

const policies = `name: customers
data: [SENSITIVE]
rules:
  - identities: {groups: [engineers]}
    reads: [{data: any}]
    updates: [{data: any, when: {encryption: [aws:kms]}}]
  - identities: {groups: [engineers]}
    hosts: [10.0.0.0/8]
    when: {mfa: {max_age: 1h}, tls: "1.3"}
    deletes: [{data: any}]
  - identities: {services: [etl]}
    reads: [{data: any}]
`

const site = "name: site\ndata: [PUBLIC]\nrules:\n  - reads: [{data: any}]\n"

// set parses policies over the data map above.
func set(t testing.TB, policies ...string) *policy.Set {
	t.Helper()
	var sources []policy.Source
	for i, p := range policies {
		sources = append(sources, policy.Source{Name: fmt.Sprint(i), Data: []byte(p)})
	}
	s, _, err := policy.Parse(policy.Source{Name: "map", Data: []byte(dataMap)}, sources, policy.Options{Repo: ruling.Repo})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// event is one that asks to read one object, and was allowed.
func event(change ...func(*audit.Event)) audit.Event {
	e := audit.Event{
		ID: "E1", Time: noon, Kind: audit.KindDecision, Decision: audit.Allowed,
		Principal: &audit.Principal{Issuer: "https://idp.example", Subject: "1", Email: "alice@example.com", Users: []string{"1", "alice@example.com"}, Groups: []string{"engineers"}},
		Client:    &audit.Client{IP: "10.1.2.3"},
		Request: &audit.Request{Operation: "GetObject", Actions: []string{"s3:GetObject"}, Access: []string{"reads"}, Bucket: "finance", Key: "reports/a",
			Targets: []audit.Target{{Access: "reads", Path: "finance/reports/a", Scope: "exact"}}},
		Facts:   &audit.Facts{TLS: "1.3", AuthTime: noon.Add(-10 * time.Minute), AMR: []string{"hwk"}, AuthMethod: "browser"},
		Reasons: []audit.Reason{{Policy: "customers", Rule: "rule 1", Label: "SENSITIVE", Access: "reads", Text: "policy customers lets you read SENSITIVE data"}},
	}
	for _, f := range change {
		f(&e)
	}
	return e
}

// asks has an event ask for one thing.
func asks(operation, access, path, scope string) func(*audit.Event) {
	return func(e *audit.Event) {
		e.Request.Operation, e.Request.Access, e.Request.Actions = operation, []string{access}, []string{"s3:" + operation}
		e.Request.Bucket, e.Request.Key, _ = strings.Cut(path, "/")
		e.Request.Targets = []audit.Target{{Access: access, Path: path, Scope: scope}}
	}
}

// blocked has an event be of a request that the policy blocked.
func blocked(e *audit.Event) {
	e.Decision, e.Error = audit.Blocked, "AccessDenied: x"
	e.Reasons = []audit.Reason{{Policy: "customers", Label: "SENSITIVE", Text: "policy customers has no rule"}}
}

func id(s string) func(*audit.Event) { return func(e *audit.Event) { e.ID = s } }

// log is a log of events.
func log(t testing.TB, events ...audit.Event) string {
	t.Helper()
	var b bytes.Buffer
	l := audit.NewLog(&b)
	for _, e := range events {
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func read(t testing.TB, r *replay.Replay, logs ...string) {
	t.Helper()
	for _, l := range logs {
		if err := r.Read(t.Context(), strings.NewReader(l)); err != nil {
			t.Fatal(err)
		}
	}
}

// Each fact of an event is one by which a condition is judged again.
func TestFactsOfEvents(t *testing.T) {
	uploads := func(encryption string) func(*audit.Event) {
		return func(e *audit.Event) { e.Facts.Upload = &audit.Upload{Encryption: encryption} }
	}
	put, remove := asks("PutObject", "updates", "finance/reports/a", "exact"), asks("DeleteObject", "deletes", "finance/reports/a", "exact")
	for _, c := range []struct {
		name  string
		event audit.Event
		want  rulebook.Answer
	}{
		{"groups", event(), "allowed"},
		{"no groups", event(func(e *audit.Event) { e.Principal.Groups = nil }), "blocked"},
		{"a service", event(func(e *audit.Event) {
			e.Principal = &audit.Principal{Issuer: "gimme", Subject: "service:etl", Service: "etl"}
		}), "allowed"},
		{"another service", event(func(e *audit.Event) {
			e.Principal = &audit.Principal{Issuer: "gimme", Subject: "service:x", Service: "x"}
		}), "blocked"},
		{"encryption", event(put, uploads("aws:kms")), "allowed"},
		{"no encryption", event(put, uploads("")), "blocked"},
		{"tags alone", event(put, func(e *audit.Event) { e.Facts.Upload = &audit.Upload{TagsAlone: true} }), "allowed"},
		{"all conditions", event(remove), "allowed"},
		{"another address", event(remove, func(e *audit.Event) { e.Client.IP = "192.0.2.1" }), "blocked"},
		{"an older TLS", event(remove, func(e *audit.Event) { e.Facts.TLS = "1.2" }), "blocked"},
		{"an older login", event(remove, func(e *audit.Event) { e.Facts.AuthTime = noon.Add(-2 * time.Hour) }), "blocked"},
		{"other methods", event(remove, func(e *audit.Event) { e.Facts.AMR = []string{"pwd"} }), "blocked"},
		{"a later moment", event(remove, func(e *audit.Event) { e.Time = noon.Add(time.Hour) }), "blocked"},
		{"no facts", event(remove, func(e *audit.Event) { e.Facts = nil }), "blocked"},
		{"a listing", event(asks("ListObjectsV2", "reads", "finance/", "some")), "allowed"},
		{"a strict listing", event(asks("ListObjectsV2", "reads", "finance/", "under")), "blocked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, was := range []audit.Decision{audit.Allowed, audit.Blocked} {
				e := c.event
				if was == audit.Blocked {
					blocked(&e)
				}
				r := &replay.Replay{New: set(t, policies, site)}
				read(t, r, log(t, e))
				flips := r.Flips()
				if r.Decided != 1 || r.NotRepeated() != 0 || (len(flips) == 0) != (rulebook.Answer(was) == c.want) {
					t.Fatalf("%s: %+v, %+v", was, r, flips)
				}
				if len(flips) == 1 && (flips[0].From != rulebook.Answer(was) || flips[0].To != c.want || r.Flipped != 1) {
					t.Errorf("%s: %+v", was, flips)
				}
			}
		})
	}
}

// What flips is told by kind, the most frequent first, with the first of each.
func TestFlips(t *testing.T) {
	bob := func(e *audit.Event) {
		e.Principal = &audit.Principal{Issuer: "i", Subject: "bob", Users: []string{"bob"}}
	}
	batch := func(access []string, keys ...string) func(*audit.Event) {
		return func(e *audit.Event) {
			e.Request = &audit.Request{Operation: "DeleteObjects", Access: access, Bucket: "finance", Keys: keys}
		}
	}
	r := &replay.Replay{New: set(t, strings.ReplaceAll(policies, "[engineers]", "[auditors]"), site)}
	read(t, r, log(t,
		event(id("A")), event(id("B")), event(id("C"), func(e *audit.Event) { e.Time = noon.Add(time.Minute) }),
		event(id("D"), bob, blocked, asks("GetObject", "reads", "website/x", "exact")),
		event(id("F"), bob, blocked, asks("GetObject", "reads", "finance/reports/x", "exact")),
	), log(t, event(id("G"), batch([]string{"deletes"}, "reports/a", "reports/b"))))
	want := []replay.Flip{
		{Kind: replay.Kind{From: "allowed", To: "blocked", Who: "alice@example.com", Operation: "GetObject", Labels: "SENSITIVE", Policies: "customers"}, Count: 3,
			Example: replay.Example{Event: "A", Time: noon, Resource: "s3://finance/reports/a", Text: "policy customers has no rule that lets you read SENSITIVE data", Need: "membership of auditors"}},
		{Kind: replay.Kind{From: "allowed", To: "blocked", Who: "alice@example.com", Operation: "DeleteObjects", Labels: "SENSITIVE", Policies: "customers"}, Count: 2,
			Example: replay.Example{Event: "G", Time: noon, Resource: "s3://finance/reports/a", Text: "policy customers has no rule that lets you delete SENSITIVE data", Need: "membership of auditors"}},
		{Kind: replay.Kind{From: "blocked", To: "allowed", Who: "bob", Operation: "GetObject", Labels: "PUBLIC", Policies: "site"}, Count: 1,
			Example: replay.Example{Event: "D", Time: noon, Resource: "s3://website/x", Text: "policy site lets you read PUBLIC data"}},
	}
	if diff := cmp.Diff(want, r.Flips()); diff != "" {
		t.Error(diff)
	}
	if r.Events != 6 || r.Decided != 7 || r.Flipped != 6 || r.First != noon || r.Last != noon.Add(time.Minute) {
		t.Errorf("%+v", r)
	}

	// Of a batch, everything is asked of each object.
	r = &replay.Replay{New: set(t, policies, site)}
	read(t, r, log(t, event(batch([]string{"deletes", "manages"}, "reports/a"))))
	if flips := r.Flips(); len(flips) != 1 || flips[0].To != rulebook.Blocked {
		t.Errorf("%+v", flips)
	}

	// Monitor mode is a word of its own.
	r = &replay.Replay{New: set(t, "mode: monitor\n"+policies, site)}
	read(t, r, log(t, event(bob, blocked)))
	if flips := r.Flips(); len(flips) != 1 || flips[0].To != rulebook.WouldBlock {
		t.Errorf("%+v", flips)
	}
	r = &replay.Replay{New: set(t, policies, site)}
	read(t, r, log(t, event(bob, blocked, func(e *audit.Event) { e.Decision = audit.WouldBlock })))
	if flips := r.Flips(); len(flips) != 1 || flips[0].From != rulebook.WouldBlock || flips[0].To != rulebook.Blocked {
		t.Errorf("%+v", flips)
	}
}

// An old set given, its decisions are what the new ones are compared with.
func TestOld(t *testing.T) {
	r := &replay.Replay{Old: set(t, policies, site), New: set(t, strings.ReplaceAll(policies, "[engineers]", "[auditors]"), site)}
	read(t, r, log(t, event(blocked), event(asks("GetObject", "reads", "lake/x", "exact"))))
	if flips := r.Flips(); len(flips) != 1 || flips[0].From != rulebook.Allowed || flips[0].To != rulebook.Blocked || r.Decided != 2 {
		t.Errorf("%+v", flips)
	}
}

// What cannot be repeated is counted by its cause, and never as a flip.
func TestNotRepeated(t *testing.T) {
	const tagsMatter = "name: customers\ndata: [SENSITIVE]\nrules:\n  - identities: {groups: [engineers]}\n    reads: [{data: any, when: {object_tags: {class: [public]}}}]\n    updates: [{data: any, when: {request_tags: {class: [public]}, encryption: [aws:kms]}}]\n"
	put := func(encryption string, actions ...string) func(*audit.Event) {
		return func(e *audit.Event) {
			asks("PutObject", "updates", "finance/reports/a", "exact")(e)
			e.Request.Actions = actions
			e.Facts.Upload = &audit.Upload{Encryption: encryption}
		}
	}
	for _, c := range []struct {
		name  string
		set   string
		event audit.Event
		cause replay.Cause // "": it is repeated
		n     int
	}{
		{"not authenticated", policies, event(blocked, func(e *audit.Event) { e.Principal, e.Reasons = nil, nil }), replay.NotAsked, 1},
		{"not understood", policies, event(blocked, func(e *audit.Event) { e.Reasons = nil }), replay.NotAsked, 1},
		{"a budget", policies, event(blocked, func(e *audit.Event) {
			e.Reasons = []audit.Reason{{Policy: "p", Rule: "rule 1", Text: "rule 1 of policy p lets you read 5 objects in 1h of L data, and that is used up"}}
		}), replay.Limited, 1},
		{"buckets", policies, event(func(e *audit.Event) { e.Request = &audit.Request{Operation: "ListBuckets"} }), replay.Filtered, 1},
		{"no targets", policies, event(func(e *audit.Event) { e.Request.Targets = nil }), replay.NoTargets, 1},
		{"no keys", policies, event(func(e *audit.Event) { e.Request.Operation, e.Request.Targets = "DeleteObjects", nil }), replay.NoTargets, 1},
		{"no names", policies, event(func(e *audit.Event) { e.Principal.Users = nil }), replay.NoNames, 1},
		{"no names of a batch", policies, event(func(e *audit.Event) {
			e.Principal.Users, e.Request.Operation, e.Request.Keys = nil, "DeleteObjects", []string{"a", "b"}
		}), replay.NoNames, 2},
		{"an address that is none", policies, event(func(e *audit.Event) { e.Client.IP = "here" }), replay.BadFacts, 1},
		{"a TLS that is none", policies, event(func(e *audit.Event) { e.Facts.TLS = "9" }), replay.BadFacts, 1},
		{"tags of an object", tagsMatter, event(), replay.Tags, 1},
		{"tags of an upload", tagsMatter, event(put("aws:kms", "s3:PutObject", "s3:PutObjectTagging")), replay.Tags, 1},
		{"an upload without tags", tagsMatter, event(blocked, put("aws:kms", "s3:PutObject")), "", 0},
		{"tags that no rule looks at", policies, event(put("aws:kms", "s3:PutObject", "s3:PutObjectTagging")), "", 0},
		{"tags that would not help", tagsMatter, event(blocked, put("aws:kms", "s3:PutObject", "s3:PutObjectTagging"), func(e *audit.Event) { e.Principal.Groups = nil }), "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &replay.Replay{New: set(t, c.set, site)}
			read(t, r, log(t, c.event))
			if r.NotRepeated() != c.n || r.Causes[c.cause] != c.n || len(r.Flips()) != 0 || (r.Decided == 0) != (c.n > 0) || r.Events != 1 {
				t.Errorf("%+v, %+v", r, r.Flips())
			}
		})
	}
}

// Under the very set that decided nothing flips, whatever was asked.
func TestSameSetFlipsNothing(t *testing.T) {
	s := set(t, policies, "mode: monitor\n"+site)
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	var events []audit.Event
	counts := map[rulebook.Answer]int{}
	for range 3000 {
		e := event(asks("X", pick("reads", "updates", "deletes", "manages"), pick("finance", "website", "lake")+pick("", "/", "/reports/a", "/x"), pick("exact", "some", "under")))
		e.Principal.Groups, e.Client.IP = []string{pick("engineers", "others")}, pick("10.1.1.1", "192.0.2.1", "")
		e.Facts.AuthTime, e.Facts.TLS = noon.Add(-time.Duration(random.IntN(120))*time.Minute), pick("", "1.2", "1.3")
		if random.IntN(2) == 0 {
			e.Facts.Upload = &audit.Upload{Encryption: pick("", "AES256", "aws:kms")}
		}
		f := policy.Facts{Now: e.Time, AuthTime: e.Facts.AuthTime, AMR: e.Facts.AMR, AuthMethod: e.Facts.AuthMethod, TLS: rulebook.TLSVersion(e.Facts.TLS)}
		f.SourceIP, _ = netip.ParseAddr(e.Client.IP)
		if u := e.Facts.Upload; u != nil {
			f.Upload = &policy.Upload{Encryption: u.Encryption}
		}
		target := e.Request.Targets[0]
		d := s.Decide(&policy.Principal{Users: e.Principal.Users, Groups: e.Principal.Groups}, &f, policy.Question{Access: policy.Access(target.Access), Path: target.Path, Scope: policy.Scope(target.Scope)})
		e.Decision, e.PolicyDigest, e.Reasons = audit.Decision(rulebook.AnswerOf(d)), s.Digest(), nil
		for _, r := range d.Reasons() {
			e.Reasons = append(e.Reasons, audit.Reason{Policy: r.Policy, Rule: r.Rule, Text: r.Text})
			if r.Need != "" && r.Rule != "" {
				e.Reasons[len(e.Reasons)-1].Rule = "" // the log has no needs yet
			}
		}
		counts[rulebook.AnswerOf(d)]++
		events = append(events, e)
	}
	r := &replay.Replay{New: s}
	read(t, r, log(t, events...))
	if r.Flipped != 0 || r.Decided != 3000 || r.Same != 3000 {
		t.Errorf("%+v, %+v", r, r.Flips())
	}
	for _, a := range []rulebook.Answer{rulebook.Allowed, rulebook.Blocked, rulebook.WouldBlock} {
		if counts[a] < 100 {
			t.Errorf("only %d are %s", counts[a], a)
		}
	}
}
