package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// A Format is a form of events. A log is always in gimme's own; the others are
// for what reads them elsewhere.
type Format string

// The formats.
const (
	FormatGimme Format = "gimme" // docs/audit.md
	FormatOCSF  Format = "ocsf"  // Open Cybersecurity Schema Framework, class API Activity
	FormatCyral Format = "cyral" // the field names of Cyral's activity log
)

// Formats are all formats there are.
func Formats() []Format { return []Format{FormatGimme, FormatOCSF, FormatCyral} }

// Line returns e as one line of JSON in the format, newline included. What is
// said of Event.Line holds for each.
func (f Format) Line(e Event) ([]byte, error) {
	var v any
	switch f {
	case FormatGimme:
		return e.Line()
	case FormatOCSF:
		v = ocsfOf(clipped(e))
	case FormatCyral:
		v = cyralOf(clipped(e))
	default:
		return nil, fmt.Errorf("there is no format %q", f)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode event %q as %s: %w", e.ID, f, err)
	}
	return escape(out.Bytes()), nil
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
