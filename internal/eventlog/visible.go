package eventlog

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visible is s as one line that is what it seems to be: control characters, line
// breaks and the characters that turn the direction of text or take no room come
// out as \u escapes, and what is no UTF-8 as U+FFFD.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// VisibleJSON is a line of JSON with the same meaning and nothing hidden in it.
func VisibleJSON(line []byte) []byte {
	if !bytes.ContainsFunc(line, hidden) && utf8.Valid(line) {
		return line
	}
	out := make([]byte, 0, len(line)+16)
	for _, r := range string(line) {
		switch {
		case !hidden(r):
			out = utf8.AppendRune(out, r)
		case r < ' ': // can only stand between the texts
			out = append(out, ' ')
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
	}
	return out
}

// hidden covers Unicode's controls, formats (the bidirectional marks are among
// them), separators of lines, and what is for private use.
func hidden(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0
}

// Clip is Visible of s, and of a text longer than n characters the beginning and
// the end, which is where keys differ.
func Clip(s string, n int) string {
	if most := 16 * n; len(s) > 2*most { // what is between is not shown anyway
		s = strings.ToValidUTF8(s[:most]+s[len(s)-most:], "")
	}
	s = Visible(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	tail := n / 3
	return string(runes[:n-1-tail]) + "…" + string(runes[len(runes)-tail:])
}
