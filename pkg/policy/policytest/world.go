// Package policytest is a second reading of docs/policy.md, for tests.
//
// A World is a data map and policies, as values. World.Decide answers questions
// about it straight from the page: it looks at every location, every policy,
// every rule and every grant, and where a question is about many objects, at
// every object that could make a difference. It is slow, and shares nothing with
// package policy but that package's exported types. World writes itself as the
// YAML that policy.Parse reads, so that the two can be held to one another;
// Generate makes worlds, and Principal, Questions and Facts what to ask of them.
//
// The package is a tool for tests and for those who implement the page elsewhere.
// It panics where a World holds a text that Parse would refuse.
package policytest

import (
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// repo is the one whose locations count.
const repo = "S3"

// A World is a data map with the policies over its labels, and the options
// that stand in neither. Texts are as in the files: durations such as "1h",
// windows such as "10/1h", hours such as "08:00-18:00". What is empty is left
// out.
type World struct {
	Unlabelled policy.Effect
	Monitor    bool    // the whole set is in monitor mode
	Labels     []Label // in the order of the data map
	Policies   []Policy
}

// A Label is one label of the data map with its locations in the repo.
type Label struct {
	Name      string
	Tags      []string
	Locations []string
}

// A Policy is one file.
type Policy struct {
	Name       string
	Data, Tags []string
	Monitor    bool
	Validity
	Rules []Rule
}

// Validity is the time in which a policy or a rule counts: moments as in
// RFC 3339, from the first on and before the second.
type Validity struct{ From, Until string }

// A Rule is one rule of a policy. Without users, groups and services it is for
// everyone.
type Rule struct {
	Users, Groups, Services []string
	Hosts                   []string
	When                    When
	Validity
	Grants []Grant
}

// A Grant is one grant of a rule.
type Grant struct {
	Access    policy.Access
	Any       bool     // data: any
	Data      []string // labels and tags, unless Any
	When      When
	Rows      string // such as "5"
	RateLimit string // such as "1000/1h"
	Bytes     string // such as "10GiB/24h"
	Severity  policy.Severity
}

// When holds conditions, all of which must hold.
type When struct {
	SourceIP    []string
	MFA         *MFA
	TLS         string
	Time        *Time
	AuthMethod  []string
	Presigned   string // a max_age, or "never"
	ObjectTags  []Tag
	Encryption  []string
	KMSKeys     []string
	RequestTags []Tag
}

// MFA is the condition mfa.
type MFA struct {
	MaxAge string
	AMR    []string
}

// Time is the condition time.
type Time struct {
	Days, Hours []string
	TZ          string
}

// A Tag is one key of object_tags or request_tags with its values.
type Tag struct {
	Key    string
	Values []string
}

// A Decision is what World.Decide answers: a policy.Decision without words.
type Decision struct {
	Allowed, WouldBlock bool
	Labels              []string
	Reasons             []policy.Reason // without Text and Need
	Limits              []policy.Limit
}

// Plain takes the words out of d, so that it can be compared with what
// World.Decide answers.
func Plain(d policy.Decision) Decision {
	reasons := slices.Clone(d.Reasons())
	for i := range reasons {
		reasons[i].Text, reasons[i].Need = "", ""
	}
	return Decision{d.Allowed, d.WouldBlock, d.Labels(), reasons, d.Limits()}
}

// Options are those with which w is to be parsed.
func (w World) Options() policy.Options {
	return policy.Options{Repo: repo, Unlabelled: w.Unlabelled, Monitor: w.Monitor, Zone: time.LoadLocation}
}

// Parse has w read by policy.Parse. Warnings are dropped.
func (w World) Parse() (*policy.Set, error) {
	s, _, err := policy.Parse(w.DataMap(), w.Sources(), w.Options())
	return s, err
}

// Clone returns a copy of w whose labels, policies and rules can be added to
// and replaced without changing w.
func (w World) Clone() World {
	w.Labels, w.Policies = slices.Clone(w.Labels), slices.Clone(w.Policies)
	for i := range w.Labels {
		w.Labels[i].Locations = slices.Clone(w.Labels[i].Locations)
		w.Labels[i].Tags = slices.Clone(w.Labels[i].Tags)
	}
	for i := range w.Policies {
		w.Policies[i].Rules = slices.Clone(w.Policies[i].Rules)
	}
	return w
}

// Enforced returns w with nothing in monitor mode.
func (w World) Enforced() World {
	w = w.Clone()
	w.Monitor = false
	for i := range w.Policies {
		w.Policies[i].Monitor = false
	}
	return w
}

// String shows w as the files that it is written as.
func (w World) String() string {
	var b strings.Builder
	if w.Unlabelled == policy.Allow {
		b.WriteString("# unlabelled: allow\n")
	}
	if w.Monitor {
		b.WriteString("# mode: monitor\n")
	}
	b.Write(w.DataMap().Data)
	for _, s := range w.Sources() {
		b.WriteString("--- # " + s.Name + "\n")
		b.Write(s.Data)
	}
	return b.String()
}
