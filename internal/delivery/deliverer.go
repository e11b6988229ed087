package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
)

// A deliverer brings the log to one sink.
type deliverer struct {
	name   string
	sink   sink
	limits limits
	only   Only
	format func(line []byte) ([]byte, error)
	path   string // of its position
	times  times
	log    *slog.Logger
	lost   func(sink string, from, to uint64)

	reader reader
	ahead  *record // was read and did not fit into the last batch
	read   position

	saved     position
	savedWhen time.Time

	mu     sync.Mutex // guards what follows
	state  Status
	taken  position  // the last event that needs no more delivery
	oldest time.Time // the time of the first event that waits; zero if none is known
	outage time.Time // when it was last told that the sink takes nothing
}

// run delivers until ctx ends, and then what is left.
func (d *deliverer) run(ctx context.Context) {
	unlock := d.lock(ctx)
	if unlock == nil {
		return
	}
	defer unlock()
	if !d.load(ctx) {
		return
	}
	for ctx.Err() == nil {
		more := d.step(ctx)
		if !more {
			d.sleep(ctx, d.times.poll)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.times.farewell)
	defer cancel()
	d.rewind()
	for last.Err() == nil && d.farewell(last) {
	}
	d.reader.close()
	d.save(true)
}

// lock waits until no other process delivers from this log to this sink.
func (d *deliverer) lock(ctx context.Context) func() {
	for told := false; ctx.Err() == nil; d.sleep(ctx, d.times.poll) {
		unlock, ok, err := durable.TryLock(d.path)
		if ok {
			return unlock
		}
		if !told {
			told = true
			d.log.Warn("another process delivers from this audit log; waiting for it to end", "position", d.path, "error", err)
		}
	}
	return nil
}

// load reads the position, and says what is wrong with it for as long as it is.
func (d *deliverer) load(ctx context.Context) bool {
	for ; ctx.Err() == nil; d.sleep(ctx, d.times.longPause) {
		p, err := loadPosition(d.path)
		if err == nil {
			d.saved, d.read, d.reader.at = p, p, p
			d.mu.Lock()
			d.taken = p
			d.mu.Unlock()
			return true
		}
		d.failed(err)
	}
	return false
}

// step delivers one batch, with as many attempts as that takes, and says
// whether there may be more.
func (d *deliverer) step(ctx context.Context) (more bool) {
	batch, more, err := d.fill()
	if err != nil {
		d.failed(err)
		d.sleep(ctx, d.times.pause(1, 0))
		return true
	}
	d.pending(batch)
	for failures := 0; len(batch) > 0; {
		res, err := d.round(ctx, batch)
		batch = d.advance(batch, res)
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() != nil {
			return true
		}
		if res.done > 0 {
			failures = 0
		}
		failures++
		d.failed(err)
		var asked time.Duration
		if b, ok := errors.AsType[*busy](err); ok {
			asked = b.after
		}
		d.save(false)
		d.sleep(ctx, d.times.pause(failures, asked))
		if ctx.Err() != nil {
			return true
		}
	}
	d.passed()
	d.works()
	d.save(false)
	return more
}

// farewell sends one batch, once, and says whether to go on.
func (d *deliverer) farewell(ctx context.Context) bool {
	batch, more, err := d.fill()
	if err != nil {
		return false
	}
	if len(batch) > 0 {
		res, err := d.round(ctx, batch)
		if rest := d.advance(batch, res); err != nil || len(rest) > 0 {
			return err == nil && res.done > 0 && d.rewind()
		}
	}
	d.passed()
	return more
}

// rewind reads again from the last event that was taken.
func (d *deliverer) rewind() bool {
	d.reader.close()
	d.mu.Lock()
	d.reader.at, d.read = d.taken, d.taken
	d.mu.Unlock()
	d.ahead = nil
	return true
}

// fill reads the next batch. What is not for the sink is passed over. more says
// that the end of the log was not reached.
func (d *deliverer) fill() (batch []record, more bool, err error) {
	bytes := 0
	for seen := 0; seen < 64*d.limits.events; seen++ { // a sink for rare events keeps its position up to date
		r := d.ahead
		if d.ahead = nil; r == nil {
			if r, err = d.next(); errors.Is(err, io.EOF) {
				return batch, false, nil
			}
			if err != nil {
				return batch, true, orNone(err, len(batch))
			}
		}
		if r.line != nil && !d.limits.admits(len(batch), bytes, r.line) {
			d.ahead = r
			return batch, true, nil
		}
		d.read = r.at
		if r.line == nil {
			continue
		}
		batch = append(batch, *r)
		bytes += len(r.line) + d.limits.overhead
	}
	return batch, true, nil
}

// orNone holds an error back until what was read before it is delivered.
func orNone(err error, before int) error {
	if before > 0 {
		return nil
	}
	return err
}

// next reads one event. Its line is nil when it is not for the sink.
func (d *deliverer) next() (*record, error) {
	line, h, lost, err := d.reader.next()
	if lost != nil {
		d.missing(*lost)
	}
	if err != nil {
		return nil, err
	}
	r := &record{head: h, at: d.reader.at}
	if d.only.admits(h) {
		formatted, err := d.format(line)
		if err != nil {
			d.refuse(refused{h.Seq, err.Error()})
			return r, nil
		}
		r.line = shorten(formatted, d.limits.event)
	}
	return r, nil
}

// round is one attempt at batch. When the sink refuses it as a whole, its events
// are offered one by one. An event counts as refused for good only when the
// sink takes another one: a sink that takes none is not set up right, and
// nothing is given up for that.
func (d *deliverer) round(ctx context.Context, batch []record) (result, error) {
	res, err := d.attempt(ctx, batch)
	if _, ok := errors.AsType[*refusal](err); !ok || len(batch) == 1 || res.done > 0 {
		return res, err
	}
	var bad []refused
	taken := 0
	for i := range batch {
		one, oneErr := d.attempt(ctx, batch[i:i+1])
		r, ok := errors.AsType[*refusal](oneErr)
		switch {
		case ok:
			bad = append(bad, refused{batch[i].Seq, r.why})
			continue
		case oneErr != nil && taken == 0:
			return result{}, oneErr
		case oneErr != nil:
			return result{done: i, refused: bad}, oneErr
		}
		taken++
		bad = append(bad, one.refused...)
	}
	if taken == 0 {
		return result{}, err
	}
	return result{done: len(batch), refused: bad}, nil
}

func (d *deliverer) attempt(ctx context.Context, batch []record) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, d.times.send)
	defer cancel()
	res, err := d.sink.send(ctx, batch)
	if err == nil && res.done == 0 {
		err = errors.New("the sink took nothing and gave no reason")
	}
	return res, err
}

// sleep waits, unless ctx ends.
func (d *deliverer) sleep(ctx context.Context, t time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(t):
	}
}

// save writes the position down, now and then or now.
func (d *deliverer) save(now bool) {
	d.mu.Lock()
	p := d.taken
	d.mu.Unlock()
	if p == d.saved || !now && time.Since(d.savedWhen) < d.times.save {
		return
	}
	d.savedWhen = time.Now()
	if err := savePosition(d.path, p); err != nil {
		d.log.Error("the position of a sink could not be saved; after a restart it gets events again", "error", err)
		return
	}
	d.saved = p
}

// missing tells of events that are gone.
func (d *deliverer) missing(g gap) {
	if g.again {
		d.log.Warn("events that were delivered are no longer in the audit log; its file is delivered again", "delivered", g.to)
		return
	}
	d.log.Error("events were gone from the audit log before the sink took them", "from", g.from, "to", g.to, "events", g.to-g.from+1)
	d.mu.Lock()
	d.state.Lost += g.to - g.from + 1
	d.mu.Unlock()
	if d.lost != nil {
		d.lost(d.name, g.from, g.to)
	}
}

func (d *deliverer) refuse(r refused) {
	d.log.Error("the sink does not take an event; the audit log keeps it", "seq", r.seq, "error", fmt.Sprintf("%.300s", r.why))
	d.mu.Lock()
	d.state.Refused++
	d.mu.Unlock()
}
