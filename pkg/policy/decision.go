package policy

import "slices"

// A Decision is the answer to one or more questions together. The zero value
// blocks, and gives no reason.
type Decision struct {
	// Allowed says that the request may go on.
	Allowed bool
	// WouldBlock says that it may only because a policy, or the whole set, is in
	// monitor mode: the reasons are then those for which it would be blocked.
	WouldBlock bool

	set      *Set
	few      [fewLabels]uint64 // the labels that were touched
	many     labels            // the same where few is too small
	grounds  [fewGrounds]ground
	count    int      // of grounds
	more     []ground // those that did not fit
	blocking []Reason
	noted    []Reason // what would block, were it not for monitor mode
	limits   []Limit
	wants    []string
}

// fewGrounds is how many grounds fit where nothing is allocated.
const fewGrounds = 6

// A ground is why something was allowed: by a rule, or for want of a label.
type ground struct {
	clause *clause // nil: data without label was let through
	rule   int32
	access Access // without clause
	path   string
	fact   string // without clause: what has no label
}

func (d *Decision) add(g ground) {
	if d.count < len(d.grounds) {
		d.grounds[d.count] = g
		d.count++
		return
	}
	d.more = append(d.more, g)
}

func (d *Decision) limit(l Limit) {
	if l.Rows == 0 && l.Budgets == nil || slices.ContainsFunc(d.limits, l.equal) {
		return
	}
	d.limits = append(d.limits, l)
}

func (l Limit) equal(m Limit) bool {
	return l.Policy == m.Policy && l.Label == m.Label && l.Access == m.Access && l.Rows == m.Rows && slices.Equal(l.Budgets, m.Budgets)
}

// block adds a reason against. monitored says that it is to be noted alone.
func (d *Decision) block(r Reason, monitored bool) {
	if r.Severity == "" {
		r.Severity = Low
	}
	if monitored {
		d.noted = append(d.noted, r)
		return
	}
	d.blocking = append(d.blocking, r)
}

// conclude says what all answers together come to.
func (d *Decision) conclude() {
	d.Allowed = len(d.blocking) == 0
	d.WouldBlock = d.Allowed && len(d.noted) > 0
}

// touch adds to the labels that were touched.
func (d *Decision) touch(set labels) {
	if d.many != nil {
		d.many.merge(set)
		return
	}
	labels(d.few[:]).merge(set)
}

// Labels returns every label that the questions touch, sorted, each once.
func (d Decision) Labels() []string {
	set := d.many
	if set == nil {
		set = d.few[:]
	}
	if set.empty() {
		return nil
	}
	names := make([]string, 0, set.len())
	for i := range set.all {
		names = append(names, d.set.labels[i])
	}
	return names
}

// Reasons returns, of a decision that blocks or would block, everything that
// does: each question, label and policy. Of one that allows it has the policy
// and the rule that allowed each label, and unlabelled data that was let
// through.
func (d Decision) Reasons() []Reason {
	switch {
	case len(d.blocking) > 0:
		return slices.Clone(d.blocking)
	case len(d.noted) > 0:
		return slices.Clone(d.noted)
	case d.count == 0:
		return nil
	}
	reasons := make([]Reason, 0, d.count+len(d.more))
	for _, g := range d.grounds[:d.count] {
		reasons = append(reasons, g.reason())
	}
	for _, g := range d.more {
		reasons = append(reasons, g.reason())
	}
	return reasons
}

// Limits returns the bounds that the rules put on what they allow, each policy
// and label that has some. They are the caller's to enforce. A decision that
// blocks has none.
func (d Decision) Limits() []Limit {
	if !d.Allowed {
		return nil
	}
	return d.limits
}

// WantsTags returns the paths of objects whose tags the facts did not have,
// and with which the answer could be another. The caller may look them up and
// ask again. A decision that allows wants none.
func (d Decision) WantsTags() []string {
	if d.Allowed && !d.WouldBlock {
		return nil
	}
	return d.wants
}
