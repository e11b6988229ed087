package policy_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/policy/policytest"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

func source(name, text string) policy.Source { return policy.Source{Name: name, Data: []byte(text)} }

const (
	mapText   = "B: [{repo: S3, attributes: [b-bucket]}]\nA: [{repo: S3, attributes: [a-bucket]}]\n"
	oneText   = "name: one\ndata: [A]\nrules: [{identities: {groups: [z, g]}, reads: [{data: any}]}]\n"
	otherText = "name: other\ndata: [B]\nrules: [{identities: {groups: [g, a], users: [u]}, reads: [{data: any}]}]\n"
)

func mustParse(t *testing.T, dataMap policy.Source, policies []policy.Source, o policy.Options) *policy.Set {
	t.Helper()
	s, warnings, err := policy.Parse(dataMap, policies, o)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return s
}

func TestSetTellsItsLabelsAndGroups(t *testing.T) {
	s := mustParse(t, source("m", mapText), []policy.Source{source("1", oneText), source("2", otherText)}, policy.Options{Repo: "S3"})
	if diff := cmp.Diff([]string{"A", "B"}, s.Labels()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "g", "z"}, s.Groups()); diff != "" {
		t.Error(diff)
	}
	s.Labels()[0], s.Groups()[0] = "changed", "changed"
	if s.Labels()[0] != "A" || s.Groups()[0] != "a" {
		t.Error("a caller can change the set")
	}
}

// The digest changes with whatever can change a decision, and with nothing
// else.
func TestDigest(t *testing.T) {
	one, other := source("1", oneText), source("2", otherText)
	m, o := source("m", mapText), policy.Options{Repo: "S3"}
	digest := func(m policy.Source, o policy.Options, policies ...policy.Source) string {
		return mustParse(t, m, policies, o).Digest()
	}
	want := digest(m, o, one, other)
	if digest(m, o, other, one) != want || digest(source("elsewhere/m", mapText), o, source("x", oneText), other) != want {
		t.Error("the order or the names of files count")
	}
	seen := map[string]string{want: "the set"}
	for name, d := range map[string]string{
		"unlabelled": digest(m, policy.Options{Repo: "S3", Unlabelled: policy.Allow}, one, other),
		"data map":   digest(source("m", mapText+"# more\n"), o, one, other),
		"policy":     digest(m, o, source("1", oneText+"# more\n"), other),
	} {
		if len(d) != len("sha256:")+64 || !strings.HasPrefix(d, "sha256:") {
			t.Errorf("digest %q", d)
		}
		if seen[d] != "" {
			t.Errorf("another %s has the digest of %s", name, seen[d])
		}
		seen[d] = name
	}
}

func TestNoRepoIsAFault(t *testing.T) {
	s, _, err := policy.Parse(source("m", mapText), nil, policy.Options{Unlabelled: policy.Allow})
	want := "m: the options name no repo, so no entry would count"
	if s != nil || err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if _, ok := err.(strictyaml.Faults); !ok {
		t.Errorf("the error is %T", err)
	}
}

func TestWithoutPoliciesWhatIsLabelledIsBlocked(t *testing.T) {
	s, warnings, err := policy.Parse(source("m", mapText), nil, policy.Options{Repo: "S3", Unlabelled: policy.Allow})
	if err != nil || len(warnings) != 2 {
		t.Fatal(err, warnings)
	}
	d := s.Decide(nil, nil, policy.Question{Access: policy.Reads, Path: "a-bucket/x", Scope: policy.Exact})
	if d.Allowed || d.Reasons()[0].Text != "no policy governs label A" {
		t.Errorf("%+v", d)
	}
}

func TestZeroSetBlocksEverything(t *testing.T) {
	var s policy.Set
	for _, access := range everyAccess {
		for _, scope := range []policy.Scope{policy.Exact, policy.Under, policy.Some, ""} {
			for _, p := range []*policy.Principal{nil, {}, {Users: []string{"u"}}} {
				if d := s.Decide(p, nil, policy.Question{Access: access, Path: "acme", Scope: scope}); d.Allowed || len(d.Reasons()) != 1 {
					t.Errorf("%s %s: %+v", access, scope, d)
				}
			}
		}
	}
	if s.Labels() != nil || s.Groups() != nil || s.Digest() != "" {
		t.Error("the zero set has contents")
	}
}

// More labels than fit in the room that needs no allocation.
func TestManyLabels(t *testing.T) {
	var m, data strings.Builder
	var want []string
	for i := range 1000 {
		fmt.Fprintf(&m, "L%03d: [{repo: S3, attributes: [acme/%d/, acme/all/*]}]\n", i, i)
		fmt.Fprintf(&data, "L%03d, ", i)
		want = append(want, fmt.Sprintf("L%03d", i))
	}
	text := "name: p\ndata: [" + data.String() + "]\nrules: [{reads: [{data: any}]}, {identities: {users: [u]}, updates: [{data: [L999]}]}]\n"
	s := mustParse(t, source("m", m.String()), []policy.Source{source("p", text)}, policy.Options{Repo: "S3"})
	d := s.Decide(nil, nil, policy.Question{Access: policy.Reads, Path: "acme/all/x", Scope: policy.Under})
	if diff := cmp.Diff(want, d.Labels()); diff != "" || !d.Allowed || len(d.Reasons()) != 1000 {
		t.Errorf("%v, %d reasons\n%s", d.Allowed, len(d.Reasons()), diff)
	}
	p := &policy.Principal{Users: []string{"u"}}
	for name, allowed := range map[string]bool{"acme/999/x": true, "acme/998/x": false, "acme/all/x": false} {
		if d := s.Decide(p, nil, policy.Question{Access: policy.Updates, Path: name, Scope: policy.Exact}); d.Allowed != allowed {
			t.Errorf("%s: %v", name, d.Allowed)
		}
	}
	if d := s.Decide(p, nil, policy.Question{Access: policy.Updates, Path: "acme", Scope: policy.Some}); !d.Allowed || d.Labels()[0] != "L999" {
		t.Errorf("some: %v %v", d.Allowed, d.Labels())
	}
}

func TestLongAddressesAreFoldedToo(t *testing.T) {
	long := strings.Repeat("A", 300) + "@Example.com"
	text := "name: p\ndata: [A]\nrules: [{identities: {users: [" + long + "]}, reads: [{data: any}]}]\n"
	s := mustParse(t, source("m", "A: [{repo: S3, attributes: [acme]}]\n"), []policy.Source{source("p", text)}, policy.Options{Repo: "S3"})
	for user, allowed := range map[string]bool{strings.ToLower(long): true, long: true, long + "x": false, long[1:]: false} {
		q := policy.Question{Access: policy.Reads, Path: "acme/x", Scope: policy.Exact}
		if d := s.Decide(&policy.Principal{Users: []string{user}}, nil, q); d.Allowed != allowed {
			t.Errorf("%q: %v", user, d.Allowed)
		}
	}
}

// Of an address the letters A to Z are folded, and no other byte.
func TestAddressesAreFoldedInASCIIOnly(t *testing.T) {
	s := mustParse(t, source("m", "A: [{repo: S3, attributes: [acme]}]\n"), []policy.Source{source("p",
		"name: p\ndata: [A]\nrules: [{identities: {users: ['ABYZ@[`{k\u00e9.org', 'abyz']}, reads: [{data: any}]}]\n")}, policy.Options{Repo: "S3"})
	for user, allowed := range map[string]bool{
		"abyz@[`{k\u00e9.org": true, "AbYz@[`{K\u00e9.ORG": true,
		"abyz@{`{k\u00e9.org": false, "abyz`[`{k\u00e9.org": false, "abyz@[@{k\u00e9.org": false,
		"abyz@[`{\u212a\u00e9.org": false, "abyz@[`{k\u00c9.org": false, "abyz": true, "ABYZ": false,
	} {
		q := policy.Question{Access: policy.Reads, Path: "acme/x", Scope: policy.Exact}
		if d := s.Decide(&policy.Principal{Users: []string{user}}, nil, q); d.Allowed != allowed {
			t.Errorf("%q: %v", user, d.Allowed)
		}
	}
}

func TestDecideIsSafeForConcurrentUse(t *testing.T) {
	s, p := small.set(t), small.principal()
	q := small.questions("two labels")[0]
	want := policytest.Plain(s.Decide(p, benchFacts, q))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if diff := cmp.Diff(want, policytest.Plain(s.Decide(p, benchFacts, q))); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A decision that allows allocates nothing, whatever its scope and conditions.
func TestAllowedDecisionAllocatesNothing(t *testing.T) {
	s, p := small.set(t), small.principal()
	for _, kind := range benchKinds {
		qs := small.questions(kind.name)
		if !kind.allowed {
			continue
		}
		if d := s.Decide(p, benchFacts, qs[0]); !d.Allowed || len(d.Reasons()) == 0 || d.Reasons()[0].Rule != "rule 50" {
			t.Fatalf("%s: the principal has a rule with a condition, not %+v", kind.name, d.Reasons())
		}
		i := 0
		if n := testing.AllocsPerRun(1000, func() { i++; s.Decide(p, benchFacts, qs[i]) }); n != 0 {
			t.Errorf("%s: %v allocations", kind.name, n)
		}
	}
}

// Files and paths made to be slow are not.
func TestNothingIsSlow(t *testing.T) {
	began := time.Now()
	var m strings.Builder
	m.WriteString("A:\n  - repo: S3\n    attributes:\n")
	for i := range 20_000 {
		fmt.Fprintf(&m, "      - acme/%s%d/\n", strings.Repeat("a", i%500), i)
	}
	fmt.Fprintf(&m, "      - acme/%sb\n", strings.Repeat("*a", 200))
	s := mustParse(t, source("m", m.String()), []policy.Source{source("p", "name: p\ndata: [A]\nrules: [{reads: [{data: any}]}]\n")}, policy.Options{Repo: "S3"})
	for _, scope := range []policy.Scope{policy.Exact, policy.Under} {
		for range 100 {
			s.Decide(nil, nil, policy.Question{Access: policy.Reads, Path: "acme/" + strings.Repeat("a", 1024), Scope: scope})
		}
	}
	if took := time.Since(began); took > 10*time.Second*share {
		t.Errorf("took %v", took)
	}
}
