package proxy

import (
	"context"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

const (
	// lookInterval is how often orders are looked for on behalf of exchanges
	// that are under way.
	lookInterval = time.Second

	// maxStale is how long exchanges go on while nobody can tell which sessions
	// were revoked. New requests are refused at once.
	maxStale = 60 * time.Second
)

// running are the exchanges under way, so that they can be cut.
type running struct {
	mu    sync.Mutex // guards those
	those map[*underWay]struct{}
	poke  chan struct{} // this process has given an order
}

// An underWay is an exchange with whoever signed its request.
type underWay struct {
	held   *holder
	cancel context.CancelCauseFunc
}

func newRunning() *running {
	return &running{those: map[*underWay]struct{}{}, poke: make(chan struct{}, 1)}
}

func (r *running) add(u *underWay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.those[u] = struct{}{}
}

func (r *running) remove(u *underWay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.those, u)
}

// cut ends one of them, unless it has come to its end.
func (r *running) cut(u *underWay, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.those[u]; there {
		u.cancel(why)
	}
}

func (r *running) list() []*underWay {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*underWay, 0, len(r.those))
	for u := range r.those {
		list = append(list, u)
	}
	return list
}

// look asks for a look at the orders now.
func (r *running) look() {
	select {
	case r.poke <- struct{}{}:
	default: // one is asked for already
	}
}

// whileGood cuts the exchange when its session or service key is revoked
// meanwhile. What it returns ends the watch. It is called before the orders are
// looked at for the request, so that none slips through in between.
func (s *Server) whileGood(x *exchange, held *holder) (stop func()) {
	ctx, cancel := context.WithCancelCause(x.ctx)
	x.ctx = ctx
	u := &underWay{held, cancel}
	s.running.add(u)
	return func() {
		s.running.remove(u)
		if f, ok := context.Cause(ctx).(*refusal); ok { // ours, and not that the client has gone
			x.event.Error = f.Error()
		}
		if x.unwatch != nil {
			x.unwatch() // the end of a request is no reason to cut its connection
		}
		cancel(context.Canceled)
	}
}

// watchRevocations writes the events of orders, and cuts what they hit, until ctx
// ends.
func (s *Server) watchRevocations(ctx context.Context) {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	w := revocationWatch{s: s, good: time.Now()}
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.running.poke:
		}
	}
}

// A revocationWatch is what was found at the last look.
type revocationWatch struct {
	s          *Server
	generation uint64
	good       time.Time // when the orders could last be read
	fault      string    // what was wrong then; empty: nothing
}

func (w *revocationWatch) look(ctx context.Context) {
	err := w.s.revoked.Refresh()
	w.tell(err)
	if err != nil {
		if time.Since(w.good) > maxStale {
			for _, u := range w.s.running.list() {
				w.s.running.cut(u, unknownWhetherRevoked(err))
			}
		}
		return
	}
	w.good = time.Now()
	if g := w.s.revoked.Generation(); g != w.generation {
		w.generation = g
		w.cut()
	}
	w.record(ctx)
}

// tell logs what is wrong with the file, once.
func (w *revocationWatch) tell(err error) {
	switch {
	case err != nil && w.fault != err.Error():
		w.fault = err.Error()
		w.s.log.Error("nobody is served until the revocations can be read", "error", err)
	case err == nil && w.fault != "":
		w.fault = ""
		w.s.log.Info("the revocations can be read again")
	}
}

// cut ends the exchanges of those whom an order hits.
func (w *revocationWatch) cut() {
	for _, u := range w.s.running.list() {
		if o, hit, err := w.s.revoked.Hitting(u.held.orders); hit && err == nil {
			w.s.running.cut(u, revokedRefusal(u.held, o))
		}
	}
}

// record writes the events of orders that others gave, and notes that it has. If
// the sidecar dies in between, an event comes twice, with one id.
func (w *revocationWatch) record(ctx context.Context) {
	pending := w.s.revoked.Pending()
	if len(pending) == 0 {
		return
	}
	var written uint64
	for _, c := range pending {
		e := audit.Event{ID: c.Order.ID, Time: time.Now(), Kind: audit.KindAdmin, Request: &audit.Request{Operation: "Revoke"}, Revocation: asEvent(c.Order)}
		if c.Cleared != nil {
			e.Request.Operation = "ClearRevocation"
			e.Revocation.By, e.Revocation.At = c.Cleared.By, c.Cleared.At
		}
		if err := w.s.events.Write(e); err != nil {
			w.s.log.Error("an order could not be recorded", "order", c.Order.ID, "error", err)
			break // at the next look again
		}
		written = c.Seq
	}
	if written == 0 {
		return
	}
	if err := w.s.revoked.Recorded(ctx, written); err != nil && ctx.Err() == nil {
		w.s.log.Error("it could not be noted that orders are recorded", "error", err)
	}
}
