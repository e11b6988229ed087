package iampolicy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// Options are what the permissions of a role depend on besides its World.
type Options struct {
	// Accounts are those that the buckets are in; none: the role's own. A bucket
	// that somebody else makes under a name of the data map is then no target.
	Accounts []string
	// Buckets are further ones behind the sidecar, for sidecars that let through
	// what has no label.
	Buckets []string
	// OwnGroups says that whoever takes the role is in none of the groups that
	// the role is not for.
	OwnGroups bool
	// Inline says that all has to fit into one policy inside the role.
	Inline bool
}

// Permissions returns the least that the role needs, in as many documents as it
// takes, and notes on where IAM reads them more widely than the sidecar.
func Permissions(w World, o Options) ([]Document, []string, error) {
	j := newJudge(w, o.OwnGroups)
	open, watching := j.open()
	if open && len(o.Buckets) == 0 {
		return nil, nil, &NeedBuckets{watching}
	}
	if o.OwnGroups && w.Role.Everyone {
		return nil, nil, fmt.Errorf("role %s is for everyone, so those who take it may be in any group", w.Role.ARN)
	}
	r := j.reach(j.places(o.Buckets))
	docs, err := pack(statements(w, j, r, o), w.Role, o.Inline)
	if err != nil {
		return nil, nil, err
	}
	return docs, j.notes(w, r, o), nil
}

// NeedBuckets says that the sidecar lets through what has no label, so that the
// data map does not say which buckets the role is about.
type NeedBuckets struct{ Watching bool }

func (e *NeedBuckets) Error() string {
	why := "data without a label is allowed"
	if e.Watching {
		why = "the sidecar is in monitor mode and lets everything through"
	}
	return why + ", so the data map does not say which buckets the role needs"
}

// statements are what the role needs, each in one piece.
func statements(w World, j *judge, r *reach, o Options) []Statement {
	p := w.Role.partition()
	need := needs()
	accounts := o.Accounts
	if len(accounts) == 0 {
		accounts = []string{w.Role.account()}
	}
	own := map[string]map[string][]string{"StringEquals": {"aws:ResourceAccount": accounts}}
	// What is being created has no account yet.
	ownIfAny := map[string]map[string][]string{"StringEqualsIfExists": {"aws:ResourceAccount": accounts}}

	all := []Statement{{Sid: "ListBuckets", Effect: "Allow", Action: need[needed{resource: "service"}], Resource: []string{"*"}}}
	add := func(sid string, actions, patterns []string, condition map[string]map[string][]string) {
		if len(actions) > 0 && len(patterns) > 0 {
			all = append(all, Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources(p, patterns), Condition: condition})
		}
	}
	for _, a := range accesses {
		sid := verbs[a]
		add(sid+"Buckets", need[needed{a, "bucket", false}], r.buckets[a], own)
		objects := make([]string, len(r.objects[a]))
		for i, place := range r.objects[a] {
			objects[i] = place.container + "/" + place.name
		}
		add(sid+"Objects", j.withTags(a, need[needed{a, "object", false}]), objects, own)
	}
	add("ConfigureBuckets", need[needed{policy.Manages, "bucket", true}], r.entire, ownIfAny)
	return joined(all)
}

var verbs = map[policy.Access]string{policy.Reads: "Read", policy.Updates: "Update", policy.Deletes: "Delete", policy.Manages: "Manage"}

// needed tells the permissions of the table of operations apart.
type needed struct {
	access   policy.Access
	resource string
	entire   bool // for those who have the access to all that is in the bucket
}

// needs are the actions of the table of operations, sorted.
func needs() map[needed][]string {
	all := map[needed][]string{}
	for _, p := range s3api.Permissions() {
		// To list is to look into a bucket, whatever the prefix.
		n := needed{policy.Access(p.Access), p.Resource, p.Resource == "bucket" && p.Access == s3api.Manages && p.Scope == s3api.Under}
		all[n] = append(all[n], p.Action)
	}
	for n := range all {
		slices.Sort(all[n])
		all[n] = slices.Compact(all[n])
	}
	return all
}

// tagged begins what a grant says of its condition object_tags.
const tagged = "for objects tagged "

// withTags adds what the sidecar needs to look at the tags of objects, where a
// grant of that kind of access asks for them.
func (j *judge) withTags(a policy.Access, actions []string) []string {
	for g := range j.usable() {
		if g.Access == a && slices.ContainsFunc(g.Conditions, func(c string) bool { return strings.HasPrefix(c, tagged) }) {
			for op := range s3api.Operations() {
				if op.Name == "GetObjectTagging" {
					actions = append(slices.Clone(actions), op.Actions...)
				}
			}
			break
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// resources are the ARNs of the patterns, but for those that another one is as
// wide as.
func resources(partition string, patterns []string) []string {
	written := make([]string, len(patterns))
	for i, p := range patterns {
		written[i], _ = speakable(p)
	}
	slices.Sort(written)
	written = slices.Compact(written)
	c := newCover(written)
	var all []string
	for _, p := range written {
		if !c.wider(p) {
			all = append(all, resource(partition, p))
		}
	}
	return all
}

// joined makes one statement of those that are about the same resources.
func joined(all []Statement) []Statement {
	var out []Statement
	for _, s := range all {
		i := slices.IndexFunc(out, func(o Statement) bool {
			return slices.Equal(o.Resource, s.Resource) && strings.HasSuffix(o.Sid, "Objects") && strings.HasSuffix(s.Sid, "Objects")
		})
		if i < 0 {
			out = append(out, s)
			continue
		}
		out[i].Sid = strings.TrimSuffix(out[i].Sid, "Objects") + s.Sid
		out[i].Action = slices.Compact(slices.Sorted(slices.Values(slices.Concat(out[i].Action, s.Action))))
	}
	return out
}

// pack puts the statements into documents that AWS takes, dividing their
// resources where it must.
func pack(all []Statement, role Role, inline bool) ([]Document, error) {
	if inline {
		d := document(all...)
		return []Document{d}, d.fits(maxInline, "the permissions in one inline policy", "leave out --only, and attach the managed policies that are printed then")
	}
	var docs []Document
	var last []Statement
	for _, s := range all {
		for len(s.Resource) > 0 {
			n := room(last, s)
			if n > 0 {
				part := s
				part.Resource, s.Resource = s.Resource[:n], s.Resource[n:]
				last = append(last, part)
			} else if len(last) == 0 {
				return nil, fmt.Errorf("%s does not fit into a managed policy", s.Resource[0])
			}
			if len(s.Resource) > 0 {
				docs, last = append(docs, document(last...)), nil
			}
		}
	}
	docs = append(docs, document(last...))
	if len(docs) > maxPolicies {
		return nil, fmt.Errorf("the permissions of %s take %d managed policies of %d characters, and a role has %d: name fewer and wider locations in the data map, or divide its people among several roles",
			role.ARN, len(docs), maxManaged, maxPolicies)
	}
	return docs, nil
}

// room is how many of the resources of s fit into a document with those before.
func room(before []Statement, s Statement) int {
	resources := s.Resource
	s.Resource = resources[:1]
	size := document(append(slices.Clone(before), s)...).size()
	for n := range resources {
		if n > 0 {
			size += len(text(resources[n], "")) + len(",")
		}
		if size > maxManaged {
			return n
		}
	}
	return len(resources)
}
