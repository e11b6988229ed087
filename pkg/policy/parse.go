package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// Parse reads the data map and the policies. The error is strictyaml.Faults
// with every fault of every file; the Set is then nil, and there are no
// warnings. A warning is about what is certainly not meant but does no harm.
// No policies at all is no fault: then everything that carries a label is
// blocked.
func Parse(dataMap Source, policies []Source, o Options) (*Set, []strictyaml.Fault, error) {
	m, found := readDataMap(dataMap, o.Repo)
	if o.Repo == "" {
		found = append(found, strictyaml.Fault{File: dataMap.Name, Text: "the options name no repo, so no entry would count"})
	}
	words := m.lexicon()
	words.zone = o.Zone
	documents, faults := readDocuments(policies, words)
	found = append(found, faults...)
	if err := found.Err(); err != nil {
		return nil, nil, err
	}
	s := &Set{
		unlabelled: o.Unlabelled,
		monitored:  o.Monitor,
		labels:     words.labels,
		digest:     digest(dataMap, policies, o),
		documents:  documents,
	}
	s.governed, s.names = govern(words.labels, documents)
	s.literal, s.patterns = areas(m.entries, words.labels)
	for _, e := range m.entries {
		s.locations = append(s.locations, Location{Label: e.label, Text: e.canonical()})
	}
	return s, warnings(m, s, o), nil
}

// readDocuments reads the policies, no two of which have one name, and puts
// them in the order of their names.
func readDocuments(policies []Source, words *lexicon) (documents []*document, found strictyaml.Faults) {
	first := map[string]*document{}
	for _, src := range policies {
		d, faults := readDocument(src, words)
		found = append(found, faults...)
		documents = append(documents, d)
		if d.name.V == "" {
			continue
		}
		if earlier := first[d.name.V]; earlier != nil {
			found = append(found, d.name.Fault(d.file, "policy %q stands also in %s:%d; names must differ", d.name.V, earlier.file, earlier.name.Line))
			continue
		}
		first[d.name.V] = d
	}
	slices.SortStableFunc(documents, func(a, b *document) int { return cmp.Compare(a.name.V, b.name.V) })
	return documents, found
}

// areas divides the entries by container: those with a plain name by that
// name, and those with a pattern.
func areas(mappings []mapped, names []string) (map[string]*area, []*area) {
	byContainer := map[string][]entry{}
	for i, m := range mappings {
		label, _ := slices.BinarySearch(names, m.label)
		byContainer[m.container] = append(byContainer[m.container], entry{m.location, label, i})
	}
	literal := map[string]*area{}
	var patterns []*area
	for _, container := range slices.Sorted(maps.Keys(byContainer)) {
		a := newArea(container, byContainer[container], len(names))
		if strings.Contains(container, "*") {
			patterns = append(patterns, a)
		} else {
			literal[container] = a
		}
	}
	return literal, patterns
}

// digest follows docs/policy.md: it is over what decides, and neither over the
// names of files nor over their order.
func digest(dataMap Source, policies []Source, o Options) string {
	sum := func(data []byte) string {
		d := sha256.Sum256(data)
		return hex.EncodeToString(d[:])
	}
	effect := "deny"
	if o.Unlabelled == Allow {
		effect = "allow"
	}
	lines := []string{"gimme-policy-1", "repo " + sum([]byte(o.Repo)), "unlabelled " + effect}
	if o.Monitor {
		lines = append(lines, "mode monitor")
	}
	lines = append(lines, "data-map "+sum(dataMap.Data))
	var sums []string
	for _, p := range policies {
		sums = append(sums, "policy "+sum(p.Data))
	}
	slices.Sort(sums)
	return "sha256:" + sum([]byte(strings.Join(append(lines, sums...), "\n")+"\n"))
}
