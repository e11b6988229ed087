package s3api

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A Page is a part of a listing.
type Page struct {
	Entries   []Entry // by name, which is how S3 counts them; those of one name as they were
	Truncated bool    // there is more
	Next      Place   // where the upstream says that it goes on; perhaps empty

	said map[string]string // what it has beside entries
}

// Blank is a page without entries, for those of p that are to be shown: stores
// differ in what they say where there is nothing to say.
func (p Page) Blank() Page { return Page{said: p.said} }

// An Entry is a line of a page: an object, a version, a delete marker, an upload,
// or a common prefix. All that the upstream says of it is kept.
type Entry struct {
	Key    string // decoded; of a common prefix the prefix
	ID     string // of the version or upload; "" where there is none
	Common bool   // it is a common prefix

	node node
}

// deepest is how deep the elements of an entry nest at most: Owner and ID are
// two.
const deepest = 4

// ParsePage reads the upstream's answer to one of the calls that l made.
func (l *Listing) ParsePage(document []byte) (Page, error) {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimSpace(document)))
	fault := func(err error) (Page, error) { return Page{}, fmt.Errorf("read %s: %w", l.form.root, err) }
	if err := enter(d, l.form.root); err != nil {
		return fault(err)
	}
	p := Page{said: map[string]string{}}
	for {
		t, err := d.Token()
		if err != nil {
			return fault(err)
		}
		if _, ended := t.(xml.EndElement); ended {
			break
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		n, err := tree(d, start, deepest)
		if err != nil {
			return fault(err)
		}
		switch {
		case l.form.isEntry(n.name):
			p.Entries = append(p.Entries, Entry{node: n})
		case n.name == "CommonPrefixes":
			for _, c := range n.children {
				if c.name == "Prefix" {
					p.Entries = append(p.Entries, Entry{Key: c.text, Common: true})
				}
			}
		default:
			p.said[n.name] = n.text
		}
	}
	if err := l.understand(&p); err != nil {
		return fault(err)
	}
	return p, nil
}

// enter reads up to the start of the root, which must have that name.
func enter(d *xml.Decoder, root string) error {
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		if start, ok := t.(xml.StartElement); ok {
			if start.Name.Local != root {
				return fmt.Errorf("the document is a %q", start.Name.Local)
			}
			return nil
		}
	}
}

// tree reads an element of which start has been read. Its text counts if it has
// no children; its attributes stay behind.
func tree(d *xml.Decoder, start xml.StartElement, depth int) (node, error) {
	if depth == 0 {
		return node{}, fmt.Errorf("%q nests too deep", start.Name.Local)
	}
	n := node{name: start.Name.Local}
	for {
		t, err := d.Token()
		if err != nil {
			return n, err
		}
		switch t := t.(type) {
		case xml.CharData:
			if n.children == nil {
				n.text += string(t)
			}
		case xml.StartElement:
			child, err := tree(d, t, depth-1)
			if err != nil {
				return n, err
			}
			n.children = append(n.children, child)
			n.text = ""
		case xml.EndElement:
			return n, nil
		}
	}
}

// understand makes sense of what was read, once it is known whether names are
// encoded.
func (l *Listing) understand(p *Page) error {
	decode := func(s string) (string, error) { return s, nil }
	if p.said["EncodingType"] == "url" {
		decode = url.QueryUnescape
	}
	var err error
	for i := range p.Entries {
		e := &p.Entries[i]
		if !e.Common {
			if e.Key, err = e.node.take("Key"); err != nil {
				return err
			}
			if e.ID, err = e.node.only(l.form.entryID); err != nil {
				return err
			}
		}
		if e.Key, err = decode(e.Key); err != nil {
			return err
		}
		if e.Key == "" {
			return fmt.Errorf("an entry has no name")
		}
	}
	slices.SortStableFunc(p.Entries, byName)
	p.Truncated = strings.TrimSpace(p.said["IsTruncated"]) == "true"
	if p.Next.Key, err = decode(p.said["Next"+l.form.marker]); err != nil {
		return err
	}
	p.Next.ID = p.said["Next"+l.form.idMarker]
	if l.HasTokens() {
		p.Next = Place{Token: p.said["NextContinuationToken"]}
	}
	return nil
}

// byName is the order of S3, with a common prefix behind entries of the same name.
func byName(a, b Entry) int {
	switch c := strings.Compare(a.Key, b.Key); {
	case c != 0 || a.Common == b.Common:
		return c
	case a.Common:
		return 1
	}
	return -1
}

// take returns the text of the child of that name, of which there is one at most,
// and leaves none.
func (n node) take(name string) (string, error) {
	text, err := n.only(name)
	for i := range n.children {
		if n.children[i].name == name {
			n.children[i].text = ""
		}
	}
	return text, err
}

// only returns the text of the child of that name, of which there is one at most.
func (n node) only(name string) (string, error) {
	text, found := "", false
	for _, c := range n.children {
		if c.name != name {
			continue
		}
		if found || c.children != nil {
			return "", fmt.Errorf("%s has more than one %s", n.name, name)
		}
		text, found = c.text, true
	}
	return text, nil
}
