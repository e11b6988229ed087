package delivery

import "time"

// advance takes note of what became of batch, and returns what has to come
// again.
func (d *deliverer) advance(batch []record, res result) []record {
	for _, r := range res.refused {
		d.refuse(r)
	}
	rest := batch[res.done:]
	d.mu.Lock()
	defer d.mu.Unlock()
	if res.done > 0 {
		d.taken = batch[res.done-1].at
		d.state.Delivered += uint64(res.done - len(res.refused))
	}
	d.oldest = oldest(rest)
	return rest
}

// pending takes note of what the sink is about to be given.
func (d *deliverer) pending(batch []record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.oldest = oldest(batch)
}

func oldest(batch []record) time.Time {
	if len(batch) == 0 {
		return time.Time{}
	}
	return batch[0].Time
}

// passed takes note that everything that was read is delivered, or is not for
// the sink.
func (d *deliverer) passed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = d.read
	d.oldest = time.Time{}
	if d.ahead != nil {
		d.oldest = d.ahead.Time
	}
}

// failed counts an attempt that failed, and tells of it when the outage begins
// and now and then while it lasts.
func (d *deliverer) failed(err error) {
	d.mu.Lock()
	first := d.state.Error == ""
	tell := first || time.Since(d.outage) >= d.times.remind
	if tell {
		d.outage = time.Now()
	}
	d.state.Failures++
	d.state.Error = err.Error()
	seq := d.taken.Seq
	d.mu.Unlock()
	if tell {
		d.log.Warn("the sink takes no events; they wait in the audit log", "error", err, "delivered", seq)
	}
}

// works takes note that the sink takes events, and tells of it when an outage
// ends.
func (d *deliverer) works() {
	d.mu.Lock()
	was := d.state.Error
	d.state.Error = ""
	seq := d.taken.Seq
	d.mu.Unlock()
	if was != "" {
		d.log.Info("the sink takes events again", "delivered", seq)
	}
}

func (d *deliverer) status(last head, now time.Time) Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state
	s.Sink = d.name
	switch {
	case last.Log != d.taken.Log: // at least
		s.Waiting = last.Seq
	case last.Seq > d.taken.Seq:
		s.Waiting = last.Seq - d.taken.Seq
	}
	if !d.oldest.IsZero() && s.Waiting > 0 {
		s.Behind = max(0, now.Sub(d.oldest))
	}
	return s
}
