package delivery

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// A record is one event, ready for a sink.
type record struct {
	head
	line []byte   // JSON in the sink's format, without the newline
	at   position // where it stands in the log
}

// A head is what delivery looks at in an event.
type head struct {
	Log      string         `json:"log"`
	Seq      uint64         `json:"seq"`
	Prev     string         `json:"prev"`
	Time     time.Time      `json:"time"`
	Kind     audit.Kind     `json:"kind"`
	Decision audit.Decision `json:"decision"`
}

// id tells the event from all others, and the file that begins with it.
func (h head) id() string { return h.Log + "-" + number(h.Seq) }

// readHead reads a line of the log. Lines that a crash has torn are not ok,
// nor are those without a number.
func readHead(line []byte) (head, bool) {
	var h head
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &h) != nil {
		return head{}, false
	}
	return h, h.Seq != 0
}

// sumOf is the line's SHA-256, as it stands in the line after it.
func sumOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// shorten makes an event fit into limit bytes, for sinks that take no larger
// one: the lists in it are left out, the largest first, and then the texts, and
// delivery_cut says how large the event in the log is, and its SHA-256.
func shorten(line []byte, limit int) []byte {
	if len(line) <= limit {
		return line
	}
	var all map[string]any
	in := json.NewDecoder(bytes.NewReader(line))
	in.UseNumber()
	if in.Decode(&all) != nil {
		return line // the sink will say what it thinks of it
	}
	all["delivery_cut"] = map[string]any{"bytes": len(line), "sha256": sumOf(line)}
	for {
		short := compact(all)
		if len(short) <= limit {
			return short
		}
		if in, key := largest(all); key != "" {
			delete(in, key)
			continue
		}
		return short // nothing is left to leave out
	}
}

// kept is what shorten leaves: without these an event says nothing.
var kept = map[string]bool{"delivery_cut": true, "log": true, "seq": true, "prev": true, "time": true, "id": true, "kind": true, "version": true, "decision": true}

// largest finds what takes most room among the members of all and of the
// objects in it.
func largest(all map[string]any) (in map[string]any, key string) {
	most := 0
	for k, v := range all {
		if kept[k] {
			continue
		}
		inner, ok := v.(map[string]any)
		if !ok || len(inner) == 0 {
			if n := len(compact(v)); n > most {
				most, in, key = n, all, k
			}
			continue
		}
		for ik, iv := range inner {
			if n := len(compact(iv)); n > most {
				most, in, key = n, inner, ik
			}
		}
	}
	return in, key
}

func compact(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// ascii writes whatever is not ASCII in a line of JSON as \u escapes, for
// receivers that would have to guess the encoding.
func ascii(line []byte) []byte {
	out := make([]byte, 0, len(line))
	for _, r := range string(line) {
		switch {
		case r < 0x80:
			out = append(out, byte(r))
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default: // as a pair of surrogates
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return out
}

// joined puts the lines of batch between open and shut, divided by comma.
func joined(batch []record, open, comma, shut string) []byte {
	out := []byte(open)
	for i, r := range batch {
		if i > 0 {
			out = append(out, comma...)
		}
		out = append(out, r.line...)
	}
	return append(out, shut...)
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
