// Package rulebook finds and reads what people write to say who may do what: the
// data map, the policies, and the tests of both. It is the one reader of these
// files, for the sidecar and for the tools that tell beforehand what the sidecar
// will decide.
//
// Which file is which is told by its shape, not by its name. The files are
// specified in docs/policy.md and docs/policy-tools.md; pkg/policy decides by
// what is read.
package rulebook

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones of policies mean the same on every machine

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A Book is what was read, without a fault.
type Book struct {
	Set      *policy.Set
	Options  policy.Options
	Strict   bool // listings are not filtered
	DataMap  policy.Source
	Policies []policy.Source
	Tests    []Test
	// Warnings are what is legal and yet probably not meant, and Notes what is
	// good to know, each in the order of their files.
	Warnings, Notes []strictyaml.Fault

	places places
}

// Options say what does not stand in the files that are named.
type Options struct {
	// Config is a sidecar's configuration: its unlabelled, mode and roles
	// count, and its data map and policies where the paths have none. "": the one
	// among the paths, if there is one.
	Config string
	// Unlabelled is deny or allow; "": as the configuration says, otherwise deny.
	Unlabelled string
}

// Read reads the files and folders at paths: data map, policies, tests and a
// sidecar's configuration. The error is strictyaml.Faults with all that is wrong
// in any of them.
func Read(paths []string, o Options) (*Book, error) {
	f := newFinder()
	for _, path := range paths {
		f.path(path)
	}
	if o.Config != "" {
		f.configuration(o.Config)
	}
	f.complete(paths)
	options := f.config.options()
	switch o.Unlabelled {
	case allow:
		options.Unlabelled = policy.Allow
	case deny:
		options.Unlabelled = policy.Deny
	}
	return f.book(options)
}

// Read reads the data map and the policies that the configuration names, and the
// tests beside them. The error is strictyaml.Faults.
func (c *Config) Read() (*Book, error) {
	f := newFinder()
	f.config = c
	f.named(c, true, true)
	return f.book(c.options())
}

// Files are the files that Read reads of the configuration. What cannot be found
// stands in them by its own name.
func (c *Config) Files() []string {
	names := []string{c.path(c.DataMap.V)}
	for _, v := range c.Policies {
		files, err := filesIn(c.path(v.V))
		if err != nil {
			files = []string{c.path(v.V)}
		}
		names = append(names, files...)
	}
	return names
}

// book parses what was found.
func (f *finder) book(o policy.Options) (*Book, error) {
	b := &Book{Options: o, Strict: f.config != nil && f.config.Listing.V == strict, places: places{}}
	found := f.found
	var dataMap policy.Source
	if f.dataMap != nil {
		dataMap = f.dataMap.Source
	}
	for _, p := range f.policies {
		b.Policies = append(b.Policies, p.Source)
		b.places.read(p)
	}
	var err error
	b.DataMap = dataMap
	b.Set, b.Warnings, err = policy.Parse(dataMap, b.Policies, o)
	for _, fault := range asFaults(err) {
		if fault.File != "" || f.dataMap != nil { // that the data map is missing has been said
			found = append(found, fault)
		}
	}
	for _, t := range f.tests {
		tests, faults := readTests(t.Source, b.Strict)
		b.Tests = append(b.Tests, tests...)
		found = append(found, faults...)
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	b.Warnings = inOrder(append(b.Warnings, f.config.unmapped(b.places)...))
	b.Notes = inOrder(b.notes(f))
	return b, nil
}

// notes say what is meant to be so, and yet should be seen.
func (b *Book) notes(f *finder) []strictyaml.Fault {
	var notes []strictyaml.Fault
	if c := f.config; c != nil && c.Unlabelled.V == allow && b.Options.Unlabelled == policy.Allow {
		notes = append(notes, c.Unlabelled.Fault(c.File, "data without a label is open to everybody who can log in"))
	}
	if c := f.config; c != nil && b.Options.Monitor {
		notes = append(notes, c.Mode.Fault(c.File, "the sidecar only monitors: what any policy would block is let through"))
	}
	for _, o := range b.Set.Overlaps() {
		notes = append(notes, strictyaml.Fault{File: b.DataMap.Name, Text: fmt.Sprintf("%d of the locations of %s lie in locations of %s, the first is %q: what is there carries both labels, and needs both", o.Count, o.Label, o.In, o.First.Text)})
	}
	for _, p := range f.policies {
		if mode := scalar(child(p.root, "mode")); mode.V == monitor {
			notes = append(notes, mode.Fault(p.Name, "policy %q only monitors: what it would block is let through", scalar(child(p.root, "name")).V))
		}
	}
	return notes
}

func inOrder(list strictyaml.Faults) []strictyaml.Fault {
	_ = list.Err() // it sorts
	return list
}

// asFaults is what policy.Parse and strictyaml.Decode return, which promise no
// other error.
func asFaults(err error) strictyaml.Faults {
	found, _ := err.(strictyaml.Faults)
	return found
}

const (
	deny    = "deny"
	allow   = "allow"
	enforce = "enforce"
	monitor = "monitor"
	filter  = "filter"
	strict  = "strict"
)

// options are what the configuration says about the set; of none, the defaults.
func (c *Config) options() policy.Options {
	o := policy.Options{Repo: ruling.Repo, Zone: time.LoadLocation, Now: time.Now()}
	if c != nil {
		o.Monitor = c.Mode.V == monitor
		if c.Unlabelled.V == allow {
			o.Unlabelled = policy.Allow
		}
	}
	return o
}

func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }
