package audit

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A record is one line of a file.
type record struct {
	place
	ok    bool // it has a place
	file  string
	line  int // from 1
	sum   sum
	text  []byte
	whole bool   // it ends in a newline
	fault string // the file cannot be read on, and why
}

// follows says whether r is the next record after h.
func (r *record) follows(h head) bool {
	return r.ok && r.log == h.log && r.seq == h.seq+1 && r.prev == h.sum
}

// begins says whether r is the first record of a log.
func (r *record) begins() bool { return r.seq == 1 && r.prev == genesis(r.log) }

// id is that of the event, as far as it can be read.
func (r *record) id() string {
	_, rest, _ := bytes.Cut(r.text, []byte(`"id":"`))
	id, _, ok := bytes.Cut(rest, []byte(`"`))
	if !ok || len(id) > 64 {
		return ""
	}
	return strings.ToValidUTF8(string(id), "\ufffd")
}

// An input is a file that is read, and where it begins.
type input struct {
	path  string
	first place // of the first record that has one
	size  int64
}

// A scan reads the records of files, in the order of the logs.
type scan struct {
	rest  []input
	read  []input           // that are done, or open
	seen  map[string]uint64 // by log: the last record that was read
	first place             // of the open file
	last  head              // the record that was read last
	in    *logFile
	file  string
	line  int
	again place     // of the open file: the next record that was read from another, too
	texts [3][]byte // of the last records, in turn
	turn  int
	notes []string
	forks []Fault
}

func newScan(files []string) (*scan, error) {
	s := &scan{seen: map[string]uint64{}}
	for _, path := range files {
		plain, zipped := strings.CutSuffix(path, ".gz")
		if zipped && slices.Contains(files, plain) { // about to be compressed
			continue
		}
		i, err := peek(path)
		if err != nil {
			return nil, err
		}
		s.rest = append(s.rest, i)
	}
	slices.SortStableFunc(s.rest, func(a, b input) int {
		return cmp.Or(cmp.Compare(a.first.seq, b.first.seq), strings.Compare(a.first.log, b.first.log), cmp.Compare(b.size, a.size))
	})
	return s, nil
}

func peek(path string) (input, error) {
	i := input{path: path}
	f, err := openLogFile(path)
	if err != nil {
		return i, err
	}
	defer f.close()
	info, err := os.Stat(f.f.Name())
	if err != nil {
		return i, err
	}
	i.size = info.Size()
	var before head
	for {
		line, _, err := f.line()
		if err != nil { // said when the file is read
			return i, nil
		}
		p, ok := placeOf(line)
		switch {
		case !ok:
			continue
		case p.log == before.log && p.seq == before.seq+1 && p.prev == before.sum: // of such a pair neither stands in a wrong place
			i.first = place{log: before.log, seq: before.seq}
			return i, nil
		case i.first.log == "":
			i.first = p
		}
		before = head{log: p.log, seq: p.seq, sum: sumOf(line)}
	}
}

// next returns the next record, or nil. It is good until the third call after.
func (s *scan) next() (*record, error) {
	for {
		if s.in == nil {
			if ok, err := s.open(); !ok || err != nil {
				return nil, err
			}
		}
		line, whole, err := s.in.line()
		s.line++
		if err != nil {
			file := s.file
			err, closed := ignoreEOF(err), s.in.close()
			s.in = nil
			if err != nil {
				return &record{file: file, line: s.line, fault: "the file cannot be read on: " + err.Error()}, nil
			}
			if closed != nil {
				return nil, closed
			}
			continue
		}
		s.turn = (s.turn + 1) % len(s.texts)
		s.texts[s.turn] = append(s.texts[s.turn][:0], line...)
		r := &record{file: s.file, line: s.line, text: s.texts[s.turn], whole: whole, sum: sumOf(line)}
		r.place, r.ok = placeOf(r.text)
		r.ok = r.ok && whole
		if r.ok && r.log == s.again.log && r.seq == s.again.seq && r.seq <= s.seen[r.log] { // the same as in another file
			s.again.seq++
			continue
		}
		if r.follows(s.last) || r.ok && r.seq == s.first.seq && r.log == s.first.log { // and does not stand in a wrong place
			s.seen[r.log] = max(s.seen[r.log], r.seq)
		}
		if r.ok {
			s.last = head{log: r.log, seq: r.seq, sum: r.sum}
		}
		return r, nil
	}
}

// open goes on with the file that continues a log, or else begins one, or else
// comes first.
func (s *scan) open() (bool, error) {
	if len(s.rest) == 0 {
		return false, nil
	}
	i := max(0, slices.IndexFunc(s.rest, func(f input) bool { return f.first.seq == s.seen[f.first.log]+1 }))
	f := s.rest[i]
	s.rest = slices.Delete(s.rest, i, i+1)
	s.again = place{}
	if seen := s.seen[f.first.log]; f.first.seq != 0 && f.first.seq <= seen {
		fork, err := s.compare(f)
		if err != nil {
			return false, err
		}
		if fork != nil {
			s.forks = append(s.forks, *fork)
			return s.open()
		}
		s.notes = append(s.notes, fmt.Sprintf("%s repeats records that another file has", f.path))
		s.again = f.first
	}
	s.read = append(s.read, f)
	in, err := openLogFile(f.path)
	if err != nil {
		return false, err
	}
	s.in, s.file, s.line, s.first = in, f.path, 0, f.first
	return true, nil
}

// compare finds the first record of f that is another than the one with the
// same number in a file that was read before.
func (s *scan) compare(f input) (*Fault, error) {
	in, err := openLogFile(f.path)
	if err != nil {
		return nil, err
	}
	defer in.close()
	theirs := &scan{rest: slices.Clone(s.read), seen: map[string]uint64{}}
	defer theirs.close()
	old := &record{}
	for number := 1; ; number++ {
		line, _, err := in.line()
		if err != nil {
			return nil, nil //nolint:nilerr // said when the file is read
		}
		p, ok := placeOf(line)
		if !ok || p.log != f.first.log {
			continue
		}
		for old != nil && (!old.ok || old.log != p.log || old.seq < p.seq) {
			if old, err = theirs.next(); err != nil {
				return nil, err
			}
		}
		if old == nil {
			return nil, nil
		}
		if old.seq == p.seq && old.sum != sumOf(line) {
			r := record{text: line}
			return &Fault{File: f.path, Line: number, Log: p.log, Seq: p.seq, ID: r.id(), Reason: fmt.Sprintf("it is another than in %s, line %d: the log was forked, or one of them was changed", old.file, old.line)}, nil
		}
	}
}

func (s *scan) close() {
	if s.in != nil {
		_ = s.in.close() // only read
	}
}
