// Package ruling stands between S3 and the policy: it puts what a call touches
// to the policy as questions, and words the answer for the person who asked. The
// sidecar decides by it, and so do the tools that say beforehand what the
// sidecar will decide.
package ruling

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// Repo is the name under which data maps speak of S3.
const Repo = "S3"

// Questions puts targets to the policy. A key with empty segments is decided on
// twice: as it stands, and as a store on a file system would read it.
func Questions(targets []s3api.Target) []policy.Question {
	qs := make([]policy.Question, 0, len(targets))
	for _, t := range targets {
		qs = append(qs, question(t))
		if folded := fold(t.Key); folded != t.Key {
			t.Key = folded
			qs = append(qs, question(t))
		}
	}
	return qs
}

var slashes = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("//+") })

func fold(key string) string {
	if !strings.HasPrefix(key, "/") && !strings.Contains(key, "//") {
		return key
	}
	return strings.TrimPrefix(slashes().ReplaceAllLiteralString(key, "/"), "/")
}

func question(t s3api.Target) policy.Question {
	path := t.Bucket
	if t.Key != "" || t.Scope == s3api.Under {
		path += "/" + t.Key
	}
	return policy.Question{Access: policy.Access(t.Access), Path: path, Scope: policy.Scope(t.Scope)}
}

// Blocked is the sentence that a person reads who was blocked. Each place that
// blocks is named with its labels, with what is missing and with what would
// help. resource stands where a reason names no place of its own.
func Blocked(p *policy.Principal, operation, resource string, reasons []policy.Reason) string {
	type place struct{ labels, why, needs []string }
	var order []string
	places := map[string]*place{}
	for _, r := range reasons {
		if r.Allowed {
			continue
		}
		name := resource
		if r.Path != "" {
			name = "s3://" + r.Path
		}
		if places[name] == nil {
			places[name] = &place{}
			order = append(order, name)
		}
		at := places[name]
		if r.Label != "" {
			at.labels = appendNew(at.labels, r.Label)
		}
		at.why = appendNew(at.why, r.Text)
		if r.Need != "" {
			at.needs = appendNew(at.needs, r.Need)
		}
	}
	parts := make([]string, len(order))
	for i, name := range order {
		at := places[name]
		switch len(at.labels) {
		case 0:
		case 1:
			name += " (label " + at.labels[0] + ")"
		default:
			name += " (labels " + strings.Join(at.labels, ", ") + ")"
		}
		parts[i] = name + ": " + strings.Join(at.why, "; ")
		if len(at.needs) > 0 {
			parts[i] += "; needed: " + strings.Join(at.needs, ", and ")
		}
	}
	return fmt.Sprintf("%s may not %s %s.", Who(p), operation, strings.Join(parts, "; and "))
}

// BlockedBriefly is the same for a person who is not to be told why.
func BlockedBriefly(p *policy.Principal, operation, resource string) string {
	return fmt.Sprintf("%s may not %s %s.", Who(p), operation, resource)
}

// Who is the principal, for people to read.
func Who(p *policy.Principal) string { return cmp.Or(p.Email, p.Subject) }

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
