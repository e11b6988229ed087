package eventlog

import (
	"fmt"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// Who is a principal in one word for people to read; "" for nobody.
func Who(p *audit.Principal) string {
	switch {
	case p == nil:
		return ""
	case p.Service != "":
		return "service:" + p.Service
	case p.Email != "":
		return p.Email
	case p.Name != "":
		return p.Name
	}
	return p.Subject
}

// What is that which an event is about: the resource of a request, the role of a
// session, the order of a revocation.
func What(e *audit.Event) string {
	r := e.Request
	switch {
	case e.Revocation != nil && e.Kind == audit.KindAdmin:
		return "order " + e.Revocation.Order + ": " + e.Revocation.Reason
	case e.Kind == audit.KindSession && e.Role != "":
		return e.Role
	case e.Kind == audit.KindPolicy:
		return e.PolicyDigest
	case r == nil || r.Bucket == "":
		return ""
	case len(r.Keys) > 0:
		return fmt.Sprintf("s3://%s (%d keys, the first is %s)", r.Bucket, len(r.Keys), r.Keys[0])
	case r.Source != "":
		return "s3://" + r.Source + " → " + Resource(r.Bucket, r.Key)
	case r.Key == "" && len(r.Targets) > 0: // of a listing, its prefix
		return "s3://" + r.Targets[0].Path
	}
	return Resource(r.Bucket, r.Key)
}

// Resource is a bucket, or an object in it.
func Resource(bucket, key string) string {
	if key == "" {
		return "s3://" + bucket
	}
	return "s3://" + bucket + "/" + key
}

// Why are the grounds on which an event's request was blocked, or would have been.
func Why(e *audit.Event) []string {
	var why []string
	if e.Decision == audit.Allowed {
		return nil
	}
	for _, r := range e.Reasons {
		text := r.Text
		if r.Need != "" {
			text += "; needed: " + r.Need
		}
		why = append(why, text)
	}
	if len(why) == 0 && e.Error != "" {
		why = append(why, e.Error)
	}
	return why
}
