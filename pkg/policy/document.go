package policy

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// The keys of a policy and its parts.
var (
	documentKeys = []string{"name", "data", "tags", "mode", "valid_from", "valid_until", "rules"}
	ruleKeys     = []string{"identities", "hosts", "when", "valid_from", "valid_until", string(Reads), string(Updates), string(Deletes), string(Manages)}
	identityKeys = []string{"users", "groups", "services"}
	grantKeys    = []string{"data", "when", "rows", "rateLimit", "bytes", "severity"}
)

// foreign are keys of other products that mean nothing here. Each would narrow
// what a rule grants, so none is passed over. The text says what to do.
var foreign = map[string]string{
	"rate_limit":        `write "rateLimit"`,
	"validFrom":         `write "valid_from"`,
	"validUntil":        `write "valid_until"`,
	"enabled":           "take the policy out of the folder to disable it",
	"enforced":          `write "mode: monitor" for what enforced: false means`,
	"additionalChecks":  `write conditions under "when"`,
	"additional_checks": `write conditions under "when"`,
	"datasetRewrites":   "nothing is rewritten here; leave out the grant",
	"dataset_rewrites":  "nothing is rewritten here; leave out the grant",
	"dbRoles":           `write "groups"`,
	"db_roles":          `write "groups"`,
	"meta":              "leave it out; the name stands at the top",
}

// A document is a policy as far as it could be read.
type document struct {
	file      string
	name      strictyaml.Value[string]
	data      []strictyaml.Value[string] // the labels it governs, those of its tags included
	governs   map[string]bool            // the same
	tags      map[string][]string        // the labels of each of its tags
	monitored bool
	time      validity
	timeAt    strictyaml.Value[string]
	rules     []rule
}

// A lexicon is what the data map says of the words that policies use.
type lexicon struct {
	labels []string            // sorted
	tags   map[string][]string // the labels of each, sorted
	known  bool                // whether the data map could be read
	zone   func(string) (*time.Location, error)
}

// readDocument reads a policy.
func readDocument(src Source, words *lexicon) (*document, strictyaml.Faults) {
	r := &reader{file: src.Name, words: words}
	d := &document{file: src.Name, governs: map[string]bool{}, tags: map[string][]string{}}
	root := r.root(src.Data)
	if root == nil {
		return d, r.found
	}
	values := r.fields(root, documentKeys)
	if n := r.field(root, values, "name", "the policy"); n != nil {
		d.name, _ = r.name(n, "name")
	}
	r.governed(root, values, d)
	if n := values["mode"]; n != nil {
		d.monitored = r.choice(n, "mode", "enforce", "monitor") == "monitor"
	}
	d.time, d.timeAt = r.validity(values)
	if n := r.field(root, values, "rules", "the policy"); n != nil {
		for _, c := range r.list(n, "rules") {
			d.rules = append(d.rules, r.rule(c, d))
		}
	}
	return d, r.found
}

// governed reads data and tags of a policy.
func (r *reader) governed(root *yaml.Node, values map[string]*yaml.Node, d *document) {
	if n := values["data"]; n != nil {
		for _, l := range r.texts(n, "label", "labels", nil) {
			r.known(l)
			d.govern(l)
		}
	}
	if n := values["tags"]; n != nil {
		for _, t := range r.texts(n, "tag", "tags", nil) {
			labels := r.words.tags[t.V]
			if labels == nil && r.words.known {
				r.faultAt(t, "no label has the tag %q%s", t.V, strictyaml.Meant(t.V, sortedKeys(r.words.tags)))
			}
			d.tags[t.V] = labels
			for _, l := range labels {
				d.govern(strictyaml.Value[string]{V: l, Line: t.Line, Column: t.Column})
			}
		}
	}
	if values != nil && values["data"] == nil && values["tags"] == nil {
		r.fault(root, `key "data" is missing from the policy: the labels that it governs`)
	}
}

func (d *document) govern(l strictyaml.Value[string]) {
	if !d.governs[l.V] {
		d.governs[l.V] = true
		d.data = append(d.data, l)
	}
}

// known reports a label that the data map does not have.
func (r *reader) known(l strictyaml.Value[string]) bool {
	if !r.words.known {
		return true
	}
	if _, ok := slices.BinarySearch(r.words.labels, l.V); ok {
		return true
	}
	if r.words.tags[l.V] != nil {
		r.faultAt(l, "%q is a tag; write it under \"tags\"", l.V)
		return false
	}
	r.faultAt(l, "unknown label %q%s", l.V, strictyaml.Meant(l.V, r.words.labels))
	return false
}

// validity reads valid_from and valid_until. at is where one of them stands.
func (r *reader) validity(values map[string]*yaml.Node) (v validity, at strictyaml.Value[string]) {
	if n := values["valid_from"]; n != nil {
		v.from, at = r.moment(n, "valid_from")
	}
	if n := values["valid_until"]; n != nil {
		v.until, at = r.moment(n, "valid_until")
		if !v.from.IsZero() && !v.until.IsZero() && !v.from.Before(v.until) {
			r.fault(n, "valid_until is not after valid_from, so it would never be in force")
		}
	}
	return v, at
}

func (r *reader) moment(n *yaml.Node, what string) (time.Time, strictyaml.Value[string]) {
	at := strictyaml.Value[string]{V: n.Value, Line: n.Line, Column: n.Column}
	if n.Kind != yaml.ScalarNode {
		r.wanted(n, "a moment such as 2026-03-01T00:00:00Z")
		return time.Time{}, at
	}
	t, err := time.Parse(time.RFC3339, n.Value)
	if err != nil {
		r.fault(n, "%s is %q; a moment with its zone is wanted, such as 2026-03-01T00:00:00Z", what, n.Value)
	}
	return t, at
}
