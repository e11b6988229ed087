package policy_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/policy/policytest"
)

// fits reports whether one of the ways is open to p.
func fits(ways []policy.Way, p *policy.Principal, f *policy.Facts, path string) bool {
	return slices.ContainsFunc(ways, func(w policy.Way) bool { return policy.WayFits(w, p, f, policy.TagsOf(f, path)) })
}

func nowOf(f *policy.Facts) time.Time {
	if f == nil {
		return time.Time{}
	}
	return f.Now
}

// Whoever has a way is let in, and nobody else is.
func TestWhoCanIsWhatIsDecided(t *testing.T) {
	let := 0
	seeds(t, 5_000, func(t *testing.T, r *rand.Rand) {
		w := policytest.Generate(r)
		s := parsed(t, w)
		for range 3 {
			p, q := policytest.Principal(r), policytest.Question(r)
			q.Scope = policy.Exact
			f := policytest.Facts(r, q)
			d, a := s.Decide(&p, f, q), s.WhoCanAt(nowOf(f), q.Access, q.Path)
			if !a.Complete {
				continue
			}
			if d.Allowed {
				let++
			}
			if got := fits(a.Ways, &p, f, q.Path); got != d.Allowed {
				t.Errorf("%+v %+v %+v: decided %v, by the ways %v: %v\n%s", p, f, q, d.Allowed, got, a, w)
			}
		}
	})
	if let < 300/share {
		t.Errorf("only %d were let in", let)
	}
}

// Whoever is let in by one set alone has one of the ways that Diff tells of.
func TestDiffTellsOfEverybodyWhoGains(t *testing.T) {
	gained := 0
	seeds(t, 2_000, func(t *testing.T, r *rand.Rand) {
		w := policytest.Generate(r)
		v := w.Clone()
		if len(v.Policies) > 0 {
			i := r.IntN(len(v.Policies))
			v.Policies[i] = policytest.GeneratePolicy(r, v, v.Policies[i].Name)
		}
		old, fresh := parsed(t, w), parsed(t, v)
		p := policytest.Principal(r)
		f := policytest.Facts(r)
		differences := policy.Diff(old, fresh, nowOf(f))
		for _, l := range old.Locations() {
			for _, access := range []policy.Access{policy.Reads, policy.Updates} {
				path := sampleOf(l.Text)
				q := policy.Question{Access: access, Path: path, Scope: policy.Exact}
				was, is := old.Decide(&p, f, q).Allowed, fresh.Decide(&p, f, q).Allowed
				if was == is {
					continue
				}
				gained++
				if !toldOf(differences, access, is, &p, f) {
					t.Errorf("%+v %+v %+v: was %v, is %v, and the difference does not tell\n%s---\n%s", p, f, q, was, is, w, v)
				}
			}
		}
	})
	if gained < 100/share {
		t.Errorf("only %d differed", gained)
	}
}

func toldOf(all []policy.Difference, access policy.Access, gain bool, p *policy.Principal, f *policy.Facts) bool {
	return slices.ContainsFunc(all, func(d policy.Difference) bool {
		ways := d.Loses
		if gain {
			ways = d.Gains
		}
		return d.Access == access && fits(ways, p, f, "")
	})
}

// sampleOf is an object that the location covers, and as few others as can be.
func sampleOf(location string) string {
	sample := make([]byte, 0, len(location)+2)
	for _, c := range []byte(location) {
		if c == '*' {
			c = 0xff
		}
		sample = append(sample, c)
	}
	if !slices.Contains(sample, '/') {
		sample = append(sample, '/', 0xff)
	}
	return string(sample)
}
