package rulebook

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A shape is what a file is, as far as its keys tell.
type shape int

const (
	isUnknown shape = iota
	isDataMap
	isPolicy
	isTests
	isConfig
)

// Keys of which each tells a configuration, a policy and an entry of a data map.
// None of them is telling alone: a label may have any name.
var (
	configKeys = []string{"listen", "issuers", "roles", "sessions", "upstream", "audit"}
	entryKeys  = []string{"repo", "attributes", "tags", "compat"}
)

// shapeOf tells what a file is. A file with faults is told, too, so that they can
// be reported.
func shapeOf(root *yaml.Node) shape {
	if root == nil || root.Kind != yaml.MappingNode {
		return isUnknown
	}
	labels, settings := 0, 0
	for key, value := range pairs(root) {
		if isEntries(value) {
			labels++
		} else if slices.Contains(configKeys, key.Value) {
			settings++
		}
	}
	own := func(name string) bool { // it is there, and is no label
		value := child(root, name)
		return value != nil && !isEntries(value)
	}
	named := child(root, "policy")
	switch {
	case child(named, "data_map") != nil, child(named, "policies") != nil, settings > 1:
		return isConfig
	case own("tests"), own("people"):
		return isTests
	case own("rules"), own("data") && own("name"):
		return isPolicy
	case labels > 0:
		return isDataMap
	}
	return isUnknown
}

// isEntries says whether n is what stands under a label of a data map.
func isEntries(n *yaml.Node) bool {
	if n.Kind == yaml.MappingNode {
		return child(n, "attributes") != nil // of a map of one repo
	}
	return n.Kind == yaml.SequenceNode && slices.ContainsFunc(n.Content, func(e *yaml.Node) bool {
		return slices.ContainsFunc(entryKeys, func(key string) bool { return child(e, key) != nil })
	})
}

// pairs yields the keys and values of n, if it is a mapping.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// child is the value of a key of n; nil when there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	for key, value := range pairs(n) {
		if key.Value == name {
			return value
		}
	}
	return nil
}

// items are the entries of n, if it is a list.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// scalar is n with its place, if it is a text.
func scalar(n *yaml.Node) strictyaml.Value[string] {
	if n == nil || n.Kind != yaml.ScalarNode {
		return strictyaml.Value[string]{}
	}
	return strictyaml.Value[string]{V: n.Value, Line: n.Line, Column: n.Column}
}
