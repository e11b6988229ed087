package proxy_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/replay"
	"github.com/gimme-broker/gimme/internal/rulebook"
)

// again decides what the sidecar has recorded by the policies at paths.
func (c *sidecar) again(log string, paths ...string) *replay.Replay {
	c.t.Helper()
	b, err := rulebook.Read(paths, rulebook.Options{Config: filepath.Join(c.folder, "proxy.yaml")})
	if err != nil {
		c.t.Fatal(err)
	}
	r := &replay.Replay{New: b.Set}
	if err := r.Read(c.t.Context(), strings.NewReader(log)); err != nil {
		c.t.Fatal(err)
	}
	return r
}

const withConditions = `name: conditioned
data: [SENSITIVE]
rules:
  - identities: {groups: [data-engineering]}
    hosts: [127.0.0.0/8]
    when: {mfa: {max_age: 1h, amr: [hwk]}, auth_method: [browser]}
    reads: [{data: any}]
    updates: [{data: any, when: {encryption: [AES256]}}, {data: any, when: {request_tags: {class: [public]}}}]
    deletes: [{data: any, when: {time: {days: [mon-sun]}}}]
`

const withLimits = `name: limited
data: [SENSITIVE, PUBLIC]
rules:
  - reads: [{data: any, rateLimit: 5/1h}]
    updates: [{data: any, bytes: 3B/1h}]
    deletes: [{data: any, rows: 1}]
`

// traffic is a bit of everything that people ask.
func (c *sidecar) traffic() {
	t := c.t
	for _, who := range []map[string]any{nil, bob, {"amr": []string{"hwk"}}} {
		client, ctx := c.s3(c.login(who)), t.Context()
		for _, key := range []string{"public/x", "customers/x", "customers//y", "elsewhere/z"} {
			bucket, name := aws.String("lake"), aws.String(key)
			client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: name, Body: strings.NewReader("x")})
			client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: name, Body: strings.NewReader("x"), ServerSideEncryption: types.ServerSideEncryptionAes256})
			client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: name, Body: strings.NewReader("x"), Tagging: aws.String("class=public")})
			client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: name, Body: strings.NewReader("x"), ACL: types.ObjectCannedACLPublicRead})
			client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: name})
			client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: name})
			client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: name})
			client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("public/copy"), CopySource: aws.String("lake/" + key)})
			client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: name})
			client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: name})
		}
		client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("lake")})
		client.ListBuckets(ctx, &s3.ListBucketsInput{})
		client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("lake")})
		client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String("lake")})
		client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("lake"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
			{Key: aws.String("public/x")}, {Key: aws.String("customers/x")}, {Key: aws.String("customers//y")}}}})
	}
}

// What the sidecar has recorded is decided again as it was: an event has all that
// the decision went by, but for tags.
func TestReplayOfTheSidecarsOwnLog(t *testing.T) {
	for _, c := range []struct {
		name, more, settings string
		not                  []replay.Cause // decided again
	}{
		{"as in the other tests", "", "", nil},
		{"with conditions", withConditions, "", []replay.Cause{replay.Tags}},
		{"in monitor mode", withConditions, ", mode: monitor", []replay.Cause{replay.Tags}},
		{"with limits", withLimits, "", []replay.Cause{replay.Limited}},
		{"with strict listings", "", ", listing: strict", nil},
		{"with limits in monitor mode", withLimits, ", mode: monitor", []replay.Cause{replay.Limited}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, func(config string) string {
				return strings.Replace(config, "policies: [policies]", "policies: [policies]"+c.settings, 1)
			})
			if c.more != "" {
				s.write("policies/more.yaml", c.more)
				if err := s.Reload(); err != nil {
					t.Fatal(err)
				}
			}
			s.put("lake", "customers/x", "hello")
			s.traffic()
			log := s.rawEvents()
			r := s.again(log)
			if flips := r.Flips(); len(flips) > 0 || r.Same != r.Decided || r.Decided < 80 {
				t.Errorf("%d of %d decided by these policies, %+v", r.Same, r.Decided, flips)
			}
			causes := slices.Sorted(maps.Keys(r.Causes))
			if diff := cmp.Diff(slices.Sorted(slices.Values(append(c.not, replay.Filtered))), causes); diff != "" {
				t.Errorf("%v: %s", r.Causes, diff)
			}

			s.write("other/public.yaml", strings.ReplaceAll(publicPolicy, "data-engineering", "others"))
			if r := s.again(log, filepath.Join(s.folder, "other")); len(r.Flips()) == 0 {
				t.Error("other policies decide the same")
			}
		})
	}
}
