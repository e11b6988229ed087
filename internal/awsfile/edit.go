package awsfile

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/ini.v1"
)

// A setting is a key and its value, or with sub a key nested under key.
type setting struct{ key, sub, value string }

type edit struct{ set, drop []setting }

// find returns the section that has one of names, or nil. A section that only
// some readers take for it, and two that some take for one, are faults.
func (d *document) find(names ...string) (*section, error) {
	var found *section
	for _, s := range d.sections {
		for _, name := range names {
			switch {
			case plain(s.name) != name:
				continue
			case s.name != name:
				return nil, &Fault{File: d.file, Line: s.line, Text: fmt.Sprintf("not every SDK reads [%s] as [%s]; write it so", s.name, name)}
			case found != nil:
				return nil, &Fault{File: d.file, Line: s.line, Text: fmt.Sprintf("[%s] and [%s] of line %d are the same profile", s.name, found.name, found.line)}
			}
			found = s
		}
	}
	return found, nil
}

// plain is a section's name as the most lenient reader sees it.
func plain(name string) string {
	words := strings.Fields(strings.NewReplacer(`"`, "", `'`, "").Replace(name))
	return strings.Join(words, " ")
}

// set edits section s, or adds one called name when s is nil. The document is
// read anew afterwards, so that sections found before are no longer of use.
func (d *document) set(s *section, name string, e edit) error {
	if s == nil {
		d.add(name, e.set)
	} else {
		var cuts []cut
		for _, x := range e.drop {
			cuts = append(cuts, d.dropped(s, x)...)
		}
		var added strings.Builder
		for _, x := range e.set {
			k := s.key(x.key)
			if k == nil {
				added.WriteString(x.text("", d.eol))
				continue
			}
			c, err := d.replaced(k, x)
			if err != nil {
				return err
			}
			cuts = append(cuts, c...)
		}
		d.splice(append(cuts, cut{s.tail(), s.tail(), added.String()}))
	}
	return d.reread(name, s, e)
}

// text is the setting as lines of their own.
func (x setting) text(indent, eol string) string {
	if x.sub == "" {
		return indent + x.key + " = " + x.value + eol
	}
	return indent + x.key + " =" + eol + indent + "  " + x.sub + " = " + x.value + eol
}

// A cut replaces the bytes from start to end by text.
type cut struct {
	start, end int
	text       string
}

// splice makes cuts, which must not overlap, in the order of their places.
// Text that follows a last line without an end gets one before it.
func (d *document) splice(cuts []cut) {
	slices.SortStableFunc(cuts, func(a, b cut) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	var out bytes.Buffer
	from := 0
	for _, c := range cuts {
		out.Write(d.data[from:c.start])
		if c.text != "" && out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteString(d.eol)
		}
		out.WriteString(c.text)
		from = c.end
	}
	out.Write(d.data[from:])
	d.data = out.Bytes()
}

// replaced says how key k becomes x.
func (d *document) replaced(k *key, x setting) ([]cut, error) {
	if x.sub == "" || k.value != "" || len(k.more) == 0 {
		cuts := []cut{{k.start, k.head, x.text(k.indent, d.eol)}}
		for _, m := range k.more {
			cuts = append(cuts, cut{m.start, m.end, ""})
		}
		return cuts, nil
	}
	first := cut{k.start, k.head, k.indent + x.key + " =" + d.eol}
	line := func(indent string) string { return indent + x.sub + " = " + x.value + d.eol }
	var found *more
	for i, m := range k.more {
		if m.name != x.sub {
			continue
		}
		if found != nil {
			return nil, &Fault{File: d.file, Line: m.line, Text: fmt.Sprintf("%s stands twice under %s, first on line %d", x.sub, x.key, found.line)}
		}
		found = &k.more[i]
	}
	if found == nil {
		return []cut{first, {k.end, k.end, line(k.more[0].indent)}}, nil
	}
	return []cut{first, {found.start, found.end, line(found.indent)}}, nil
}

// dropped says how x is taken out. Comments and empty lines within a value stay.
func (d *document) dropped(s *section, x setting) []cut {
	k := s.key(x.key)
	if k == nil {
		return nil
	}
	head := cut{k.start, k.head, ""}
	var cuts []cut
	for _, m := range k.more {
		if x.sub == "" || m.name == x.sub {
			cuts = append(cuts, cut{m.start, m.end, ""})
		}
	}
	switch {
	case x.sub == "", len(cuts) > 0 && len(cuts) == len(k.more) && k.value == "":
		return append(cuts, head)
	}
	return cuts
}

// take drops what e says from s, which may be nil, and the section too when
// nothing of anybody's is left in it. back says that the file is to be as before
// the section: a last line without an end is given back too.
func (d *document) take(s *section, name string, e edit, back bool) error {
	if s == nil {
		return nil
	}
	var names []string
	kept := false
	for _, k := range s.keys {
		gone := slices.ContainsFunc(e.drop, func(x setting) bool {
			return x.key == k.name && (x.sub == "" || k.value == "" && !slices.ContainsFunc(k.more, func(m more) bool { return m.name != x.sub }))
		})
		kept = kept || !gone
		names = append(names, k.name)
	}
	if kept || len(s.keys) == 0 || !d.quiet(s, names...) {
		return d.set(s, name, e)
	}
	d.remove(s, back)
	again, err := scan(d.file, d.data)
	if err != nil {
		return fmt.Errorf("the edited file would not be readable: %w", err)
	}
	d.sections = again.sections
	return nil
}

// quiet says whether nothing but a plain header and keys of these names stands
// in s up to its last key: no comments.
func (d *document) quiet(s *section, names ...string) bool {
	rest := strings.TrimSpace(string(d.data[s.start:s.body])) == "["+s.name+"]"
	at := s.body
	for _, k := range s.keys {
		blank := strings.TrimSpace(string(d.data[at:k.start])) == ""
		rest = rest && blank && slices.Contains(names, k.name)
		at = k.head
		for _, m := range k.more {
			rest = rest && strings.TrimSpace(string(d.data[at:m.start])) == ""
			at = m.end
		}
	}
	return rest
}

// add puts a new section at the end, after one line end. Where the file ended
// with a line end that is an empty line, and remove can always take it back.
func (d *document) add(name string, settings []setting) {
	var b strings.Builder
	if len(d.data) > 0 {
		b.WriteString(d.eol)
	}
	b.WriteString("[" + name + "]" + d.eol)
	for _, x := range settings {
		b.WriteString(x.text("", d.eol))
	}
	d.data = append(bytes.Clone(d.data), b.String()...)
}

// remove takes a section out, and the line end that add put before it, but
// leaves the comments behind its last key, which may be about what follows.
// Where the line before is not empty, only back takes that line end.
func (d *document) remove(s *section, back bool) {
	start, end := s.start, s.tail()
	before := d.data[:start]
	bare, one := bytes.CutSuffix(before, []byte(d.eol))
	if one && (len(bare) == 0 || bytes.HasSuffix(bare, []byte("\n")) || back && end == len(d.data)) {
		start = len(bare)
	}
	d.splice([]cut{{start, end, ""}})
}

// reread makes sure of the edit: the file scans as before, and another parser
// finds in the section exactly what was set.
func (d *document) reread(name string, was *section, e edit) error {
	again, err := scan(d.file, d.data)
	if err != nil {
		return fmt.Errorf("the edited file would not be readable: %w", err)
	}
	d.sections = again.sections
	if was != nil {
		name = was.name
	}
	s, err := d.find(name)
	if err != nil || s == nil {
		return &Fault{File: d.file, Text: fmt.Sprintf("section [%s] would not be found again", name)}
	}
	f, err := ini.LoadSources(ini.LoadOptions{
		AllowNestedValues: true, IgnoreInlineComment: true, IgnoreContinuation: true,
		PreserveSurroundedQuote: true, InsensitiveKeys: true,
	}, bytes.Clone(d.data[s.start:s.end]))
	if err != nil {
		// The parser's words would show the line, which may hold a secret.
		return &Fault{File: d.file, Line: s.line, Text: fmt.Sprintf("section [%s] is not plain enough for every SDK: write each key = value on one line", name)}
	}
	for _, x := range e.set {
		if !reads(f.Section(strings.TrimSpace(name)), x) {
			return &Fault{File: d.file, Line: s.line, Text: fmt.Sprintf("in section [%s] not every SDK would find %s: write its keys without indentation", name, x.key)}
		}
	}
	return nil
}

func reads(s *ini.Section, x setting) bool {
	if !s.HasKey(x.key) {
		return false
	}
	k := s.Key(x.key)
	if x.sub == "" {
		return k.String() == x.value
	}
	for _, line := range k.NestedValues() {
		if name, value, ok := cutKey(line, "="); ok && name == x.sub {
			return value == x.value
		}
	}
	return false
}
