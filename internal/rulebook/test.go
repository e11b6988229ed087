package rulebook

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// A Test says what requests are to be answered with. Each of Requests is made by
// each of As, and all are to have the same answer.
type Test struct {
	Place
	Name     string
	As       []Person
	Requests []*ruling.Matter
	Facts    Circumstances
	Expect   Answer
	// Because are grounds that the decision must have, each of them.
	Because []Ground
}

// A Person is who asks, by the names that policies know.
type Person struct {
	Users, Groups []string
	Service       string
}

// An Answer is a word for a decision, as events have it.
type Answer string

// The answers.
const (
	Allowed    Answer = "allowed"
	Blocked    Answer = "blocked"
	WouldBlock Answer = "would-block"
)

// AnswerOf is the word for a decision.
func AnswerOf(d policy.Decision) Answer {
	switch {
	case d.WouldBlock:
		return WouldBlock
	case d.Allowed:
		return Allowed
	}
	return Blocked
}

// Circumstances are what is known of a request beside who asks for what. Zero
// values are not known.
type Circumstances struct {
	From       netip.Addr
	At         time.Time     // zero: when the test is run
	TLS        uint16        // as in crypto/tls
	Login      time.Duration // how long ago the login was
	LoggedIn   bool          // Login is known
	AMR        []string
	AuthMethod string
	Presigned  time.Duration // how long ago the request was signed
	IsSigned   bool          // it is presigned
	ObjectTags map[string]string
}

// A Ground is what a test wants of one of the reasons of a decision. Fields that
// are empty may be anything.
type Ground struct{ Policy, Rule, Label, Access, Text string }

// Fits says whether r is what is wanted. Text is to be a part of its text.
func (g Ground) Fits(r policy.Reason) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(g.Policy, r.Policy) && is(g.Rule, r.Rule) && is(g.Label, r.Label) && is(g.Access, string(r.Access)) && strings.Contains(r.Text, g.Text)
}

// String is the ground as it is written.
func (g Ground) String() string {
	var parts []string
	for _, f := range [][2]string{{"policy", g.Policy}, {"rule", g.Rule}, {"label", g.Label}, {"access", g.Access}, {"text", g.Text}} {
		if f[1] != "" {
			parts = append(parts, f[0]+": "+f[1])
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// Principal is the person as decisions know one.
func (p Person) Principal() *policy.Principal {
	return &policy.Principal{Users: p.Users, Groups: p.Groups, Service: p.Service, Subject: p.String()}
}

// String is who it is, for people to read.
func (p Person) String() string {
	switch {
	case p.Service != "":
		return "service " + p.Service
	case len(p.Users) > 0:
		return p.Users[0]
	case len(p.Groups) > 0:
		return "somebody in " + strings.Join(p.Groups, ", ")
	}
	return "somebody"
}

// Of is what the policy is to go by when the request is made at now.
func (c Circumstances) Of(m *ruling.Matter, now time.Time) *policy.Facts {
	if !c.At.IsZero() {
		now = c.At
	}
	f := &policy.Facts{Now: now, SourceIP: c.From, TLS: c.TLS, AMR: c.AMR, AuthMethod: c.AuthMethod, Upload: m.Upload()}
	if c.LoggedIn {
		f.AuthTime = now.Add(-c.Login)
	}
	if c.IsSigned {
		f.Signed = now.Add(-c.Presigned)
	}
	if c.ObjectTags != nil {
		f.ObjectTags = map[string]map[string]string{}
		for _, q := range m.Questions {
			if q.Scope == policy.Exact {
				f.ObjectTags[q.Path] = c.ObjectTags
			}
		}
	}
	return f
}

// tlsVersions are the versions that a connection may have.
var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// TLSVersion is the version that is written "1.2" or "1.3", as in crypto/tls; 0 is
// none that is known.
func TLSVersion(s string) uint16 { return tlsVersions[s] }

// authMethods are the ways to log in, as events and policies name them.
var authMethods = []string{"browser", "device", "ci", "service-key"}

// operations are the words that may stand after do, for what was meant.
func operations() []string {
	names := ruling.Accesses()
	for op := range s3api.Operations() {
		names = append(names, op.Name)
	}
	return slices.Clip(names)
}
