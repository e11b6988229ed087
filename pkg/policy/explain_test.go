package policy_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/policy"
)

func TestExplain(t *testing.T) {
	s := waysSet(t, waysMap, waysOne, waysTwo)
	p := &policy.Principal{Users: []string{"7", "carl@example.com"}, Groups: []string{"ops"}}
	f := &policy.Facts{Now: noon, AMR: []string{"pwd"}, SourceIP: netip.MustParseAddr("192.0.2.1")}
	e := s.Explain(p, f, policy.Question{Access: policy.Reads, Path: "both/b/x", Scope: policy.Exact})[0]
	want := []policy.LabelWord{
		{Label: "A", Locations: []string{"both"}, Policies: []policy.PolicyWord{{Policy: "one", InForce: true, Rules: []policy.RuleWord{
			{Rule: "rule 1", Grants: true},
			{Rule: "rule 2", Speaks: true},
			{Rule: "rule 3", Speaks: true},
		}}}},
		{Label: "B", Locations: []string{"both/b/*"}, Policies: []policy.PolicyWord{
			{Policy: "one", InForce: true, Rules: []policy.RuleWord{
				{Rule: "rule 1", Grants: true},
				{Rule: "rule 2", Speaks: true, Grants: true, Conditions: []policy.ConditionWord{
					{Want: "after a login with hwk within the last 1h", Seen: "you logged in with pwd"},
				}},
				{Rule: "rule 3", Speaks: true},
			}},
			{Policy: "two", InForce: true, Allows: true, Rules: []policy.RuleWord{
				{Rule: "rule 1", Grants: true},
				{Rule: "rule 2", Speaks: true, Grants: true, Allows: true},
			}},
		}},
	}
	if diff := cmp.Diff(want, e.Labels); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if len(e.Changes) != 2 || e.Changes[0].Satisfy != "" || e.Changes[1].Satisfy != "after a login with hwk within the last 1h" {
		t.Errorf("%+v", e.Changes)
	}
	var texts []string
	for _, r := range e.Decision.Reasons() {
		texts = append(texts, r.Text)
	}
	if diff := cmp.Diff([]string{
		"policy one has no rule that lets you read A data",
		"rule 2 of policy one lets you read B data only after a login with hwk within the last 1h, but you logged in with pwd",
	}, texts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// What Explain proposes does what it says, whoever asks for whatever: with all
// of it written down the same question is allowed.
func TestChangesChange(t *testing.T) {
	for _, p := range []*policy.Principal{
		{Users: []string{"7", "carl@example.com"}},
		{Users: []string{"248289761001"}, Groups: []string{"nobody's"}},
		{Groups: []string{"true", "x y: #z"}},
		{Service: "etl"},
		{},
	} {
		for _, path := range []string{"acme/x", "both/b/x", "bare/x", "else/y", "both", "odd/a \"b\": {c}\t\x7f"} {
			for _, access := range everyAccess {
				changed(t, p, policy.Question{Access: access, Path: path, Scope: policy.Exact})
			}
		}
	}
}

func changed(t *testing.T, p *policy.Principal, q policy.Question) {
	t.Helper()
	dataMap, texts := waysMap, map[string]string{"one": waysOne, "two": waysTwo}
	for range 3 { // a label may still need a policy
		var list []string
		for _, text := range texts {
			list = append(list, text)
		}
		e := waysSet(t, dataMap, list...).Explain(p, nil, q)[0]
		if e.Decision.Allowed {
			return
		}
		if len(e.Changes) == 0 {
			t.Fatalf("%+v %+v: blocked, and nothing would change it", p, q)
		}
		for _, c := range e.Changes {
			switch {
			case c.Policy != "":
				texts[c.Policy] = strings.TrimSuffix(texts[c.Policy], "\n") + "\n" + c.YAML
			case c.Label != "":
				texts[c.Label] = c.YAML
			default:
				dataMap += strings.Replace(c.YAML, "LABEL", "FRESH", 1)
			}
		}
	}
	t.Errorf("%+v %+v: still blocked with\n%s\n%v", p, q, dataMap, texts)
}

func TestOverlaps(t *testing.T) {
	s := waysSet(t, "A: [{repo: S3, attributes: [acme, log*/x/]}]\nB: [{repo: S3, attributes: [acme/b/, acme/c, logs/x/y*, other]}]\n")
	want := []policy.Overlap{{Label: "B", In: "A", Count: 3, First: policy.Location{Label: "B", Text: "acme/b/*"}}}
	if diff := cmp.Diff(want, s.Overlaps()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
