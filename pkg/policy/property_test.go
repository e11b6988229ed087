package policy_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/policy/policytest"
)

var everyAccess = []policy.Access{policy.Reads, policy.Updates, policy.Deletes, policy.Manages}

// A random case: a world, and what is asked of it.
type asked struct {
	world policytest.World
	who   policy.Principal
	facts *policy.Facts
	qs    []policy.Question
}

func draw(r *rand.Rand) asked {
	a := asked{world: policytest.Generate(r), who: policytest.Principal(r), qs: policytest.Questions(r)}
	a.facts = policytest.Facts(r, a.qs...)
	return a
}

// again draws other questions of the same world.
func (a asked) again(r *rand.Rand) asked {
	a.who, a.qs = policytest.Principal(r), policytest.Questions(r)
	a.facts = policytest.Facts(r, a.qs...)
	return a
}

// seeds runs a property on n random cases, each of which its seed alone
// repeats.
func seeds(t *testing.T, n int, check func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	for seed := range uint64(n / share) {
		check(t, rand.New(rand.NewPCG(seed, 7)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func parsed(t *testing.T, w policytest.World) *policy.Set {
	t.Helper()
	s, err := w.Parse()
	if err != nil {
		t.Fatalf("%v\n%s", err, w)
	}
	return s
}

// decide is the answer of a set of the world.
func (a asked) decide(t *testing.T, w policytest.World) policy.Decision {
	t.Helper()
	return parsed(t, w).Decide(&a.who, a.facts, a.qs...)
}

func (a asked) describe(t *testing.T, w policytest.World) {
	t.Helper()
	t.Logf("%+v\nasks %+v\nwith %+v\nof %s", a.who, a.qs, a.facts, w)
	if a.facts != nil && a.facts.Upload != nil {
		t.Logf("upload %+v", *a.facts.Upload)
	}
}

// checkAgainstReference compares everything but the words.
func checkAgainstReference(t *testing.T, s *policy.Set, a asked) policytest.Decision {
	t.Helper()
	d := s.Decide(&a.who, a.facts, a.qs...)
	got, want := policytest.Plain(d), a.world.Decide(&a.who, a.facts, a.qs...)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
		a.describe(t, a.world)
	}
	for _, r := range d.Reasons() {
		if r.Text == "" || r.Allowed && r.Need != "" {
			t.Errorf("a reason without words, or words too many: %+v", r)
		}
	}
	return want
}

func TestDecideIsTheReference(t *testing.T) {
	drawn := map[[2]bool]int{}
	limited, total := 0, 0
	seeds(t, 20_000, func(t *testing.T, r *rand.Rand) {
		a := draw(r)
		s := parsed(t, a.world)
		for range 3 {
			want := checkAgainstReference(t, s, a)
			total++
			drawn[[2]bool{want.Allowed, want.WouldBlock}]++
			if len(want.Limits) > 0 {
				limited++
			}
			a = a.again(r)
		}
	})
	for outcome, least := range map[[2]bool]int{{true, false}: total / 10, {true, true}: total / 20, {false, false}: total / 5} {
		if drawn[outcome] < least {
			t.Errorf("of %d decisions %v: the generators are lopsided", total, drawn)
		}
	}
	if limited < total/50 {
		t.Errorf("only %d of %d decisions have limits", limited, total)
	}
}

func TestFurtherRuleNeverBlocks(t *testing.T) {
	tried := 0
	seeds(t, 5_000, func(t *testing.T, r *rand.Rand) {
		a := draw(r)
		before := a.decide(t, a.world)
		if !before.Allowed || len(a.world.Policies) == 0 {
			return
		}
		tried++
		more := a.world.Clone()
		p := &more.Policies[r.IntN(len(more.Policies))]
		p.Rules = slices.Insert(p.Rules, r.IntN(len(p.Rules)+1), policytest.GenerateRule(r, *p))
		if after := a.decide(t, more); !after.Allowed || after.WouldBlock && !before.WouldBlock {
			t.Errorf("it was %+v and is now %+v", before, after)
			a.describe(t, more)
		}
	})
	enough(t, tried)
}

// Whether the further policy, or those that are there, are in monitor mode makes
// no difference: it never lets through, and never without a word.
func TestFurtherPolicyOverGovernedLabelsNeverAllows(t *testing.T) {
	tried := 0
	seeds(t, 5_000, func(t *testing.T, r *rand.Rand) {
		a := draw(r)
		governed := policytest.World{}
		for _, l := range a.world.Labels {
			isGoverned := func(p policytest.Policy) bool {
				return p.Validity == policytest.Validity{} && (slices.Contains(p.Data, l.Name) || slices.ContainsFunc(l.Tags, func(t string) bool { return slices.Contains(p.Tags, t) }))
			}
			if slices.ContainsFunc(a.world.Policies, isGoverned) {
				l.Tags = nil // others may have them
				governed.Labels = append(governed.Labels, l)
			}
		}
		before := a.decide(t, a.world)
		if len(governed.Labels) == 0 || before.Allowed && !before.WouldBlock {
			return
		}
		tried++
		more := a.world.Clone()
		more.Policies = append(more.Policies, policytest.GeneratePolicy(r, governed, pickName(r)))
		if after := a.decide(t, more); after.Allowed && (!before.Allowed || !after.WouldBlock) {
			t.Errorf("it was %+v and is now %+v", before, after)
			a.describe(t, more)
		}
	})
	enough(t, tried)
}

// pickName is of a policy that comes before all others, or after them.
func pickName(r *rand.Rand) string { return []string{"a", "z"}[r.IntN(2)] }

// A label more narrows wherever all that is asked about has one already. For
// the scopes some and mapped that is not so: of what is asked about some may have
// none, and a further location can be the first to name a prefix.
func TestFurtherLabelOnLabelledDataNeverAllows(t *testing.T) {
	tried := 0
	seeds(t, 10_000, func(t *testing.T, r *rand.Rand) {
		a := draw(r)
		before := a.decide(t, a.world)
		bare := slices.ContainsFunc(before.Reasons(), func(r policy.Reason) bool { return r.Label == "" })
		weak := slices.ContainsFunc(a.qs, func(q policy.Question) bool { return q.Scope == policy.Some || q.Scope == policy.Mapped })
		if bare || weak || before.Allowed && !before.WouldBlock {
			return
		}
		more := a.world.Clone()
		l := &more.Labels[r.IntN(len(more.Labels))]
		location := policytest.Location(r)
		if slices.Contains(l.Locations, location) {
			return
		}
		tried++
		l.Locations = append(l.Locations, location)
		if after := a.decide(t, more); after.Allowed && (!before.Allowed || !after.WouldBlock) {
			t.Errorf("it was %+v and is now %+v", before, after)
			a.describe(t, more)
		}
	})
	enough(t, tried)
}

// What is asked together is allowed if each is, and would be blocked if none is
// blocked and one would be.
func TestQuestionsAreAnsweredTogether(t *testing.T) {
	seeds(t, 5_000, func(t *testing.T, r *rand.Rand) {
		a := draw(r)
		a.qs = append(a.qs, policytest.Question(r))
		s := parsed(t, a.world)
		allowed, would := true, false
		var labels []string
		for _, q := range a.qs {
			d := s.Decide(&a.who, a.facts, q)
			allowed, would = allowed && d.Allowed, would || d.WouldBlock
			labels = append(labels, d.Labels()...)
		}
		slices.Sort(labels)
		got := s.Decide(&a.who, a.facts, a.qs...)
		if got.Allowed != allowed || got.WouldBlock != (allowed && would) {
			t.Errorf("one by one %v %v, together %+v", allowed, would, got)
			a.describe(t, a.world)
		}
		if diff := cmp.Diff(slices.Compact(labels), got.Labels(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("labels (-one by one +together)\n%s", diff)
		}
	})
}

// Monitor mode of the whole set lets everything through, and notes exactly what
// would be blocked without it, for the same reasons. Of a set with some policies
// in monitor mode, those decisions are noted that all policies in force would
// block and those without monitor mode alone would not.
func TestMonitorLetsThroughWhatEnforceWouldBlock(t *testing.T) {
	noted := 0
	seeds(t, 5_000, func(t *testing.T, r *rand.Rand) {
		a := draw(r)
		enforced := a.world.Enforced()
		want := a.decide(t, enforced)
		got := a.decide(t, a.world)
		if got.WouldBlock != (got.Allowed && !want.Allowed) || want.Allowed && !got.Allowed || want.WouldBlock {
			t.Errorf("enforced it is %+v, and with monitor %+v", want, got)
			a.describe(t, a.world)
		}
		if got.WouldBlock {
			noted++
			if diff := cmp.Diff(want.Reasons(), got.Reasons()); diff != "" {
				t.Errorf("reasons (-enforced +monitored)\n%s", diff)
				a.describe(t, a.world)
			}
		}
		if len(a.qs) == 0 {
			return
		}
		enforced.Monitor = true
		for _, q := range a.qs {
			if q.Scope == policy.Mapped || q.Scope == "" || q.Access == "read" || q.Path == "" || q.Path[0] == '/' {
				return // can be blocked for what it is, whatever the policies say
			}
		}
		if got := a.decide(t, enforced); !got.Allowed || got.WouldBlock == want.Allowed {
			t.Errorf("enforced it is %+v, and with everything in monitor mode %+v", want, got)
			a.describe(t, enforced)
		}
	})
	enough(t, noted)
}

// An object's tags make a difference only where they were asked for.
func TestOnlyWantedTagsMakeADifference(t *testing.T) {
	different := 0
	seeds(t, 5_000, func(t *testing.T, r *rand.Rand) {
		a := draw(r)
		if a.facts == nil {
			return
		}
		a.world = tagged(r, a.world)
		s := parsed(t, a.world)
		unknown, known := *a.facts, *a.facts
		unknown.ObjectTags, known.ObjectTags = nil, map[string]map[string]string{}
		before := s.Decide(&a.who, &unknown, a.qs...)
		for _, path := range before.WantsTags() {
			if !slices.ContainsFunc(a.qs, func(q policy.Question) bool { return q.Path == path && q.Scope == policy.Exact }) {
				t.Errorf("the tags of %q are wanted", path)
			}
		}
		for _, q := range a.qs {
			known.ObjectTags[q.Path] = map[string]string{"class": "internal"}
		}
		after := s.Decide(&a.who, &known, a.qs...)
		if after.Allowed != before.Allowed || after.WouldBlock != before.WouldBlock {
			different++
		}
		maps.DeleteFunc(known.ObjectTags, func(path string, _ map[string]string) bool { return !slices.Contains(before.WantsTags(), path) })
		if again := s.Decide(&a.who, &known, a.qs...); again.Allowed != after.Allowed || again.WouldBlock != after.WouldBlock {
			t.Errorf("with all tags it is %+v, and with those of %q, which are wanted, %+v", after, before.WantsTags(), again)
			a.describe(t, a.world)
		}
	})
	if different < 100/share {
		t.Errorf("tags made a difference in %d cases", different)
	}
}

// tagged puts conditions on tags on most of what w grants.
func tagged(r *rand.Rand, w policytest.World) policytest.World {
	w = w.Clone()
	for _, p := range w.Policies {
		for i := range p.Rules {
			grants := slices.Clone(p.Rules[i].Grants)
			for g := range grants {
				if r.IntN(4) > 0 {
					grants[g].When.ObjectTags = []policytest.Tag{{Key: "class", Values: []string{"internal"}}}
				}
			}
			p.Rules[i].Grants = grants
		}
	}
	return w
}

func enough(t *testing.T, tried int) {
	t.Helper()
	if tried < 300/share {
		t.Errorf("only %d cases meant anything", tried)
	}
}
