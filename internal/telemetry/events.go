package telemetry

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// eventMetrics are what is counted of the events of the audit log.
type eventMetrics struct {
	events     *prometheus.CounterVec
	errors     prometheus.Counter
	duration   prometheus.Observer
	issued     prometheus.Counter
	refused    *prometheus.CounterVec
	blocked    *prometheus.CounterVec
	wouldBlock *prometheus.CounterVec
	budgets    *prometheus.CounterVec
	orders     *prometheus.CounterVec
	fired      *prometheus.CounterVec
	reloads    *prometheus.CounterVec
	reloadOK   prometheus.Gauge
	reloadedAt prometheus.Gauge
	kinds      map[audit.Kind]prometheus.Counter
}

func (l *eventMetrics) init(f factory) {
	l.events = f.counters("audit_events_total", "Events that were written to the audit log.", "kind")
	l.errors = f.counter("audit_write_errors_total", "Events that could not be written.")
	l.duration = f.histograms("audit_write_duration_seconds", "The writing of one event.", writeBuckets).WithLabelValues()
	l.issued = f.counter("sessions_issued_total", "Sessions that were issued.")
	l.refused = f.counters("sessions_refused_total", "Sessions that were refused.", "reason")
	l.blocked = f.counters("blocked_total", "Grounds on which the policy has blocked requests.", "policy", "label", "access")
	l.wouldBlock = f.counters("would_block_total", "Grounds on which requests would have been blocked, were it not for monitor mode.", "policy", "label", "access")
	l.budgets = f.counters("budget_refusals_total", "Grounds on which requests were refused because a budget was used up.", "policy", "label")
	l.orders = f.counters("revocation_orders_total", "Orders that sessions or service keys end, and their withdrawals.", "operation")
	l.fired = f.counters("responses_fired_total", "Firings of the rules of responses.", "rule", "mode")
	l.reloads = f.counters("policy_reloads_total", "Readings of data map and policies after the start.", "result")
	l.reloadOK = f.gauge("policy_last_reload_successful", "1 unless the last reading of data map and policies has failed.")
	l.reloadedAt = f.gauge("policy_last_reload_success_timestamp_seconds", "When the data map and the policies in force were read.")
	l.kinds = map[audit.Kind]prometheus.Counter{}
	for _, k := range []audit.Kind{audit.KindSession, audit.KindDecision, audit.KindOutcome, audit.KindPolicy, audit.KindAdmin} {
		l.kinds[k] = l.events.WithLabelValues(string(k))
	}
	for _, r := range []string{"ok", "failed"} { // so that a first failure is an increase
		l.reloads.WithLabelValues(r)
	}
	l.reloadOK.Set(1)
	l.reloadedAt.SetToCurrentTime()
}

// Event counts what e says, and that writing it took so long, or failed.
func (m *Metrics) Event(e *audit.Event, took time.Duration, err error) {
	l := &m.events
	l.duration.Observe(took.Seconds())
	if err != nil {
		l.errors.Inc()
	} else if c := l.kinds[e.Kind]; c != nil {
		c.Inc()
	}
	switch e.Kind {
	case audit.KindSession:
		l.session(e, err)
	case audit.KindPolicy:
		l.policy(e, err)
	case audit.KindAdmin:
		l.admin(e, err)
	case audit.KindDecision, audit.KindOutcome:
		l.grounds(e)
	}
}

// session counts a session that was issued or refused. One that could not be
// recorded is not issued.
func (l *eventMetrics) session(e *audit.Event, err error) {
	switch {
	case e.Decision != audit.Allowed:
		code := ""
		if e.Response != nil {
			code = e.Response.Code
		}
		l.refused.WithLabelValues(cmp.Or(refusals[code], other)).Inc()
	case err == nil:
		l.issued.Inc()
	}
}

// refusals are the reasons for which sessions are refused, by the code that the
// client is told.
var refusals = map[string]string{
	"InvalidIdentityToken": "token", "ExpiredTokenException": "expired", "IDPRejectedClaim": "claim", "AccessDenied": "role",
	"IDPCommunicationError": "provider", "ValidationError": "request", "Throttling": "throttled", "PackedPolicyTooLarge": "size",
	"ServiceUnavailable": "unavailable", "InternalError": "internal",
}

// policy counts a reading of data map and policies. Without its event it does
// not take effect.
func (l *eventMetrics) policy(e *audit.Event, err error) {
	if e.Error != "" || err != nil {
		l.reloads.WithLabelValues("failed").Inc()
		l.reloadOK.Set(0)
		return
	}
	l.reloads.WithLabelValues("ok").Inc()
	l.reloadOK.Set(1)
	l.reloadedAt.SetToCurrentTime()
}

func (l *eventMetrics) admin(e *audit.Event, err error) {
	if err == nil && e.Fired != nil {
		l.fired.WithLabelValues(e.Fired.Rule, e.Fired.Mode).Inc()
	}
	if err != nil || e.Revocation == nil || e.Decision == audit.Blocked || e.Request == nil {
		return
	}
	switch e.Request.Operation {
	case "Revoke", "ClearRevocation", "BackchannelLogout":
		l.orders.WithLabelValues(e.Request.Operation).Inc()
	}
}

// grounds counts the reasons of what was blocked, or would have been.
func (l *eventMetrics) grounds(e *audit.Event) {
	var by *prometheus.CounterVec
	switch e.Decision {
	case audit.Blocked:
		by = l.blocked
	case audit.WouldBlock:
		by = l.wouldBlock
	default:
		return
	}
	short := e.Decision == audit.Blocked && e.Response != nil && e.Response.Code == "SlowDown"
	for _, r := range e.Reasons {
		by.WithLabelValues(named(r.Policy), named(r.Label), named(r.Access)).Inc()
		if short {
			l.budgets.WithLabelValues(named(r.Policy), named(r.Label)).Inc()
		}
	}
}

// named writes "none" where there is no name: no label, or a label that no
// policy governs.
func named(s string) string { return cmp.Or(s, "none") }
