// Package eventlogtest writes logs of a company that does not exist, for tests,
// pictures and measurements: a few people and services, who work in the day and
// sleep in the night, and now and then want what they may not have. The same
// options give the same log.
package eventlogtest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// Options say which log is written.
type Options struct {
	Seed     uint64
	Start    time.Time
	Length   time.Duration
	Requests int // about so many; each has one event or two
}

type person struct {
	name, group string
	weight      int
	service     string
}

func people() []person {
	return []person{
		{"alice.moreau", "data-engineering", 26, ""}, {"tomas.novak", "data-engineering", 18, ""}, {"priya.raman", "data-science", 22, ""},
		{"jonas.weber", "data-science", 12, ""}, {"mei.tanaka", "analytics", 15, ""}, {"sofia.rossi", "analytics", 9, ""},
		{"samuel.okafor", "finance", 6, ""}, {"hanna.lindqvist", "finance", 4, ""}, {"diego.alvarez", "platform", 5, ""},
		{"ruth.ben-david", "security", 2, ""}, {"lukas.meyer", "marketing", 3, ""}, {"", "", 30, "nightly-etl"}, {"", "", 12, "dashboard-refresh"},
	}
}

type place struct {
	bucket, prefix, label string
	groups                string // that may read; those with ! may also change
	size                  float64
	weight                int
}

func places() []place {
	return []place{
		{"acme-lake", "events/2026/11/", "CLICKSTREAM", "!data-engineering data-science analytics security !nightly-etl dashboard-refresh", 24e6, 36},
		{"acme-lake", "customers/", "CUSTOMER-PII", "!data-engineering data-science !nightly-etl", 3e6, 16},
		{"acme-finance", "ledger/2026/", "FINANCIAL", "!finance nightly-etl", 400e3, 12},
		{"acme-finance", "payroll/", "PAYROLL", "!finance", 60e3, 5},
		{"acme-models", "churn/v7/", "MODELS", "!data-science platform", 180e6, 10},
		{"acme-reports", "weekly/", "REPORTS", "!analytics finance marketing platform data-engineering security !dashboard-refresh", 1.2e6, 18},
		{"acme-scratch", "tmp/", "", "!data-engineering !data-science !analytics !platform", 9e6, 9},
	}
}

// A maker makes the events of one log.
type maker struct {
	*rand.Rand
	log *audit.Log
}

// Write writes a log to w.
func Write(w io.Writer, o Options) error {
	m := &maker{Rand: rand.New(rand.NewPCG(o.Seed, 7)), log: audit.NewLog(w)}
	at := o.Start
	step := float64(o.Length) / float64(max(o.Requests, 1))
	for at.Before(o.Start.Add(o.Length)) {
		p := m.person(at)
		if m.IntN(60) == 0 {
			if err := m.session(p, at); err != nil {
				return err
			}
		}
		if err := m.request(p, m.place(p), at); err != nil {
			return err
		}
		if night := at.Sub(o.Start) % (7 * 24 * time.Hour); night >= 142*time.Hour && night < 143*time.Hour {
			if err := m.request(people()[10], places()[3], at); err != nil { // marketing looks at payroll
				return err
			}
		}
		if m.IntN(3500) == 0 {
			if err := m.change(at); err != nil {
				return err
			}
		}
		at = at.Add(time.Duration(m.ExpFloat64() * step / busy(at)))
	}
	return nil
}

// busy is how much happens at a moment; in a week, 1 on average.
func busy(at time.Time) float64 {
	day := 1.28
	if wd := at.Weekday(); wd == time.Saturday || wd == time.Sunday {
		day = 0.26
	}
	hours := [...]float64{.3, .9, .9, .3, .2, .2, .4, .8, 1.5, 2, 2.1, 1.9, 1.3, 1.7, 2, 2, 1.8, 1.3, .8, .5, .4, .4, .3, .3}
	return day * hours[at.Hour()]
}

func (m *maker) person(at time.Time) person {
	night := at.Hour() < 6
	all := people()
	for {
		p := all[m.IntN(len(all))]
		if m.IntN(30) < p.weight && (!night || p.service != "" || m.IntN(20) == 0) {
			return p
		}
	}
}

// place is one that p works with, as a rule.
func (m *maker) place(p person) place {
	all := places()
	for {
		x := all[m.IntN(len(all))]
		if m.IntN(36) < x.weight && (may(p, x, false) || m.IntN(90) == 0) {
			return x
		}
	}
}

func may(p person, x place, change bool) bool {
	for g := range strings.FieldsSeq(x.groups) {
		name, changes := strings.CutPrefix(g, "!")
		if (name == p.group || name == p.service) && (changes || !change) {
			return true
		}
	}
	return false
}

func (p person) principal() *audit.Principal {
	if p.service != "" {
		return &audit.Principal{Issuer: "gimme", Subject: "service:" + p.service, Service: p.service}
	}
	email := p.name + "@acme.example"
	return &audit.Principal{Issuer: "https://login.acme.example", Subject: "sub-" + strings.ReplaceAll(p.name, ".", "-"), Email: email, Groups: []string{p.group}, Users: []string{email}}
}

func (m *maker) id() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var b [26]byte
	for i := range b {
		b[i] = letters[m.IntN(32)]
	}
	return string(b[:])
}

func (m *maker) session(p person, at time.Time) error {
	e := audit.Event{
		ID: m.id(), Time: at, Kind: audit.KindSession, Decision: audit.Allowed, Principal: p.principal(), Role: "arn:aws:iam::111122223333:role/lake",
		Session: &audit.Session{ID: m.id()[:22], Issued: at, Expires: at.Add(time.Hour)}, Client: &audit.Client{IP: "10.20.4.7", UserAgent: "gimme/1.4"},
		Request: &audit.Request{Operation: "AssumeRoleWithWebIdentity", Method: "POST"},
	}
	if m.IntN(40) == 0 {
		e.Decision, e.Session, e.Error = audit.Blocked, nil, "AccessDenied: "+p.name+" may not take role lake: it is for other groups."
		e.Response = &audit.Response{Status: 403, Code: "AccessDenied"}
	}
	return m.log.Write(e)
}

// change is of the policies, or of what is revoked.
func (m *maker) change(at time.Time) error {
	digest := "sha256:" + strings.Repeat("9f2c", 16)
	e := audit.Event{ID: m.id(), Time: at, Kind: audit.KindPolicy, PolicyDigest: digest}
	if m.IntN(3) == 0 {
		e.Kind, e.PolicyDigest, e.Request = audit.KindAdmin, "", &audit.Request{Operation: "Revoke"}
		e.Revocation = &audit.Revocation{Order: m.id()[:12], Reason: "laptop lost", By: "diego.alvarez", At: at, Before: at}
	}
	return m.log.Write(e)
}

var operations = []struct{ name, access, method string }{
	{"GetObject", "reads", "GET"}, {"GetObject", "reads", "GET"}, {"GetObject", "reads", "GET"}, {"GetObject", "reads", "GET"}, {"HeadObject", "reads", "HEAD"},
	{"ListObjectsV2", "reads", "GET"}, {"PutObject", "updates", "PUT"}, {"PutObject", "updates", "PUT"}, {"DeleteObject", "deletes", "DELETE"},
}

func (m *maker) request(p person, x place, at time.Time) error {
	op := operations[m.IntN(len(operations))]
	if op.access != "reads" && (!may(p, x, true) && m.IntN(25) > 0 || op.access == "deletes" && m.IntN(3) > 0) {
		op = operations[0]
	}
	key := fmt.Sprintf("%spart-%05d.parquet", x.prefix, m.IntN(20_000))
	e := audit.Event{
		ID: m.id(), Time: at, Kind: audit.KindDecision, Decision: audit.Allowed, Principal: p.principal(),
		Session: &audit.Session{ID: m.id()[:22], Issued: at.Add(-time.Minute), Expires: at.Add(time.Hour)}, Role: "arn:aws:iam::111122223333:role/lake",
		Client: &audit.Client{IP: "10.20.4.7", UserAgent: "aws-cli/2.36.7"},
		Request: &audit.Request{Operation: op.name, Actions: []string{"s3:" + op.name}, Access: []string{op.access}, Bucket: x.bucket, Key: key, Method: op.method,
			Targets: []audit.Target{{Access: op.access, Path: x.bucket + "/" + key, Scope: "exact"}}},
		Facts: &audit.Facts{TLS: "1.3", AuthTime: at.Add(-20 * time.Minute), AMR: []string{"pwd", "hwk"}, AuthMethod: "browser"},
	}
	if op.name == "ListObjectsV2" {
		e.Request.Key, e.Request.Targets[0] = "", audit.Target{Access: op.access, Path: x.bucket + "/" + x.prefix, Scope: "some"}
	}
	if x.label != "" {
		e.Labels = []string{x.label}
	}
	if op.access == "updates" {
		e.Request.Bytes = int64(m.ExpFloat64() * x.size / 4)
	}
	m.decide(&e, p, x, op.access)
	if err := m.log.Write(e); err != nil || e.Decision == audit.Blocked {
		return err
	}
	e.Kind, e.Decision, e.Labels, e.Reasons = audit.KindOutcome, "", nil, nil
	e.Response = &audit.Response{Status: 200, DurationMS: 4 + m.ExpFloat64()*40}
	if op.name == "GetObject" {
		e.Response.Bytes = int64(m.ExpFloat64() * x.size)
	}
	e.Time = at.Add(time.Duration(e.Response.DurationMS * 1e6))
	return m.log.Write(e)
}

// decide fills in what was decided, and why.
func (m *maker) decide(e *audit.Event, p person, x place, access string) {
	policy := strings.ToLower(x.label)
	verb := map[string]string{"reads": "read", "updates": "update", "deletes": "delete"}[access]
	switch {
	case x.label == "":
	case !may(p, x, access != "reads"):
		severity := map[string]string{"PAYROLL": "high", "CUSTOMER-PII": "high", "FINANCIAL": "medium"}[x.label]
		if severity == "" {
			severity = "low"
		}
		reason := audit.Reason{Policy: policy, Label: x.label, Access: access, Severity: severity, Text: "policy " + policy + " has no rule that lets you " + verb + " " + x.label + " data", Need: "membership of another group"}
		e.Reasons = []audit.Reason{reason}
		if x.label == "MODELS" || x.label == "REPORTS" { // their policies are new
			e.Decision = audit.WouldBlock
			return
		}
		e.Decision, e.Error = audit.Blocked, "AccessDenied: "+reason.Text
		e.Response = &audit.Response{Status: 403, Code: "AccessDenied", DurationMS: .4}
	default:
		e.Reasons = []audit.Reason{{Policy: policy, Rule: "rule 1", Label: x.label, Access: access, Text: "policy " + policy + " lets you " + verb + " " + x.label + " data"}}
	}
}
