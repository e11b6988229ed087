package iampolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// A node is a value of a document with its members in their order, which maps
// of Go do not keep.
type node struct {
	value    any // a text, where it is neither object nor list
	list     bool
	names    []string // of the members of an object
	children []node
}

// read reads the next value of d.
func read(d *json.Decoder) (node, error) {
	token, err := d.Token()
	if err != nil {
		return node{}, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return node{value: token}, nil
	}
	n := node{list: delim == '['}
	for d.More() {
		if !n.list {
			name, err := d.Token()
			if err != nil {
				return n, err
			}
			n.names = append(n.names, fmt.Sprint(name))
		}
		child, err := read(d)
		if err != nil {
			return n, err
		}
		n.children = append(n.children, child)
	}
	_, err = d.Token() // its end
	return n, err
}

// jsonencode writes a document as the call of that function of Terraform, whose
// lines after the first have the indent.
func jsonencode(d Document, indent string) string {
	n, err := read(json.NewDecoder(bytes.NewReader(text(d, ""))))
	if err != nil {
		panic(err) // it was just written
	}
	var b strings.Builder
	b.WriteString("jsonencode(")
	n.write(&b, indent)
	b.WriteString(")")
	return b.String()
}

// write writes n as terraform fmt would. The equals signs of members that stand
// one after another and have a line each are below one another.
func (n node) write(b *strings.Builder, indent string) {
	if n.children == nil {
		io.WriteString(b, n.flat())
		return
	}
	inner := indent + "  "
	if n.list {
		b.WriteString("[\n")
		for _, c := range n.children {
			b.WriteString(inner)
			c.write(b, inner)
			b.WriteString(",\n")
		}
		b.WriteString(indent + "]")
		return
	}
	b.WriteString("{\n")
	for i := range n.children {
		fmt.Fprintf(b, "%s%-*s = ", inner, n.width(i), key(n.names[i]))
		n.children[i].write(b, inner)
		b.WriteString("\n")
	}
	b.WriteString(indent + "}")
}

// width is how wide the names are among which the i-th is aligned.
func (n node) width(i int) int {
	if n.children[i].children != nil {
		return 0
	}
	first, last := i, i
	for first > 0 && n.children[first-1].children == nil {
		first--
	}
	for last+1 < len(n.children) && n.children[last+1].children == nil {
		last++
	}
	width := 0
	for _, name := range n.names[first : last+1] {
		width = max(width, len(key(name)))
	}
	return width
}

// flat is a value of one line.
func (n node) flat() string {
	switch {
	case n.value != nil:
		return quote(fmt.Sprint(n.value))
	case n.list:
		return "[]"
	}
	return "{}"
}

// key is a name of a member, in quotes where it is no identifier.
func key(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
	}) {
		return quote(name)
	}
	return name
}

// quote writes a text in HCL, where "${" and "%{" begin templates. What is
// escaped in JSON is escaped alike.
func quote(s string) string {
	return templates.Replace(string(text(s, "")))
}

var templates = strings.NewReplacer("${", "$${", "%{", "%%{")
