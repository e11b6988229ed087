package awsfile

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A document is a file as it stands, with the places of its sections and keys.
type document struct {
	file     string
	data     []byte
	eol      string // of the first line; "\n" when there is none
	sections []*section
}

type section struct {
	name       string // what stands between the brackets
	line       int
	start, end int // the header's first byte; the next header's first byte or the end of the file
	body       int // the first byte after the header's line
	keys       []*key
}

// A key with its value, which goes on in every further line that is indented
// deeper.
type key struct {
	name       string // in lower case
	value      string // of the first line
	line       int
	indent     string
	start, end int // from the first byte of the line to behind the last line of the value
	head       int // behind the first line
	more       []more
}

// more is one further line of a value: under `s3 =`, a nested key.
type more struct {
	name       string // in lower case, or empty when there is no "="
	value      string
	line       int
	indent     string
	start, end int
}

func (s *section) key(name string) *key {
	for _, k := range s.keys {
		if k.name == name {
			return k
		}
	}
	return nil
}

// nested is the value of a key under a key, or empty.
func (s *section) nested(name, sub string) string {
	if k := s.key(name); k != nil && k.value == "" {
		for _, m := range k.more {
			if m.name == sub {
				return m.value
			}
		}
	}
	return ""
}

// tail is where the section's last key ends, and further keys go.
func (s *section) tail() int {
	if len(s.keys) == 0 {
		return s.body
	}
	return s.keys[len(s.keys)-1].end
}

const maxSize = 4 << 20

// scan reads a file as botocore's configparser does, and refuses what that
// would refuse, and what other readers understand differently. In both files a
// value that begins on the next line holds keys.
func scan(file string, data []byte) (*document, error) {
	d := &document{file: file, data: data, eol: "\n"}
	if len(data) > maxSize {
		return nil, &Fault{File: file, Text: fmt.Sprintf("%d bytes are more than the %d that are read", len(data), maxSize)}
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		return nil, &Fault{File: file, Line: 1, Text: "the file begins with a byte order mark, with which SDKs cannot read it; save it as plain UTF-8"}
	}
	var at place
	for offset := 0; offset < len(data); {
		end := len(data)
		if i := bytes.IndexByte(data[offset:], '\n'); i >= 0 {
			end = offset + i + 1
		}
		at.line++
		text, ok := clean(data[offset:end])
		if !ok {
			return nil, &Fault{File: file, Line: at.line, Text: "the line holds control characters or is not UTF-8"}
		}
		if at.line == 1 && bytes.HasSuffix(data[:end], []byte("\r\n")) {
			d.eol = "\r\n"
		}
		at.start, at.end = offset, end
		if fault := d.read(&at, text); fault != "" {
			return nil, &Fault{File: file, Line: at.line, Text: fault}
		}
		offset = end
	}
	if at.section != nil {
		at.section.end = len(data)
	}
	return d, nil
}

// place is where a scan has come to.
type place struct {
	line       int
	start, end int // of the line
	section    *section
	key        *key
	depth      int // indentation of the last key or header
}

// clean takes the line's end off and says whether the rest is text.
func clean(line []byte) (string, bool) {
	if whole, ok := bytes.CutSuffix(line, []byte("\n")); ok {
		line = bytes.TrimSuffix(whole, []byte("\r"))
	}
	for _, b := range line {
		if b < ' ' && b != '\t' || b == 0x7f {
			return "", false
		}
	}
	// Python breaks nested values at these too.
	return string(line), utf8.Valid(line) && !bytes.ContainsAny(line, "\u0085\u2028\u2029")
}

// read takes one line in, and returns what is wrong with it.
func (d *document) read(at *place, line string) string {
	text := strings.Trim(line, " \t")
	if text == "" || text[0] == '#' || text[0] == ';' {
		return ""
	}
	if first, _ := utf8.DecodeRuneInString(text); unicode.IsSpace(first) {
		return "the line begins with an unusual blank"
	}
	indent := line[:strings.Index(line, text)]
	switch {
	case at.key != nil && len(indent) > at.depth:
		return at.key.goOn(at, text, indent)
	case text[0] == '[':
		return d.open(at, text, indent)
	case at.section == nil:
		return "a key stands before any [section]"
	}
	if at.section.name == "DEFAULT" {
		return "keys of [DEFAULT] are those of every section for some SDKs, and of none for others; [default] is the profile that is used without a name"
	}
	at.depth = len(indent)
	name, value, ok := cutKey(text, "=:")
	if !ok {
		return "neither a [section] nor a key = value"
	}
	if first := at.section.key(name); first != nil {
		return fmt.Sprintf("key %q stands twice in [%s], first on line %d; SDKs cannot read the file", name, at.section.name, first.line)
	}
	at.key = &key{name: name, value: value, line: at.line, indent: indent, start: at.start, head: at.end, end: at.end}
	at.section.keys = append(at.section.keys, at.key)
	return ""
}

// goOn adds a further line to a value.
func (k *key) goOn(at *place, text, indent string) string {
	if text[0] == '[' {
		return "a [section] is indented, so that some readers take it for a part of the value above"
	}
	name, value, ok := cutKey(text, "=")
	if !ok && k.value == "" {
		return fmt.Sprintf("a key = value is wanted under %s", k.name)
	}
	k.more = append(k.more, more{name: name, value: value, line: at.line, indent: indent, start: at.start, end: at.end})
	k.end = at.end
	return ""
}

// open begins a section.
func (d *document) open(at *place, text, indent string) string {
	name, rest, ok := strings.Cut(text[1:], "]")
	rest = strings.Trim(rest, " \t")
	switch {
	case !ok || strings.Trim(name, " \t") == "":
		return "a [section] without an end or a name"
	case rest != "" && rest[0] != '#' && rest[0] != ';', strings.Contains(rest, "]"):
		return "something follows the [section] that not all readers pass over"
	}
	for _, s := range d.sections {
		if s.name == name {
			return fmt.Sprintf("[%s] stands twice, first on line %d; SDKs cannot read the file", name, s.line)
		}
	}
	if at.section != nil {
		at.section.end = at.start
	}
	at.section = &section{name: name, line: at.line, start: at.start, body: at.end}
	at.key, at.depth = nil, len(indent)
	d.sections = append(d.sections, at.section)
	return ""
}

func cutKey(text, delimiters string) (name, value string, ok bool) {
	i := strings.IndexAny(text, delimiters)
	if i < 0 {
		return "", "", false
	}
	name = strings.ToLower(strings.TrimSpace(text[:i]))
	return name, strings.TrimSpace(text[i+1:]), name != ""
}
