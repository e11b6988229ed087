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
	queue   []*entry   // waiting to be written
	spare   []*entry
	busy    bool      // flush runs
	since   time.Time // since when it has been at the same batch
	head    head      // the last line that is written
	fresh   []sum     // of lines that no checkpoint covers yet; only where there are checkpoints
	fault   error     // why the last event could not be written; nil if it could
	missed  int       // events that could not be written, and of which no event tells yet
	began   time.Time // when the first of them was to be written
	retries bool      // retry runs
	closed  bool
	emptied chan struct{} // closed when nothing is queued any more, after Close

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
	line  []byte
	done  chan error
	timer *time.Timer
}

func newEntry() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &entry{done: make(chan error, 1), timer: t}
}

// NewLog writes to out, and begins a log of its own there. Each batch of events
// is handed over in a single Write.
func NewLog(out io.Writer) *Log { return Options{}.NewLog(out) }

// NewLog is the function NewLog with these options, of which only those mean
// something that need no file.
func (o Options) NewLog(out io.Writer) *Log {
	return newLog(o, &stream{out: out}, newHead())
}

func newLog(o Options, out device, h head) *Log {
	return &Log{options: o, out: out, entries: sync.Pool{New: newEntry}, head: h, emptied: make(chan struct{}), stop: make(chan struct{})}
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
	line, err := e.Line()
	if err != nil {
		return err
	}
	n := l.entries.Get().(*entry)
	n.line = line
	if err := l.enqueue(n); err != nil {
		l.entries.Put(n)
		return fmt.Errorf("write audit event %q: %w", e.ID, err)
	}
	n.timer.Reset(l.options.timeout())
	select {
	case err = <-n.done:
	case <-n.timer.C:
		var ended bool
		if ended, err = l.withdraw(n); !ended {
			n = nil // flush will still send to it
		}
	}
	if n != nil {
		n.timer.Stop()
		l.entries.Put(n)
	}
	if err != nil {
		return fmt.Errorf("write audit event %q: %w", e.ID, err)
	}
	return nil
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
	if l.hangs() { // whoever comes next need not wait to learn it
		l.fail(errHangs, 1)
		return errHangs
	}
	l.queue = append(l.queue, n)
	if !l.busy {
		l.busy, l.since = true, time.Now()
		go l.flush()
	}
	return nil
}

// hangs says whether the device has been at one batch for too long. The caller
// holds mu.
func (l *Log) hangs() bool { return l.busy && time.Since(l.since) > l.options.timeout() }

// withdraw takes back an entry that has waited too long. It says whether
// nothing is done with the entry any more.
func (l *Log) withdraw(n *entry) (ended bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case err := <-n.done: // just now
		return true, err
	default:
	}
	l.fail(errHangs, 1)
	if i := slices.Index(l.queue, n); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
		return true, errHangs
	}
	return false, errHangs
}

// flush writes what is queued, all at once, until nothing is. While it waits for
// the device the next batch gathers, which is how many share one commit.
func (l *Log) flush() {
	l.mu.Lock()
	for len(l.queue) > 0 {
		batch := l.queue
		l.queue, l.since = l.spare[:0], time.Now()
		last := l.head
		l.mu.Unlock()

		last, sums, err := l.commit(batch, last)

		l.mu.Lock()
		if err != nil {
			l.fail(err, len(batch))
		} else {
			l.head, l.fault = last, nil
			l.fresh = append(l.fresh, sums...)
		}
		for _, n := range batch {
			n.done <- err
		}
		l.spare = batch
	}
	l.busy = false
	if l.closed {
		close(l.emptied)
	}
	l.mu.Unlock()
}

// commit hands a batch to the device. Only flush calls it.
func (l *Log) commit(batch []*entry, last head) (head, []sum, error) {
	l.buf = l.buf[:0]
	before := last
	var sums []sum
	for _, n := range batch {
		l.buf, last = last.seal(l.buf, n.line)
		if l.checkpoints != nil {
			sums = append(sums, last.sum)
		}
	}
	err := l.out.put(l.buf, before)
	return last, sums, err
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
	case l.hangs():
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
		missed, hangs := l.missed, l.hangs()
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
	close(l.stop)
	l.background.Wait()
	var err error
	if l.checkpoints != nil {
		err = l.checkpoint()
	}
	return errors.Join(err, l.out.Close())
}
