// Package strictyaml decodes YAML that people write by hand: strictly, and
// with every fault reported at once, each with file, line and column.
//
// Unknown keys, duplicate keys, values of the wrong type, more than one
// document, anchors, aliases, merge keys and custom tags are faults. It is a
// thin layer over go.yaml.in/yaml/v4, which does the parsing; struct fields
// are matched by their yaml tags.
package strictyaml

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// MaxSize is the largest document that is decoded, in bytes.
const MaxSize = 32 << 20

// A Fault is one thing that is wrong in a file.
type Fault struct {
	File   string // as given to Decode
	Line   int    // from 1; 0 when the fault is the whole file's
	Column int    // from 1; 0 when unknown
	Text   string // what is wrong, and where possible what was meant
}

// String gives file:line:column: text, the form that editors follow.
func (f Fault) String() string {
	switch {
	case f.Line == 0:
		return fmt.Sprintf("%s: %s", f.File, f.Text)
	case f.Column == 0:
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Text)
}

// Faults is everything that is wrong, ordered by file and position. As an
// error it prints one fault a line. The zero value means no fault.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the faults in order, or nil when there are none.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f
}

// A Value is a decoded value that remembers where it stood, for faults that
// only later checks can find. Line is 0 when the key was absent.
type Value[T any] struct {
	V      T
	Line   int
	Column int
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (v *Value[T]) UnmarshalYAML(n *yaml.Node) error {
	v.Line, v.Column = n.Line, n.Column
	return n.Load(&v.V, yaml.WithKnownFields(), yaml.WithUniqueKeys(false))
}

// A List is a list in which one value may stand by itself.
type List[T any] []T

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *List[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Load((*[]T)(l), yaml.WithKnownFields(), yaml.WithUniqueKeys(false))
	}
	var one T
	err := n.Load(&one, yaml.WithKnownFields(), yaml.WithUniqueKeys(false))
	*l = List[T]{one}
	return err
}

// Fault reports text at the place where v stood in file.
func (v Value[T]) Fault(file, format string, args ...any) Fault {
	return Fault{File: file, Line: v.Line, Column: v.Column, Text: fmt.Sprintf(format, args...)}
}

// Decode reads the one YAML document in data into the struct or map that v
// points to. The error is Faults with everything that is wrong; v then holds
// what could be read, so that a caller may look for further faults. An empty
// document is a fault.
func Decode(file string, data []byte, v any) error {
	if len(data) > MaxSize {
		return Faults{{File: file, Text: fmt.Sprintf("%d bytes, more than the %d that are read", len(data), MaxSize)}}
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		return Faults{{File: file, Line: 1, Column: 1, Text: "the file begins with a byte order mark; save it as plain UTF-8"}}
	}
	var root yaml.Node
	if err := yaml.Load(data, &root); err != nil {
		return faults(file, err, nil).Err()
	}
	found := walk(file, &root)
	if err := root.Load(v, yaml.WithKnownFields(), yaml.WithUniqueKeys(false)); err != nil {
		found = append(found, faults(file, err, func(line, column int) []string {
			return keysAt(&root, reflect.TypeOf(v), line, column)
		})...)
	}
	return found.Err()
}

// walk finds what the decoder would accept but a reader would stumble over.
func walk(file string, n *yaml.Node) Faults {
	var found Faults
	at := func(n *yaml.Node, format string, args ...any) {
		found = append(found, Fault{File: file, Line: n.Line, Column: n.Column, Text: fmt.Sprintf(format, args...)})
	}
	if n.Anchor != "" {
		at(n, "anchor &%s: anchors and aliases are not read here; write the value out", n.Anchor)
	}
	if n.Kind == yaml.AliasNode {
		at(n, "alias *%s: anchors and aliases are not read here; write the value out", n.Value)
		return found
	}
	if n.Style&yaml.TaggedStyle != 0 {
		at(n, "tag %s: tags are not read here", n.Tag)
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]*yaml.Node{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode {
				at(k, "a key must be a plain word")
				continue
			}
			if k.Value == "<<" && k.Style == 0 {
				at(k, "merge keys (<<) are not read here; write the keys out")
			}
			if first := seen[k.Value]; first != nil {
				at(k, "key %q stands twice; the first is on line %d", k.Value, first.Line)
				continue
			}
			seen[k.Value] = k
		}
	}
	for _, c := range n.Content {
		found = append(found, walk(file, c)...)
	}
	return found
}

// faults turns the library's errors into ours, in words that say what to
// write. known gives the keys that may stand at a place; it may be nil.
func faults(file string, err error, known func(line, column int) []string) Faults {
	if all, ok := errors.AsType[*yaml.LoadErrors](err); ok {
		var found Faults
		for _, e := range all.Errors {
			found = append(found, fault(file, e, known))
		}
		return found
	}
	if one, ok := errors.AsType[*yaml.LoadError](err); ok {
		return Faults{fault(file, one, known)}
	}
	return Faults{{File: file, Text: err.Error()}}
}

func fault(file string, e *yaml.LoadError, known func(line, column int) []string) Fault {
	text := strings.TrimPrefix(e.Message, "yaml: ")
	if name, ok := unknownField(text); ok {
		text = fmt.Sprintf("unknown key %q", name)
		if known != nil {
			text += Meant(name, known(e.Mark.Line, e.Mark.Column))
		}
	} else if tag, value, goType, ok := wrongType(text); ok {
		text = fmt.Sprintf("%s is wanted here, not %s", kind(goType), given(tag, value))
	}
	return Fault{File: file, Line: e.Mark.Line, Column: e.Mark.Column, Text: text}
}

// unknownField reads "field NAME not found in type T".
func unknownField(text string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(text, "field ")
	if i := strings.LastIndex(rest, " not found in type "); ok && i > 0 {
		return rest[:i], true
	}
	return "", false
}

// wrongType reads "cannot construct !!TAG into T", where TAG is followed by the
// value in backticks if it is a scalar.
func wrongType(text string) (tag, value, goType string, ok bool) {
	rest, ok := strings.CutPrefix(text, "cannot construct !!")
	i := strings.LastIndex(rest, " into ")
	if !ok || i < 0 {
		return "", "", "", false
	}
	tag, value, _ = strings.Cut(rest[:i], " ")
	return tag, strings.TrimSuffix(strings.TrimPrefix(value, "`"), "`"), rest[i+len(" into "):], true
}

func given(tag, value string) string {
	switch tag {
	case "map":
		return "a mapping"
	case "seq":
		return "a list"
	case "null":
		return "nothing"
	}
	return fmt.Sprintf("%q", value)
}

func kind(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case goType == "string":
		return "a text"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	}
	return "a mapping"
}
