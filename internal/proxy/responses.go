package proxy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/alert"
	"github.com/gimme-broker/gimme/internal/response"
	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// responses do what the configuration says about those for whom a rule fires.
type responses struct {
	s      *Server
	counts *response.Counts
	sender *alert.Sender // nil: alerts are events alone

	acting sync.Mutex         // held while one is acted upon; guards late
	late   []revocation.Order // that could not be written yet
}

// newResponses returns nil when there are no rules.
func (s *Server) newResponses() (*responses, error) {
	rules := s.config.loaded.responses
	if len(rules) == 0 {
		return nil, nil
	}
	r := &responses{s: s, counts: response.New(rules, response.Most)}
	o := s.config.loaded.alerts
	if o.URL == "" {
		return r, nil
	}
	o.Log = s.log
	var err error
	r.sender, err = alert.New(o)
	return r, err
}

// saw counts an event that was written, or could not be. A decision without its
// event is none: the request is refused.
func (r *responses) saw(e *audit.Event, unwritten error) {
	if r == nil || unwritten != nil && e.Kind != audit.KindOutcome {
		return
	}
	for _, f := range r.counts.See(e, time.Now()) {
		r.act(&f)
	}
}

// act records the firing and does what its rule says. The order that suspends
// somebody is in force when it returns, unless it cannot be written.
func (r *responses) act(f *response.Firing) {
	r.acting.Lock()
	defer r.acting.Unlock()
	now := time.Now()
	e := audit.Event{
		ID: newID(), Time: now, Kind: audit.KindAdmin, PolicyDigest: r.s.rules.Load().set.Digest(),
		Principal: &f.Who, Request: &audit.Request{Operation: "ResponseFired"}, Fired: fired(f),
	}
	if f.Rule.Label != "" {
		e.Labels = []string{f.Rule.Label}
	}
	var order *revocation.Order
	if f.Rule.Enforced() && f.Rule.Does(response.Suspend) {
		order = r.order(f, now, &e)
	}
	if err := r.s.events.Write(e); err != nil {
		r.s.log.Error("a response could not be recorded", "rule", f.Rule.Name, "event", f.Event, "cause", err)
	}
	r.s.log.Warn("a response has fired", "rule", f.Rule.Name, "mode", f.Rule.Mode, "id", e.ID, "event", f.Event)
	if order != nil {
		r.give(*order)
	}
	if f.Rule.Enforced() && f.Rule.Does(response.Alert) && r.sender != nil {
		r.alert(&e)
	}
}

// order makes the order that suspends who the firing is about, and has the event
// name it. It returns nil when there is one already.
func (r *responses) order(f *response.Firing, now time.Time, e *audit.Event) *revocation.Order {
	o := revocation.Order{
		Scope: revocation.User, User: f.Who.Subject, Issuer: f.Who.Issuer, Suspend: true,
		Reason: "rule " + f.Rule.Name + ", " + happened(f), By: "response " + f.Rule.Name,
	}
	if f.Who.Service != "" {
		o = revocation.Order{Scope: revocation.Service, Service: f.Who.Service, Reason: o.Reason, By: o.By}
	}
	orders, err := r.s.revoked.Orders(now)
	if err != nil {
		r.s.log.Error("nobody can tell who is suspended already", "cause", err)
	}
	for _, have := range slices.Concat(orders, r.late) {
		if have.Suspend == o.Suspend && have.Scope == o.Scope && have.User == o.User && have.Service == o.Service && (have.Issuer == "" || have.Issuer == o.Issuer) {
			e.Fired.Order = have.ID
			return nil
		}
	}
	o = revocation.New(o, now)
	e.Fired.Order = o.ID
	return &o
}

// give writes an order. One that cannot be written is tried again until it can.
func (r *responses) give(o revocation.Order) (given bool) {
	ctx, cancel := context.WithTimeout(context.Background(), r.s.times.order)
	defer cancel()
	if err := r.s.revoked.Give(ctx, o); err != nil {
		r.s.log.Error("somebody is not suspended yet, because the order cannot be written; it is tried again", "order", o.ID, "by", o.By, "cause", err)
		r.late = append(r.late, o)
		return false
	}
	r.s.running.look()
	return true
}

// run sends alerts, and writes what orders are late, until ctx ends.
func (r *responses) run(ctx context.Context) {
	if r == nil {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	if r.sender != nil {
		wg.Go(func() { r.sender.Run(ctx) })
	}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.catchUp()
		}
	}
}

func (r *responses) catchUp() {
	r.acting.Lock()
	defer r.acting.Unlock()
	late := r.late
	r.late = nil
	for n, o := range late {
		if !r.give(o) { // neither could the others
			r.late = append(r.late, late[n+1:]...)
			return
		}
	}
}

// fired is a firing in an event.
func fired(f *response.Firing) *audit.Fired {
	return &audit.Fired{
		Rule: f.Rule.Name, Mode: f.Rule.Mode, Do: f.Rule.Do, Event: f.Event, Measure: string(f.Measure), Severity: f.Rule.Severity, Label: f.Rule.Label,
		Count: f.Count, Limit: f.Limit, Usual: f.Usual, Within: brief(f.Rule.Within),
	}
}

// happened says what has been done too often, for people to read.
func happened(f *response.Firing) string {
	within := " within " + brief(f.Rule.Within)
	switch f.Measure {
	case response.Violations:
		return plural(f.Count, "request") + " blocked by the policy" + within
	case response.Deletes:
		return plural(f.Count, "object") + " deleted" + within
	case response.Objects, response.Bytes:
	}
	return fmt.Sprintf("%d %s of %s data read%s, where %d are usual", f.Count, f.Measure, f.Rule.Label, within, f.Usual)
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// brief writes a duration without the units that are zero at its end.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// An alertBody is what a webhook gets. Nothing in it names an object or a bucket.
type alertBody struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      alertData `json:"data"`
}

type alertData struct {
	ID         string           `json:"id"` // of the event that tells of the firing
	Deployment string           `json:"deployment"`
	Principal  *audit.Principal `json:"principal"`
	Fired      *audit.Fired     `json:"fired"`
}

func (r *responses) alert(e *audit.Event) {
	r.sender.Send(e.ID, alertBody{"response.fired", e.Time.UTC(), alertData{e.ID, r.s.config.Sessions.Deployment.V, e.Principal, e.Fired}})
}
