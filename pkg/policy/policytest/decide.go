package policytest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// Decide answers all of qs together. A nil p is the zero Principal, and a nil f
// the zero Facts.
func (w World) Decide(p *policy.Principal, f *policy.Facts, qs ...policy.Question) Decision {
	if p == nil {
		p = &policy.Principal{}
	}
	if f == nil {
		f = &policy.Facts{}
	}
	var d Decision
	var verdicts []verdict
	if len(qs) == 0 {
		verdicts = []verdict{{Reason: policy.Reason{Severity: policy.Low}, outcome: blocked}}
	}
	for i, q := range qs {
		if slices.Contains(qs[:i], q) {
			continue
		}
		labels, more := w.answer(asking{who: *p, facts: *f}, q)
		d.Labels = append(d.Labels, labels...)
		verdicts = append(verdicts, more...)
	}
	slices.Sort(d.Labels)
	d.Labels = slices.Compact(d.Labels)
	outcome := outcomeOf(verdicts)
	d.Allowed, d.WouldBlock = outcome != blocked, outcome == wouldBlock
	for _, v := range verdicts {
		if v.outcome == outcome {
			d.Reasons = append(d.Reasons, v.Reason)
		}
		if d.Allowed && v.limit != nil && !slices.ContainsFunc(d.Limits, func(l policy.Limit) bool { return sameLimit(l, *v.limit) }) {
			d.Limits = append(d.Limits, *v.limit)
		}
	}
	return d
}

func sameLimit(a, b policy.Limit) bool {
	budgets := slices.Equal(a.Budgets, b.Budgets)
	a.Budgets, b.Budgets = nil, nil
	return budgets && fmt.Sprint(a) == fmt.Sprint(b)
}

// An outcome is what becomes of a question, or one policy's part in it.
type outcome int

const (
	allowed outcome = iota
	wouldBlock
	blocked
)

// A verdict is what one policy says of one label, or what is said of data
// without label.
type verdict struct {
	policy.Reason
	outcome outcome
	limit   *policy.Limit // of what is allowed
}

// outcomeOf is the worst.
func outcomeOf(verdicts []verdict) outcome {
	worst := allowed
	for _, v := range verdicts {
		worst = max(worst, v.outcome)
	}
	return worst
}

var kinds = []policy.Access{policy.Reads, policy.Updates, policy.Deletes, policy.Manages}

// answer gives the labels that q touches, and every verdict that counts for its
// answer.
func (w World) answer(a asking, q policy.Question) (labels []string, verdicts []verdict) {
	container, name, _ := strings.Cut(q.Path, "/")
	if slices.Contains(kinds, q.Access) && container != "" {
		switch q.Scope {
		case policy.Exact:
			if name != "" {
				a.path = q.Path
			}
			return w.on(a, q, container, name)
		case policy.Under:
			return w.under(a, q, container, name)
		case policy.Some:
			return w.some(a, q, container, name, w.places(container, name))
		case policy.Mapped:
			return w.some(a, q, container, name, w.mapped(container, name))
		}
	}
	return nil, []verdict{no(q)}
}

// no blocks q for what it is, whatever the policies say.
func no(q policy.Question) verdict {
	return verdict{policy.Reason{Access: q.Access, Path: q.Path, Severity: policy.Low}, blocked, nil}
}

// on answers for one object, or for the container itself when name is empty.
func (w World) on(a asking, q policy.Question, container, name string) ([]string, []verdict) {
	labels := w.labels(container, name)
	if len(labels) == 0 {
		return nil, []verdict{w.unlabelled(q)}
	}
	return labels, w.judge(a, q, labels)
}

// under answers for every object whose name begins with prefix.
func (w World) under(a asking, q policy.Question, container, prefix string) ([]string, []verdict) {
	labels, bare := w.behind(container, prefix)
	verdicts := w.judge(a, q, labels)
	if bare {
		verdicts = append(verdicts, w.unlabelled(q))
	}
	return labels, verdicts
}

// behind gives every label that an object behind the prefix can carry, and says
// whether there can be one without.
func (w World) behind(container, prefix string) (labels []string, bare bool) {
	for _, name := range w.objects(container, prefix) {
		found := w.labels(container, name)
		bare = bare || len(found) == 0
		labels = append(labels, found...)
	}
	slices.Sort(labels)
	return slices.Compact(labels), bare
}

// some answers for whether one object behind the prefix, or without prefix the
// container itself, is allowed. Places are where it is looked for.
func (w World) some(a asking, q policy.Question, container, prefix string, places []string) ([]string, []verdict) {
	best, let := blocked, []verdict(nil)
	for _, name := range places {
		labels, verdicts := w.on(a, q, container, name)
		o := outcomeOf(verdicts)
		if o == allowed {
			return labels, verdicts
		}
		if o < best {
			best, let = o, verdicts
		}
	}
	if q.Scope == policy.Some {
		w.mustAgree(a, q, container, prefix, best)
	}
	return w.nothing(a, q, container, prefix, best, let)
}

// mustAgree panics if an object anywhere is allowed although none of the places
// is: the page says that the places are enough, and this holds it to that.
func (w World) mustAgree(a asking, q policy.Question, container, prefix string, best outcome) {
	for _, name := range w.objects(container, prefix) {
		if _, verdicts := w.on(a, q, container, name); outcomeOf(verdicts) < best {
			panic(fmt.Sprintf("%q is allowed, but nothing where it is looked for\n%s", name, w))
		}
	}
}

// nothing names what blocks where nothing is allowed: every label that does. If
// something is let through all the same, that is what the verdicts come to, and
// the limits are those of what is let through.
func (w World) nothing(a asking, q policy.Question, container, prefix string, best outcome, let []verdict) ([]string, []verdict) {
	labels, _ := w.behind(container, prefix)
	verdicts := w.judge(a, q, labels)
	if len(labels) == 0 {
		verdicts = []verdict{w.unlabelled(q)}
	}
	var all []verdict
	for _, v := range verdicts {
		if v.outcome != allowed {
			v.outcome = min(v.outcome, best)
			all = append(all, v)
		}
	}
	if best == blocked && outcomeOf(all) != blocked {
		return labels, append(all, no(q)) // no location is spelled as asked
	}
	for _, v := range let {
		if v.limit != nil {
			v.outcome = allowed // and so no reason beside those that block
			all = append(all, v)
		}
	}
	return labels, all
}

func (w World) unlabelled(q policy.Question) verdict {
	if w.Unlabelled == policy.Allow {
		return verdict{policy.Reason{Allowed: true, Access: q.Access, Path: q.Path}, allowed, nil}
	}
	v := no(q)
	v.outcome = w.softened(false)
	return v
}

// softened is what becomes of what is not allowed.
func (w World) softened(monitor bool) outcome {
	if monitor || w.Monitor {
		return wouldBlock
	}
	return blocked
}

// judge gives a verdict for each label and each policy over it.
func (w World) judge(a asking, q policy.Question, labels []string) []verdict {
	policies := slices.SortedFunc(slices.Values(w.Policies), func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	var all []verdict
	for _, l := range labels {
		governed := false
		for _, p := range policies {
			if p.Validity.inForce(a.facts.Now) && w.named(l, p.Data, p.Tags) {
				governed = true
				all = append(all, w.ask(a, q, p, l))
			}
		}
		if !governed {
			v := no(q)
			v.Label, v.outcome = l, w.softened(false)
			all = append(all, v)
		}
	}
	return all
}

// named says whether the label is among names, or has one of the tags.
func (w World) named(label string, names, tags []string) bool {
	if slices.Contains(names, label) {
		return true
	}
	for _, l := range w.Labels {
		if l.Name == label && slices.ContainsFunc(l.Tags, func(t string) bool { return slices.Contains(tags, t) }) {
			return true
		}
	}
	return false
}

// ask gives one policy's verdict on one label that it governs.
func (w World) ask(a asking, q policy.Question, p Policy, label string) verdict {
	v := verdict{Reason: policy.Reason{Policy: p.Name, Label: label, Access: q.Access, Path: q.Path}, outcome: w.softened(p.Monitor)}
	severity := policy.Low
	var matching []matched
	for i, r := range p.Rules {
		for _, g := range r.Grants {
			if g.Access != q.Access || !g.Any && !w.named(label, g.Data, g.Data) {
				continue
			}
			severity = graver(severity, g.Severity)
			if !r.speaksFor(a.who) {
				continue
			}
			rule := fmt.Sprintf("rule %d", i+1)
			if len(matching) == 0 && v.Rule == "" {
				v.Rule = rule // the first that could have
			}
			if r.Validity.inForce(a.facts.Now) && (len(r.Hosts) == 0 || a.from(r.Hosts)) && a.holds(r.When) && a.holds(g.When) {
				matching = append(matching, matched{rule, g})
			}
		}
	}
	if len(matching) == 0 {
		v.Severity = severity
		return v
	}
	v.Allowed, v.outcome, v.Rule = true, allowed, matching[0].rule
	v.limit = limit(policy.Limit{Policy: p.Name, Label: label, Access: q.Access, Monitored: p.Monitor || w.Monitor}, matching)
	return v
}

func graver(a, b policy.Severity) policy.Severity {
	order := []policy.Severity{policy.Low, policy.Medium, policy.High}
	return order[max(0, slices.Index(order, a), slices.Index(order, b))]
}

// speaksFor says whether p is in the rule's identities.
func (r Rule) speaksFor(p policy.Principal) bool {
	if len(r.Users)+len(r.Groups)+len(r.Services) == 0 {
		return true
	}
	return slices.ContainsFunc(r.Users, func(u string) bool {
		return slices.ContainsFunc(p.Users, func(have string) bool { return folded(u) == folded(have) })
	}) || slices.ContainsFunc(r.Groups, func(g string) bool {
		return slices.Contains(p.Groups, g)
	}) || slices.Contains(r.Services, p.Service)
}

// folded is an address with the letters A to Z made small, and any other text
// as it is.
func folded(user string) string {
	if !strings.Contains(user, "@") {
		return user
	}
	b := []byte(user)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}

// A matched is a grant that lets the principal, with the name of its rule.
type matched struct {
	rule string
	Grant
}

// limit fills l with what the grants together leave: the largest rows, and the
// budgets, one of which is enough. A grant without gives none. It is nil if
// nothing is left to bound.
func limit(l policy.Limit, grants []matched) *policy.Limit {
	rows, budgets := false, false // whether a grant has none
	for _, g := range grants {
		if g.Rows == "" || g.Rows == "any" {
			rows = true
		} else {
			l.Rows = max(l.Rows, number(g.Rows))
		}
		b := policy.Budget{Rule: g.rule, Objects: rate(g.RateLimit), Bytes: rate(g.Grant.Bytes)}
		if b.Objects == (policy.Rate{}) && b.Bytes == (policy.Rate{}) {
			budgets = true
		} else {
			l.Budgets = append(l.Budgets, b)
		}
	}
	if rows {
		l.Rows = 0
	}
	if budgets {
		l.Budgets = nil
	}
	if l.Rows == 0 && l.Budgets == nil {
		return nil
	}
	return &l
}
