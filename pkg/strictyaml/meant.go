package strictyaml

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// keysAt are the keys that are known in the mapping of n in which a key stands
// at line and column, by the yaml tags of the type into which n is decoded. It
// is nil where there is no such mapping, or where any key is taken.
func keysAt(n *yaml.Node, t reflect.Type, line, column int) []string {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		return keysAt(n.Content[0], t, line, column)
	}
	for t.Kind() == reflect.Pointer || positioned(t) {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		} else {
			t = t.Field(0).Type
		}
	}
	switch {
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Slice: // a List with one value
		return keysAt(n, t.Elem(), line, column)
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, item := range n.Content {
			if keys := keysAt(item, t.Elem(), line, column); keys != nil {
				return keys
			}
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 1; i < len(n.Content); i += 2 {
			if keys := keysAt(n.Content[i], t.Elem(), line, column); keys != nil {
				return keys
			}
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		fields := fieldsOf(t)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Line == line && key.Column == column {
				return names(t)
			}
			if inner, ok := fields[key.Value]; ok {
				if keys := keysAt(n.Content[i+1], inner, line, column); keys != nil {
					return keys
				}
			}
		}
	}
	return nil
}

// positioned says whether t is a Value of something.
func positioned(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Fault]().PkgPath() && strings.HasPrefix(t.Name(), "Value[")
}

// fieldsOf are the types of the fields of t, by key.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, name := range names(t) {
		for f := range t.Fields() {
			if key(f) == name {
				fields[name] = f.Type
			}
		}
	}
	return fields
}

// names are the keys of t, in the order of its fields.
func names(t reflect.Type) []string {
	var all []string
	for f := range t.Fields() {
		if k := key(f); k != "" {
			all = append(all, k)
		}
	}
	return all
}

// key is the name under which a field stands in the file, or nothing.
func key(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" || !f.IsExported() {
		return ""
	}
	return name
}

// Meant is `, did you mean "x"?` when one of known is within two typing errors
// of word, and otherwise empty. It is for the end of a message about word.
func Meant(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		d := distance(word, k)
		if strings.EqualFold(word, k) {
			d = 0
		}
		if d < least && 2*d < len(k) { // of a short key too little would be left
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// distance counts the bytes to insert, remove or change that make a into b,
// where two that changed places count once; 3 stands for more than two.
func distance(a, b string) int {
	const more = 3
	if len(a)-len(b) >= more || len(b)-len(a) >= more {
		return more
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], more)
}
