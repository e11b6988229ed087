package response

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

type text = strictyaml.Value[string]

// A Config is one entry of responses in the sidecar's configuration.
type Config struct {
	// Name is what events, alerts and orders call the rule.
	Name text `yaml:"name"`

	// When is what a principal has to do.
	When strictyaml.Value[When] `yaml:"when"`

	// Do is what is done then: alert, suspend, or both.
	Do []text `yaml:"do"`

	// Mode is monitor (the default: an event says what would be done, and it is
	// not done) or enforce.
	Mode text `yaml:"mode"`
}

// When has exactly one of Violations, Reads and Deletes.
type When struct {
	// Violations is how many decisions block, or would without monitor mode.
	Violations strictyaml.Value[int] `yaml:"violations"`

	// Severity is that of the least violations that count: low (the default),
	// medium or high.
	Severity text `yaml:"severity"`

	// Reads are more of one label than the principal usually reads.
	Reads strictyaml.Value[Reads] `yaml:"reads"`

	// Deletes is how many objects may be deleted.
	Deletes strictyaml.Value[int] `yaml:"deletes"`

	// Within is the time in which it happens, 10s to 24h. Required.
	Within text `yaml:"within"`
}

// Reads says what is unusual.
type Reads struct {
	// Label is that of the data. Required.
	Label text `yaml:"label"`

	// Times is how many times the usual objects, or bytes, are unusual. Required,
	// more than 1.
	Times strictyaml.Value[float64] `yaml:"times"`

	// History is in how many windows of Within somebody must have read before
	// anything is unusual for them. Default 10.
	History strictyaml.Value[int] `yaml:"history"`

	// LeastObjects and LeastBytes are how much it has to be at least, however
	// little is usual. Default 100, and 100 MiB (104857600).
	LeastObjects strictyaml.Value[int] `yaml:"least_objects"`
	LeastBytes   strictyaml.Value[int] `yaml:"least_bytes"`
}

const (
	// maxRules bounds what each event is held against.
	maxRules = 64

	leastWithin, mostWithin = 10 * time.Second, 24 * time.Hour

	standardHistory      = 10
	standardLeastObjects = 100
	standardLeastBytes   = 100 << 20
)

var ruleName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`) })

// Rules makes rules of what stands in the responses of file. labels are those of
// the data map; nil: they are not known.
func Rules(file string, entries []Config, labels []string) ([]*Rule, strictyaml.Faults) {
	c := &checker{file: file, labels: labels, names: map[string]bool{}}
	rules := make([]*Rule, 0, len(entries))
	for i := range entries {
		rules = append(rules, c.rule(&entries[i]))
	}
	if len(entries) > maxRules {
		c.at(entries[maxRules].Name, "responses: %d rules are too many; at most %d are held against each event", len(entries), maxRules)
	}
	return rules, c.found
}

// A checker gathers the faults of rules.
type checker struct {
	file   string
	labels []string
	names  map[string]bool
	found  strictyaml.Faults
}

func (c *checker) at(v text, format string, args ...any) {
	c.found = append(c.found, v.Fault(c.file, format, args...))
}

// word judges a key with a closed set of values.
func (c *checker) word(v text, key string, known ...string) {
	if !slices.Contains(known, v.V) {
		c.at(v, "responses: %s is %q; write %s%s", key, v.V, strings.Join(known, " or "), strictyaml.Meant(v.V, known))
	}
}

func (c *checker) rule(e *Config) *Rule {
	r := &Rule{Name: e.Name.V, Mode: cmp.Or(e.Mode.V, Monitor)}
	near := e.Name
	if near.Line == 0 {
		near = text{Line: e.When.Line, Column: e.When.Column}
	}
	switch {
	case e.Name.V == "":
		c.at(near, "responses: name is missing: what events and orders call the rule")
	case !ruleName().MatchString(e.Name.V):
		c.at(e.Name, "responses: name %q: at most 64 lower-case letters, digits, hyphens, dots and underscores are wanted", e.Name.V)
	case c.names[e.Name.V]:
		c.at(e.Name, "responses: name %q stands twice", e.Name.V)
	}
	c.names[e.Name.V] = true
	if e.Mode.Line != 0 {
		c.word(e.Mode, "mode", Monitor, Enforce)
	}
	if len(e.Do) == 0 {
		c.at(near, "responses: do is missing: alert, suspend, or both")
	}
	for _, d := range e.Do {
		c.word(d, "do", Alert, Suspend)
		if r.Does(d.V) {
			c.at(d, "responses: do has %s twice", d.V)
		}
		r.Do = append(r.Do, d.V)
	}
	if e.When.Line == 0 {
		c.at(near, "responses: when is missing: violations, reads or deletes, and within")
		return r
	}
	c.when(r, e.When)
	return r
}

func (c *checker) when(r *Rule, v strictyaml.Value[When]) {
	w, near := v.V, text{Line: v.Line, Column: v.Column}
	things := 0
	for _, line := range []int{w.Violations.Line, w.Reads.Line, w.Deletes.Line} {
		if line != 0 {
			things++
		}
	}
	if things != 1 {
		c.at(near, "responses: when has to have exactly one of violations, reads and deletes")
	}
	switch d, err := time.ParseDuration(w.Within.V); {
	case w.Within.V == "":
		c.at(near, "responses: within is missing: the time in which it happens, such as 10m")
	case err != nil || d < leastWithin || d > mostWithin:
		c.at(w.Within, "responses: within %q: a duration from 10s to 24h is wanted, such as 10m", w.Within.V)
	default:
		r.Within = d
	}
	r.violations = c.atLeast(w.Violations, "violations", 1, 0)
	r.deletes = c.atLeast(w.Deletes, "deletes", 1, 0)
	if w.Severity.Line != 0 {
		c.word(w.Severity, "severity", severities[1:]...)
		if w.Violations.Line == 0 {
			c.at(w.Severity, "responses: severity goes with violations")
		}
	}
	if w.Violations.Line != 0 {
		r.Severity = cmp.Or(w.Severity.V, severities[1])
		r.severity = max(1, slices.Index(severities[:], r.Severity))
	}
	if w.Reads.Line != 0 {
		c.reads(r, w.Reads)
	}
}

func (c *checker) reads(r *Rule, v strictyaml.Value[Reads]) {
	reads, near := v.V, text{Line: v.Line, Column: v.Column}
	switch l := reads.Label; {
	case l.V == "":
		c.at(near, "responses: label is missing: that of the data whose reads are counted")
	case c.labels != nil && !slices.Contains(c.labels, l.V):
		c.at(l, "responses: the data map has no label %q%s", l.V, strictyaml.Meant(l.V, c.labels))
	}
	r.Label, r.times = reads.Label.V, reads.Times.V
	switch t := reads.Times; {
	case t.Line == 0:
		c.at(near, "responses: times is missing: how many times what is usual")
	case math.IsNaN(t.V) || t.V <= 1 || t.V > 1e6:
		c.found = append(c.found, t.Fault(c.file, "responses: times is %v; a number above 1 is wanted, such as 5", t.V))
	}
	r.history = int(c.atLeast(reads.History, "history", 1, standardHistory))
	r.least = amount{
		n:     c.atLeast(reads.LeastObjects, "least_objects", 1, standardLeastObjects),
		bytes: c.atLeast(reads.LeastBytes, "least_bytes", 1, standardLeastBytes),
	}
}

// atLeast judges a whole number that may be absent.
func (c *checker) atLeast(v strictyaml.Value[int], key string, least, absent int) int64 {
	if v.Line == 0 {
		return int64(absent)
	}
	if v.V < least {
		c.found = append(c.found, v.Fault(c.file, "responses: %s is %d; at least %d is wanted", key, v.V, least))
	}
	return int64(v.V)
}
