package engines

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// The rules are data to OPA, found by label and access; of all engines here it
// alone can say that every label must be granted.
const module = `
package gimme

default allow := false

allow if {
	count(input.labels) > 0
	every label in input.labels { granted(label) }
}

granted(label) if {
	some number in data.index[label][input.access]
	rule := data.rules[number]
	some group in input.groups
	rule.groups[group]
	near(rule)
	fresh(rule)
}

near(rule) if not rule.network
near(rule) if net.cidr_contains(rule.network, input.from)

fresh(rule) if not rule.age
fresh(rule) if input.age <= rule.age
`

type opaEngine struct{ query rego.PreparedEvalQuery }

func newOPA(p problem) (engine, error) {
	index := map[string]any{}
	var all []any
	for number, r := range p.rules {
		written := map[string]any{}
		groups := map[string]any{}
		for _, g := range r.groups {
			groups[g] = true
		}
		written["groups"] = groups
		if r.internal {
			written["network"] = network.String()
		}
		if r.fresh {
			written["age"] = int(maxAge / time.Second)
		}
		all = append(all, written)
		for _, l := range r.labels {
			if index[l] == nil {
				index[l] = map[string]any{}
			}
			for _, a := range r.access {
				of := index[l].(map[string]any)
				list, _ := of[string(a)].([]any)
				of[string(a)] = append(list, number)
			}
		}
	}
	query, err := rego.New(
		rego.Query("data.gimme.allow"),
		rego.Module("gimme.rego", module),
		rego.Store(inmem.NewFromObject(map[string]any{"index": index, "rules": all})),
	).PrepareForEval(context.Background())
	return opaEngine{query}, err
}

func (e opaEngine) decide(q request) (bool, error) {
	texts := func(list []string) *ast.Term {
		terms := make([]*ast.Term, len(list))
		for i, t := range list {
			terms[i] = ast.StringTerm(t)
		}
		return ast.ArrayTerm(terms...)
	}
	input := ast.NewObject(
		ast.Item(ast.StringTerm("groups"), texts(q.groups)),
		ast.Item(ast.StringTerm("labels"), texts(q.labels)),
		ast.Item(ast.StringTerm("access"), ast.StringTerm(string(q.access))),
		ast.Item(ast.StringTerm("from"), ast.StringTerm(q.from.String())),
		ast.Item(ast.StringTerm("age"), ast.IntNumberTerm(int(q.age/time.Second))),
	)
	results, err := e.query.Eval(context.Background(), rego.EvalParsedInput(input))
	if err != nil {
		return false, err
	}
	if len(results) != 1 {
		return false, fmt.Errorf("opa: %d results", len(results))
	}
	return results.Allowed(), nil
}
