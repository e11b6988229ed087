package ruling

import (
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// Reading asks whether what lies at a name in a bucket, or begins with it, may be
// read. Like Questions it asks twice of a name with empty segments.
func Reading(bucket, name string, scope policy.Scope) []policy.Question {
	return Questions([]s3api.Target{{Access: s3api.Reads, Bucket: bucket, Key: name, Scope: s3api.Scope(scope)}})
}
