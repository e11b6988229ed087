// Package delivery brings the audit log to where companies look: each sink
// reads the log on disk at its own pace, with its own position, so that one that
// is down loses nothing and slows nobody. docs/audit-sinks.md is its promise.
//
// It never writes to the log, and nothing that is served waits for it. Events
// reach a sink in the order of the log, each at least once.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"
)

// Options are what New needs beside the sinks.
type Options struct {
	Path   string       // of the audit log
	Log    *slog.Logger // for operators; nil discards
	Stdout io.Writer    // of sinks of type stdout; nil discards

	// Lost, if set, is told what a sink will never get: events that were rotated
	// away before it took them. It is called once for each such run of events.
	Lost func(sink string, from, to uint64)
}

// A Delivery brings the log to its sinks. Make one with New, and call Run.
type Delivery struct {
	layout *layout
	all    []*deliverer
}

// New prepares delivery to sinks that Check has found no fault with. It connects
// to none of them.
func New(sinks []Sink, o Options) (*Delivery, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // beside which the closed files are
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	d := &Delivery{layout: &layout{path: path, ids: map[string]string{}}}
	for _, s := range sinks {
		k, known := kindOf(s.Type.V)
		if !known {
			return nil, fmt.Errorf("sink %q: unknown type %q", s.Name.V, s.Type.V)
		}
		out, err := k.open(s, o)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("sink %q: %w", s.Name.V, err), d.Close())
		}
		d.all = append(d.all, &deliverer{
			name: s.Name.V, sink: out, limits: k.limits(s), only: s.Only, format: s.formatter(), path: positionPath(path, s.Name.V),
			reader: reader{layout: d.layout}, times: standardTimes(), log: o.Log.With("sink", s.Name.V), lost: o.Lost,
		})
	}
	return d, nil
}

// Run delivers until ctx ends, then sends once more what the log holds by then,
// for a few seconds at most, and closes the sinks.
func (d *Delivery) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, x := range d.all {
		wg.Go(func() { x.run(ctx) })
	}
	wg.Wait()
	return d.Close()
}

// Close closes the sinks of a Delivery that does not run.
func (d *Delivery) Close() error {
	var errs []error
	for _, x := range d.all {
		if err := x.sink.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close sink %q: %w", x.name, err))
		}
	}
	return errors.Join(errs...)
}

// A Status is how far delivery to one sink is. The counts are since the start.
type Status struct {
	Sink      string
	Waiting   uint64        // events in the log that the sink has not taken
	Behind    time.Duration // the age of the oldest of them, as far as it is known
	Delivered uint64        // events that it took; what is not for it does not count
	Refused   uint64        // events that it will never take
	Lost      uint64        // events that were gone from the log before it took them
	Failures  uint64        // attempts that failed
	Error     string        // why it takes nothing at present; empty when it does
}

// Status tells how far each sink is, in the order of the configuration. It
// looks at the end of the log, so it is for whoever asks now and then.
func (d *Delivery) Status() []Status {
	last, _ := d.layout.last() // a log that cannot be read shows in Error
	all := make([]Status, len(d.all))
	for i, x := range d.all {
		all[i] = x.status(last, time.Now())
	}
	return all
}

// times are how long things take. Tests have their own.
type times struct {
	poll       time.Duration // between looks at the log
	send       time.Duration // one attempt
	firstPause time.Duration // after the first failure; it doubles with each
	longPause  time.Duration // until it is this
	longAsked  time.Duration // the longest pause that a sink may ask for
	save       time.Duration // between two writings of the position
	farewell   time.Duration // for what is left when delivery ends
	remind     time.Duration // between two log lines about one outage
}

func standardTimes() times {
	return times{
		poll: 250 * time.Millisecond, send: time.Minute, firstPause: 500 * time.Millisecond, longPause: time.Minute,
		longAsked: 15 * time.Minute, save: time.Second, farewell: 5 * time.Second, remind: 10 * time.Minute,
	}
}

// pause is how long to wait after the given number of failures in a row. It
// varies by half, so that replicas do not come back at one moment.
func (t times) pause(failures int, asked time.Duration) time.Duration {
	p := t.longPause
	if failures < 20 {
		p = min(p, t.firstPause<<(failures-1))
	}
	p -= time.Duration(rand.Int64N(int64(p)/2 + 1))
	return max(p, min(asked, t.longAsked))
}
