package revocation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
)

// ErrNoOrder says that no order in force has that id.
var ErrNoOrder = errors.New("no such order is in force")

// slack is how many lines may stand in the file that mean nothing any more,
// before it is written anew.
const slack = 1000

// Give writes an order, made by New. It returns once the order is on disk: from
// then on every request sees it. An order that a logout token gives and has given
// before is not written again.
func (l *List) Give(ctx context.Context, o Order) error {
	if err := o.Check(); err != nil {
		return err
	}
	return l.write(ctx, func(s *state) (*record, error) {
		if o.Token != "" && s.tokens[token{o.Issuer, o.Token}] != nil {
			return nil, nil
		}
		return &record{Order: &o}, nil
	})
}

// Clear takes back the order of that id, so that what it hit and what has not
// expired is good again. The error is ErrNoOrder if there is none.
func (l *List) Clear(ctx context.Context, id, by string, now time.Time) (cleared Order, err error) {
	err = l.write(ctx, func(s *state) (*record, error) {
		o := s.orders[id]
		if o == nil {
			return nil, ErrNoOrder
		}
		cleared = *o
		return &record{Clear: &Clearing{ID: id, By: by, At: now.UTC().Truncate(time.Second)}}, nil
	})
	return cleared, err
}

// Recorded notes that events of all changes up to the one of that number are
// written.
func (l *List) Recorded(ctx context.Context, seq uint64) error {
	return l.write(ctx, func(s *state) (*record, error) {
		if seq <= s.recorded {
			return nil, nil
		}
		return &record{Recorded: seq}, nil
	})
}

// write appends what next makes of the newest state, unless that is nil.
func (l *List) write(ctx context.Context, next func(*state) (*record, error)) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	unlock, err := durable.Lock(ctx, l.path)
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.Refresh(); err != nil {
		return err
	}
	e, err := l.plan(next)
	if e == nil || err != nil {
		return err
	}
	if err := e.write(l.path); err != nil {
		return fmt.Errorf("write revocations %q: %w", l.path, err)
	}
	return l.Refresh()
}

// An edit is what is to be done to the file: a line for the end of what is good
// of it, or a text in its place.
type edit struct {
	line  []byte
	end   int64
	whole []byte // nil: append
}

func (l *List) plan(next func(*state) (*record, error)) (*edit, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.now
	if s == nil {
		return nil, fmt.Errorf("revocations %q cannot be read", l.path)
	}
	r, err := next(s)
	if r == nil || err != nil {
		return nil, err
	}
	r.Seq = s.seq() + 1
	line, err := encode(r)
	if err != nil {
		return nil, err
	}
	e := &edit{line: line, end: s.offset}
	if s.overgrown(time.Now()) {
		if e.whole, err = s.anew(time.Now()); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *edit) write(path string) error {
	if e.whole != nil {
		return durable.Replace(path, append(e.whole, e.line...), 0o600)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := cut(f, e.end); err != nil {
		return err
	}
	if _, err := f.WriteAt(e.line, e.end); err != nil {
		return errors.Join(err, cut(f, e.end))
	}
	// If this fails the line stays: somebody may have seen it, and what was
	// revoked may well stay revoked.
	return f.Sync()
}

// cut takes away what a writer left behind that did not finish its line.
func cut(f *os.File, end int64) error {
	info, err := f.Stat()
	if err != nil || info.Size() <= end {
		return err
	}
	return errors.Join(f.Truncate(end), f.Sync())
}

// overgrown says whether most lines of the file mean nothing any more.
func (s *state) overgrown(now time.Time) bool {
	if len(s.pending) > 0 {
		return false // the number of the last event would be lost
	}
	alive := 0
	for _, o := range s.orders {
		if o.lasts(now) {
			alive++
		}
	}
	return s.lines > 2*alive+slack
}

// anew is the text of a file with what still means something.
func (s *state) anew(now time.Time) ([]byte, error) {
	text, err := encode(header{Version: formatVersion, Seq: s.seq(), Recorded: s.seq()})
	if err != nil {
		return nil, err
	}
	for _, o := range s.inOrder() {
		if !o.lasts(now) {
			continue
		}
		line, err := encode(record{Seq: s.numbers[o.ID], Order: o})
		if err != nil {
			return nil, err
		}
		text = append(text, line...)
	}
	return text, nil
}
