package idtoken_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

// The issuers of CI systems speak for everybody: what a token says of its job
// decides.
func TestRequire(t *testing.T) {
	e := expect()
	e.Require = map[string][]string{"repository_owner_id": {"7", "8"}, "ref_protected": {"true"}}
	job := func(changes ...any) object {
		c := both(change("repository_owner_id", "8"), "ref_protected", "true")
		for i := 0; i < len(changes); i += 2 {
			c[changes[i].(string)] = changes[i+1]
		}
		return c
	}
	without := job()
	delete(without, "ref_protected")
	for name, row := range map[string]struct {
		claims object
		good   bool
	}{
		"all met":             {job(), true},
		"a number":            {job("repository_owner_id", 8), true},
		"a truth value":       {job("ref_protected", true), true},
		"another owner":       {job("repository_owner_id", "9"), false},
		"begins like it":      {job("repository_owner_id", "88"), false},
		"not a whole number":  {job("repository_owner_id", 8.5), false},
		"a list that has it":  {job("repository_owner_id", []string{"8"}), false},
		"empty":               {job("repository_owner_id", ""), false},
		"not there":           {without, false},
		"nothing of it there": {claims(), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, raw, err := verify(t, row.claims, e)
			if !row.good {
				refused(t, got, err, idtoken.Requirement, raw)
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestClaimGroups(t *testing.T) {
	e := expect()
	e.ClaimGroups = []string{"repository", "environment", "run"}
	c := both(change("repository", "acme/lake"), "run", 17)
	c["groups"] = []string{"repository=acme/other"} // must not count
	got, _, err := verify(t, c, e)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"repository=acme/lake", "run=17"}, got.Groups); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, v := range map[string]any{"a list": []string{"acme/lake"}, "empty": "", "control characters": "a\nb"} {
		t.Run(name, func(t *testing.T) {
			got, raw, err := verify(t, both(change("repository", v), "x", "y"), e)
			refused(t, got, err, idtoken.Claims, raw)
		})
	}
}
