package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/note"
)

// A Verification says what a log is verified against.
type Verification struct {
	// Checkpoints are files with signed checkpoints. Without any, a tail that
	// was cut off and a chain that was made anew cannot be found.
	Checkpoints []string

	// Key is the verifier key of the checkpoints, as VerifierKey gives it.
	Key string

	// Part says that the files are a part of a log, so that what comes before
	// and after them is not missed.
	Part bool
}

// A Report is what Verify has found.
type Report struct {
	Logs   []LogReport `json:"logs"`
	Faults []Fault     `json:"faults"` // none: all is as it was written
	Notes  []string    `json:"notes,omitempty"`
}

// A LogReport says what there is of one log.
type LogReport struct {
	Log         string `json:"log"`
	First       uint64 `json:"first"` // number of the first event
	Last        uint64 `json:"last"`
	Checkpoints int    `json:"checkpoints"`      // that hold
	Signed      uint64 `json:"signed,omitempty"` // number of the last event that one of them covers
}

// A Fault is a record that is not as it was written, or one that is missing.
type Fault struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // from 1; of a record that is missing, the line at its place
	Log    string `json:"log,omitempty"`
	Seq    uint64 `json:"seq,omitempty"`   // the number of the record; 0 if it has none
	Until  uint64 `json:"until,omitempty"` // if it is one of several, or all of them: the last
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
}

func (f Fault) String() string {
	s := f.File
	if f.Line > 0 {
		s += ":" + strconv.Itoa(f.Line)
	}
	switch {
	case f.Until > f.Seq:
		s += fmt.Sprintf(": records %d to %d", f.Seq, f.Until)
	case f.Seq > 0:
		s += fmt.Sprintf(": record %d", f.Seq)
	}
	if f.ID != "" {
		s += " (id " + strconv.Quote(f.ID) + ")"
	}
	return s + ": " + f.Reason
}

// maxFaults bounds a report. Who has tampered with more is found out anyway.
const maxFaults = 1000

// Verify reads the files of one or more logs, in any order, compressed or not,
// and finds what is not as it was written. An error says that something could
// not be read at all.
func Verify(files []string, o Verification) (*Report, error) {
	signed, err := readCheckpoints(o)
	if err != nil {
		return nil, err
	}
	in, err := newScan(files)
	if err != nil {
		return nil, err
	}
	defer in.close()
	v := &verifier{part: o.Part, signed: signed, chains: map[string]*chain{}, removed: map[string]uint64{}, in: in}
	v.report.Faults = append(v.report.Faults, signed.faults...)
	if err := v.run(); err != nil {
		return nil, err
	}
	v.end()
	return &v.report, nil
}

// A verifier goes through the records with one record of foresight, which is
// what it takes to tell the record that was changed from its neighbour.
type verifier struct {
	report    Report
	part      bool
	signed    *signedSet
	chains    map[string]*chain // by log
	current   *chain            // of the record before
	removed   map[string]uint64 // by log: the last record of what its keeper removed
	unchained int               // records from before there were chains
	in        *scan
}

// A chain is one log, as far as it was read.
type chain struct {
	head
	before    sum    // that the record before head has
	last      record // the record at head
	first     uint64
	bad       bool // the record at head is reported, so that what follows cannot fit it
	broken    bool // a record was reported, so that the tree cannot fit
	tree      edge // over the records before head
	whole     bool // it has all of them
	held      int  // checkpoints that hold
	heldUntil uint64
}

func (v *verifier) run() error {
	cur, err := v.in.next()
	for cur != nil && err == nil {
		var after *record
		if after, err = v.in.next(); err != nil {
			break
		}
		if err = v.take(*cur, after); err != nil {
			break
		}
		cur = after
	}
	return err
}

// take judges a record; after is the one behind it, or nil.
func (v *verifier) take(r record, after *record) error {
	if r.fault != "" {
		v.report.Faults = append(v.report.Faults, Fault{File: r.file, Line: r.line, Reason: r.fault})
		return nil
	}
	if after == nil {
		after = &record{}
	}
	if !r.ok {
		return v.takeUnreadable(r, after)
	}
	c := v.current
	if c == nil || c.log != r.log {
		if c != nil && (r.prev == c.sum || after.follows(c.head)) && v.chains[r.log] == nil && !r.begins() {
			return v.takeStranger(c, r, after)
		}
		if c = v.chains[r.log]; c == nil {
			return v.open(r, after)
		}
		v.current = c
	}
	return v.takeNext(c, r, after)
}

// open begins with the first record of a log that is at hand.
func (v *verifier) open(r record, after *record) error {
	if after.log == r.log && after.begins() {
		v.fault(nil, r, r.seq, "it stands before the first record of its log: it was moved, doubled or inserted")
		return nil
	}
	seq, reason := r.seq, ""
	switch begins := r.prev == genesis(r.log); {
	case begins && r.seq != 1:
		seq, reason = 1, fmt.Sprintf("its seq was changed, to %d", r.seq)
	case !begins && r.seq == 1:
		reason = "it does not begin the log that it names: its prev or its log was changed"
	case !begins && after.log == r.log && after.seq > 1 && after.seq != r.seq+1 && after.prev != r.sum:
		seq, reason = after.seq-1, fmt.Sprintf("its seq was changed, to %d", r.seq)
	}
	c := v.openAt(r.log, seq, r.prev)
	if reason == "" {
		return v.accept(c, r)
	}
	v.fault(c, r, seq, reason)
	return v.acceptBad(c, r)
}

// openAt begins with record seq of a log.
func (v *verifier) openAt(log string, seq uint64, prev sum) *chain {
	c := &chain{head: head{log: log, seq: seq - 1, sum: prev}, first: seq, whole: seq == 1}
	v.chains[log], v.current = c, c
	return c
}

// takeUnreadable judges a line that has no place in a log.
func (v *verifier) takeUnreadable(r record, after *record) error {
	c := v.current
	switch {
	case c == nil && after.ok && after.seq > 1: // then it is of that log
		c = v.openAt(after.log, after.seq-1, sum{})
		v.fault(c, r, c.first, "it can no longer be read as an event: it was changed")
		return v.acceptBad(c, r)
	case c == nil && json.Valid(r.text):
		v.unchained++ // from before there were chains
	case c == nil:
		v.fault(nil, r, 0, "it is no event")
	case after.follows(c.head):
		v.fault(c, r, 0, "it is no event of the log: the line was inserted")
	case c.bad && after.ok && after.seq == c.seq+1:
		// the rest of a line that was divided
	default:
		reason := "it can no longer be read as an event: it was changed"
		if !r.whole {
			reason = "it is cut: the line has no end"
		}
		v.fault(c, r, c.seq+1, reason)
		return v.acceptBad(c, r)
	}
	return nil
}

// takeStranger judges a record that names a log that nothing else names.
func (v *verifier) takeStranger(c *chain, r record, after *record) error {
	if r.prev == c.sum {
		v.fault(c, r, c.seq+1, "its log was changed")
		return v.acceptBad(c, r)
	}
	v.fault(c, r, r.seq, "it names another log: it was inserted, or its log was changed")
	return nil
}

// takeNext judges a record of a log of which there is a record before.
func (v *verifier) takeNext(c *chain, r record, after *record) error {
	fits, counts := r.prev == c.sum, r.seq == c.seq+1
	switch {
	case fits && counts, counts && c.bad:
	case fits:
		v.fault(c, r, c.seq+1, fmt.Sprintf("its seq was changed, to %d", r.seq))
		return v.acceptBad(c, r)
	case counts:
		if v.changedItself(c, r, after) {
			v.fault(c, r, r.seq, "its prev is not the hash of the record before: it was changed")
			return v.acceptBad(c, r)
		}
		v.fault(c, c.last, c.seq, "it was changed: the record after it has another hash for it")
		c.bad = true
	case after.follows(c.head):
		v.fault(c, r, r.seq, fmt.Sprintf("it stands before record %d, where it does not belong: it was moved or inserted", c.seq+1))
		return nil
	case r.seq == c.seq && r.prev == c.before && after.prev == r.sum && after.log == r.log:
		v.fault(c, c.last, c.seq, "it was inserted: the record after it has the same number, and is the one that the log goes on with")
		c.head = head{log: c.log, seq: r.seq - 1, sum: c.before}
		return v.accept(c, r)
	case r.seq <= c.seq:
		v.fault(c, r, r.seq, fmt.Sprintf("it stands after record %d, where it does not belong: it was moved, doubled or inserted", c.seq))
		return nil
	case after.ok && after.log == c.log && after.seq == c.seq+2:
		v.fault(c, r, c.seq+1, fmt.Sprintf("record %d stands in its place", r.seq))
		return v.acceptBad(c, r)
	default:
		f := Fault{File: r.file, Line: r.line, Log: c.log, Seq: c.seq + 1, Reason: "it is missing"}
		if r.seq > c.seq+2 {
			f.Until, f.Reason = r.seq-1, "they are missing"
		}
		v.add(c, f)
		c.head = head{log: c.log, seq: r.seq - 1, sum: r.prev}
	}
	return v.accept(c, r)
}

// changedItself says whether of two records that do not fit the later was
// changed: then what comes after it does not fit it either. For the last record
// of all a checkpoint says it, if there is one.
func (v *verifier) changedItself(c *chain, r record, after *record) bool {
	if c.seq == 0 {
		return true
	}
	if after.ok && after.log == r.log && after.seq == r.seq+1 {
		return after.prev != r.sum
	}
	if p, ok := v.signed.at(r.log, r.seq); ok {
		return p.line != r.sum
	}
	p, ok := v.signed.at(c.log, c.seq)
	return ok && p.line == c.sum
}

// accept makes r the head of its log.
func (v *verifier) accept(c *chain, r record) error {
	if err := v.settle(c); err != nil {
		return err
	}
	if c.whole && c.seq > 0 && v.signed.any(c.log) {
		c.tree.add(c.sum)
	}
	c.before = c.sum
	c.head, c.bad = head{log: c.log, seq: c.seq + 1, sum: r.sum}, false
	r.text = append(c.last.text[:0], r.text...) // the scan uses its own again
	c.last = r
	if bytes.Contains(r.text, removedMark) {
		v.noteRemoved(r.text)
	}
	return nil
}

// acceptBad makes a record that is reported the head of its log.
func (v *verifier) acceptBad(c *chain, r record) error {
	if err := v.accept(c, r); err != nil {
		return err
	}
	c.bad = true
	return nil
}

var (
	removedMark = []byte(`"operation":"log-removed"`)
	removedName = regexp.MustCompile(`-([A-Z2-7]{16})-([0-9]{12,19})(\.|$)`)
)

// noteRemoved reads what the log's keeper says that it removed.
func (v *verifier) noteRemoved(line []byte) {
	var e Event
	if json.Unmarshal(line, &e) != nil || e.Kind != KindAdmin || e.Request == nil || e.Request.Operation != "log-removed" {
		return
	}
	for _, name := range e.Request.Keys {
		if m := removedName.FindStringSubmatch(name); m != nil {
			last, _ := strconv.ParseUint(m[2], 10, 63) //nolint:errcheck // 0 removes nothing
			v.removed[m[1]] = max(v.removed[m[1]], last)
		}
	}
}

// end judges what is not there.
func (v *verifier) end() {
	for _, log := range slices.Sorted(maps.Keys(v.chains)) {
		c := v.chains[log]
		if err := v.settle(c); err != nil {
			v.add(c, Fault{Log: log, Reason: err.Error()})
		}
		if c.first > 1 && !v.part {
			if v.removed[log] >= c.first-1 {
				v.report.Notes = append(v.report.Notes, fmt.Sprintf("log %s: records 1 to %d were removed by its keeper, as an event says", log, c.first-1))
			} else {
				v.add(c, Fault{File: c.last.file, Log: log, Seq: 1, Until: c.first - 1, Reason: "they are missing from the files, and no event says that they were removed"})
			}
		}
		if most := v.signed.most(log); !v.part && most > c.seq {
			v.add(c, Fault{File: c.last.file, Log: log, Seq: c.seq + 1, Until: most, Reason: "they are missing at the end: a checkpoint has been signed for them"})
		}
		v.report.Logs = append(v.report.Logs, LogReport{Log: log, First: c.first, Last: c.seq, Checkpoints: c.held, Signed: c.heldUntil})
	}
	v.endUnseen()
	if v.unchained > 0 {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("%d records are from before the log had a chain; nothing vouches for them", v.unchained))
	}
	v.report.Notes = append(v.report.Notes, v.in.notes...)
	v.report.Faults = append(v.report.Faults, v.in.forks...)
}

// endUnseen judges logs of which there are checkpoints and nothing else.
func (v *verifier) endUnseen() {
	for _, log := range slices.Sorted(maps.Keys(v.signed.logs)) {
		if v.chains[log] == nil && !v.part && v.removed[log] < v.signed.most(log) {
			v.add(nil, Fault{File: v.signed.logs[log][0].file, Log: log, Seq: 1, Until: v.signed.most(log), Reason: "they are missing: a checkpoint has been signed for them, and none of the files has the log"})
		}
	}
}

func (v *verifier) fault(c *chain, r record, seq uint64, reason string) {
	f := Fault{File: r.file, Line: r.line, Seq: seq, ID: r.id(), Reason: reason}
	if c != nil {
		f.Log = c.log
	}
	v.add(c, f)
}

func (v *verifier) add(c *chain, f Fault) {
	if c != nil {
		c.broken = true
	}
	if len(v.report.Faults) < maxFaults {
		v.report.Faults = append(v.report.Faults, f)
	}
}

func verifiers(key string) (note.Verifiers, error) {
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("%q is not a verifier key: %w", key, err)
	}
	return note.VerifierList(v), nil
}
