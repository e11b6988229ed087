package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// A Durability is how much a written event survives.
type Durability string

// The durabilities.
const (
	DurableWrite Durability = "write" // the end of the process: the line is handed to the operating system
	DurableFsync Durability = "fsync" // the end of the machine: the line is on the disk
)

// Options say how a log is kept. The zero value works.
type Options struct {
	// Durability is what a Write waits for. Default DurableWrite.
	Durability Durability

	// Timeout is how long a Write waits for a device that does not answer.
	// Default 10s.
	Timeout time.Duration

	// Rotate says when a file is closed and the next begun. Default never.
	Rotate Rotation

	// Checkpoints is how often new lines are signed for. Default never. A log
	// that is not a regular file has none.
	Checkpoints time.Duration

	// OnError, if set, is told what went wrong in the background and stops
	// nobody: rotation, compression, checkpoints. It must not call the log.
	OnError func(error)
}

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return 10 * time.Second
}

func (o Options) report(err error) {
	if err != nil && o.OnError != nil {
		o.OnError(err)
	}
}

// A Log takes events, one line each. Each line has its number and the hash of
// the line before. It is safe for concurrent use; concurrent writers share
// writes to the device, and commits to the disk.
type Log struct {
	options Options
	out     device
	entries sync.Pool // of *entry

	mu      sync.Mutex // guards the fields below
	queue   []*entry   // waiting to be written, the oldest first
	batch   []*entry   // what flush is at
	busy    bool       // flush runs
	since   time.Time  // since when it has been at the same batch
	watched bool       // giveUp is going to run
	head    head       // the last line that is written
	fault   error      // why the last event could not be written; nil if it could
	missed  int        // events that could not be written, and of which no event tells yet
	began   time.Time  // when the first of them was to be written
	retries bool       // retry runs
	closed  bool
	emptied chan struct{} // closed when nothing is queued any more, after Close

	flusher     func()       // flush; made once, because each making of it is garbage
	watch       *time.Timer  // runs giveUp
	buf         []byte       // of flush alone
	checkpoints *checkpoints // nil: none
	archive     *archive     // nil: nothing is rotated
	stop        chan struct{}
	background  sync.WaitGroup
}

// A device is what lines are handed to.
type device interface {
	// put takes whole lines that come after last, all of them or none. After an
	// error the device may be called again.
	put(lines []byte, last head) error
	// sync makes last what put has taken.
	sync() error
	io.Closer
}

// An entry is an event on its way.
type entry struct {
	line    []byte
	sum     sum // of the line in its place
	since   time.Time
	done    chan error // has room for one
	givenUp bool       // the answer was that the device hangs
}

func newEntry() any { return &entry{done: make(chan error, 1)} }

// NewLog writes to out, and begins a log of its own there. Each batch of events
// is handed over in a single Write.
func NewLog(out io.Writer) *Log { return Options{}.NewLog(out) }

// NewLog is the function NewLog with these options, of which only those mean
// something that need no file.
func (o Options) NewLog(out io.Writer) *Log {
	return newLog(o, &stream{out: out}, newHead())
}

func newLog(o Options, out device, h head) *Log {
	l := &Log{options: o, out: out, entries: sync.Pool{New: newEntry}, head: h, emptied: make(chan struct{}), stop: make(chan struct{})}
	l.flusher = l.flush
	l.watch = time.AfterFunc(o.timeout(), l.giveUp)
	l.watch.Stop()
	return l
}

// Name is the random name of the log, which stands in each of its lines.
func (l *Log) Name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head.log
}

// Write appends e. When it returns nil the line is as durable as the options
// say. After an error the event is not in the log, with one exception: a
// device that hung may still take the line when it recovers.
func (l *Log) Write(e Event) error {
	e.Log, e.Seq, e.Prev = "", 0, ""
	n := l.entries.Get().(*entry)
	line, err := appendLine(n.line[:0], &e)
	if err != nil {
		return err
	}
	n.line = line
	if err = l.enqueue(n); err == nil {
		err = <-n.done
	}
	if err != nil {
		err = fmt.Errorf("write audit event %q: %w", e.ID, err)
	}
	if !n.givenUp { // else the device may still have it
		n.line = spare(n.line)
		l.entries.Put(n)
	}
	return err
}

// spare returns a buffer to be used again, unless it has grown so large that
// this would waste memory.
func spare(buf []byte) []byte {
	if cap(buf) > 256<<10 {
		return nil
	}
	return buf
}

var (
	errClosed = errors.New("the log is closed")
	errHangs  = errors.New("the audit log's device does not answer")
)

func (l *Log) enqueue(n *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	n.since = time.Now()
	if l.hangs(n.since) { // whoever comes next need not wait to learn it
		l.fail(errHangs, 1)
		return errHangs
	}
	l.queue = append(l.queue, n)
	if !l.busy {
		l.busy, l.since = true, n.since
		go l.flusher()
	}
	if !l.watched {
		l.watched = true
		l.watch.Reset(l.options.timeout())
	}
	return nil
}

// hangs says whether the device has been at one batch for too long. The caller
// holds mu.
func (l *Log) hangs(now time.Time) bool { return l.busy && now.Sub(l.since) > l.options.timeout() }

// giveUp answers those who have waited too long, and runs again when the next
// one will have. So no event needs a timer of its own.
func (l *Log) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watched = false
	for _, n := range slices.Concat(l.batch, l.queue) { // the oldest first
		if n.givenUp {
			continue
		}
		if left := l.options.timeout() - time.Since(n.since); left > 0 {
			l.watched = true
			l.watch.Reset(left)
			break
		}
		n.givenUp = true
		l.fail(errHangs, 1)
		n.done <- errHangs
	}
	l.queue = slices.DeleteFunc(l.queue, func(n *entry) bool { return n.givenUp })
}

// flush writes what is queued, all at once, until nothing is. While it waits for
// the device the next batch gathers, which is how many share one commit.
func (l *Log) flush() {
	l.mu.Lock()
	for len(l.queue) > 0 {
		l.batch, l.queue = l.queue, l.batch[:0]
		batch, last := l.batch, l.head
		l.mu.Unlock()

		last, err := l.commit(batch, last)

		l.mu.Lock()
		l.answer(last, err)
		if len(l.queue) > 0 {
			l.since = time.Now()
		}
	}
	l.busy = false
	if l.closed {
		close(l.emptied)
	}
	l.mu.Unlock()
}

// answer tells those who wait for the batch what became of it. The caller holds mu.
func (l *Log) answer(last head, err error) {
	l.head, l.fault = last, err
	for _, n := range l.batch {
		if n.givenUp {
			continue
		}
		if err != nil {
			l.fail(err, 1)
		}
		n.done <- err
	}
	clear(l.batch)
	l.batch = l.batch[:0]
}

// commit hands a batch to the device. Only flush calls it.
func (l *Log) commit(batch []*entry, last head) (head, error) {
	before := last
	l.buf = spare(l.buf)[:0]
	for _, n := range batch {
		l.buf, last = last.seal(l.buf, n.line)
		n.sum = last.sum
	}
	if err := l.out.put(l.buf, before); err != nil {
		return before, err
	}
	if l.checkpoints != nil {
		l.checkpoints.grow(batch, last)
	}
	return last, nil
}

// fail notes that events could not be written. The caller holds mu.
func (l *Log) fail(err error, events int) {
	l.fault = err
	l.missed += events
	if !l.retries && !l.closed {
		l.retries, l.began = true, time.Now()
		l.background.Go(l.retry)
	}
}

// Healthy returns nil if the log takes events, or else why it does not.
func (l *Log) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return errClosed
	case l.hangs(time.Now()):
		return errHangs
	}
	return l.fault
}

// retryEvery is how often a log that cannot be written is tried again, without
// anyone having to ask for something.
const retryEvery = time.Second

// retry tries to write until it can, and records what was missed.
func (l *Log) retry() {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		l.mu.Lock()
		missed, hangs := l.missed, l.hangs(time.Now())
		text := fmt.Sprintf("%d events could not be written since %s; what they tell of was refused, or had been done before", missed, l.began.UTC().Format(time.RFC3339))
		if l.fault != nil {
			text += ": " + l.fault.Error()
		}
		l.mu.Unlock()
		if hangs {
			continue
		}
		err := l.Write(notice("log-recovered", text))
		l.mu.Lock()
		if err != nil {
			l.missed-- // the notice itself
		} else if l.missed -= missed; l.missed == 0 {
			l.retries = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// notice is an event that the log tells of itself.
func notice(what, text string) Event {
	return Event{ID: rand.Text(), Time: time.Now(), Kind: KindAdmin, Request: &Request{Operation: what}, Error: text}
}

// Close writes what is under way, signs for it, and closes what the log writes
// to, if it can be closed.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	if !l.busy {
		close(l.emptied)
	}
	l.mu.Unlock()
	select {
	case <-l.emptied:
	case <-time.After(l.options.timeout()):
		return errHangs
	}
	l.watch.Stop()
	close(l.stop)
	l.background.Wait()
	var err error
	if l.checkpoints != nil {
		err = l.checkpoint()
	}
	return errors.Join(err, l.out.Close())
}
