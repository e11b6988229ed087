package iampolicy

import (
	"fmt"
	"slices"
	"strings"
)

// BucketPolicies are those that keep everybody out of the buckets but the roles
// of the sidecar and whoever administers the buckets, and notes on them. With a
// network, the roles have to come from there.
func BucketPolicies(w World, administrators, further []string, from Network) (map[string]Document, []string, error) {
	all := map[string]Document{}
	buckets, patterns := w.buckets(further)
	for _, b := range buckets {
		d := bucketPolicy(w, b, administrators, from)
		if n := len(text(d, "  ")); n > maxBucket {
			return nil, nil, fmt.Errorf("the policy of bucket %s would have %d bytes, and AWS takes %d: the sidecar has too many roles", b, n, maxBucket)
		}
		all[b] = d
	}
	notes := []string{"A bucket has one policy: put the statements into the one that is there. They keep out services of AWS, too, " +
		"such as the delivery of logs into the bucket; name the roles of jobs that go to a bucket directly with --admin-arn."}
	if len(patterns) > 0 {
		notes = append(notes, "Buckets that the data map names with * have no bucket policy here: "+shortened(patterns)+". Name each with --bucket.")
	}
	return all, notes, nil
}

func bucketPolicy(w World, bucket string, administrators []string, from Network) Document {
	arn := "arn:" + w.Role.partition() + ":s3:::" + bucket
	deny := func(sid string, condition map[string]map[string][]string) Statement {
		return Statement{Sid: sid, Effect: "Deny", Principal: "*", Action: []string{"s3:*"}, Resource: []string{arn, arn + "/*"}, Condition: condition}
	}
	d := document(deny("NobodyButTheSidecar", map[string]map[string][]string{
		"ArnNotEquals": {"aws:PrincipalArn": slices.Concat(w.Roles, administrators)}, // who has no ARN is not among them
	}))
	if from.empty() {
		return d
	}
	elsewhere := map[string]map[string][]string{"ArnEquals": {"aws:PrincipalArn": w.Roles}}
	if len(from.Addresses) > 0 {
		elsewhere["NotIpAddress"] = map[string][]string{"aws:SourceIp": from.Addresses}
	}
	if len(from.Endpoints) > 0 {
		elsewhere["StringNotEquals"] = map[string][]string{"aws:SourceVpce": from.Endpoints}
	}
	d.Statement = append(d.Statement, deny("NowhereButFromTheSidecar", elsewhere))
	return d
}

// buckets are those that the data map names without '*', with further ones, and
// the names that it has with one.
func (w World) buckets(further []string) (names, patterns []string) {
	names = slices.Clone(further)
	for _, l := range w.Set.Locations() {
		switch c, _, _ := strings.Cut(l.Text, "/"); {
		case bucketName().MatchString(c):
			names = append(names, c)
		case strings.Contains(c, "*"):
			patterns = append(patterns, c)
		}
	}
	return unique(names), unique(patterns)
}
