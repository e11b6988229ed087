package policytest

import (
	"strconv"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// DataMap writes the labels as a data map. Each also has a location in another
// repo, which is to make no difference.
func (w World) DataMap() policy.Source {
	var b strings.Builder
	for _, l := range w.Labels {
		b.WriteString(l.Name + ":\n")
		if len(l.Tags) > 0 {
			b.WriteString("  - tags: " + list(l.Tags) + "\n")
		}
		b.WriteString("  - repo: other\n    attributes: [x]\n")
		if len(l.Locations) > 0 {
			b.WriteString("  - repo: " + repo + "\n    attributes: " + list(l.Locations) + "\n")
		}
	}
	return policy.Source{Name: "datamap.yaml", Data: []byte(b.String())}
}

// Sources writes the policies, each as a file of its name.
func (w World) Sources() []policy.Source {
	var all []policy.Source
	for _, p := range w.Policies {
		all = append(all, policy.Source{Name: p.Name + ".yaml", Data: []byte(p.yaml())})
	}
	return all
}

func (p Policy) yaml() string {
	var b strings.Builder
	b.WriteString("name: " + p.Name + "\n")
	var m mapping
	m.list("data", p.Data)
	m.list("tags", p.Tags)
	if p.Monitor {
		m.add("mode", "monitor")
	}
	p.Validity.write(&m)
	for _, line := range m {
		b.WriteString(line + "\n")
	}
	b.WriteString("rules:\n")
	for _, r := range p.Rules {
		b.WriteString("  - " + r.yaml() + "\n")
	}
	return b.String()
}

func (v Validity) write(m *mapping) {
	m.add("valid_from", v.From)
	m.add("valid_until", v.Until)
}

func (r Rule) yaml() string {
	var m, who mapping
	who.list("users", r.Users)
	who.list("groups", r.Groups)
	who.list("services", r.Services)
	m.nested("identities", who)
	m.list("hosts", r.Hosts)
	m.nested("when", r.When.mapping())
	r.Validity.write(&m)
	for _, access := range kinds {
		var grants []string
		for _, g := range r.Grants {
			if g.Access == access {
				grants = append(grants, g.yaml())
			}
		}
		if len(grants) > 0 {
			m.add(string(access), "["+strings.Join(grants, ", ")+"]")
		}
	}
	return m.String()
}

func (g Grant) yaml() string {
	var m mapping
	if g.Any {
		m.add("data", "any")
	}
	m.list("data", g.Data)
	m.nested("when", g.When.mapping())
	m.add("rows", g.Rows)
	m.add("rateLimit", g.RateLimit)
	m.add("bytes", g.Bytes)
	m.add("severity", string(g.Severity))
	return m.String()
}

func (c When) mapping() mapping {
	var m mapping
	m.list("source_ip", c.SourceIP)
	if c.MFA != nil {
		var mfa mapping
		mfa.add("max_age", c.MFA.MaxAge)
		mfa.list("amr", c.MFA.AMR)
		m.nested("mfa", mfa)
	}
	if c.TLS != "" {
		m.add("tls", strconv.Quote(c.TLS))
	}
	if c.Time != nil {
		var when mapping
		when.list("days", c.Time.Days)
		when.list("hours", c.Time.Hours)
		when.add("tz", c.Time.TZ)
		m.nested("time", when)
	}
	m.list("auth_method", c.AuthMethod)
	switch c.Presigned {
	case "", "never":
		m.add("presigned", c.Presigned)
	default:
		m.nested("presigned", mapping{"max_age: " + c.Presigned})
	}
	m.nested("object_tags", tags(c.ObjectTags))
	m.list("encryption", c.Encryption)
	m.list("kms_keys", c.KMSKeys)
	m.nested("request_tags", tags(c.RequestTags))
	return m
}

func tags(all []Tag) mapping {
	var m mapping
	for _, t := range all {
		m.list(t.Key, t.Values)
	}
	return m
}

// A mapping is written on one line, entry by entry.
type mapping []string

// add writes what is not empty.
func (m *mapping) add(key, value string) {
	if value != "" {
		*m = append(*m, key+": "+value)
	}
}

func (m *mapping) list(key string, values []string) {
	if len(values) > 0 {
		m.add(key, list(values))
	}
}

func (m *mapping) nested(key string, inner mapping) {
	if len(inner) > 0 {
		m.add(key, inner.String())
	}
}

func (m mapping) String() string { return "{" + strings.Join(m, ", ") + "}" }

func list(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
