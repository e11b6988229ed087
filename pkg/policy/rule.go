package policy

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A rule without users, groups and services speaks for everyone.
type rule struct {
	line, column            int
	users, groups, services []strictyaml.Value[string]
	conditions              []condition // of time, hosts and when
	time                    validity    // the first of them, if any
	access                  [len(kinds)][]grant
}

// A grant gives one kind of access to labels of the policy.
type grant struct {
	any        bool
	labels     []strictyaml.Value[string] // those of tags included
	conditions []condition                // its own
	rows       int                        // 0: any
	objects    Rate
	bytes      Rate
	severity   Severity
}

func (r *rule) everyone() bool { return len(r.users)+len(r.groups)+len(r.services) == 0 }

// covers returns the labels that are granted, of those in the policy's data.
func (g *grant) covers(data []strictyaml.Value[string]) []strictyaml.Value[string] {
	if g.any {
		return data
	}
	return g.labels
}

func (r *reader) rule(n *yaml.Node, d *document) rule {
	found := rule{line: n.Line, column: n.Column}
	values := r.fields(n, ruleKeys)
	if values == nil {
		return found
	}
	if at := values["identities"]; at != nil {
		r.identities(at, &found)
	}
	if found.time, _ = r.validity(values); found.time.bounded() {
		found.conditions = append(found.conditions, found.time)
	}
	if at := values["hosts"]; at != nil {
		found.conditions = append(found.conditions, r.network(at, "host", "hosts"))
	}
	if at := values["when"]; at != nil {
		found.conditions = append(found.conditions, r.when(at, false)...)
	}
	grants := 0
	for k, kind := range kinds {
		at := values[string(kind.access)]
		if at == nil {
			continue
		}
		grants++
		for _, g := range r.list(at, "grants") {
			found.access[k] = append(found.access[k], r.grant(g, d, kind.access))
		}
	}
	if grants == 0 {
		r.fault(n, "the rule grants nothing: it has none of reads, updates, deletes and manages")
	}
	return found
}

func (r *reader) identities(n *yaml.Node, into *rule) {
	values := r.fields(n, identityKeys)
	if values == nil {
		return
	}
	if len(values) == 0 {
		r.fault(n, "identities names nobody; leave it out if the rule is for everyone")
	}
	if at := values["users"]; at != nil {
		into.users = r.texts(at, "user", "users", foldUser)
	}
	if at := values["groups"]; at != nil {
		into.groups = r.texts(at, "group", "groups", nil)
	}
	if at := values["services"]; at != nil {
		into.services = r.texts(at, "service", "services", nil)
	}
}

func (r *reader) grant(n *yaml.Node, d *document, access Access) grant {
	g := grant{severity: Low}
	values := r.fields(n, grantKeys)
	if values == nil {
		return g
	}
	if at := values["severity"]; at != nil {
		if v := r.choice(at, "severity", string(Low), string(Medium), string(High)); v != "" {
			g.severity = Severity(v)
		}
	}
	if at := values["when"]; at != nil {
		g.conditions = r.when(at, access == Updates)
	}
	r.limits(values, &g)
	if at := r.field(n, values, "data", "this grant"); at != nil {
		r.granted(at, d, &g)
	}
	return g
}

// limits reads rows, rateLimit and bytes.
func (r *reader) limits(values map[string]*yaml.Node, g *grant) {
	if at := values["rows"]; at != nil && at.Value != "any" {
		n, ok := parseCount(at.Value)
		if ok = ok && at.Kind == yaml.ScalarNode && n <= maxRows; !ok {
			r.fault(at, "rows is %s; a whole number from 1 to %d is wanted, or any", r.shown(at), maxRows)
		}
		g.rows = int(n)
	}
	if at := values["rateLimit"]; at != nil && at.Value != "any" {
		var ok bool
		if g.objects, ok = parseRate(at.Value, parseCount); !ok || at.Kind != yaml.ScalarNode {
			r.fault(at, "rateLimit is %s; objects in a window are wanted, such as 1000/1h, or any", r.shown(at))
		}
	}
	if at := values["bytes"]; at != nil && at.Value != "any" {
		var ok bool
		if g.bytes, ok = parseRate(at.Value, parseSize); !ok || at.Kind != yaml.ScalarNode {
			r.fault(at, "bytes is %s; bytes in a window are wanted, such as 10GiB/24h, or any", r.shown(at))
		}
	}
}

// maxRows bounds rows; no request is about more objects.
const maxRows = 1_000_000

// granted reads the data of a grant: labels and tags of the policy, or all of
// it.
func (r *reader) granted(at *yaml.Node, d *document, g *grant) {
	if at.Kind == yaml.ScalarNode && at.Value == anyLabel {
		g.any = true
		return
	}
	for _, l := range r.texts(at, "label", "labels, or the word any,", nil) {
		switch labels, isTag := d.tags[l.V]; {
		case isTag:
			for _, name := range labels {
				g.add(strictyaml.Value[string]{V: name, Line: l.Line, Column: l.Column})
			}
		case l.V == anyLabel:
			r.faultAt(l, "%q in a list would be a label; write data: %s", anyLabel, anyLabel)
		case r.words.tags[l.V] != nil:
			r.faultAt(l, "tag %q is not in the policy's tags, so it cannot be granted here", l.V)
		case r.known(l) && len(d.data) > 0 && !d.governs[l.V]:
			r.faultAt(l, "label %q is not in the policy's data, so it cannot be granted here", l.V)
		default:
			g.add(l)
		}
	}
}

func (g *grant) add(l strictyaml.Value[string]) {
	if !slices.ContainsFunc(g.labels, func(have strictyaml.Value[string]) bool { return have.V == l.V }) {
		g.labels = append(g.labels, l)
	}
}
