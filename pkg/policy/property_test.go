package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// The generators draw from few words that lie at one another's borders: a and
// ab, a/ and a, b-2 and b-20, addresses that differ in case, patterns within
// patterns.
type gen struct{ *rand.Rand }

func newGen(seed uint64) gen { return gen{rand.New(rand.NewPCG(seed, 7))} }

func pick[T any](g gen, from ...T) T { return from[g.IntN(len(from))] }

// few draws one to most of from, each once, in the order of from.
func few[T any](g gen, most int, from ...T) []T {
	chosen := slices.Sorted(slices.Values(g.Perm(len(from))[:1+g.IntN(min(most, len(from)))]))
	all := make([]T, len(chosen))
	for i, c := range chosen {
		all[i] = from[c]
	}
	return all
}

func (g gen) name() string {
	return pick(g, "a", "ab", "b", "aa", "a/", "a/a", "a/b", "ab/", "aba", "b/", "a/a/", "/a", "//", "bab", "a//")
}

func (g gen) attribute() string {
	container := pick(g, "a", "a", "a", "ab", "b-2", "b-20", "a*", "b-2*", "*", "*a", "b-*0", "b**2")
	name := pick(g, g.name(), g.name(), g.name(), "*", "a*", "*a", "*/", "a*b", "*a*", "**b", "a/*", "*/a", "a*/", "b*b", "*b*/")
	return container + pick(g, "", "/", "/"+name, "/"+name, "/"+name, "/"+name, "/"+name, "/"+name)
}

var allAccess = []policy.Access{policy.Reads, policy.Updates, policy.Deletes, policy.Manages}

var labelNames = []string{"L1", "L2", "L3", "L4"}

func (g gen) rule(data []string) docRule {
	var r docRule
	switch g.IntN(6) {
	case 0: // for everyone
	case 1:
		r.users = few(g, 2, "u1", "u2", "U1", "U@x.org", "v@X.org")
	case 2:
		r.services = few(g, 2, "s1", "s2")
	case 3:
		r.users, r.groups, r.services = few(g, 1, "u1", "u@x.org"), few(g, 2, "g1", "g2", "u1"), few(g, 1, "s1")
	default:
		r.groups = few(g, 2, "g1", "g2", "G1")
	}
	for range 1 + g.IntN(3) {
		grant := docGrant{access: pick(g, allAccess...), severity: pick(g, policy.Low, policy.Medium, policy.High)}
		if grant.any = g.IntN(3) == 0; !grant.any {
			grant.data = few(g, 3, data...)
		}
		r.grants = append(r.grants, grant)
	}
	return r
}

func (g gen) doc(name string, labels []string) doc {
	d := doc{name: name, data: few(g, 3, labels...)}
	for range 1 + g.IntN(3) {
		d.rules = append(d.rules, g.rule(d.data))
	}
	return d
}

func (g gen) world() world {
	w := world{unlabelled: pick(g, policy.Deny, policy.Deny, policy.Allow)}
	labels := labelNames[:1+g.IntN(len(labelNames))]
	for _, l := range labels {
		seen := map[string]bool{}
		for range 1 + g.IntN(4) {
			if text := g.attribute(); !seen[text] {
				seen[text] = true
				w.entries = append(w.entries, attribute{l, text})
			}
		}
	}
	for i := range g.IntN(4) {
		w.policies = append(w.policies, g.doc(fmt.Sprintf("p%d", i+1), labels))
	}
	return w
}

func (g gen) principal() policy.Principal {
	p := policy.Principal{Service: pick(g, "", "", "s1", "s2", "S1")}
	if g.IntN(4) > 0 {
		p.Users = few(g, 2, "u1", "u2", "u@x.org", "V@x.ORG", "u@x.orga", "")
	}
	if g.IntN(3) > 0 {
		p.Groups = few(g, 3, "g1", "g2", "g3", "u1", "")
	}
	return p
}

func (g gen) question() policy.Question {
	q := policy.Question{Access: pick(g, allAccess...), Scope: pick(g, policy.Exact, policy.Exact, policy.Under, policy.Some)}
	q.Path = pick(g, "a", "a", "ab", "b-2", "b-20", "c", "bx2")
	if q.Scope == policy.Some {
		q.Path += pick(g, "", "/")
	} else {
		q.Path += pick(g, "", "/", "/"+g.name(), "/"+g.name(), "/"+pick(g, "a"+stranger, stranger+"b", "abab", "bb/"))
	}
	return q
}

func (g gen) questions() []policy.Question {
	qs := []policy.Question{g.question()}
	for g.IntN(3) == 0 {
		qs = append(qs, pick(g, g.question(), qs[0]))
	}
	return qs
}

func parse(t *testing.T, w world) *policy.Set {
	t.Helper()
	s, _, err := policy.Parse(w.dataMap(), w.sources(), policy.Options{Repo: "S3", Unlabelled: w.unlabelled})
	if err != nil {
		t.Fatalf("%v\n%s", err, w)
	}
	return s
}

func (w world) String() string {
	all := []string{fmt.Sprintf("unlabelled %d\n%s", w.unlabelled, w.dataMap().Data)}
	for _, s := range w.sources() {
		all = append(all, string(s.Data))
	}
	return strings.Join(all, "---\n")
}

// seeds runs a property on n random cases, each of which its seed alone
// repeats.
func seeds(t *testing.T, n int, check func(t *testing.T, g gen)) {
	for seed := range uint64(n / share) {
		check(t, newGen(seed))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestDecideIsTheReference(t *testing.T) {
	allowed, total := 0, 0
	seeds(t, 20_000, func(t *testing.T, g gen) {
		w := g.world()
		s := parse(t, w)
		for range 2 {
			p, qs := g.principal(), g.questions()
			got, want := s.Decide(&p, nil, qs...), w.decide(p, qs)
			total++
			if want.Allowed {
				allowed++
			}
			for i := range got.Reasons {
				if got.Reasons[i].Text == "" {
					t.Error("a reason without words")
				}
				got.Reasons[i].Text = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%+v asks %+v (-want +got)\n%s\n%s", p, qs, diff, w)
				return
			}
		}
	})
	if allowed < total/10 || allowed > total*9/10 {
		t.Errorf("%d of %d allowed: the generators are lopsided", allowed, total)
	}
}

func TestFurtherRuleNeverBlocks(t *testing.T) {
	tried := 0
	seeds(t, 5_000, func(t *testing.T, g gen) {
		w := g.world()
		if len(w.policies) == 0 {
			return
		}
		p, qs := g.principal(), g.questions()
		if !parse(t, w).Decide(&p, nil, qs...).Allowed {
			return
		}
		tried++
		d := &w.policies[g.IntN(len(w.policies))]
		d.rules = slices.Insert(d.rules, g.IntN(len(d.rules)+1), g.rule(d.data))
		if got := parse(t, w).Decide(&p, nil, qs...); !got.Allowed {
			t.Errorf("%+v asks %+v and is now blocked: %+v\n%s", p, qs, got, w)
		}
	})
	enough(t, tried)
}

func TestFurtherPolicyOverGovernedLabelsNeverAllows(t *testing.T) {
	tried := 0
	seeds(t, 5_000, func(t *testing.T, g gen) {
		w := g.world()
		var governed []string
		for _, d := range w.policies {
			governed = append(governed, d.data...)
		}
		slices.Sort(governed)
		governed = slices.Compact(governed)
		p, qs := g.principal(), g.questions()
		if len(governed) == 0 || parse(t, w).Decide(&p, nil, qs...).Allowed {
			return
		}
		tried++
		w.policies = append(w.policies, g.doc("p9", governed))
		if got := parse(t, w).Decide(&p, nil, qs...); got.Allowed {
			t.Errorf("%+v asks %+v and is now allowed: %+v\n%s", p, qs, got, w)
		}
	})
	enough(t, tried)
}

// A label more narrows wherever all that is asked about has one already.
func TestFurtherLabelOnLabelledDataNeverAllows(t *testing.T) {
	tried := 0
	seeds(t, 10_000, func(t *testing.T, g gen) {
		w := g.world()
		p, q := g.principal(), g.question()
		before := parse(t, w).Decide(&p, nil, q)
		bare := slices.ContainsFunc(before.Reasons, func(r policy.Reason) bool { return r.Label == "" })
		if before.Allowed || bare || q.Scope == policy.Some {
			return
		}
		tried++
		e := attribute{pick(g, labelNames...), g.attribute()}
		if slices.Contains(w.entries, e) {
			return
		}
		w.entries = append(w.entries, e)
		slices.SortStableFunc(w.entries, func(a, b attribute) int { return int(a.label[1]) - int(b.label[1]) })
		if got := parse(t, w).Decide(&p, nil, q); got.Allowed {
			t.Errorf("%+v asks %+v and is now allowed: %+v\n%s", p, q, got, w)
		}
	})
	enough(t, tried)
}

// What is asked together is allowed if each is.
func TestQuestionsAreAnsweredTogether(t *testing.T) {
	seeds(t, 2_000, func(t *testing.T, g gen) {
		w := g.world()
		s := parse(t, w)
		p, qs := g.principal(), append(g.questions(), g.question())
		want := true
		for _, q := range qs {
			want = want && s.Decide(&p, nil, q).Allowed
		}
		if got := s.Decide(&p, nil, qs...).Allowed; got != want {
			t.Errorf("%+v asks %+v: together %v, one by one %v\n%s", p, qs, got, want, w)
		}
	})
}

func enough(t *testing.T, tried int) {
	if tried < 500/share {
		t.Errorf("only %d cases meant anything", tried)
	}
}
