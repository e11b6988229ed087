package revocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
)

// A List is the orders of one file. It is safe for concurrent use, and several
// processes may have the same file open.
type List struct {
	path string

	mu         sync.RWMutex // guards what follows
	now        *state       // nil until the file could be read
	info       fs.FileInfo  // of the file when it was last read; nil: unknown
	fault      error        // what was wrong with it then
	newest     uint64       // the largest number that was ever seen
	generation uint64       // counts what was read

	writing sync.Mutex // held while this process writes; the lock file keeps others out
}

// Open reads the orders at path, which is made, with mode 0600, when it does not
// exist. A file that others may write to, or that is damaged, is refused.
func Open(path string) (*List, error) {
	path, err := durable.Resolve(path)
	if err != nil {
		return nil, fmt.Errorf("open revocations: %w", err)
	}
	l := &List{path: path}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := l.create(); err != nil {
			return nil, fmt.Errorf("make revocations %q: %w", path, err)
		}
	}
	return l, l.Refresh()
}

// Check says what is wrong with the file at path, if it is there, and makes
// none.
func Check(path string) error {
	path, err := durable.Resolve(path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return (&List{path: path}).Refresh()
}

// Refresh reads what has changed in the file since it was last looked at. As
// long as it cannot be read there is an error, whoever asks.
func (l *List) Refresh() error {
	info, err := os.Stat(l.path)
	if err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	l.mu.RLock()
	known, fault := l.info != nil && same(info, l.info), l.fault
	l.mu.RUnlock()
	if known {
		return fault
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read()
}

// same says whether nothing has happened to the file. Whoever writes changes
// its size or puts another in its place.
func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// read looks at the file again.
func (l *List) read() error {
	f, err := os.Open(l.path)
	if err != nil {
		l.info = nil
		return fmt.Errorf("read revocations: %w", err)
	}
	defer f.Close()
	info, err := f.Stat() // before the content: what is written meanwhile is seen at the next look
	if err != nil {
		l.info = nil
		return fmt.Errorf("read revocations: %w", err)
	}
	l.generation++
	l.info, l.fault = info, l.take(f, info)
	return l.fault
}

// take reads f and puts it in force. If it begins as it did, only what was added
// is decoded.
func (l *List) take(f *os.File, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("revocations %q: not a file", l.path)
	case durable.ModesMean && info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("revocations %q: mode %04o lets others write to it; if nobody has, run: chmod 600 %s", l.path, info.Mode().Perm(), l.path)
	case info.Size() > maxFile:
		return fmt.Errorf("revocations %q: larger than %d bytes", l.path, maxFile)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	next := newState()
	if l.now != nil && l.now.begins(data) {
		next = l.now
	}
	if err == nil {
		err = next.read(data)
	}
	if err != nil {
		l.now = nil
		return fmt.Errorf("revocations %q are damaged: %w; put back a copy, or move the file away and give the orders anew", l.path, err)
	}
	if next.seq() < l.newest {
		l.now = nil
		return fmt.Errorf("revocations %q have gone back from number %d to %d; put back the newer file, or start the sidecar anew", l.path, l.newest, next.seq())
	}
	l.now, l.newest = next, next.seq()
	return nil
}

// Generation changes with what is in force.
func (l *List) Generation() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.generation
}

// Hitting gives the order that ends what h holds, if there is one. It looks at
// the file first. On an error nobody knows, and nothing should be served.
func (l *List) Hitting(h *Holder) (Order, bool, error) {
	return l.ask(func(s *state) *Order { return s.hitting(h) })
}

// Barring gives the order that keeps an ID token from becoming a session, if
// there is one. It looks at the file first. On an error nobody knows, and
// nothing should be issued.
func (l *List) Barring(c *Claim) (Order, bool, error) {
	return l.ask(func(s *state) *Order { return s.barring(c) })
}

// Given gives the order that a logout token has led to, if it has.
func (l *List) Given(issuer, id string) (Order, bool, error) {
	return l.ask(func(s *state) *Order { return s.tokens[token{issuer, id}] })
}

func (l *List) ask(question func(*state) *Order) (Order, bool, error) {
	if err := l.Refresh(); err != nil {
		return Order{}, false, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.now == nil {
		return Order{}, false, l.fault
	}
	o := question(l.now)
	if o == nil {
		return Order{}, false, nil
	}
	return *o, true, nil
}

// Pending are the changes of which no event was written, the oldest first, as
// of the last look at the file.
func (l *List) Pending() []Change {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.now == nil {
		return nil
	}
	return slices.Clone(l.now.pending)
}

// Orders are those in force that can still hit something at now, in the order
// in which they were given.
func (l *List) Orders(now time.Time) ([]Order, error) {
	if err := l.Refresh(); err != nil {
		return nil, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.now == nil {
		return nil, l.fault
	}
	list := make([]Order, 0, len(l.now.orders))
	for _, o := range l.now.inOrder() {
		if o.lasts(now) {
			list = append(list, *o)
		}
	}
	return list, nil
}

// inOrder are the orders in force, the oldest first.
func (s *state) inOrder() []*Order {
	list := make([]*Order, 0, len(s.orders))
	for _, o := range s.orders {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b *Order) int { return int(s.numbers[a.ID]) - int(s.numbers[b.ID]) })
	return list
}

// create makes the file, unless somebody else has meanwhile.
func (l *List) create() error {
	unlock, err := durable.Lock(context.Background(), l.path)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(l.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	first, err := encode(header{Version: formatVersion})
	if err != nil {
		return err
	}
	return durable.Replace(l.path, first, 0o600)
}
