package s3api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

func TestPermissions(t *testing.T) {
	all := s3api.Permissions()
	seen := map[s3api.Permission]bool{}
	for _, p := range all {
		if seen[p] {
			t.Errorf("%+v stands twice", p)
		}
		seen[p] = true
		if !strings.HasPrefix(p.Action, "s3:") || strings.Contains(p.Action, "*") {
			t.Errorf("%+v is not one action of S3", p)
		}
		if (p.Resource == "object") != (p.Scope == s3api.Exact) {
			t.Errorf("%+v: the scope does not fit the resource", p)
		}
	}
	of := func(access s3api.Access, resource string, scope s3api.Scope) []string {
		var actions []string
		for _, p := range all {
			if p.Access == access && p.Resource == resource && p.Scope == scope {
				actions = append(actions, strings.TrimPrefix(p.Action, "s3:"))
			}
		}
		slices.Sort(actions)
		return actions
	}
	// Written out, so that nothing comes to a role unseen.
	for _, c := range []struct {
		access   s3api.Access
		resource string
		scope    s3api.Scope
		want     []string
	}{
		{"", "service", s3api.Some, []string{"ListAllMyBuckets"}},
		{reads, "object", s3api.Exact, []string{"GetObject", "GetObjectAnnotation", "GetObjectAttributes", "GetObjectLegalHold", "GetObjectRetention",
			"GetObjectTagging", "GetObjectVersion", "GetObjectVersionAnnotation", "GetObjectVersionAttributes", "GetObjectVersionTagging", "ListMultipartUploadParts",
			"ListObjectAnnotations", "ListObjectVersionAnnotations"}},
		{updates, "object", s3api.Exact, []string{"AbortMultipartUpload", "DeleteObjectAnnotation", "DeleteObjectTagging", "DeleteObjectVersionAnnotation", "DeleteObjectVersionTagging", "PutObject",
			"PutObjectAcl", "PutObjectAnnotation", "PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging", "PutObjectVersionAnnotation", "PutObjectVersionTagging", "RestoreObject",
			"UpdateObjectEncryption"}},
		{deletes, "object", s3api.Exact, []string{"DeleteObject", "DeleteObjectVersion"}},
		{manages, "object", s3api.Exact, []string{"BypassGovernanceRetention", "GetObjectAcl", "GetObjectVersionAcl", "PutObjectAcl", "PutObjectLegalHold", "PutObjectVersionAcl"}},
		{updates, "bucket", s3api.Under, nil},
		{deletes, "bucket", s3api.Under, nil},
	} {
		if diff := cmp.Diff(c.want, of(c.access, c.resource, c.scope)); diff != "" {
			t.Errorf("%s on the %s (-want +have):\n%s", c.access, c.resource, diff)
		}
	}
	if manage := of(manages, "bucket", s3api.Under); len(manage) < 25 || !slices.Contains(manage, "TagResource") || slices.Contains(manage, "ReplicateObject") {
		t.Errorf("to manage a bucket takes %q", manage)
	}
}

// What the SDK's requests touch, with everything in them filled in, is permitted.
func permitted(t *testing.T, targets []s3api.Target) {
	t.Helper()
	for _, target := range targets {
		action := target.Action
		if action == "s3:ReplicateObject" || target.Access == updates && target.Scope == s3api.Under {
			continue // a destination
		}
		if !slices.ContainsFunc(s3api.Permissions(), func(p s3api.Permission) bool {
			return p.Action == action && (p.Access == target.Access || action == "s3:PutObject")
		}) {
			t.Errorf("no permission for %s as %s", action, target.Access)
		}
	}
}
