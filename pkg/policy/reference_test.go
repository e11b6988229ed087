package policy_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// The reference decides straight from docs/policy.md: by looking at every
// entry, every policy and every rule, and for the scopes under and some at
// every object that could tell the difference. It is slow and shares nothing
// with the package but the exported types.

type world struct {
	unlabelled policy.Effect
	entries    []attribute // in the order of the data map, grouped by label
	policies   []doc       // by name
}

type attribute struct{ label, text string }

type doc struct {
	name  string
	data  []string
	rules []docRule
}

type docRule struct {
	users, groups, services []string
	grants                  []docGrant
}

type docGrant struct {
	access   policy.Access
	any      bool
	data     []string
	severity policy.Severity
}

// dataMap and sources write the world as a person would.
func (w world) dataMap() policy.Source {
	var b strings.Builder
	label := ""
	for _, e := range w.entries {
		if e.label != label {
			label = e.label
			fmt.Fprintf(&b, "%s:\n  - repo: other\n    attributes: [x]\n  - repo: S3\n    attributes:\n", label)
		}
		fmt.Fprintf(&b, "      - %q\n", e.text)
	}
	return policy.Source{Name: "datamap.yaml", Data: []byte(b.String())}
}

func (w world) sources() []policy.Source {
	var all []policy.Source
	for _, d := range w.policies {
		var b strings.Builder
		fmt.Fprintf(&b, "name: %s\ndata: [%s]\nrules:\n", d.name, strings.Join(d.data, ", "))
		for _, r := range d.rules {
			b.WriteString("  - ")
			if len(r.users)+len(r.groups)+len(r.services) > 0 {
				b.WriteString("identities:\n")
				for _, l := range []struct {
					key  string
					list []string
				}{{"users", r.users}, {"groups", r.groups}, {"services", r.services}} {
					if len(l.list) > 0 {
						fmt.Fprintf(&b, "      %s: [%s]\n", l.key, strings.Join(l.list, ", "))
					}
				}
				b.WriteString("    ")
			}
			for i, access := range accesses(r) {
				if i > 0 {
					b.WriteString("    ")
				}
				fmt.Fprintf(&b, "%s:\n", access)
				for _, g := range r.grants {
					switch {
					case g.access != access:
					case g.any:
						fmt.Fprintf(&b, "      - {data: any, severity: %s}\n", g.severity)
					default:
						fmt.Fprintf(&b, "      - {data: [%s], severity: %s}\n", strings.Join(g.data, ", "), g.severity)
					}
				}
			}
		}
		all = append(all, policy.Source{Name: d.name + ".yaml", Data: []byte(b.String())})
	}
	return all
}

func accesses(r docRule) []policy.Access {
	var all []policy.Access
	for _, g := range r.grants {
		if !slices.Contains(all, g.access) {
			all = append(all, g.access)
		}
	}
	return all
}

// matches is the meaning of '*'.
func matches(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] == '*' {
		return matches(pattern[1:], s) || s != "" && matches(pattern, s[1:])
	}
	return s != "" && s[0] == pattern[0] && matches(pattern[1:], s[1:])
}

// covers says whether the attribute covers the object, or the container itself
// when name is empty.
func covers(text, container, name string) bool {
	c, n, _ := strings.Cut(text, "/")
	switch {
	case !matches(c, container):
		return false
	case n == "":
		return true
	case name == "":
		return false
	case strings.HasSuffix(n, "/"):
		return matches(n+"*", name)
	}
	return matches(n, name)
}

func (w world) labels(container, name string) []string {
	var all []string
	for _, e := range w.entries {
		if covers(e.text, container, name) && !slices.Contains(all, e.label) {
			all = append(all, e.label)
		}
	}
	slices.Sort(all)
	return all
}

func same(a, b string) bool {
	if strings.Contains(a, "@") && strings.Contains(b, "@") {
		return strings.EqualFold(a, b) // the generators are ASCII
	}
	return a == b
}

func (r docRule) speaksFor(p policy.Principal) bool {
	if len(r.users)+len(r.groups)+len(r.services) == 0 {
		return true
	}
	for _, u := range r.users {
		if slices.ContainsFunc(p.Users, func(have string) bool { return same(u, have) }) {
			return true
		}
	}
	for _, g := range r.groups {
		if slices.Contains(p.Groups, g) {
			return true
		}
	}
	return slices.Contains(r.services, p.Service)
}

// judge gives a reason for each label and each policy over it.
func (w world) judge(p policy.Principal, q policy.Question, labels []string) []policy.Reason {
	var reasons []policy.Reason
	for _, l := range labels {
		governed := false
		for _, d := range w.policies {
			if !slices.Contains(d.data, l) {
				continue
			}
			governed = true
			r := policy.Reason{Policy: d.name, Label: l, Access: q.Access, Path: q.Path, Severity: policy.Low}
			for i, rule := range d.rules {
				for _, g := range rule.grants {
					if g.access != q.Access || !g.any && !slices.Contains(g.data, l) {
						continue
					}
					order := []policy.Severity{policy.Low, policy.Medium, policy.High}
					if slices.Index(order, g.severity) > slices.Index(order, r.Severity) {
						r.Severity = g.severity
					}
					if rule.speaksFor(p) && !r.Allowed {
						r.Allowed, r.Rule = true, fmt.Sprintf("rule %d", i+1)
					}
				}
			}
			if r.Allowed {
				r.Severity = ""
			}
			reasons = append(reasons, r)
		}
		if !governed {
			reasons = append(reasons, policy.Reason{Label: l, Access: q.Access, Path: q.Path, Severity: policy.Low})
		}
	}
	return reasons
}

func (w world) bare(q policy.Question) policy.Reason {
	if w.unlabelled == policy.Allow {
		return policy.Reason{Allowed: true, Access: q.Access, Path: q.Path}
	}
	return policy.Reason{Access: q.Access, Path: q.Path, Severity: policy.Low}
}

// on answers for one object, or the container itself when name is empty.
func (w world) on(p policy.Principal, q policy.Question, container, name string) (labels []string, reasons []policy.Reason) {
	if labels = w.labels(container, name); len(labels) == 0 {
		return nil, []policy.Reason{w.bare(q)}
	}
	return labels, w.judge(p, q, labels)
}

func allAllowed(reasons []policy.Reason) bool {
	return !slices.ContainsFunc(reasons, func(r policy.Reason) bool { return !r.Allowed })
}

// stranger is a byte that stands in no pattern.
const stranger = "\xff"

// objects are the names that can tell worlds of short patterns apart: all of up
// to four letters of the patterns' alphabet and one that is in none.
var objects = func() []string {
	all := []string{""}
	for i := 0; len(all[i]) < 4; i++ {
		for _, c := range []string{"a", "b", "/", stranger} {
			all = append(all, all[i]+c)
		}
	}
	return all
}()

func (w world) answer(p policy.Principal, q policy.Question) (labels []string, reasons []policy.Reason) {
	container, name, _ := strings.Cut(q.Path, "/")
	switch q.Scope {
	case policy.Exact:
		return w.on(p, q, container, name)
	case policy.Under:
		return w.under(p, q, container, name)
	}
	return w.some(p, q, container)
}

// under: for every object whose name begins with prefix.
func (w world) under(p policy.Principal, q policy.Question, container, prefix string) (labels []string, reasons []policy.Reason) {
	bare := false
	for _, o := range objects {
		if prefix+o == "" {
			continue // the container itself is no object in it
		}
		found := w.labels(container, prefix+o)
		bare = bare || len(found) == 0
		for _, l := range found {
			if !slices.Contains(labels, l) {
				labels = append(labels, l)
			}
		}
	}
	slices.Sort(labels)
	reasons = w.judge(p, q, labels)
	if bare {
		reasons = append(reasons, w.bare(q))
	}
	return labels, reasons
}

// some: for the container itself or any object in it.
func (w world) some(p policy.Principal, q policy.Question, container string) (labels []string, reasons []policy.Reason) {
	allowed := false
	for _, o := range objects {
		if _, reasons := w.on(p, q, container, o); allAllowed(reasons) {
			allowed = true
			break
		}
	}
	if !allowed {
		for _, e := range w.entries {
			if c, _, _ := strings.Cut(e.text, "/"); matches(c, container) && !slices.Contains(labels, e.label) {
				labels = append(labels, e.label)
			}
		}
		slices.Sort(labels)
		if len(labels) == 0 {
			return nil, []policy.Reason{w.bare(q)}
		}
		for _, r := range w.judge(p, q, labels) {
			if !r.Allowed {
				reasons = append(reasons, r)
			}
		}
		return labels, reasons
	}
	places := []string{"", stranger}
	for _, e := range w.entries {
		c, n, _ := strings.Cut(e.text, "/")
		if strings.HasSuffix(n, "/") {
			n += "*"
		}
		if matches(c, container) {
			places = append(places, strings.ReplaceAll(n, "*", stranger))
		}
	}
	for _, name := range places {
		if labels, reasons = w.on(p, q, container, name); allAllowed(reasons) {
			return labels, reasons
		}
	}
	panic("something is allowed, but not where it must be")
}

func (w world) decide(p policy.Principal, qs []policy.Question) policy.Decision {
	var d policy.Decision
	var all []policy.Reason
	for i, q := range qs {
		if slices.Contains(qs[:i], q) {
			continue
		}
		labels, reasons := w.answer(p, q)
		for _, l := range labels {
			if !slices.Contains(d.Labels, l) {
				d.Labels = append(d.Labels, l)
			}
		}
		all = append(all, reasons...)
	}
	slices.Sort(d.Labels)
	d.Allowed = allAllowed(all)
	for _, r := range all {
		if r.Allowed == d.Allowed {
			d.Reasons = append(d.Reasons, r)
		}
	}
	return d
}
