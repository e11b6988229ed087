package engines

import (
	"slices"
	"strconv"
	"time"

	"github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"
)

// Casbin has one line a group, label and access, and is asked once a label.
const casbinModel = `
[request_definition]
r = groups, label, access, internal, age

[policy_definition]
p = group, label, access, network, age

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.label == p.label && r.access == p.access && member(r.groups, p.group) && (p.network == "any" || r.internal) && within(r.age, p.age)
`

type casbinEngine struct{ enforcer *casbin.Enforcer }

func newCasbin(p problem) (engine, error) {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		return nil, err
	}
	enforcer, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, err
	}
	enforcer.AddFunction("member", func(args ...any) (any, error) {
		return slices.Contains(args[0].([]string), args[1].(string)), nil
	})
	enforcer.AddFunction("within", func(args ...any) (any, error) {
		most, err := strconv.Atoi(args[1].(string))
		return most == 0 || args[0].(time.Duration) <= time.Duration(most)*time.Second, err
	})
	for _, r := range p.rules {
		from, age := "any", 0
		if r.internal {
			from = network.String()
		}
		if r.fresh {
			age = int(maxAge / time.Second)
		}
		for _, g := range r.groups {
			for _, l := range r.labels {
				for _, a := range r.access {
					if _, err := enforcer.AddPolicy(g, l, string(a), from, strconv.Itoa(age)); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return casbinEngine{enforcer}, nil
}

func (e casbinEngine) decide(q request) (bool, error) {
	for _, label := range q.labels {
		if ok, err := e.enforcer.Enforce(q.groups, label, string(q.access), network.Contains(q.from), q.age); !ok || err != nil {
			return false, err
		}
	}
	return len(q.labels) > 0, nil
}
