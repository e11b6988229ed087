package policy_test

import (
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
		for _, access := range allAccess {
			decide := func(scope policy.Scope, path string) policy.Decision {
				d := s.Decide(p, nil, policy.Question{Access: access, Path: path, Scope: scope})
				if len(d.Reasons()) == 0 {
					t.Errorf("%s %s %q is decided without reason", access, scope, path)
				}
				if !slices.IsSorted(d.Labels) {
					t.Errorf("labels %q", d.Labels)
				}
				return d
			}
			all := decide(policy.Under, path)
			decide(policy.Some, path)
			for _, tail := range []string{"x", "/x", stranger} {
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
