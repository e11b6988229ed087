package report

import (
	"cmp"
	"hash/maphash"
	"strings"

	"github.com/gimme-broker/gimme/internal/eventlog"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// take counts one event.
func (r *Report) take(e *event) {
	switch {
	case e.Time.Before(r.since):
		r.before++
		r.recall(e)
		return
	case !r.until.IsZero() && !e.Time.Before(r.until):
		r.after++
		return
	}
	r.events++
	if r.first.IsZero() || e.Time.Before(r.first) {
		r.first = e.Time
	}
	if e.Time.After(r.last) {
		r.last = e.Time
	}
	switch e.Kind {
	case audit.KindDecision:
		r.decision(e)
	case audit.KindOutcome:
		r.outcome(e)
	case audit.KindSession:
		r.session(e)
	case audit.KindPolicy:
		r.sessions.policies++
	case audit.KindAdmin:
		switch e.Request.Operation {
		case "started":
			r.sessions.starts++
		case "Revoke", "BackchannelLogout":
			if e.Decision != audit.Blocked {
				r.sessions.revocations++
			}
		}
	}
}

// slot is where an event stands in time.
func (r *Report) slot(e *event) int64 {
	n, coarser := r.axis.slot(e.Time)
	if coarser > 1 {
		for _, s := range r.decisions {
			s.coarsen(coarser)
		}
		for _, v := range r.severities {
			v.coarsen(coarser)
		}
		for _, p := range r.people.entries {
			p.value.coarsen(coarser)
		}
		for _, l := range r.labels.entries {
			l.value.coarsen(coarser)
		}
		r.allPeople.coarsen(coarser)
		r.allLabels.coarsen(coarser)
	}
	return n
}

// person is the one who asked.
func (r *Report) person(e *event) *entry[identity, person] {
	p, fresh := r.people.at(e.identity())
	if fresh {
		p.value.who, p.value.kind = e.who(), "person"
		if e.Principal == nil {
			p.value.kind = ""
		} else if e.Principal.Service != "" {
			p.value.kind = "service"
		}
	}
	return p
}

// noLabel stands for data without a label.
const noLabel = "no label"

func labelsOf(labels []string) []string {
	if len(labels) == 0 {
		return []string{noLabel}
	}
	return labels
}

func (r *Report) decision(e *event) {
	s := r.decisions[e.Decision]
	if s == nil { // of a version to come
		return
	}
	slot, one := r.slot(e), count{Requests: 1}
	s.add(slot, one)
	p := r.person(e)
	p.count++
	p.value.add(slot, one)
	r.allPeople.add(slot, one)
	for _, name := range labelsOf(e.Labels) {
		l, _ := r.labels.at(name)
		l.count++
		l.value.add(slot, one)
		r.allLabels.add(slot, one)
	}
	switch e.Decision {
	case audit.Blocked:
		p.value.blocked++
		r.block(e, "blocked")
		r.violation(e, slot)
		return
	case audit.WouldBlock:
		p.value.wouldBlock++
		r.wouldBlock(e)
		r.violation(e, slot)
	}
	r.bucket(e, p)
	r.wait(e)
}

// wait remembers what is needed when the outcome comes. There is room for so many
// at once; those that were there first are forgotten first.
func (r *Report) wait(e *event) {
	if old := r.order[r.oldest]; old != "" {
		delete(r.pending, old)
	}
	r.order[r.oldest] = e.ID
	r.oldest = (r.oldest + 1) % len(r.order)
	r.pending[e.ID] = request{e.Labels, e.Decision}
}

func (r *Report) outcome(e *event) {
	was, known := r.pending[e.ID]
	if known {
		delete(r.pending, e.ID)
	} else {
		was = request{[]string{"label unknown"}, audit.Allowed}
	}
	slot := r.slot(e)
	r.read += e.Response.Bytes
	r.written += e.Request.Bytes
	moved := count{Bytes: e.Response.Bytes + e.Request.Bytes}
	if moved.Bytes > 0 {
		r.decisions[was.decision].add(slot, moved)
		p := r.person(e)
		p.value.add(slot, moved)
		p.value.read += e.Response.Bytes
		p.value.written += e.Request.Bytes
		r.allPeople.add(slot, moved)
		for _, name := range labelsOf(was.labels) {
			l, _ := r.labels.at(name)
			l.value.add(slot, moved)
			r.allLabels.add(slot, moved)
		}
	}
	switch e.Decision {
	case audit.Blocked:
		r.ended++
		r.block(e, "ended")
		r.violation(e, slot)
	case audit.WouldBlock:
		r.wouldBlock(e)
		r.violation(e, slot)
	}
}

// block counts what was blocked, and why.
func (r *Report) block(e *event, how string) {
	g := ground{
		who: e.identity(), name: e.who(), operation: e.Request.Operation, bucket: e.Request.Bucket,
		labels: strings.Join(e.Labels, ", "), how: how,
	}
	if len(e.Reasons) > 0 {
		first := e.Reasons[0]
		g.policy, g.why, g.need, g.severity = first.Policy, first.Text, first.Need, worst(e.Reasons)
	} else {
		g.why, _, _ = strings.Cut(e.Error, ":") // the rest names keys
	}
	o, _ := r.blocked.at(g)
	o.count++
	o.value.see(e)
}

// wouldBlock counts what monitor mode let through, by the policies that do.
func (r *Report) wouldBlock(e *event) {
	told := map[string]bool{}
	for _, reason := range e.Reasons {
		if told[reason.Policy] {
			continue
		}
		told[reason.Policy] = true
		o, _ := r.monitor.at(tried{reason.Policy, e.identity(), e.who()})
		o.count++
		o.value.see(e)
		o.value.why, o.value.severity = reason.Text, cmp.Or(reason.Severity, o.value.severity)
	}
}

func rank(severity string) int {
	return map[string]int{"low": 1, "medium": 2, "high": 3}[severity]
}

// worst is the highest severity among reasons; "" when none has one.
func worst(reasons []audit.Reason) string {
	found := ""
	for _, reason := range reasons {
		if rank(reason.Severity) > rank(found) {
			found = reason.Severity
		}
	}
	return found
}

// violation counts by severity.
func (r *Report) violation(e *event, slot int64) {
	name := worst(e.Reasons)
	s := r.severities[name]
	if s == nil {
		s = &severity{}
		r.severities[name] = s
	}
	s.add(slot, count{Requests: 1})
	if e.Decision == audit.Blocked {
		s.blocked++
	} else {
		s.wouldBlock++
	}
}

// mark remembers that somebody used a bucket, and says whether that is new.
func (r *Report) mark(e *event) (fresh bool) {
	var h maphash.Hash
	h.SetSeed(r.seed)
	id := e.identity()
	for _, s := range []string{id.issuer, id.subject, e.Request.Bucket} {
		h.WriteString(s)
		h.WriteByte(0)
	}
	key := h.Sum64()
	if _, known := r.seen[key]; known {
		return false
	}
	if len(r.seen) >= roomSeen {
		r.fullSeen = true
		return false
	}
	r.seen[key] = struct{}{}
	return true
}

// recall remembers the buckets of a time before the period.
func (r *Report) recall(e *event) {
	if e.Kind == audit.KindDecision && e.Decision != audit.Blocked && e.Request.Bucket != "" {
		r.mark(e)
	}
}

// bucket counts a use of a bucket that is new to the person.
func (r *Report) bucket(e *event, p *entry[identity, person]) {
	if e.Request.Bucket == "" {
		return
	}
	k := pair{e.identity(), e.who(), e.Request.Bucket}
	if r.mark(e) {
		r.freshPairs++
		p.value.newBuckets++
	} else if r.newBuckets.entries[k] == nil {
		return
	}
	o, _ := r.newBuckets.at(k)
	o.count++
	o.value.see(e)
}

func (r *Report) session(e *event) {
	if e.Decision == audit.Blocked {
		r.sessions.refused++
		code, _, _ := strings.Cut(e.Error, ":")
		why := e.who() + ": " + code
		if e.Principal != nil {
			why = e.who() + ": " + eventlog.Clip(e.Error, 300)
		}
		o, _ := r.sessions.reasons.at(why)
		o.count++
		o.value.see(e)
		return
	}
	r.sessions.issued++
	r.person(e).value.sessions++
}
