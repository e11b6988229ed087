package engines

import (
	"fmt"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// cedarEngine asks Cedar once a label: a permit for one label cannot be told
// that another one has to be permitted, too.
type cedarEngine struct {
	policies *cedar.PolicySet
	groups   map[string]cedar.EntityUID
}

func newCedar(p problem) (engine, error) {
	var text strings.Builder
	for _, r := range p.rules {
		fmt.Fprintf(&text, "permit (principal, action in [%s], resource)\nwhen { principal in [%s] && [%s].contains(resource)",
			quoted("Action::", r.access), quoted("Group::", r.groups), quoted("Label::", r.labels))
		if r.internal {
			fmt.Fprintf(&text, " && context.from.isInRange(ip(%q))", network)
		}
		if r.fresh {
			fmt.Fprintf(&text, " && context.age <= %d", maxAge/time.Second)
		}
		text.WriteString(" };\n")
	}
	policies, err := cedar.NewPolicySetFromBytes("rules.cedar", []byte(text.String()))
	if err != nil {
		return nil, err
	}
	e := cedarEngine{policies, map[string]cedar.EntityUID{}}
	for _, g := range groupNames() {
		e.groups[g] = cedar.NewEntityUID("Group", cedar.String(g))
	}
	return e, nil
}

func (e cedarEngine) decide(q request) (bool, error) {
	parents := make([]cedar.EntityUID, len(q.groups))
	for i, g := range q.groups {
		parents[i] = e.groups[g]
	}
	who := cedar.NewEntityUID("User", "alice")
	entities := cedar.EntityMap{who: {UID: who, Parents: cedar.NewEntityUIDSet(parents...)}}
	from, err := types.ParseIPAddr(q.from.String())
	if err != nil {
		return false, err
	}
	context := cedar.NewRecord(cedar.RecordMap{"from": from, "age": cedar.Long(q.age / time.Second)})
	for _, label := range q.labels {
		decision, diagnostic := cedar.Authorize(e.policies, entities, cedar.Request{
			Principal: who,
			Action:    cedar.NewEntityUID("Action", cedar.String(q.access)),
			Resource:  cedar.NewEntityUID("Label", cedar.String(label)),
			Context:   context,
		})
		if len(diagnostic.Errors) > 0 {
			return false, fmt.Errorf("cedar: %v", diagnostic.Errors)
		}
		if !decision {
			return false, nil
		}
	}
	return len(q.labels) > 0, nil
}
