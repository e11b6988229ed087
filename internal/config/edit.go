package config

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const heading = "# Profiles of gimme: how to get credentials, by name. It holds no secrets.\n"

// blank says whether nothing but comments and empty lines is there.
func blank(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// with is the file's text with the profile in it. It is edited as a tree, in
// which comments stay where they are.
func (f *File) with(name string, p Profile) ([]byte, error) {
	if blank(f.data) {
		head := f.data
		if len(head) == 0 {
			head = []byte(heading)
		}
		body, err := yaml.Dump(mapping("profiles", mapping(name, p.node())))
		return slices.Concat(head, body), err
	}
	var root yaml.Node
	if err := yaml.Load(f.data, &root); err != nil {
		return nil, err
	}
	top := root.Content[0]
	profiles := child(top, "profiles")
	if profiles.Kind != yaml.MappingNode { // "profiles:" and nothing there
		*profiles = yaml.Node{Kind: yaml.MappingNode, HeadComment: profiles.HeadComment, LineComment: profiles.LineComment, FootComment: profiles.FootComment}
	}
	profiles.Style &^= yaml.FlowStyle
	profile := child(profiles, name)
	wanted := p.node()
	if profile.Kind != yaml.MappingNode {
		*profile = *wanted
	} else {
		merge(profile, wanted)
	}
	return f.written(&root, name)
}

// without is the file's text without the profile. A profile's comments go with
// it.
func (f *File) without(name string) ([]byte, error) {
	if _, ok := f.profiles[name]; !ok {
		return f.data, nil
	}
	var root yaml.Node
	if err := yaml.Load(f.data, &root); err != nil {
		return nil, err
	}
	profiles := child(root.Content[0], "profiles")
	for i := 0; i+1 < len(profiles.Content); i += 2 {
		if profiles.Content[i].Value == name {
			profiles.Content = slices.Delete(profiles.Content, i, i+2)
			break
		}
	}
	return f.written(&root, name)
}

// written is the tree as text, in which every profile but the one of the name
// is as it was.
func (f *File) written(root *yaml.Node, name string) ([]byte, error) {
	data, err := yaml.Dump(root)
	if err != nil {
		return nil, err
	}
	// Whatever the tree did to the text: it must mean what is meant.
	again := &File{path: f.path, data: data, profiles: map[string]Profile{}}
	if err := again.decode(); err != nil {
		return nil, fmt.Errorf("the edited file would not be readable: %w", err)
	}
	for other, was := range f.profiles {
		if now, ok := again.profiles[other]; other != name && (!ok || !reflect.DeepEqual(now, was)) {
			return nil, fmt.Errorf("%s: profile %q would not stay as it is", f.path, other)
		}
	}
	return data, nil
}

// node is the profile as YAML.
func (p Profile) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, s := range settings {
		if text := s.text(p); text != "" {
			n.Content = append(n.Content, scalar(s.Key), s.node(p, text))
		}
	}
	return n
}

// node is the setting's value as YAML.
func (s Setting) node(p Profile, text string) *yaml.Node {
	list := func(tag string, items []string) *yaml.Node {
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, x := range items {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: x})
		}
		return n
	}
	switch s.kind {
	case aList:
		return list("!!str", s.items(p))
	case aNumberList:
		return list("!!int", strings.Split(text, ","))
	case aTruth:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: text}
	case aMapping:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
			n.Content = append(n.Content, scalar(name), scalar(p.Parameters[name]))
		}
		return n
	}
	return scalar(text)
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func mapping(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(key), value}}
}

// child finds the value of key, or adds an empty one.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	n.Content = append(n.Content, scalar(key), value)
	return value
}

// merge makes n hold exactly what wanted holds, and changes only what differs.
func merge(n, wanted *yaml.Node) {
	n.Style &^= yaml.FlowStyle
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		if !slices.ContainsFunc(keys(wanted), func(k string) bool { return k == n.Content[i].Value }) {
			n.Content = slices.Delete(n.Content, i, i+2)
		}
	}
	for i := 0; i+1 < len(wanted.Content); i += 2 {
		value, to := child(n, wanted.Content[i].Value), wanted.Content[i+1]
		if same(value, to) {
			continue
		}
		value.Kind, value.Tag, value.Value, value.Style, value.Content = to.Kind, to.Tag, to.Value, to.Style, to.Content
	}
}

func keys(n *yaml.Node) []string {
	var all []string
	for i := 0; i < len(n.Content); i += 2 {
		all = append(all, n.Content[i].Value)
	}
	return all
}

func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, same)
}
