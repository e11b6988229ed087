package proxy

import (
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/telemetry"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// A recorder is the audit log as the sidecar writes it: each event is counted,
// and it is known whether events can be written.
type recorder struct {
	*audit.Log
	metrics *telemetry.Metrics

	mu      sync.Mutex // guards what follows
	fault   error      // of the last event; nil: it was written
	since   time.Time  // when the first of the failures in a row was
	retried time.Time  // when the log was last tried for the sake of its health
}

// Write writes e as audit.Log does.
func (r *recorder) Write(e audit.Event) error {
	began := time.Now()
	err := r.Log.Write(e)
	r.metrics.Event(&e, time.Since(began), err)
	r.note(err, began)
	return err
}

func (r *recorder) note(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && r.fault == nil {
		r.since = now
	}
	r.fault = err
}

// retryInterval is how often a log that has failed is tried when nobody asks for
// anything: a balancer that heeds /healthz sends no requests then.
const retryInterval = time.Second

// health says whether events can be written. After a failure it tries, with an
// event that tells of the gap.
func (r *recorder) health(resumed audit.Event) error {
	r.mu.Lock()
	fault, since := r.fault, r.since
	due := fault != nil && time.Since(r.retried) >= retryInterval
	if due {
		r.retried = time.Now()
	}
	r.mu.Unlock()
	if !due {
		return fault
	}
	resumed.Error = "events could not be written since " + since.UTC().Format(time.RFC3339) + ": " + fault.Error()
	return r.Write(resumed)
}
