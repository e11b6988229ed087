package proxy

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// An object is a key with its version.
type object struct{ key, version string }

// A member is an object of a batch, all that the call does to it, and what was
// decided.
type member struct {
	object
	targets []s3api.Target
	decided
}

// members are the objects of a batch in their order, each once.
func members(call *s3api.Call) []*member {
	var list []*member
	places := map[object]int{}
	for _, t := range call.Targets {
		o := object{t.Key, t.VersionID}
		i, ok := places[o]
		if !ok {
			i = len(list)
			places[o] = i
			list = append(list, &member{object: o})
		}
		list[i].targets = append(list[i].targets, t)
	}
	return list
}

// judgeBatch decides key by key.
func (s *Server) judgeBatch(x *exchange, call *s3api.Call, p *policy.Principal, held *holder) (verdict, error) {
	all := members(call)
	s.decideAll(x, call, p, held, all)
	v := verdict{call: call, blocked: map[object]string{}}
	for _, m := range all {
		if !m.Allowed {
			v.left.keys = append(v.left.keys, m.key)
			v.left.grounds = v.left.join(m.grounds())
			v.blocked[m.object] = x.told(p, "DeleteObject", "s3://"+call.Bucket+"/"+m.key, m.told)
			continue
		}
		v.add(m.decided, m.key)
		v.bill.add(m.Decision, func(policy.Access) int64 { return 1 })
	}
	noted, err := x.limitRows(p, call, v.bill)
	if err != nil {
		return verdict{}, err
	}
	v.note(noted)
	if len(v.left.keys) == len(all) {
		v.answered = true
		if err := x.recordLeft(v); err != nil {
			return verdict{}, err
		}
		result := s3api.DeleteResult{}
		v.addErrors(&result, call, x.event.ID)
		x.sendXML(http.StatusOK, result.XML())
	}
	return v, nil
}

// recordLeft writes the event of what is left out of a batch, so that a search
// for blocked requests finds it.
func (x *exchange) recordLeft(v verdict) error {
	if len(v.left.keys) == 0 {
		return nil
	}
	x.event.Request.Keys = v.left.keys
	all := len(v.left.keys) + len(v.noted.keys) + len(v.allowed.keys)
	return x.decide(audit.Blocked, v.left.grounds, fmt.Sprintf("AccessDenied: %d of %d objects", len(v.left.keys), all))
}

// decideAll decides on each member, after a look at the tags of those of which
// that is wanted.
func (s *Server) decideAll(x *exchange, call *s3api.Call, p *policy.Principal, held *holder, all []*member) {
	var targets []s3api.Target
	var wanted []string
	for _, m := range all {
		m.decided = x.ask(p, nil, ruling.Questions(m.targets))
		if w := m.WantsTags(); len(w) > 0 {
			targets, wanted = append(targets, m.targets...), append(wanted, w...)
		}
	}
	if len(wanted) == 0 {
		return
	}
	found := s.lookUp(x, call, held, targets, wanted)
	for _, m := range all {
		if len(m.WantsTags()) > 0 {
			told := m.told
			m.decided = x.ask(p, tagsOf(m.targets, found), ruling.Questions(m.targets))
			m.told = told
		}
	}
}

// join gathers decisions on the objects of a batch: each ground is told once a
// label, not once a key.
func (g grounds) join(other grounds) grounds {
	for _, l := range other.labels {
		g.labels = appendNew(g.labels, l)
	}
	slices.Sort(g.labels)
	for _, r := range other.reasons {
		r.Path = ""
		if !contains(g.reasons, r) {
			g.reasons = append(g.reasons, r)
		}
	}
	return g
}

func contains(list []policy.Reason, r policy.Reason) bool {
	return slices.ContainsFunc(list, func(have policy.Reason) bool {
		return have.Label != "" && have.Policy == r.Policy && have.Rule == r.Rule && have.Label == r.Label && have.Access == r.Access
	})
}

// addErrors tells of each object that was blocked, in the order of the request.
func (v verdict) addErrors(result *s3api.DeleteResult, call *s3api.Call, id string) {
	told := map[object]bool{}
	for _, t := range call.Targets {
		o := object{t.Key, t.VersionID}
		why, no := v.blocked[o]
		if !no || told[o] {
			continue
		}
		told[o] = true
		result.Block(t, sentence(why, id))
	}
}

// keeps says whether an object of a batch goes upstream.
func (v verdict) keeps(t s3api.Target) bool {
	_, blocked := v.blocked[object{t.Key, t.VersionID}]
	return !blocked
}
