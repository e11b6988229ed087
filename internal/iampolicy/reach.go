package iampolicy

import (
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// accesses are the kinds of access, in the order of policies.
var accesses = []policy.Access{policy.Reads, policy.Updates, policy.Deletes, policy.Manages}

// A place is a location of the data map, taken apart.
type place struct {
	text      string
	container string // pattern of buckets
	name      string // pattern of keys; "*" for all
	whole     bool   // the bucket itself, too
}

// placeOf reads a location as docs/policy.md has it.
func placeOf(text string) place {
	container, name, _ := strings.Cut(text, "/")
	p := place{text: text, container: collapse(container), name: collapse(name), whole: name == ""}
	if p.whole || strings.HasSuffix(name, "/") {
		p.name = collapse(name + "*")
	}
	return p
}

// A reach is where those who may take the role may ever have access.
type reach struct {
	objects map[policy.Access][]place
	buckets map[policy.Access][]string // patterns of buckets in which something may be
	entire  []string                   // patterns of buckets that may be managed as a whole
	beyond  map[policy.Access][]place  // where nobody has it
}

// A judge finds out what those who may take the role may ever do. Of time and
// all other conditions it takes it that they could hold.
type judge struct {
	set       *policy.Set
	members   []member
	grants    map[string][]policy.Grant // by label
	monitored map[string]bool           // by policy
	// fleeting says that a policy in monitor mode may be in force at some moments
	// alone. It lets everything through then, also with labels that it governs
	// and grants nothing over, of which nobody outside it can tell.
	fleeting bool
}

func newJudge(w World, ownGroups bool) *judge {
	j := &judge{set: w.Set, members: w.members(ownGroups), grants: map[string][]policy.Grant{}, monitored: map[string]bool{}}
	steady := map[string]bool{}
	for _, g := range w.Set.Grants() {
		j.monitored[g.Policy] = g.Monitored
		steady[g.Policy] = steady[g.Policy] || len(g.Conditions) == 0 // one of them would be its time
		for _, l := range g.Labels {
			j.grants[l] = append(j.grants[l], g)
		}
	}
	for name, monitored := range j.monitored {
		j.fleeting = j.fleeting || monitored && !steady[name]
	}
	return j
}

// decide asks the set in the name of nobody, of whom nothing is known.
func (j *judge) decide(access policy.Access, path string, scope policy.Scope) policy.Decision {
	return j.set.Decide(&policy.Principal{}, &policy.Facts{}, policy.Question{Access: access, Path: path, Scope: scope})
}

// possible says whether one who may take the role could be allowed: of
// everything that blocks nobody, grants must let them past it.
func (j *judge) possible(access policy.Access, path string, scope policy.Scope) bool {
	d := j.decide(access, path, scope)
	if d.Allowed {
		return true
	}
	return slices.ContainsFunc(j.members, func(m member) bool {
		return !slices.ContainsFunc(d.Reasons(), func(r policy.Reason) bool { return !r.Allowed && !j.passes(m, r) })
	})
}

// passes says whether one of the kind could get past what has blocked nobody.
// Without policy, none is in force at no moment; those are meant that are in
// force at some.
func (j *judge) passes(m member, r policy.Reason) bool {
	switch {
	case r.Label == "":
		return false
	case r.Policy == "" && j.fleeting, r.Policy != "" && j.monitored[r.Policy]:
		return true
	}
	return slices.ContainsFunc(j.grants[r.Label], func(g policy.Grant) bool {
		switch {
		case r.Policy != "" && r.Policy != g.Policy:
			return false
		case g.Monitored:
			return true
		}
		return g.Access == r.Access && m.mayUse(&g)
	})
}

// open says whether the sidecar lets through what no location covers, objects or
// the settings of a bucket, and whether that is because it only watches.
func (j *judge) open() (open, watching bool) {
	for _, path := range []string{anything, anything + "/" + anything} {
		d := j.decide(policy.Manages, path, policy.Exact)
		open = open || d.Allowed && len(d.Labels()) == 0
		watching = watching || open && d.WouldBlock
	}
	return open, watching
}

// reach goes through the locations. Each is asked about as an object, or a
// bucket, that it and as few others as possible cover: all that carries the
// same labels or more is then no better off.
func (j *judge) reach(places []place) *reach {
	r := &reach{objects: map[policy.Access][]place{}, buckets: map[policy.Access][]string{}, beyond: map[policy.Access][]place{}}
	for _, p := range places {
		container := strings.ReplaceAll(p.container, "*", anything)
		object := container + "/" + strings.ReplaceAll(p.name, "*", anything)
		for _, a := range accesses {
			inside := j.possible(a, object, policy.Exact)
			if inside {
				r.objects[a] = append(r.objects[a], p)
			} else {
				r.beyond[a] = append(r.beyond[a], p)
			}
			if inside || p.whole && j.possible(a, container, policy.Exact) {
				r.buckets[a] = append(r.buckets[a], p.container)
			}
		}
		if p.name == "*" && j.possible(policy.Manages, container+"/", policy.Under) {
			r.entire = append(r.entire, p.container)
		}
	}
	return r
}

// places are the locations of the data map, each once, and then the buckets of
// which all is let through.
func (j *judge) places(buckets []string) []place {
	var all []place
	seen := map[string]bool{}
	add := func(p place) {
		if key := p.container + "/" + p.name; !seen[key] || p.whole && !seen[p.container] {
			seen[key] = true
			seen[p.container] = seen[p.container] || p.whole
			all = append(all, p)
		}
	}
	for _, l := range j.set.Locations() {
		add(placeOf(l.Text))
	}
	if open, _ := j.open(); !open {
		return all
	}
	for _, p := range slices.Clone(all) {
		add(placeOf(p.container))
	}
	for _, b := range buckets {
		add(placeOf(b))
	}
	return all
}
