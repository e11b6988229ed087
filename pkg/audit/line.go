package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxText is the largest text that a field holds, in bytes. What is longer is
// cut, and ends in the SHA-256 of the whole.
const MaxText = 2048

// Line returns e as one line of JSON, newline included. Control characters,
// line separators and the characters that turn the direction of text come out
// as \u escapes, and invalid UTF-8 as U+FFFD, so that neither a program that
// splits lines nor a person who reads them is deceived.
func (e Event) Line() ([]byte, error) { return appendLine(make([]byte, 0, 1024), &e) }

// appendLine appends what Line returns to buf.
func appendLine(buf []byte, e *Event) ([]byte, error) {
	enc := encoder{buf: buf}
	enc.event(e)
	if enc.err != nil {
		return buf, fmt.Errorf("encode event %q: %w", e.ID, enc.err)
	}
	enc.buf[len(enc.buf)-1] = '\n' // and not a comma
	return enc.buf, nil
}

// appendQuoted appends s as a string of JSON, with escapes where JSON wants them
// and where a character would deceive.
func appendQuoted(buf []byte, s string) []byte {
	if len(s) > MaxText {
		s = clip(s)
	}
	buf = append(buf, '"')
	done := 0
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c != '"' && c != '\\' && c < 0x7f { // as most are
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= 0x80 && !deceptive(r) && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		buf = append(buf, s[done:i]...)
		buf = appendEscape(buf, r)
		i += size
		done = i
	}
	buf = append(buf, s[done:]...)
	return append(buf, '"')
}

// appendEscape appends the escape of r, as encoding/json writes it.
func appendEscape(buf []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(buf, '\\', byte(r))
	case '\b':
		return append(buf, `\b`...)
	case '\f':
		return append(buf, `\f`...)
	case '\n':
		return append(buf, `\n`...)
	case '\r':
		return append(buf, `\r`...)
	case '\t':
		return append(buf, `\t`...)
	}
	return fmt.Appendf(buf, `\u%04x`, r)
}

// deceptive covers DEL and the C1 controls, and the bidirectional marks of
// Unicode's annex 9.
func deceptive(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0x061c || r == 0x200e || r == 0x200f ||
		r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}

// clip keeps the beginning of s and says what was cut.
func clip(s string) string {
	sum := sha256.Sum256([]byte(s))
	tail := "… (" + strconv.Itoa(len(s)) + " bytes, sha256 " + hex.EncodeToString(sum[:]) + ")"
	head := s[:MaxText-len(tail)]
	return strings.ToValidUTF8(head, "\ufffd") + tail
}
