package rulebook_test

import (
	"crypto/tls"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// readTests reads one file with tests, beside a data map and a policy.
func readTests(t *testing.T, content string) ([]rulebook.Test, error) {
	t.Helper()
	dir := folder(t, map[string]string{"map.yaml": dataMap, "a.yaml": policyA, "t.yaml": content})
	b, err := rulebook.Read([]string{dir}, rulebook.Options{})
	if err != nil {
		for i, f := range err.(strictyaml.Faults) {
			f.File = strings.TrimPrefix(f.File, dir+"/")
			err.(strictyaml.Faults)[i] = f
		}
		return nil, err
	}
	for i := range b.Tests {
		b.Tests[i].File = filepath.Base(b.Tests[i].File)
	}
	return b.Tests, nil
}

func TestReadTests(t *testing.T) {
	all, err := readTests(t, `people:
  alice: {users: [alice@example.com], groups: [engineers]}
tests:
  - name: everything
    as: [alice, {service: etl}, {}]
    from: 10.0.0.7
    at: 2026-03-02T09:00:00Z
    tls: "1.3"
    mfa: {age: 2d, amr: [hwk]}
    auth_method: browser
    presigned: {age: 5m}
    object_tags: {class: public}
    do: [PutObject, updates]
    on: [s3://finance/reports/a, s3://finance/reports/b]
    expect: would-block
    because:
      - {policy: a, rule: 2, label: SENSITIVE, access: updates, text: rule}
      - {rule: rule 1}
  - name: short
    as: {groups: [auditors]}
    do: CopyObject
    on: s3://finance/x
    source: s3://lake/y
    header: {x-amz-acl: public-read}
    expect: blocked
`)
	if err != nil {
		t.Fatal(err)
	}
	first := all[0]
	requests := first.Requests
	first.Requests = nil
	want := rulebook.Test{
		Place: rulebook.Place{File: "t.yaml", Line: 4, Column: 5}, Name: "everything", Expect: rulebook.WouldBlock,
		As: []rulebook.Person{{Users: []string{"alice@example.com"}, Groups: []string{"engineers"}}, {Service: "etl"}, {}},
		Facts: rulebook.Circumstances{
			From: netip.MustParseAddr("10.0.0.7"), At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), TLS: tls.VersionTLS13,
			Login: 48 * time.Hour, LoggedIn: true, AMR: []string{"hwk"}, AuthMethod: "browser", Presigned: 5 * time.Minute, IsSigned: true,
			ObjectTags: map[string]string{"class": "public"},
		},
		Because: []rulebook.Ground{{Policy: "a", Rule: "rule 2", Label: "SENSITIVE", Access: "updates", Text: "rule"}, {Rule: "rule 1"}},
	}
	if diff := cmp.Diff(want, first, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	var asked []string
	for _, m := range requests {
		asked = append(asked, m.Operation+" "+m.Resource)
	}
	if diff := cmp.Diff([]string{"PutObject s3://finance/reports/a", "PutObject s3://finance/reports/b", "updates s3://finance/reports/a", "updates s3://finance/reports/b"}, asked); diff != "" {
		t.Error(diff)
	}
	if m := all[1].Requests; len(m) != 1 || len(m[0].Questions) < 3 {
		t.Errorf("a copy that lets everybody in asks %+v", m)
	}
	facts := first.Facts.Of(requests[0], time.Now())
	if facts.AuthTime != want.Facts.At.Add(-48*time.Hour) || facts.Signed != want.Facts.At.Add(-5*time.Minute) || facts.ObjectTags["finance/reports/a"]["class"] != "public" {
		t.Errorf("%+v", facts)
	}
	now := time.Now()
	if facts := all[1].Facts.Of(requests[0], now); facts.Now != now || !facts.AuthTime.IsZero() || !facts.Signed.IsZero() || facts.ObjectTags != nil {
		t.Errorf("%+v", facts)
	}
	for i, name := range []string{"alice@example.com", "service etl", "somebody"} {
		if got := first.As[i].String(); got != name {
			t.Errorf("%q, want %q", got, name)
		}
	}
}

// Whatever is wrong in a test is told with its place.
func TestReadTestsFaults(t *testing.T) {
	const whole = "as: {}, do: GetObject, on: s3://finance/x, expect: blocked"
	for _, c := range []struct{ test, want string }{
		{"{}", `t.yaml:2:5: key "name" is missing from the test: what it tests, in words
t.yaml:2:5: key "expect" is missing from the test: allowed, blocked or would-block
t.yaml:2:5: key "as" is missing from the test: who asks, such as {users: [alice@example.com], groups: [data-engineering]}; {} is somebody of whom nothing is known
t.yaml:2:5: key "do" is missing from the test: an operation of S3, such as GetObject, or one of reads, updates, deletes, manages
t.yaml:2:5: key "on" is missing from the test: a bucket, or a bucket and a key, such as s3://finance/reports/q1.csv`},
		{"{name: n, " + whole + ", expct: 1}", `t.yaml:2:75: unknown key "expct", did you mean "expect"?`},
		{"{name: n, as: {group: [x]}, do: GetObject, on: s3://finance/x, expect: blocked}", `t.yaml:2:20: unknown key "group", did you mean "groups"?`},
		{"{name: n, as: alice, do: GetObject, on: s3://finance/x, expect: blocked}", `t.yaml:2:19: "alice" is not one of people in this file`},
		{"{name: n, as: {service: x, users: [y]}, do: GetObject, on: s3://finance/x, expect: blocked}", `t.yaml:2:19: a service has neither users nor groups`},
		{"{name: n, as: {}, do: GetObjct, on: s3://finance/x, expect: blocked}", `t.yaml:2:27: "GetObjct" is no operation of S3, and none of reads, updates, deletes, manages, did you mean "GetObject"?`},
		{"{name: n, as: {}, do: GetObject, on: finance/x, expect: blocked}", `t.yaml:2:42: "finance/x": a bucket, or a bucket and a key, is wanted, such as s3://finance/reports/q1.csv`},
		{"{name: n, as: {}, do: GetObject, on: [s3://finance/x, s3://finance], expect: blocked}", `t.yaml:2:59: GetObject is about an object`},
		{"{name: n, as: {}, do: CreateSession, on: s3://finance, expect: blocked}", `CreateSession is not served`},
		{"{name: n, as: {}, do: GetObject, on: s3://finance/x, expect: denied}", `t.yaml:2:66: expect is "denied"; write allowed, blocked or would-block`},
		{"{name: n, from: 10.0.0.0/8, " + whole + "}", `t.yaml:2:21: from is "10.0.0.0/8"; one address is wanted, such as 10.0.0.7`},
		{"{name: n, at: yesterday, " + whole + "}", `t.yaml:2:19: at is "yesterday"; a moment is wanted`},
		{"{name: n, tls: '1.4', " + whole + "}", `t.yaml:2:20: tls is "1.4"; write "1.2" or "1.3"`},
		{"{name: n, mfa: {}, " + whole + "}", `t.yaml:2:20: mfa says nothing`},
		{"{name: n, mfa: {age: long}, " + whole + "}", `t.yaml:2:26: an age is wanted, such as 10m, not "long"`},
		{"{name: n, presigned: {}, " + whole + "}", `t.yaml:2:26: an age is wanted`},
		{"{name: n, presigned: {age: -5m}, " + whole + "}", `an age is wanted, such as 10m, not "-5m"`},
		{"{name: n, auth_method: app, " + whole + "}", `t.yaml:2:28: auth_method is "app"; write browser, device, ci, service-key`},
		{"{name: n, because: [{}], " + whole + "}", `t.yaml:2:25: this ground says nothing`},
		{"{name: n, because: [{access: read}], " + whole + "}", `access is "read"; write reads, updates, deletes, manages`},
		{"{name: n, " + whole + "}\n  - {name: n, " + whole + "}", `t.yaml:3:12: test "n" stands twice; the first is on line 2`},
		{"[]", "a mapping is wanted here, not a list"},
	} {
		_, err := readTests(t, "tests:\n  - "+c.test+"\n")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v, want\n%s", c.test, err, c.want)
		}
	}
	if _, err := readTests(t, "people: {a: b}\ntests:\n  - {name: n, "+whole+"}\n"); err == nil || err.Error() != `t.yaml:1:13: users, groups or a service are wanted here, not "b"` {
		t.Error(err)
	}
}

func TestAnswers(t *testing.T) {
	for want, d := range map[rulebook.Answer]policy.Decision{rulebook.Allowed: {Allowed: true}, rulebook.Blocked: {}, rulebook.WouldBlock: {Allowed: true, WouldBlock: true}} {
		if got := rulebook.AnswerOf(d); got != want {
			t.Errorf("%+v is %s", d, got)
		}
	}
	r := policy.Reason{Policy: "a", Rule: "rule 1", Label: "L", Access: policy.Reads, Text: "some words"}
	for _, c := range []struct {
		ground rulebook.Ground
		fits   bool
	}{
		{rulebook.Ground{}, true}, {rulebook.Ground{Policy: "a", Rule: "rule 1", Label: "L", Access: "reads", Text: "words"}, true},
		{rulebook.Ground{Policy: "b"}, false}, {rulebook.Ground{Rule: "rule 2"}, false}, {rulebook.Ground{Label: "l"}, false},
		{rulebook.Ground{Access: "updates"}, false}, {rulebook.Ground{Text: "other"}, false},
	} {
		if c.ground.Fits(r) != c.fits {
			t.Errorf("%s", c.ground)
		}
	}
}
