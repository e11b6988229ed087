package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// anyLabel is the word that stands for all labels of a policy.
const anyLabel = "any"

// A dataMap is the data map as far as it could be read.
type dataMap struct {
	file    string
	labels  []strictyaml.Value[string] // in the order of the file
	entries []mapped                   // of the one repo
	read    bool                       // whether the labels could be read at all
}

// A mapped is an attribute with the label it belongs to.
type mapped struct {
	location
	label string
	at    strictyaml.Value[string]
}

// names are the labels, sorted.
func (m *dataMap) names() []string {
	names := make([]string, len(m.labels))
	for i, l := range m.labels {
		names[i] = l.V
	}
	slices.Sort(names)
	return names
}

// readDataMap reads what data map says of repo; other repos are checked for
// their shape and passed over.
func readDataMap(src Source, repo string) (*dataMap, strictyaml.Faults) {
	r := &reader{file: src.Name}
	m := &dataMap{file: src.Name}
	root := r.root(src.Data)
	if root == nil {
		return m, r.found
	}
	values, keys := r.mapping(root, "of labels, each to a list of repos with their attributes,")
	m.read = values != nil
	if m.read && len(values) == 0 {
		r.fault(root, "the data map is empty")
	}
	for _, k := range keys {
		label, ok := r.name(k, "label")
		if !ok {
			continue
		}
		if label.V == anyLabel {
			r.fault(k, "a label cannot be called %q: in policies the word stands for all labels", anyLabel)
			continue
		}
		m.labels = append(m.labels, label)
		r.repos(m, label.V, values[k.Value], repo)
	}
	return m, r.found
}

// repos reads the list under one label.
func (r *reader) repos(m *dataMap, label string, n *yaml.Node, repo string) {
	seen := map[string]int{}
	for _, e := range r.list(n, "repos with their attributes") {
		values := r.fields(e, []string{"repo", "attributes"})
		if values == nil {
			continue
		}
		var name strictyaml.Value[string]
		named := false
		if at := r.field(e, values, "repo", "this entry"); at != nil {
			name, named = r.text(at, "repo")
		}
		if named && name.V != repo && strings.EqualFold(name.V, repo) {
			r.faultAt(name, "repo %q is not %q; upper and lower case count", name.V, repo)
		}
		at := r.field(e, values, "attributes", "this entry")
		if at == nil {
			continue
		}
		for _, a := range r.texts(at, "attribute", "attributes", nil) {
			if !named || name.V != repo {
				continue
			}
			l, fault := parseLocation(a.V)
			if fault != "" {
				r.faultAt(a, "attribute %q: %s", a.V, fault)
				continue
			}
			if line := seen[a.V]; line != 0 {
				r.faultAt(a, "attribute %q stands twice; the first is on line %d", a.V, line)
				continue
			}
			seen[a.V] = a.Line
			m.entries = append(m.entries, mapped{l, label, a})
		}
	}
}
