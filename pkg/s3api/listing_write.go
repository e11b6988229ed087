package s3api

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// XML writes a page for the client: p has what is to be shown of what ParsePage
// read. If there is more, Next is where the client is to go on: its Token for an
// operation that has tokens, otherwise its name. What the client said of the
// listing is repeated to it, and nothing that the upstream said of it.
func (l *Listing) XML(p Page) []byte {
	return answer(l.form.root, func(b *bytes.Buffer) {
		leaf(b, l.form.container, l.Bucket)
		if l.call.Operation == "ListObjects" && l.Prefix != "" { // the one place where S3 does not encode it
			leafText(b, "Prefix", l.Prefix)
		} else {
			l.optionalName(b, p, "Prefix", l.Prefix)
		}
		l.head(b, p)
		l.optionalName(b, p, "Delimiter", l.Delimiter)
		if l.encoded {
			leaf(b, "EncodingType", "url")
		}
		leaf(b, l.form.maxKeys, strconv.Itoa(l.Max))
		leaf(b, "IsTruncated", strconv.FormatBool(p.Truncated))
		for _, e := range p.Entries {
			if !e.Common {
				l.entry(b, e)
			}
		}
		for _, e := range p.Entries {
			if e.Common {
				b.WriteString("<CommonPrefixes>")
				l.name(b, "Prefix", e.Key)
				b.WriteString("</CommonPrefixes>")
			}
		}
	})
}

// head writes where the page begins and where to go on.
func (l *Listing) head(b *bytes.Buffer, p Page) {
	f := l.form
	if l.HasTokens() {
		optional(b, "ContinuationToken", l.Token)
		l.optionalName(b, p, f.marker, l.From.Key)
		if p.Truncated {
			leaf(b, "NextContinuationToken", p.Next.Token)
		}
		leaf(b, "KeyCount", strconv.Itoa(len(p.Entries)))
		return
	}
	l.optionalName(b, p, f.marker, l.From.Key)
	if f.idMarker != "" {
		l.optionalName(b, p, f.idMarker, l.From.ID)
	}
	if p.Truncated {
		l.name(b, "Next"+f.marker, p.Next.Key)
	}
	if p.Truncated && f.idMarker != "" {
		optional(b, "Next"+f.idMarker, p.Next.ID)
	}
}

// entry writes e with all that was read of it.
func (l *Listing) entry(b *bytes.Buffer, e Entry) {
	b.WriteString("<" + e.node.name + ">")
	for _, c := range e.node.children {
		switch {
		case c.name == "Key":
			l.name(b, c.name, e.Key)
		case c.children == nil:
			leaf(b, c.name, c.text)
		default:
			b.WriteString("<" + c.name + ">")
			writeInside(b, c)
			b.WriteString("</" + c.name + ">")
		}
	}
	b.WriteString("</" + e.node.name + ">")
}

// name writes an element with a name as the client wants them.
func (l *Listing) name(b *bytes.Buffer, element, name string) {
	if l.encoded {
		leaf(b, element, escapeName(name))
	} else {
		leafText(b, element, name)
	}
}

// optionalName is name, unless there is none and the upstream did not say so
// either.
func (l *Listing) optionalName(b *bytes.Buffer, p Page, element, name string) {
	if _, said := p.said[element]; said || name != "" {
		l.name(b, element, name)
	}
}

// escapeName encodes a name as S3 does in a listing.
func escapeName(name string) string { return strings.ReplaceAll(url.QueryEscape(name), "%2F", "/") }

// leafText writes an element with a name that is not encoded. Of characters
// that XML 1.0 cannot hold it writes the reference, as S3 does, which parsers
// refuse: a name that is replaced would be another one.
func leafText(b *bytes.Buffer, element, name string) {
	b.WriteString("<" + element + ">")
	plain := 0
	for i, r := range name {
		if r >= ' ' && r != 0xfffe && r != 0xffff || r == '\t' || r == '\n' || r == '\r' {
			continue
		}
		_ = xml.EscapeText(b, []byte(name[plain:i])) // a Buffer does not fail
		fmt.Fprintf(b, "&#x%X;", r)
		plain = i + utf8.RuneLen(r)
	}
	_ = xml.EscapeText(b, []byte(name[plain:]))
	b.WriteString("</" + element + ">")
}
