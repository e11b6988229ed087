package proxy

import (
	"time"

	"github.com/gimme-broker/gimme/internal/telemetry"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// A recorder is the audit log as the sidecar writes it: each event is counted,
// and responses see it.
type recorder struct {
	*audit.Log
	metrics   *telemetry.Metrics
	responses *responses // nil: there are none
}

// Write writes e as audit.Log does.
func (r *recorder) Write(e audit.Event) error {
	began := time.Now()
	err := r.Log.Write(e)
	r.metrics.Event(&e, time.Since(began), err)
	r.responses.saw(&e, err)
	return err
}
