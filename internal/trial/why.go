package trial

import (
	"fmt"
	"strings"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// String is what a case asks, in words.
func (c Case) String() string {
	return c.As.String() + " " + c.Request.Operation + " " + c.Request.Resource
}

// Why says what a case of the test got instead of what is expected, and what it
// rests on, a line a ground.
func (r Result) Why(c Case) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s is expected, and it is %s", c, r.Expect, c.Got)
	if c.Got == r.Expect {
		b.WriteString(", but not because of")
		for i, g := range c.Missing {
			if i > 0 {
				b.WriteString(" and")
			}
			b.WriteString(" " + g.String())
		}
	}
	for _, reason := range c.Reasons {
		b.WriteString("\n    " + reason.Text)
		if reason.Rule != "" && reason.Allowed {
			b.WriteString(", by " + reason.Rule)
		}
		if reason.Need != "" {
			b.WriteString("; needed: " + reason.Need)
		}
	}
	if len(c.WantsTags) > 0 {
		b.WriteString("\n    it hangs on the tags of " + strings.Join(c.WantsTags, ", ") + ", which the test does not give; write object_tags")
	}
	return b.String()
}

// Faults are the cases that failed, each where its test stands.
func (r *Report) Faults() strictyaml.Faults {
	var all strictyaml.Faults
	for _, t := range r.Tests {
		for _, c := range t.Cases {
			if !c.Passed {
				all = append(all, strictyaml.Fault{File: t.File, Line: t.Line, Column: t.Column, Text: t.Name + ": " + t.Why(c)})
			}
		}
	}
	return all
}
