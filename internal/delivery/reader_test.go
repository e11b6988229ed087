package delivery

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// read reads what there is, and what is missing.
func read(t *testing.T, r *reader) (seqs []uint64, lost []gap) {
	t.Helper()
	for {
		line, h, g, err := r.next()
		if g != nil {
			lost = append(lost, *g)
		}
		if errors.Is(err, io.EOF) {
			return seqs, lost
		}
		if err != nil {
			t.Fatal(err)
		}
		if seqOf(line) != h.Seq {
			t.Fatalf("line %q is said to have number %d", line, h.Seq)
		}
		seqs = append(seqs, h.Seq)
	}
}

func span(from, to uint64) (all []uint64) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func TestReader(t *testing.T) {
	for _, row := range []struct {
		name string
		// between happens after the first 10 events were read.
		between func(l *testLog, closed string)
		want    []uint64
		lost    []gap
		open    []uint64 // what a reader reads that had the file open, if not want
	}{
		{"the file grows", func(l *testLog, _ string) { l.add(5) }, span(11, 15), nil, nil},
		{"nothing new", func(l *testLog, _ string) {}, nil, nil, nil},
		{"rotated", func(l *testLog, _ string) { l.add(2); l.rotate(); l.add(3) }, span(11, 15), nil, nil},
		{"rotated twice, and compressed", func(l *testLog, _ string) {
			l.add(1)
			l.compress(l.rotate())
			l.add(3)
			l.compress(l.rotate())
			l.add(1)
		}, span(11, 15), nil, nil},
		{"rotated, and nothing new yet", func(l *testLog, _ string) { l.rotate() }, nil, nil, nil},
		{"older files removed", func(l *testLog, closed string) { os.Remove(closed); l.add(1) }, span(11, 11), nil, nil},
		{"removed before it was read", func(l *testLog, closed string) {
			l.add(3)
			os.Remove(closed)
			os.Remove(l.rotate())
			l.add(2)
		}, span(14, 15), []gap{{from: 11, to: 13}}, span(11, 15)},
		{"a torn line that is then ended", func(l *testLog, _ string) {
			l.raw([]byte(`{"version":1,"seq":99,"ki`))
			l.raw([]byte("\n"))
			l.add(1)
		}, span(11, 11), nil, nil},
		{"a line that is being written", func(l *testLog, _ string) { l.add(1); l.raw([]byte(`{"version":1,"se`)) }, span(11, 11), nil, nil},
		{"lines that are no events", func(l *testLog, _ string) { l.raw([]byte("\n\x00\n[]\n{}\n{\"seq\":\"7\"}\n")); l.add(1) }, span(11, 11), nil, nil},
		{"a log begun anew in the same file", func(l *testLog, _ string) { l.begin(); l.add(2) }, span(1, 2), nil, nil},
		{"a log begun anew in another file", func(l *testLog, closed string) {
			os.Remove(closed)
			os.Remove(l.path)
			l.file = nil
			l.begin()
			l.add(12)
		}, span(1, 12), nil, nil},
		{"the start of a new log is gone", func(l *testLog, closed string) {
			l.begin()
			l.add(2)
			os.Remove(l.rotate())
			os.Remove(closed)
			l.add(2)
		}, span(3, 4), []gap{{from: 1, to: 2}}, span(1, 4)},
		{"the last events were lost with the machine", func(l *testLog, _ string) {
			takeBack(l, 2)
			l.add(4)
		}, span(6, 12), []gap{{to: 10, again: true}}, nil},
		{"the last event was taken back, and as much written again", func(l *testLog, _ string) {
			takeBack(l, 1)
			l.add(2)
		}, span(6, 11), []gap{{to: 10, again: true}}, nil},
		{"the last event was taken back, and shorter ones written", func(l *testLog, _ string) {
			takeBack(l, 1)
			l.when = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // without a fraction
			l.add(2)
		}, span(6, 11), []gap{{to: 10, again: true}}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, fresh := range []bool{false, true} { // the same reader, and one that starts from the position
				l := newLog(t)
				l.add(5)
				closed := l.rotate()
				l.add(5)
				r := &reader{layout: &layout{path: l.path, ids: map[string]string{}}}
				if got, _ := read(t, r); !cmp.Equal(got, span(1, 10)) {
					t.Fatalf("at first: %v", got)
				}
				row.between(l, closed)
				if fresh {
					r.close()
					r = &reader{layout: &layout{path: l.path, ids: map[string]string{}}, at: r.at}
				}
				got, lost := read(t, r)
				want, wantLost := row.want, row.lost
				if row.open != nil && !fresh {
					want, wantLost = row.open, nil
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("fresh %v: events (-want +got):\n%s", fresh, diff)
				}
				if diff := cmp.Diff(wantLost, lost, cmp.AllowUnexported(gap{})); diff != "" {
					t.Errorf("fresh %v: lost (-want +got):\n%s", fresh, diff)
				}
				l.add(1) // and on it goes
				if got, _ := read(t, r); len(got) != 1 && row.name != "a line that is being written" {
					t.Errorf("fresh %v: then %v", fresh, got)
				}
				r.close()
			}
		})
	}
}

// takeBack removes the last n events from the growing file, as a loss of power
// might, and goes on from there.
func takeBack(l *testLog, n int) {
	data, err := os.ReadFile(l.path)
	if err != nil {
		l.t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines = lines[:len(lines)-1-n]
	if err := os.Truncate(l.path, int64(len(bytes.Join(lines, nil)))); err != nil {
		l.t.Fatal(err)
	}
	l.seq -= uint64(n)
	l.prev = sumOf(bytes.TrimSuffix(lines[len(lines)-1], []byte("\n")))
}

// A file that is missed in a listing, because it is closed between the two
// looks that make one, must not look like one that is gone.
func TestReadersAndRotationAtOnce(t *testing.T) {
	l := newLog(t)
	const events = 1500
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range events {
			l.add(1)
			if i%7 == 3 {
				if closed := l.rotate(); i%2 == 0 {
					l.compress(closed)
				}
			}
		}
	}()
	r := &reader{layout: &layout{path: l.path, ids: map[string]string{}}}
	defer r.close()
	next := uint64(1)
	for ended := false; ; {
		seqs, lost := read(t, r)
		if len(lost) > 0 {
			t.Fatalf("lost %v", lost)
		}
		for _, s := range seqs {
			if s != next {
				t.Fatalf("got %d, want %d", s, next)
			}
			next++
		}
		if ended && len(seqs) == 0 {
			break
		}
		select {
		case <-done:
			ended = true
		default:
		}
	}
	if next != events+1 {
		t.Errorf("read up to %d", next-1)
	}
}

func TestLastEvent(t *testing.T) {
	l := newLog(t)
	view := &layout{path: l.path, ids: map[string]string{}}
	if h, err := view.last(); err == nil {
		t.Errorf("no file: got %v", h)
	}
	l.add(3)
	l.raw([]byte("{\"torn"))
	if h, err := view.last(); h.Seq != 3 || err != nil {
		t.Errorf("got %d, %v", h.Seq, err)
	}
	l.raw(append(bytes.Repeat([]byte("x"), 100<<10), '\n'))
	l.add(1)
	l.raw(append(bytes.Repeat([]byte("x"), 100<<10), '\n'))
	if h, err := view.last(); h.Seq != 4 || err != nil {
		t.Errorf("behind a long line: got %d, %v", h.Seq, err)
	}
}

// The list of files grows old while they are read: a file that had been growing
// is closed, and the one that has taken its place has nothing in it yet.
func TestAFileThatWasClosedWhileOlderOnesWereRead(t *testing.T) {
	l := newLog(t)
	l.add(5)
	l.rotate()
	r := &reader{layout: &layout{path: l.path, ids: map[string]string{}}}
	defer r.close()
	if _, h, _, err := r.next(); h.Seq != 1 || err != nil {
		t.Fatalf("got %d, %v", h.Seq, err)
	}
	l.add(3)
	l.rotate()
	if got, lost := read(t, r); !cmp.Equal(got, span(2, 8)) || lost != nil {
		t.Errorf("got %v, lost %v", got, lost)
	}
}
