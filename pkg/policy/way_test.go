package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/policy"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const waysMap = `
A: [{repo: S3, attributes: [acme/, both/]}]
B: [{repo: S3, attributes: [both/b/]}]
BARE: [{repo: S3, attributes: [bare/]}]
`

const waysOne = `
name: one
data: [A, B]
rules:
  - identities: {groups: [eng], users: [u1]}
    reads: [{data: any}]
  - identities: {groups: [ops]}
    when: {mfa: {max_age: 1h, amr: [hwk]}}
    reads: [{data: [B]}]
  - hosts: [10.0.0.0/8]
    updates: [{data: [A], rows: 5}]
`

const waysTwo = `
name: two
data: [B]
rules:
  - identities: {groups: [audit]}
    reads: [{data: any}]
  - identities: {groups: [ops]}
    reads: [{data: any}]
`

func waysSet(t *testing.T, dataMap string, policies ...string) *policy.Set {
	t.Helper()
	var sources []policy.Source
	for i, p := range policies {
		sources = append(sources, policy.Source{Name: string(rune('a'+i)) + ".yaml", Data: []byte(p)})
	}
	s, _, err := policy.Parse(policy.Source{Name: "m.yaml", Data: []byte(dataMap)}, sources, policy.Options{Repo: "S3"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func inWords(ways []policy.Way) []string {
	var all []string
	for _, w := range ways {
		all = append(all, w.String()+" by "+strings.Join(w.Rules, ", "))
	}
	return all
}

func TestWhoCan(t *testing.T) {
	s := waysSet(t, waysMap, waysOne, waysTwo)
	for _, c := range []struct {
		name   string
		answer policy.Answer
		ways   []string
		closed string
	}{
		{"one policy", s.WhoCan(noon, policy.Reads, "A"), []string{"user u1 by rule 1 of one", "group eng by rule 1 of one"}, ""},
		{"conditions and limits", s.WhoCan(noon, policy.Updates, "A"), []string{"everyone, from 10.0.0.0/8, at most 5 objects in one request by rule 3 of one"}, ""},
		{"two policies", s.WhoCan(noon, policy.Reads, "B"), []string{
			"group audit and user u1 by rule 1 of one, rule 1 of two",
			"group ops and user u1 by rule 1 of one, rule 2 of two",
			"group audit and group eng by rule 1 of one, rule 1 of two",
			"group eng and group ops by rule 1 of one, rule 2 of two",
			"group ops, after a login with hwk within the last 1h by rule 2 of one, rule 2 of two",
		}, ""},
		{"nobody", s.WhoCan(noon, policy.Deletes, "A"), nil, ""},
		{"no policy", s.WhoCan(noon, policy.Reads, "BARE"), nil, "no policy governs label BARE"},
		{"no such label", s.WhoCan(noon, policy.Reads, "C"), nil, "there is no label C"},
		{"no access", s.WhoCan(noon, "sees", "A"), nil, `"sees" is no kind of access`},
		{"an object of two labels", s.WhoCanAt(noon, policy.Reads, "both/b/x"), []string{
			"group audit and user u1 by rule 1 of one, rule 1 of two",
			"group ops and user u1 by rule 1 of one, rule 2 of two",
			"group audit and group eng by rule 1 of one, rule 1 of two",
			"group eng and group ops by rule 1 of one, rule 2 of two",
		}, ""},
		{"no label", s.WhoCanAt(noon, policy.Reads, "else/x"), nil, "it carries no label, and unlabelled data is blocked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := inWords(c.answer.Ways)
			slices.Sort(got)
			slices.Sort(c.ways)
			if diff := cmp.Diff(c.ways, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if strings.Join(c.answer.Closed, "; ") != c.closed || !c.answer.Complete {
				t.Errorf("closed %q, complete %v", c.answer.Closed, c.answer.Complete)
			}
		})
	}
}

func TestMonitorNarrowsNobody(t *testing.T) {
	s := waysSet(t, waysMap, waysOne, strings.Replace(waysTwo, "data: [B]", "data: [B]\nmode: monitor", 1))
	a := s.WhoCan(noon, policy.Reads, "B")
	if len(a.Monitored) != 1 || a.Monitored[0] != "two" || len(a.Ways) != 3 {
		t.Errorf("%+v", a)
	}
}

func TestTooManyWaysAreSaidToBe(t *testing.T) {
	var groups []string
	for i := range 40 {
		groups = append(groups, "g"+string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	text := func(name string) string {
		return "name: " + name + "\ndata: [A]\nrules: [{identities: {groups: [" + name + strings.Join(groups, ", "+name) + "]}, reads: [{data: any}]}]\n"
	}
	a := waysSet(t, "A: [{repo: S3, attributes: [acme/]}]\n", text("p"), text("q")).WhoCan(noon, policy.Reads, "A")
	if a.Complete || len(a.Ways) != policy.MaxWays {
		t.Errorf("%d ways, complete %v", len(a.Ways), a.Complete)
	}
}

func TestDiff(t *testing.T) {
	old := waysSet(t, waysMap, waysOne, waysTwo)
	moved := strings.Replace(waysMap, "acme/, both/", "acme/open/, both/", 1)
	fresh := waysSet(t, moved, strings.Replace(waysOne, "max_age: 1h", "max_age: 30m", 1), strings.Replace(waysTwo, "[audit]", "[audit, law]", 1))
	type change struct {
		Access               policy.Access
		Places, Gains, Loses []string
	}
	var got []change
	for _, d := range policy.Diff(old, fresh, noon) {
		got = append(got, change{d.Access, d.Places, words(d.Gains), words(d.Loses)})
	}
	gone := []string{"acme"}
	want := []change{
		{policy.Reads, gone, nil, []string{"user u1", "group eng"}},
		{policy.Updates, gone, nil, []string{"everyone, from 10.0.0.0/8, at most 5 objects in one request"}},
		{policy.Reads, []string{"both/b/*"}, []string{"group law and user u1", "group eng and group law"}, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if same := policy.Diff(old, old, noon); len(same) != 0 {
		t.Errorf("a set differs from itself: %+v", same)
	}
}

func words(ways []policy.Way) []string {
	var all []string
	for _, w := range ways {
		all = append(all, w.String())
	}
	return all
}
