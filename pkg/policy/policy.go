// Package policy decides who may do what with which data.
//
// A data map says where each kind of data, its label, lives; policies say who
// may read, update, delete and manage the data of a label. Both are YAML that
// people write, and docs/policy.md is their specification: Parse reads them
// strictly and reports every fault at once, Decide answers questions.
//
// Rules widen, policies narrow: of a resource that carries several labels, every
// label must be granted; of a label that several policies govern, every policy
// must grant it; within a policy one matching rule is enough.
//
// The package does no I/O and reads no clock and no environment. It knows
// containers and the names in them, as S3 has buckets and keys, but nothing of
// any protocol.
package policy

import (
	"maps"
	"slices"
	"time"
)

// Access is one of the four kinds of what can be done with data.
type Access string

// The kinds of access, spelled as in a policy.
const (
	Reads   Access = "reads"   // contents, metadata, listings
	Updates Access = "updates" // creating and changing
	Deletes Access = "deletes" // taking away
	Manages Access = "manages" // the life and configuration of containers, access lists
)

// Scope says how much of the data at and below its path a Question is about.
type Scope string

// The scopes.
const (
	Exact Scope = "exact" // the object that the path names, or the container itself
	Under Scope = "under" // every object whose path begins with the path, whether it exists or not
	Some  Scope = "some"  // at least one of those; of a container alone also the container itself
	// Mapped is Some, for those objects alone for which the data map has a
	// location that begins with the path to the letter: its name is then no secret
	// to whoever may use the location.
	Mapped Scope = "mapped"
)

// Severity grades a violation for those who watch. It never changes a
// decision.
type Severity string

// The severities, from the one that stands where none is given.
const (
	Low    Severity = "low"
	Medium Severity = "medium"
	High   Severity = "high"
)

// Effect is what happens to data that carries no label.
type Effect int

// The effects. Deny is the zero value.
const (
	Deny Effect = iota
	Allow
)

// A Principal is who asks. Issuer, Subject, Email and Name are for people to
// read; what decides is Users, Groups and Service. The zero value is somebody
// of whom nothing is known: only rules for everyone speak for them.
type Principal struct {
	Issuer, Subject, Email, Name string

	// Users is compared with identities.users: the subject, and the e-mail
	// address where the issuer is its authority.
	Users []string
	// Groups is compared with identities.groups.
	Groups []string
	// Service is compared with identities.services; "" is no service.
	Service string
}

// A Question asks whether Access to what Path and Scope name is allowed. Path
// is "container" or "container/name"; the first "/" divides the two, and all
// bytes count as they are. With an empty name it is the container itself, or
// with the other scopes every object in it.
type Question struct {
	Access Access
	Path   string
	Scope  Scope
}

// A Source is the text of one file. Name is what faults call it.
type Source struct {
	Name string
	Data []byte
}

// Options say what stands in no policy.
type Options struct {
	Repo       string // whose entries of the data map count: "S3"
	Unlabelled Effect // what happens to data without a label
	// Monitor puts everything into monitor mode: what would be blocked is let
	// through, and said so.
	Monitor bool
	// Zone finds a time zone by its name in the IANA database, as
	// time.LoadLocation does. nil: none but UTC is known.
	Zone func(name string) (*time.Location, error)
	// Now is the moment by which policies and rules are warned of whose time is
	// over. Zero: they are not.
	Now time.Time
}

// A Reason is why one label, or data without one (Label is then empty), was
// allowed or blocked.
type Reason struct {
	Allowed  bool
	Policy   string // empty when no policy has a part in it
	Rule     string // "rule 2": its place in the policy, from 1; empty when no rule has a part in it
	Label    string
	Access   Access
	Path     string   // of the question
	Severity Severity // of the violation; empty when allowed
	Text     string   // one clause for people, lower case, without full stop
	Need     string   // of a violation: what would allow it, a clause likewise; empty when nothing would, and when allowed
}

// A Set is a data map and the policies over its labels, ready to decide. It
// is immutable and safe for concurrent use; its zero value blocks everything.
type Set struct {
	unlabelled Effect
	monitored  bool
	labels     []string
	digest     string
	names      *names
	governed   []governance     // by label
	literal    map[string]*area // by container
	patterns   []*area          // of containers
	documents  []*document      // by name
	locations  []Location
	nobody     Principal // who asks when none is given; never written to
	nothing    Facts     // what is known then; never written to
}

// Digest is "sha256:" and 64 hexadecimal digits, over the contents of data map
// and policies and the options. The names of the files and their order do not
// count. The zero Set has none.
func (s *Set) Digest() string { return s.digest }

// Labels returns the labels of the data map, sorted.
func (s *Set) Labels() []string { return slices.Clone(s.labels) }

// Groups returns every group that a policy names, sorted.
func (s *Set) Groups() []string {
	if s.names == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.names.groups))
}
