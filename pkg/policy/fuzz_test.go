package policy_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// FuzzParse holds that no text makes Parse panic, that what it refuses has
// words, and that whatever it accepts decides without panic and by the same
// logic: an exact question over two others' scopes can never be blocked when
// those allow it.
func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		for _, p := range append(v.Policies, "") {
			f.Add(v.DataMap, p, "acme/x", "g")
		}
	}
	f.Fuzz(func(t *testing.T, dataMap, text, path, who string) {
		s, _, err := policy.Parse(policy.Source{Name: "datamap.yaml", Data: []byte(dataMap)},
			[]policy.Source{{Name: "a.yaml", Data: []byte(text)}}, policy.Options{Repo: "S3"})
		if err != nil {
			if err.Error() == "" || s != nil {
				t.Error("a fault without words, or a set in spite of it")
			}
			return
		}
		p := &policy.Principal{Users: []string{who}, Groups: append(s.Groups(), who), Service: who}
		for _, access := range everyAccess {
			decide := func(scope policy.Scope, path string) policy.Decision {
				d := s.Decide(p, nil, policy.Question{Access: access, Path: path, Scope: scope})
				if len(d.Reasons()) == 0 {
					t.Errorf("%s %s %q is decided without reason", access, scope, path)
				}
				if !slices.IsSorted(d.Labels()) {
					t.Errorf("labels %q", d.Labels())
				}
				return d
			}
			all := decide(policy.Under, path)
			decide(policy.Some, path)
			for _, tail := range []string{"x", "/x", "\xff"} {
				if all.Allowed && !decide(policy.Exact, slashed(path)+tail).Allowed {
					t.Errorf("%s under %q is allowed, and %q in it is not", access, path, tail)
				}
			}
		}
	})
}

// slashed is path with the slash that divides container and name.
func slashed(path string) string {
	if !slices.Contains([]byte(path), '/') {
		return path + "/"
	}
	return path
}

// FuzzDecideAgainstReference draws a world, and what is asked of it, as the
// bytes say, one byte a choice: whatever they are, the set decides as the
// reference does, as it stands and with everything enforced.
func FuzzDecideAgainstReference(f *testing.F) {
	for seed := range uint64(64) {
		r := rand.New(rand.NewPCG(seed, 11))
		data := make([]byte, 50+r.IntN(300))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := draw(rand.New(&choices{data, rand.NewPCG(uint64(len(data)), 11)}))
		checkAgainstReference(t, parsed(t, a.world), a)
		a.world = a.world.Enforced()
		checkAgainstReference(t, parsed(t, a.world), a)
	})
}

// choices are random numbers of which the bytes are the most significant ones.
type choices struct {
	data []byte
	rest *rand.PCG
}

func (c *choices) Uint64() uint64 {
	n := c.rest.Uint64()
	if len(c.data) > 0 {
		n = uint64(c.data[0])<<56 | n>>8
		c.data = c.data[1:]
	}
	return n
}
