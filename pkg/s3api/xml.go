package s3api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// namespace is the XML namespace of S3 documents.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// An element describes what may stand in a document: its name, how often it
// stands in its parent, and its children, in any order. Without children it
// holds text.
type element struct {
	name     string
	min, max int
	children []element
}

// A node is an element of a document that was read.
type node struct {
	name     string
	text     string
	children []node
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
// directives, processing instructions and attributes other than xmlns. Errors
// are *Error with the code MalformedXML.
func readXML(document []byte, root element) (node, error) {
	if len(document) > MaxXMLBody {
		return node{}, malformed("it is longer than the %d bytes allowed", MaxXMLBody)
	}
	d := &reader{decoder: xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(document, []byte("\xef\xbb\xbf"))))}
	start, err := d.root()
	if err != nil {
		return node{}, err
	}
	if start.Name.Local != root.name {
		return node{}, malformed("its root is %s instead of %s", quoted(start.Name.Local), root.name)
	}
	n, err := d.element(root)
	if err != nil {
		return node{}, err
	}
	return n, d.end()
}

func malformed(format string, args ...any) error {
	return refuse("MalformedXML", "The XML document is not accepted: "+format+".", args...)
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
			return t, checkStart(t)
		case xml.CharData:
			if !isBlank(t) {
				return xml.StartElement{}, malformed("it contains text outside of elements")
			}
		default:
			return xml.StartElement{}, malformed("it contains a comment or directive")
		}
	}
}

// element reads what stands between the start of e, which has been read, and
// its end.
func (d *reader) element(e element) (node, error) {
	n := node{name: e.name}
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
			child, err := d.element(e.children[i])
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
func (e element) place(start xml.StartElement, counts []int) (int, error) {
	if err := checkStart(start); err != nil {
		return 0, err
	}
	for i, c := range e.children {
		if c.name != start.Name.Local {
			continue
		}
		if counts[i]++; counts[i] > c.max {
			return 0, malformed("%s contains %s more than %d times", e.name, c.name, c.max)
		}
		return i, nil
	}
	return 0, malformed("%s contains the unknown element %s", e.name, quoted(start.Name.Local))
}

func (e element) complete(counts []int) error {
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

func checkStart(s xml.StartElement) error {
	if s.Name.Space != "" && s.Name.Space != namespace {
		return malformed("%s is in the foreign namespace %s", quoted(s.Name.Local), quoted(s.Name.Space))
	}
	for i, a := range s.Attr {
		if i > 0 || a.Name != (xml.Name{Local: "xmlns"}) || a.Value != namespace && a.Value != "" {
			return malformed("%s has the attribute %s", quoted(s.Name.Local), quoted(a.Name.Local))
		}
	}
	return nil
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
		if c.children == nil {
			leaf(b, c.name, c.text)
			continue
		}
		b.WriteString("<" + c.name + ">")
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
