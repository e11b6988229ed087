package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A reader takes one file apart and collects its faults. What its methods
// return besides is what could be read, for further checks.
type reader struct {
	file  string
	words *lexicon // nil: a data map is read
	found strictyaml.Faults
}

func (r *reader) fault(n *yaml.Node, format string, args ...any) {
	r.found = append(r.found, strictyaml.Fault{File: r.file, Line: n.Line, Column: n.Column, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) faultAt(v strictyaml.Value[string], format string, args ...any) {
	r.found = append(r.found, v.Fault(r.file, format, args...))
}

// root returns the file's one value, or nil when there is none to look at.
func (r *reader) root(data []byte) *yaml.Node {
	var n yaml.Node
	if err := strictyaml.Decode(r.file, data, &n); err != nil {
		r.found = append(r.found, err.(strictyaml.Faults)...) // it promises no other error
	}
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		return n.Content[0]
	}
	return nil
}

// mapping returns the values of n by key, and the keys in order. what goes on
// from "a mapping" in the fault when n is something else.
func (r *reader) mapping(n *yaml.Node, what string) (values map[string]*yaml.Node, keys []*yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.wanted(n, "a mapping "+what)
		return nil, nil
	}
	values = make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || values[k.Value] != nil {
			continue // strictyaml has said so
		}
		values[k.Value] = n.Content[i+1]
		keys = append(keys, k)
	}
	return values, keys
}

// fields is mapping, for one that has no other keys than known.
func (r *reader) fields(n *yaml.Node, known []string) map[string]*yaml.Node {
	values, keys := r.mapping(n, "with the keys "+strings.Join(known, ", "))
	for _, k := range keys {
		switch {
		case slices.Contains(known, k.Value):
		case foreign[k.Value] != "":
			r.fault(k, "key %q means nothing here; %s", k.Value, foreign[k.Value])
		default:
			r.fault(k, "unknown key %q%s", k.Value, strictyaml.Meant(k.Value, known))
		}
	}
	return values
}

// field returns the value of a key that must be there.
func (r *reader) field(n *yaml.Node, values map[string]*yaml.Node, key, what string) *yaml.Node {
	if values != nil && values[key] == nil {
		r.fault(n, "key %q is missing from %s", key, what)
	}
	return values[key]
}

// list returns the entries of n, which must have some.
func (r *reader) list(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		r.wanted(n, "a list of "+what)
		return nil
	}
	if len(n.Content) == 0 {
		r.fault(n, "the list of %s is empty", what)
	}
	return n.Content
}

// text returns n as a text that is not empty.
func (r *reader) text(n *yaml.Node, what string) (strictyaml.Value[string], bool) {
	v := strictyaml.Value[string]{V: n.Value, Line: n.Line, Column: n.Column}
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null":
		r.wanted(n, what)
		return v, false
	case n.ShortTag() != "!!str":
		r.fault(n, "%s is no text here; write \"%s\"", n.Value, n.Value)
		return v, false
	case n.Value == "":
		r.fault(n, "%s must not be empty", what)
		return v, false
	case !utf8.ValidString(n.Value):
		r.fault(n, "%s is not UTF-8", what)
		return v, false
	}
	return v, true
}

// name is text for what stands in sentences: printable, without white space
// at its ends.
func (r *reader) name(n *yaml.Node, what string) (strictyaml.Value[string], bool) {
	v, ok := r.text(n, what)
	if !ok {
		return v, false
	}
	if strings.TrimSpace(v.V) != v.V || strings.ContainsFunc(v.V, func(c rune) bool { return !unicode.IsPrint(c) }) {
		r.fault(n, "%s %q has white space at an end, or characters that do not print", what, v.V)
		return v, false
	}
	return v, true
}

// texts returns a list of texts of which none stands twice. fold gives the
// form in which they are compared; nil is as they are.
func (r *reader) texts(n *yaml.Node, one, many string, fold func(string) string) []strictyaml.Value[string] {
	var all []strictyaml.Value[string]
	seen := map[string]int{}
	for _, c := range r.list(n, many) {
		v, ok := r.text(c, one)
		if !ok {
			continue
		}
		key := v.V
		if fold != nil {
			key = fold(key)
		}
		if line := seen[key]; line != 0 {
			r.fault(c, "%s %q stands twice; the first is on line %d", one, v.V, line)
			continue
		}
		seen[key] = v.Line
		all = append(all, v)
	}
	return all
}

// wanted reports that n is not what is wanted. An alias has been reported.
func (r *reader) wanted(n *yaml.Node, what string) {
	is := ""
	switch {
	case n.Kind == yaml.AliasNode:
		return
	case n.Kind == yaml.MappingNode:
		is = "a mapping"
	case n.Kind == yaml.SequenceNode:
		is = "a list"
	case n.ShortTag() == "!!null":
		is = "nothing"
	default:
		is = fmt.Sprintf("%q", n.Value)
	}
	r.fault(n, "%s is wanted here, not %s", what, is)
}
