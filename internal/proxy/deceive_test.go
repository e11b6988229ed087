package proxy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// deceptions are what somebody may write to deceive whoever reads the log.
var deceptions = map[string]string{
	"a line end":             "a\nb",
	"a carriage return":      "a\r\x1b[2Kb",
	"an event of its own":    "x\"}\n{\"version\":1,\"kind\":\"decision\",\"decision\":\"allowed\"}\n",
	"JSON":                   `","decision":"allowed","x":"`,
	"a terminal's sequences": "\x1b[31mred\x1b]0;title\x07",
	"C1 controls":            "a\u0080b\u0085c\u009b31m\u009f",
	"DEL":                    "a\x7fb",
	"NUL":                    "a\x00b",
	"line separators":        "a\u2028b\u2029c",
	"other directions":       "invoice\u202efdp.exe\u2066a\u2067b\u2068c\u2069d\u202a\u202b\u202c\u202d\u200e\u200f\u061c",
	"a byte order mark":      "\ufeffa",
	"invalid UTF-8":          "a\xff\xfe\xc3(\xed\xa0\x80\xf4\x90\x80\x80b",
	"half a character":       "a\xe2\x82",
	"markup":                 "<script>alert(1)</script>&amp;",
	"length":                 strings.Repeat("a\u202e", 3000),
	"nothing":                "",
}

// Each event is one line of JSON in which nothing moves a reader's eyes, whatever
// stands in keys, versions and user agents.
func TestEventsDeceiveNobody(t *testing.T) {
	a := newArena(t)
	for name, text := range deceptions {
		t.Run(name, func(t *testing.T) {
			for _, who := range []string{"alice", "bob", ""} {
				for _, target := range []string{"/lake/public/" + escaped(text), "/lake/customers/" + escaped(text), "/lake/customers/x?versionId=" + escaped(text), "/lake?prefix=customers/" + escaped(text)} {
					if a.deceived(t, who, target, "agent") == 0 {
						t.Errorf("%s %s has no event", who, target)
					}
				}
				// Header fields with line ends are no header fields.
				a.deceived(t, who, "/lake/customers/x", text)
				a.deceived(t, who, "/lake/public/x", text)
			}
		})
	}
}

func FuzzEventsDeceiveNobody(f *testing.F) {
	for _, text := range deceptions {
		f.Add(text, text)
	}
	a := newArena(f)
	f.Fuzz(func(t *testing.T, key, agent string) {
		for _, who := range []string{"alice", "bob", ""} {
			a.deceived(t, who, "/lake/customers/"+escaped(key), agent)
		}
	})
}

// escaped has every byte of text as a target can have it.
func escaped(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte('%')
		b.WriteByte(digits[text[i]>>4])
		b.WriteByte(digits[text[i]&15])
	}
	return b.String()
}

// deceived asks, signed if it is by somebody, and checks the lines of all events,
// which it counts.
func (a *arena) deceived(t *testing.T, who, target, agent string) int {
	t.Helper()
	m := message{method: "GET", target: target}.framed("h")
	if who != "" {
		m = m.sign(seal{keys: a.held[who]})
	}
	raw := m.with("User-Agent: " + agent).String()
	if _, served := a.ask(raw); !served {
		return 0
	}
	log := a.events.String()
	if !strings.HasSuffix(log, "\n") {
		t.Errorf("%q does not end its line", log)
	}
	n := 0
	id := ""
	for line := range strings.Lines(log) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if i := strings.IndexFunc(line, moves); i >= 0 || !utf8.ValidString(line) {
			t.Errorf("%q at %d", line, i)
		}
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if id == "" {
			id = e.ID
		}
		if e.ID != id || e.Client.IP != "192.0.2.1" {
			t.Errorf("%q is not of the request", line)
		}
	}
	return n
}

// moves says whether a character moves a reader's eyes, or a program's.
func moves(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f: // controls
		return true
	case r == 0x2028, r == 0x2029: // line separators
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // directions
		return true
	}
	return r == 0xfeff
}
