package policy

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// The keys of a policy, and those that a later version will know: they would
// narrow what a rule grants, so they are not passed over.
var (
	documentKeys = []string{"name", "data", "rules"}
	ruleKeys     = []string{"identities", string(Reads), string(Updates), string(Deletes), string(Manages)}
	identityKeys = []string{"users", "groups", "services"}
	grantKeys    = []string{"data", "severity"}
	later        = []string{
		"rows", "rateLimit", "rate_limit", "bytes", "hosts", "when", "mode", "tags", "meta",
		"valid_from", "valid_until", "validFrom", "validUntil", "enabled", "enforced",
		"additionalChecks", "additional_checks", "datasetRewrites", "dataset_rewrites", "dbRoles", "db_roles",
	}
)

// A document is a policy as far as it could be read.
type document struct {
	file    string
	name    strictyaml.Value[string]
	data    []strictyaml.Value[string] // the labels it governs
	governs map[string]bool            // the same
	rules   []rule
}

// A rule without users, groups and services speaks for everyone.
type rule struct {
	line, column            int
	users, groups, services []strictyaml.Value[string]
	access                  [len(kinds)][]grant
}

// A grant gives one kind of access to labels of the policy.
type grant struct {
	any      bool
	labels   []strictyaml.Value[string]
	severity Severity
}

func (r *rule) everyone() bool { return len(r.users)+len(r.groups)+len(r.services) == 0 }

// covers returns the labels that are granted, of those in the policy's data.
func (g *grant) covers(data []strictyaml.Value[string]) []strictyaml.Value[string] {
	if g.any {
		return data
	}
	return g.labels
}

// readDocument reads a policy. known are the labels of the data map; nil when
// it could not be read, and then labels are not looked up.
func readDocument(src Source, known []string) (*document, strictyaml.Faults) {
	r := &reader{file: src.Name}
	d := &document{file: src.Name}
	root := r.root(src.Data)
	if root == nil {
		return d, r.found
	}
	values := r.fields(root, documentKeys)
	if n := r.field(root, values, "name", "the policy"); n != nil {
		d.name, _ = r.name(n, "name")
	}
	if n := r.field(root, values, "data", "the policy"); n != nil {
		d.data = r.texts(n, "label", "labels", nil)
		d.governs = make(map[string]bool, len(d.data))
		for _, l := range d.data {
			d.governs[l.V] = true
			r.known(l, known)
		}
	}
	if n := r.field(root, values, "rules", "the policy"); n != nil {
		for _, c := range r.list(n, "rules") {
			d.rules = append(d.rules, r.rule(c, d, known))
		}
	}
	return d, r.found
}

// known reports a label that the data map does not have.
func (r *reader) known(l strictyaml.Value[string], known []string) bool {
	if known == nil {
		return true
	}
	if _, ok := slices.BinarySearch(known, l.V); ok {
		return true
	}
	r.faultAt(l, "unknown label %q%s", l.V, strictyaml.Meant(l.V, known))
	return false
}

func (r *reader) rule(n *yaml.Node, d *document, known []string) rule {
	found := rule{line: n.Line, column: n.Column}
	values := r.fields(n, ruleKeys)
	if values == nil {
		return found
	}
	if at := values["identities"]; at != nil {
		r.identities(at, &found)
	}
	grants := 0
	for k, kind := range kinds {
		at := values[string(kind.access)]
		if at == nil {
			continue
		}
		grants++
		for _, g := range r.list(at, "grants") {
			found.access[k] = append(found.access[k], r.grant(g, d, known))
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

func (r *reader) grant(n *yaml.Node, d *document, known []string) grant {
	g := grant{severity: Low}
	values := r.fields(n, grantKeys)
	if values == nil {
		return g
	}
	if at := values["severity"]; at != nil {
		if v, ok := r.text(at, "severity"); ok {
			g.severity = Severity(v.V)
			if !slices.Contains(severities, g.severity) {
				r.faultAt(v, "severity is %q; write low, medium or high", v.V)
			}
		}
	}
	at := r.field(n, values, "data", "this grant")
	if at == nil {
		return g
	}
	if at.Kind == yaml.ScalarNode && at.Value == anyLabel {
		g.any = true
		return g
	}
	g.labels = r.texts(at, "label", "labels, or the word any,", nil)
	for _, l := range g.labels {
		switch {
		case l.V == anyLabel:
			r.faultAt(l, "%q in a list would be a label; write data: %s", anyLabel, anyLabel)
		case r.known(l, known) && len(d.data) > 0 && !d.governs[l.V]:
			r.faultAt(l, "label %q is not in the policy's data, so it cannot be granted here", l.V)
		}
	}
	return g
}
