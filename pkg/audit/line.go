package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
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
func (e Event) Line() ([]byte, error) {
	e.Version = Version
	e.Time = e.Time.UTC()
	line, err := encode(e)
	if err == nil && len(line) > MaxText { // else no text in it can be too long
		line, err = encode(clipped(e))
	}
	if err != nil {
		return nil, fmt.Errorf("encode event %q: %w", e.ID, err)
	}
	return escape(line), nil
}

func encode(e Event) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(e)
	return out.Bytes(), err
}

// escape replaces characters that JSON permits and readers should not meet. In
// a line of JSON they can only stand inside a string.
func escape(line []byte) []byte {
	if !bytes.ContainsFunc(line, deceptive) {
		return line
	}
	out := make([]byte, 0, len(line)+16)
	for _, r := range string(line) {
		if deceptive(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// deceptive covers DEL and the C1 controls, and the bidirectional marks of
// Unicode's annex 9.
func deceptive(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0x061c || r == 0x200e || r == 0x200f ||
		r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}

// clipped returns e with every text cut to MaxText.
func clipped(e Event) Event {
	v := reflect.New(reflect.TypeFor[Event]()).Elem()
	v.Set(reflect.ValueOf(e))
	clipValue(v)
	return v.Interface().(Event)
}

// clipValue cuts the texts under v, copying what it would otherwise change for
// others.
func clipValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); len(s) > MaxText {
			v.SetString(clip(s))
		}
	case reflect.Pointer:
		if !v.IsNil() && v.Elem().Kind() == reflect.Struct {
			fresh := reflect.New(v.Type().Elem())
			fresh.Elem().Set(v.Elem())
			clipValue(fresh.Elem())
			v.Set(fresh)
		}
	case reflect.Slice:
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		for i := range fresh.Len() {
			clipValue(fresh.Index(i))
		}
		if v.Len() > 0 {
			v.Set(fresh)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				clipValue(field)
			}
		}
	}
}

// clip keeps the beginning of s and says what was cut.
func clip(s string) string {
	sum := sha256.Sum256([]byte(s))
	tail := "… (" + strconv.Itoa(len(s)) + " bytes, sha256 " + hex.EncodeToString(sum[:]) + ")"
	head := s[:MaxText-len(tail)]
	return strings.ToValidUTF8(head, "\ufffd") + tail
}
