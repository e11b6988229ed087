package engines

import (
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/policy/policytest"
)

// now is the moment of every request.
var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// world is the case as gimme's data map and policy.
func (p problem) world() policytest.World {
	w := policytest.World{Policies: []policytest.Policy{{Name: "all", Data: labels}}}
	for _, l := range labels {
		label := policytest.Label{Name: l}
		for _, text := range p.order {
			if p.locations[text] == l {
				label.Locations = append(label.Locations, text)
			}
		}
		w.Labels = append(w.Labels, label)
	}
	for _, r := range p.rules {
		written := policytest.Rule{Groups: r.groups}
		if r.internal {
			written.Hosts = []string{network.String()}
		}
		if r.fresh {
			written.When.MFA = &policytest.MFA{MaxAge: "1h"}
		}
		for _, access := range r.access {
			written.Grants = append(written.Grants, policytest.Grant{Access: access, Data: r.labels})
		}
		w.Policies[0].Rules = append(w.Policies[0].Rules, written)
	}
	return w
}

// ask is the request as gimme is asked.
func (q request) ask() (*policy.Principal, *policy.Facts, policy.Question) {
	return &policy.Principal{Groups: q.groups},
		&policy.Facts{Now: now, SourceIP: q.from, AuthTime: now.Add(-q.age), AMR: []string{"mfa"}},
		policy.Question{Access: q.access, Path: q.path, Scope: policy.Exact}
}

// gimme decides with pkg/policy. What it allocates for a request that is allowed
// is what ask makes.
type gimme struct{ set *policy.Set }

func newGimme(p problem) (engine, error) {
	set, err := p.world().Parse()
	return gimme{set}, err
}

func (g gimme) decide(q request) (bool, error) {
	p, f, question := q.ask()
	return g.set.Decide(p, f, question).Allowed, nil
}

// reference decides with the page's second reading.
type reference struct{ world policytest.World }

func newReference(p problem) (engine, error) { return reference{p.world()}, nil }

func (r reference) decide(q request) (bool, error) {
	p, f, question := q.ask()
	return r.world.Decide(p, f, question).Allowed, nil
}
