package proxy

import (
	"time"

	"github.com/gimme-broker/gimme/internal/telemetry"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// A recorder is the audit log as the sidecar writes it: each event is counted.
type recorder struct {
	*audit.Log
	metrics *telemetry.Metrics
}

// Write writes e as audit.Log does.
func (r *recorder) Write(e audit.Event) error {
	began := time.Now()
	err := r.Log.Write(e)
	r.metrics.Event(&e, time.Since(began), err)
	return err
}
