package proxy

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/budget"
	"github.com/gimme-broker/gimme/internal/telemetry"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// A page ends where the first policy has no more rows for a label, or no more
// room in a budget; what it shows is counted, and what it does not is not.
func TestPagesCountWhatTheyShow(t *testing.T) {
	const dataMap = "A: [{repo: S3, attributes: [bkt/a/]}]\nB: [{repo: S3, attributes: [bkt/a/b/, bkt/b/]}]\nC: [{repo: S3, attributes: [bkt/c/]}]\nD: [{repo: S3, attributes: [bkt/d/]}]\n"
	const policies = `
name: p
data: [A, B, C]
rules:
  - reads: [{data: [A], rows: 3}, {data: [B], rows: 2}, {data: [C], rateLimit: 4/1h}]
`
	const monitored = "name: q\nmode: monitor\ndata: [D]\nrules: [{reads: [{data: any, rows: 1}]}]\n"
	set, _, err := policy.Parse(policy.Source{Data: []byte(dataMap)}, []policy.Source{{Data: []byte(policies)}, {Data: []byte(monitored)}}, policy.Options{Repo: "S3"})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{budgets: budget.New(budget.Most), log: slog.New(slog.DiscardHandler), events: &recorder{Log: audit.NewLog(io.Discard), metrics: telemetry.NewMetrics(telemetry.Options{})}}
	p := &policy.Principal{Issuer: "https://idp.example", Subject: "alice"}
	call, err := s3api.Parse(s3api.Request{Method: "GET", Path: "/bkt"})
	if err != nil {
		t.Fatal(err)
	}
	show := func(g *page, key string) bool {
		d := set.Decide(p, nil, policy.Question{Access: policy.Reads, Path: "bkt/" + key, Scope: policy.Exact})
		if !d.Allowed {
			t.Fatalf("%s: %+v", key, d.Reasons())
		}
		return g.takes(d)
	}
	open := func() *page { return s.newPage(&exchange{rules: &rules{set: set}}, call, p) }
	for name, test := range map[string]struct {
		keys string
		want int // how many fit
	}{
		"rows":                        {"a/1 a/2 a/3 a/4", 3},
		"the smallest of two labels":  {"a/b/1 a/b/2 a/b/3", 2},
		"a label counts by itself":    {"a/1 b/1 a/2 b/2 a/3 b/3", 5},
		"an object counts for both":   {"a/b/1 b/1 b/2", 2},
		"monitored rows do not bound": {"d/1 d/2 d/3", 3},
	} {
		g, n := open(), 0
		for key := range strings.FieldsSeq(test.keys) {
			if !show(g, key) {
				break
			}
			n++
		}
		if n != test.want || g.refusal() != nil {
			t.Errorf("%s: %d entries fit, %v", name, n, g.refusal())
		}
		if noted := g.x.event.Decision == audit.WouldBlock; noted != strings.HasPrefix(name, "monitored") {
			t.Errorf("%s: noted %v", name, noted)
		}
	}
	g := open()
	for i := range 4 {
		if !show(g, "c/1") {
			t.Fatalf("after %d there is no room", i)
		}
	}
	if show(g, "c/1") {
		t.Error("the budget has no end")
	}
	next := open()
	if show(next, "c/1") {
		t.Error("the next page begins anew")
	}
	if f := asRefusal(next.refusal()); f.Code != "SlowDown" || f.RetryAfter <= 0 || !strings.Contains(f.Message, "alice may not ListObjects s3://bkt now (label C): rule 1 of policy p lets you read 4 objects in 1h of C data") {
		t.Errorf("got %+v", f)
	}
}
