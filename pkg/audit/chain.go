package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// A sum is the SHA-256 of a line without its newline.
type sum = [sha256.Size]byte

func sumOf(line []byte) sum { return sha256.Sum256(line) }

// A place is where a line stands in its log. The zero value is no place.
type place struct {
	log  string
	seq  uint64
	prev sum
}

// logNameLen is 80 bits in base 32: no two logs ever have one name.
const logNameLen = 16

func newLogName() string { return rand.Text()[:logNameLen] }

// genesis is what the first line of a log has as prev. It binds the line to the
// name, so that the first line of one log is not the first of another.
func genesis(log string) sum { return sha256.Sum256([]byte("gimme audit log " + log)) }

// A head is the last line of a log; with seq 0, its beginning.
type head struct {
	log string
	seq uint64
	sum sum
}

func newHead() head {
	name := newLogName()
	return head{log: name, sum: genesis(name)}
}

// seal appends an event's line to buf with its place behind h, and returns the
// head that it makes. The line comes from Event.Line of an event that has no
// place yet.
func (h head) seal(buf, line []byte) ([]byte, head) {
	start := len(buf)
	buf = append(buf, line[:len(line)-len("}\n")]...)
	buf = append(buf, logMember...)
	buf = append(buf, h.log...)
	buf = append(buf, seqMember...)
	buf = strconv.AppendUint(buf, h.seq+1, 10)
	buf = append(buf, prevMember...)
	buf = hex.AppendEncode(buf, h.sum[:])
	buf = append(buf, lineEnd...)
	next := head{log: h.log, seq: h.seq + 1, sum: sha256.Sum256(buf[start:])}
	return append(buf, '\n'), next
}

// How a line ends. Inside a text of JSON these quotes would be escaped, so
// nothing that anyone asks for can look like them.
const (
	logMember  = `,"log":"`
	seqMember  = `","seq":`
	prevMember = `,"prev":"`
	lineEnd    = `"}`
)

// placeOf reads the place at the end of a line, which has no newline.
func placeOf(line []byte) (p place, ok bool) {
	rest, ok := bytes.CutSuffix(line, []byte(lineEnd))
	if !ok || len(rest) < 2*len(p.prev) {
		return place{}, false
	}
	rest, digits := rest[:len(rest)-2*len(p.prev)], rest[len(rest)-2*len(p.prev):]
	if _, err := hex.Decode(p.prev[:], digits); err != nil || bytes.ContainsAny(digits, "ABCDEF") {
		return place{}, false
	}
	if rest, ok = bytes.CutSuffix(rest, []byte(prevMember)); !ok {
		return place{}, false
	}
	number := rest[len(bytes.TrimRight(rest, "0123456789")):]
	if p.seq, ok = parseSeq(number); !ok {
		return place{}, false
	}
	if rest, ok = bytes.CutSuffix(rest[:len(rest)-len(number)], []byte(seqMember)); !ok || len(rest) < logNameLen {
		return place{}, false
	}
	p.log = string(rest[len(rest)-logNameLen:])
	ok = isLogName(p.log) && bytes.HasSuffix(rest[:len(rest)-logNameLen], []byte(logMember)) && line[0] == '{'
	return p, ok
}

// parseSeq reads a number as seal writes it.
func parseSeq(digits []byte) (uint64, bool) {
	if len(digits) == 0 || digits[0] == '0' {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(digits), 10, 63)
	return seq, err == nil
}

func isLogName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(s) == logNameLen
}
