package s3api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

// namespace is the XML namespace of S3 documents.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// The namespace of xsi:type, and the values that S3 gives it: the kinds of
// grantees.
const typeNamespace = "http://www.w3.org/2001/XMLSchema-instance"

var granteeTypes = []string{"AmazonCustomerByEmail", "CanonicalUser", "Group"}

// A node is an element of a document that was read.
type node struct {
	name     string
	typ      string // xsi:type, "" without
	text     string
	children []node
	element  *element // what describes it
}

// child returns the text of the child of that name, "" when there is none.
func (n node) child(name string) string {
	for _, c := range n.children {
		if c.name == name {
			return c.text
		}
	}
	return ""
}

// readXML reads a document that must be exactly as root describes. encoding/xml
// is lenient: it lets the last of two elements win, passes over foreign
// namespaces, nested elements and second roots. Two readers of such a document
// may see two requests in it, so none of that is accepted, nor are comments,
// directives, processing instructions and attributes other than xmlns, and
// xsi:type where it belongs. Errors are *Error with the code MalformedXML.
func readXML(document []byte, root *element) (node, error) {
	d := &reader{decoder: xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(document, []byte("\xef\xbb\xbf"))))}
	start, err := d.root()
	if err != nil {
		return node{}, err
	}
	if start.Name.Local != root.name {
		return node{}, malformed("its root is %s instead of %s", quoted(start.Name.Local), root.name)
	}
	n, err := d.element(root, start)
	if err != nil {
		return node{}, err
	}
	return n, d.end()
}

func malformed(format string, args ...any) error {
	return refuse("MalformedXML", "The XML document is not accepted: "+format+".", args...).inWords(badXML)
}

type reader struct{ decoder *xml.Decoder }

// root returns the start of the root element, before which only an XML
// declaration and white space may stand.
func (d *reader) root() (xml.StartElement, error) {
	for first := true; ; first = false {
		t, err := d.token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := t.(type) {
		case xml.ProcInst:
			if !first || t.Target != "xml" {
				return xml.StartElement{}, malformed("it contains a processing instruction")
			}
		case xml.StartElement:
			return t, nil
		case xml.CharData:
			if !isBlank(t) {
				return xml.StartElement{}, malformed("it contains text outside of elements")
			}
		default:
			return xml.StartElement{}, malformed("it contains a comment or directive")
		}
	}
}

// element reads e, of which start has been read, to its end.
func (d *reader) element(e *element, start xml.StartElement) (node, error) {
	n := node{name: e.name, element: e}
	var err error
	if n.typ, err = e.attributes(start); err != nil {
		return n, err
	}
	var text strings.Builder
	counts := make([]int, len(e.children))
	for {
		t, err := d.token()
		if err != nil {
			return n, err
		}
		switch t := t.(type) {
		case xml.CharData:
			if e.children == nil {
				text.Write(t)
			} else if !isBlank(t) {
				return n, malformed("%s contains text", e.name)
			}
		case xml.StartElement:
			i, err := e.place(t, counts)
			if err != nil {
				return n, err
			}
			child, err := d.element(e.children[i], t)
			if err != nil {
				return n, err
			}
			n.children = append(n.children, child)
		case xml.EndElement:
			n.text = text.String()
			return n, e.complete(counts)
		default:
			return n, malformed("it contains a comment, directive or processing instruction")
		}
	}
}

// place finds and counts the child that start begins.
func (e *element) place(start xml.StartElement, counts []int) (int, error) {
	for i, c := range e.children {
		if c.name != start.Name.Local {
			continue
		}
		if c.refused {
			return 0, refuse("NotImplemented", "%s with the element %s is not served.", e.name, c.name)
		}
		if counts[i]++; counts[i] > c.max {
			return 0, malformed("%s contains %s more than %d times", e.name, c.name, c.max)
		}
		return i, nil
	}
	return 0, malformed("%s contains the unknown element %s", e.name, quoted(start.Name.Local))
}

func (e *element) complete(counts []int) error {
	for i, c := range e.children {
		if counts[i] < c.min {
			return malformed("%s lacks %s", e.name, c.name)
		}
	}
	return nil
}

// end makes sure that nothing but white space follows.
func (d *reader) end() error {
	for {
		t, err := d.decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return malformed("%v", err)
		}
		if text, ok := t.(xml.CharData); !ok || !isBlank(text) {
			return malformed("something follows its root element")
		}
	}
}

func (d *reader) token() (xml.Token, error) {
	t, err := d.decoder.Token()
	if err != nil {
		return nil, malformed("%v", err)
	}
	return t, nil
}

// attributes checks the namespace and the attributes of s, which begins e, and
// returns the value of xsi:type.
func (e *element) attributes(s xml.StartElement) (typ string, err error) {
	if s.Name.Space != "" && s.Name.Space != namespace {
		return "", malformed("%s is in the foreign namespace %s", quoted(s.Name.Local), quoted(s.Name.Space))
	}
	for i, a := range s.Attr {
		ok := !slices.ContainsFunc(s.Attr[:i], func(b xml.Attr) bool { return a.Name == b.Name })
		switch {
		case a.Name == xml.Name{Local: "xmlns"}:
			ok = ok && (a.Value == namespace || a.Value == "")
		case a.Name == xml.Name{Space: "xmlns", Local: "xsi"}:
			ok = ok && a.Value == typeNamespace && e.hasTyped()
		case a.Name == xml.Name{Space: typeNamespace, Local: "type"}:
			ok = ok && e.typed && slices.Contains(granteeTypes, a.Value)
			typ = a.Value
		default:
			ok = false
		}
		if !ok {
			return "", malformed("%s has the attribute %s", quoted(s.Name.Local), quoted(a.Name.Local))
		}
	}
	return typ, nil
}

// hasTyped says whether e or something in it carries xsi:type.
func (e *element) hasTyped() bool {
	return e.typed || slices.ContainsFunc(e.children, (*element).hasTyped)
}

func isBlank(text []byte) bool { return len(bytes.Trim(text, " \t\r\n")) == 0 }

// writeXML serialises n as a document.
func writeXML(n node) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<" + n.name + ` xmlns="` + namespace + `">`)
	writeInside(&b, n)
	b.WriteString("</" + n.name + ">")
	return b.Bytes()
}

func writeInside(b *bytes.Buffer, n node) {
	for _, c := range n.children {
		if c.children == nil && c.typ == "" {
			leaf(b, c.name, c.text)
			continue
		}
		b.WriteString("<" + c.name)
		if c.typ != "" {
			b.WriteString(` xmlns:xsi="` + typeNamespace + `" xsi:type="` + c.typ + `"`)
		}
		b.WriteString(">")
		writeInside(b, c)
		b.WriteString("</" + c.name + ">")
	}
}

// leaf writes an element with text. Characters that XML 1.0 cannot hold are
// replaced by U+FFFD; in documents that were read there are none.
func leaf(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a Buffer does not fail
	b.WriteString("</" + name + ">")
}

// optional writes an element with text unless the text is empty.
func optional(b *bytes.Buffer, name, text string) {
	if text != "" {
		leaf(b, name, text)
	}
}
