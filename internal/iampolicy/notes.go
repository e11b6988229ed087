package iampolicy

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// usable yields the grants that one who may take the role could use.
func (j *judge) usable() iter.Seq[policy.Grant] {
	return func(yield func(policy.Grant) bool) {
		for _, g := range j.set.Grants() {
			if slices.ContainsFunc(j.members, func(m member) bool { return m.mayUse(&g) }) && !yield(g) {
				return
			}
		}
	}
}

// notes are where IAM lets the role do more than the sidecar lets its people,
// and what there is to consider, a sentence or two each.
func (j *judge) notes(w World, r *reach, o Options) []string {
	all := slices.Concat(j.notesOnPeople(w, o), j.notesOnGrants(), notesOnResources(r, o))
	accounts := strings.Join(o.Accounts, ", ")
	if len(o.Accounts) == 0 {
		accounts = w.Role.account() + ", the role's own"
	}
	all = append(all, "The role reaches buckets of account "+accounts+" alone, so that a bucket that a stranger makes under one of these names is none of them. "+
		"A bucket in another account than the role's must let the role in by its own policy, too.")
	if len(r.objects) > 0 {
		all = append(all, "Rights on KMS keys are not in here. For objects that are encrypted with keys of your own, allow kms:Decrypt, and to those who write kms:GenerateDataKey, in the role or the keys' policies.")
	}
	if len(r.entire) > 0 {
		all = append(all, "Whoever sets replication hands a role to S3: that takes iam:PassRole, which is not in here.")
	}
	return all
}

// notesOnPeople say for whom the permissions are.
func (j *judge) notesOnPeople(w World, o Options) []string {
	var all []string
	if len(j.members) == 0 {
		return []string{"Nobody may take this role: none of the issuers has its groups, and no service key is for it."}
	}
	persons, foreign := false, map[string]bool{}
	for g := range j.usable() {
		persons = persons || !g.Everyone
		byOthers := !g.Everyone && len(g.Users) == 0 && !slices.ContainsFunc(g.Services, func(s string) bool { return slices.Contains(w.Role.Services, s) })
		for _, name := range g.Groups {
			byOthers = byOthers && !slices.Contains(w.Role.Groups, name)
		}
		if byOthers {
			for _, name := range g.Groups {
				foreign[name] = true
			}
		}
	}
	if persons {
		all = append(all, "The role may do what all who take it may do together. Who of them may do what, the sidecar alone decides.")
	}
	if len(foreign) > 0 && !w.Role.Everyone {
		all = append(all, fmt.Sprintf("What is granted to %s is in here, since somebody may be in that and in a group of the role. If nobody is, --only-own-groups leaves it out.",
			several("group", slices.Sorted(maps.Keys(foreign)))))
	}
	if o.OwnGroups {
		all = append(all, "What is granted to other groups than the role's is not in here. Whoever is in one of them as well is let through by the sidecar, and then refused by S3.")
	}
	open, watching := j.open()
	switch {
	case watching:
		all = append(all, "The sidecar is in monitor mode and lets everything through, so the role may do everything in its buckets. Ask again without monitor mode.")
	case open:
		all = append(all, "Data without a label is allowed to everyone, so the role may do everything in its buckets that does not carry one. IAM cannot leave out what carries one.")
	}
	return all
}

// notesOnGrants say what of grants IAM does not know.
func (j *judge) notesOnGrants() []string {
	var all, monitored []string
	var conditions []string
	limits := false
	for g := range j.usable() {
		for _, c := range g.Conditions {
			if !slices.Contains(conditions, c) {
				conditions = append(conditions, c)
			}
		}
		limits = limits || g.Rows > 0 || g.Objects.Amount > 0 || g.Bytes.Amount > 0
		if g.Monitored && !slices.Contains(monitored, g.Policy) {
			monitored = append(monitored, g.Policy)
		}
	}
	for _, label := range j.set.Labels() {
		var policies []string
		for _, g := range j.grants[label] {
			if !slices.Contains(policies, g.Policy) {
				policies = append(policies, g.Policy)
			}
		}
		if len(policies) > 1 {
			all = append(all, fmt.Sprintf("Label %s is narrowed by %s: a person needs a grant of each, and IAM sees none of them.", label, several("policy", policies)))
		}
	}
	if len(conditions) > 0 {
		all = append(all, "Conditions are not in here, because S3 sees the sidecar and not the person: "+shortened(conditions)+".")
	}
	if limits {
		all = append(all, "Limits (rows, rateLimit, bytes) are not in here: IAM does not count.")
	}
	if len(monitored) > 0 {
		all = append(all, several("policy", monitored)+" in monitor mode blocks nothing, so the role may do what it would block.")
	}
	return all
}

// notesOnResources say where ARNs mean more than locations.
func notesOnResources(r *reach, o Options) []string {
	var all []string
	if len(r.buckets[policy.Reads]) > 0 {
		all = append(all, "The role lists whole buckets. The sidecar filters what people see, and asks for the prefix that they ask for, which may be shorter than any location; "+
			"and S3 says that an object is missing, and not that it is forbidden, only to those who may list without s3:prefix.")
	}
	var globs, odd, beyond []string
	for _, a := range accesses {
		var patterns []string
		for _, p := range r.objects[a] {
			written, exact := speakable(p.container + "/" + p.name)
			patterns = append(patterns, written)
			if strings.Contains(p.container, "*") && p.name != "*" {
				globs = append(globs, p.text)
			}
			if !exact {
				odd = append(odd, fmt.Sprintf("%s as %s", p.text, written))
			}
		}
		c := newCover(patterns)
		for _, p := range r.beyond[a] {
			if written, _ := speakable(p.container + "/" + p.name); c.has(written) {
				beyond = append(beyond, strings.ToLower(verbs[a])+" "+p.text)
			}
		}
	}
	if len(globs) > 0 {
		all = append(all, "A * in the name of a bucket matches slashes in IAM, so that "+shortened(unique(globs))+" means keys further down in other buckets, too.")
	}
	if len(odd) > 0 {
		all = append(all, "Policies of IAM have characters up to U+00FF alone, so that locations with others stand there with * for them: "+shortened(unique(odd))+".")
	}
	if len(beyond) > 0 {
		all = append(all, "The role may do what no policy lets its people do, because it lies within what they may: "+shortened(beyond)+".")
	}
	return all
}

func unique(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// shortened joins a list of which the rest is counted.
func shortened(list []string) string {
	const most = 5
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// several names one or more of a kind.
func several(kind string, names []string) string {
	if len(names) > 1 {
		kind = strings.TrimSuffix(kind, "y")
		if kind == "polic" {
			kind = "policies"
		} else {
			kind += "s"
		}
	}
	return kind + " " + shortened(names)
}
