package audit

import "strconv"

// How an event and what is in it are encoded: its members, in the order of the
// struct and by the names and options of its tags. It is written out because
// each request waits for two events, and reflection would take most of the time
// that they take.

func (c *encoder) event(e *Event) {
	c.begin('{')
	c.number("version", Version)
	c.text("id", e.ID)
	c.moment("time", e.Time.UTC())
	c.text("kind", string(e.Kind))
	c.optText("trace_id", e.TraceID)
	c.optText("decision", string(e.Decision))
	c.principal(e.Principal)
	c.session(e.Session)
	c.optText("role", e.Role)
	c.revocation(e.Revocation)
	c.fired(e.Fired)
	c.client(e.Client)
	c.request(e.Request)
	c.facts(e.Facts)
	c.optTexts("labels", e.Labels)
	c.reasons(e.Reasons)
	c.optText("policy_digest", e.PolicyDigest)
	c.optText("old_policy_digest", e.OldDigest)
	c.response(e.Response)
	c.upstream(e.Upstream)
	c.optText("error", e.Error)
	c.optText("log", e.Log)
	if e.Seq != 0 {
		c.name("seq")
		c.buf = append(strconv.AppendUint(c.buf, e.Seq, 10), ',')
	}
	c.optText("prev", e.Prev)
	c.end('}')
}

func (c *encoder) principal(p *Principal) {
	if p == nil {
		return
	}
	c.open("principal", '{')
	c.text("issuer", p.Issuer)
	c.text("subject", p.Subject)
	c.optText("email", p.Email)
	c.optText("name", p.Name)
	c.optTexts("groups", p.Groups)
	c.optText("service", p.Service)
	c.optTexts("users", p.Users)
	c.end('}')
}

func (c *encoder) session(s *Session) {
	if s == nil {
		return
	}
	c.open("session", '{')
	c.text("id", s.ID)
	c.optMoment("issued", s.Issued)
	c.moment("expires", s.Expires)
	c.end('}')
}

func (c *encoder) revocation(r *Revocation) {
	if r == nil {
		return
	}
	c.open("revocation", '{')
	c.text("order", r.Order)
	c.text("scope", r.Scope)
	c.optText("session", r.Session)
	c.optText("idp_session", r.IdPSession)
	c.optText("subject", r.Subject)
	c.optText("user", r.User)
	c.optText("issuer", r.Issuer)
	c.optText("role", r.Role)
	c.optText("service", r.Service)
	c.optText("key", r.Key)
	c.optFlag("suspend", r.Suspend)
	c.moment("at", r.At)
	c.moment("before", r.Before)
	c.text("reason", r.Reason)
	c.text("by", r.By)
	c.end('}')
}

func (c *encoder) fired(f *Fired) {
	if f == nil {
		return
	}
	c.open("fired", '{')
	c.text("rule", f.Rule)
	c.text("mode", f.Mode)
	c.texts("do", f.Do)
	c.text("event", f.Event)
	c.text("measure", f.Measure)
	c.optText("severity", f.Severity)
	c.optText("label", f.Label)
	c.number("count", f.Count)
	c.number("limit", f.Limit)
	c.optNumber("usual", f.Usual)
	c.text("within", f.Within)
	c.optText("order", f.Order)
	c.end('}')
}

func (c *encoder) client(a *Client) {
	if a == nil {
		return
	}
	c.open("client", '{')
	c.optText("ip", a.IP)
	c.optText("user_agent", a.UserAgent)
	c.end('}')
}

func (c *encoder) request(r *Request) {
	if r == nil {
		return
	}
	c.open("request", '{')
	c.optText("operation", r.Operation)
	c.optTexts("actions", r.Actions)
	c.optTexts("access", r.Access)
	c.optText("bucket", r.Bucket)
	c.optText("key", r.Key)
	c.optText("version_id", r.VersionID)
	c.optTexts("keys", r.Keys)
	c.optText("source", r.Source)
	c.optText("destination", r.Destination)
	c.optText("method", r.Method)
	c.optNumber("bytes", r.Bytes)
	c.targets(r.Targets)
	c.end('}')
}

func (c *encoder) targets(list []Target) {
	if len(list) == 0 {
		return
	}
	c.open("targets", '[')
	for i := range list {
		t := &list[i]
		c.begin('{')
		c.text("access", t.Access)
		c.text("path", t.Path)
		c.text("scope", t.Scope)
		c.end('}')
	}
	c.end(']')
}

func (c *encoder) facts(f *Facts) {
	if f == nil {
		return
	}
	c.open("facts", '{')
	c.optText("tls", f.TLS)
	c.optMoment("auth_time", f.AuthTime)
	c.optTexts("amr", f.AMR)
	c.optText("auth_method", f.AuthMethod)
	c.optMoment("presigned_since", f.Signed)
	c.upload(f.Upload)
	c.end('}')
}

func (c *encoder) upload(u *Upload) {
	if u == nil {
		return
	}
	c.open("upload", '{')
	c.optText("encryption", u.Encryption)
	c.optText("kms_key", u.KMSKey)
	c.optFlag("tags_alone", u.TagsAlone)
	c.end('}')
}

func (c *encoder) reasons(list []Reason) {
	if len(list) == 0 {
		return
	}
	c.open("reasons", '[')
	for i := range list {
		r := &list[i]
		c.begin('{')
		c.optText("policy", r.Policy)
		c.optText("rule", r.Rule)
		c.optText("label", r.Label)
		c.optText("access", r.Access)
		c.optText("severity", r.Severity)
		c.text("text", r.Text)
		c.optText("need", r.Need)
		c.end('}')
	}
	c.end(']')
}

func (c *encoder) response(r *Response) {
	if r == nil {
		return
	}
	c.open("response", '{')
	c.number("status", int64(r.Status))
	c.optText("code", r.Code)
	c.number("bytes", r.Bytes)
	c.optNumber("objects", int64(r.Objects))
	c.optNumber("hidden", int64(r.Hidden))
	c.float("duration_ms", r.DurationMS)
	c.end('}')
}

func (c *encoder) upstream(u *Upstream) {
	if u == nil {
		return
	}
	c.open("upstream", '{')
	c.text("endpoint", u.Endpoint)
	c.optText("request_id", u.RequestID)
	c.end('}')
}
