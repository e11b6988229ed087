package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
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
