package policy

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// anyLabel is the word that stands for all labels of a policy.
const anyLabel = "any"

// A dataMap is the data map as far as it could be read.
type dataMap struct {
	file     string
	labels   []strictyaml.Value[string] // in the order of the file
	tags     map[string][]string        // the labels of each
	entries  []mapped                   // of the one repo
	warnings strictyaml.Faults          // about how attributes were read
	read     bool                       // whether the labels could be read at all
}

// A mapped is an attribute with the label it belongs to.
type mapped struct {
	location
	label string
	at    strictyaml.Value[string]
}

// lexicon is what policies can speak of.
func (m *dataMap) lexicon() *lexicon {
	words := &lexicon{labels: plain(m.labels), tags: m.tags, known: m.read}
	slices.Sort(words.labels)
	for _, labels := range m.tags {
		slices.Sort(labels)
	}
	return words
}

// A mapReader takes a data map apart.
type mapReader struct {
	reader
	m    *dataMap
	repo string
}

// readDataMap reads what data map says of repo; other repos are checked for
// their shape and passed over.
func readDataMap(src Source, repo string) (*dataMap, strictyaml.Faults) {
	m := &dataMap{file: src.Name, tags: map[string][]string{}}
	r := &mapReader{reader{file: src.Name}, m, repo}
	root := r.root(src.Data)
	if root == nil {
		return m, r.found
	}
	values, keys := r.mapping(root, "of labels, each to a list of repos with their attributes,")
	m.read = values != nil
	if m.read && len(values) == 0 {
		r.fault(root, "the data map is empty")
	}
	var tags []strictyaml.Value[string]
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
		tags = append(tags, r.label(label, values[k.Value])...)
	}
	for _, t := range tags {
		if values[t.V] != nil {
			r.faultAt(t, "tag %q is called as a label is", t.V)
		}
	}
	return m, r.found
}

// label reads what stands under one label, and returns its tags.
func (r *mapReader) label(label strictyaml.Value[string], n *yaml.Node) (tags []strictyaml.Value[string]) {
	seen := map[string]int{}
	if n.Kind == yaml.MappingNode {
		values := r.fields(n, []string{"attributes", "buckets"})
		if at := r.field(n, values, "attributes", "this label, which stands as in Cyral's map of one repository"); at != nil {
			r.attributes(label.V, at, r.cyral(values["buckets"]), seen)
		}
		return nil
	}
	for _, e := range r.list(n, "repos with their attributes") {
		values, _ := r.mapping(e, "with a repo and its attributes")
		if values["tags"] != nil && values["repo"] == nil && values["attributes"] == nil {
			r.fields(e, []string{"tags"})
			for _, t := range r.texts(values["tags"], "tag", "tags", nil) {
				tags = append(tags, t)
				if t.V == anyLabel {
					r.faultAt(t, "a tag cannot be called %q", anyLabel)
				}
				r.m.tags[t.V] = append(r.m.tags[t.V], label.V)
			}
			continue
		}
		r.entry(label.V, e, seen)
	}
	return tags
}

// entry reads one repo with its attributes.
func (r *mapReader) entry(label string, e *yaml.Node, seen map[string]int) {
	values := r.fields(e, []string{"repo", "attributes", "compat", "buckets"})
	if values == nil {
		return
	}
	var name strictyaml.Value[string]
	named := false
	if at := r.field(e, values, "repo", "this entry"); at != nil {
		name, named = r.text(at, "repo")
	}
	if named && name.V != r.repo && strings.EqualFold(name.V, r.repo) {
		r.faultAt(name, "repo %q is not %q; upper and lower case count", name.V, r.repo)
	}
	read := r.native
	if at := values["compat"]; at != nil {
		r.choice(at, "compat", "cyral")
		read = r.cyral(values["buckets"])
	} else if at := values["buckets"]; at != nil {
		r.fault(at, "buckets goes with compat: cyral")
	}
	at := r.field(e, values, "attributes", "this entry")
	switch {
	case at == nil:
	case named && name.V == r.repo:
		r.attributes(label, at, read, seen)
	default:
		r.texts(at, "attribute", "attributes", nil)
	}
}

// attributes reads a list of locations. seen has the line of each under the
// label so far.
func (r *mapReader) attributes(label string, n *yaml.Node, read func(strictyaml.Value[string]) []location, seen map[string]int) {
	for _, a := range r.texts(n, "attribute", "attributes", nil) {
		if line := seen[a.V]; line != 0 {
			r.faultAt(a, "attribute %q stands twice; the first is on line %d", a.V, line)
			continue
		}
		seen[a.V] = a.Line
		for _, l := range read(a) {
			r.m.entries = append(r.m.entries, mapped{l, label, a})
		}
	}
}

// native reads an attribute as docs/policy.md has it.
func (r *mapReader) native(a strictyaml.Value[string]) []location {
	l, fault := parseLocation(a.V)
	if fault != "" {
		r.faultAt(a, "attribute %q: %s", a.V, fault)
		return nil
	}
	if !strings.Contains(a.V, "/") && strings.Contains(a.V, ".") {
		container, name, _ := strings.Cut(a.V, ".")
		r.warn(a, "attribute %q is the bucket of that name; write %q if so, and %q if Cyral's bucket.key is meant", a.V, a.V+"/", container+"/"+name)
	}
	return []location{l}
}

func (r *mapReader) warn(a strictyaml.Value[string], format string, args ...any) {
	r.m.warnings = append(r.m.warnings, a.Fault(r.file, format, args...))
}

func sortedKeys(m map[string][]string) []string { return slices.Sorted(maps.Keys(m)) }
