package s3api_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// Each operation that is served is known again, with what it touches.
func TestComposeEveryOperation(t *testing.T) {
	twins := map[string]string{"PutBucketLifecycle": "PutBucketLifecycleConfiguration", "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
		"PutBucketNotification": "PutBucketNotificationConfiguration", "GetBucketNotification": "GetBucketNotificationConfiguration"}
	served := 0
	for op := range s3api.Operations() {
		bucket, key := "bucket", "dir/a b+%?#"
		switch op.Resource {
		case "service":
			bucket, key = "", ""
		case "bucket":
			key = ""
		}
		header := http.Header{}
		if strings.Contains(op.Name, "Copy") {
			header.Set("x-amz-copy-source", "other/source")
		}
		r, err := s3api.Compose(op.Name, bucket, key, header)
		if op.Refused != "" {
			if e, ok := errors.AsType[*s3api.Error](err); !ok || !strings.Contains(e.Message, op.Refused) {
				t.Errorf("%s: %v, want %q", op.Name, err, op.Refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", op.Name, err)
			continue
		}
		served++
		call, err := s3api.Parse(r)
		if err != nil || call.Bucket != bucket || call.Key != key {
			t.Errorf("%s: %+v, %v", op.Name, call, err)
			continue
		}
		if want := op.Name; call.Operation != want && call.Operation != twins[want] {
			t.Errorf("%s is taken for %s", want, call.Operation)
		}
		for _, target := range call.Targets {
			if target.Bucket == "bucket" && !slices.Contains(op.Access, target.Access) {
				t.Errorf("%s: target %+v, where only %v is said of it", op.Name, target, op.Access)
			}
		}
	}
	if served < 60 {
		t.Errorf("only %d operations are served", served)
	}
}

func TestCompose(t *testing.T) {
	r, err := s3api.Compose("ListObjectsV2", "bucket", "dir/", nil)
	if err != nil {
		t.Fatal(err)
	}
	call, err := s3api.Parse(r)
	if err != nil || len(call.Targets) != 1 || call.Targets[0].Key != "dir/" || call.Targets[0].Bucket != "bucket" {
		t.Errorf("%+v, %v", call, err)
	}
	header := http.Header{"X-Amz-Acl": {"public-read"}}
	if r, err = s3api.Compose("PutObject", "bucket", "k", header); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Meta-More", "1")
	if len(header) != 1 {
		t.Error("the caller's header is not its own")
	}
	if call, err = s3api.Parse(r); err != nil || len(call.Targets) != 2 || call.Targets[1].Access != manages {
		t.Errorf("%+v, %v", call, err)
	}
	for _, c := range []struct{ operation, bucket, key, words string }{
		{"GetObjekt", "bucket", "k", "no operation of S3"},
		{"GetObject", "bucket", "", "is about an object"},
		{"GetObject", "", "", "is about an object"},
		{"GetBucketPolicy", "bucket", "k", "is about a bucket"},
		{"GetBucketPolicy", "", "", "is about a bucket"},
		{"HeadBucket", "bucket", "k", "is about a bucket"},
		{"ListBuckets", "bucket", "", "is about no bucket"},
		{"CopyObject", "bucket", "k", "needs the header X-Amz-Copy-Source"},
		{"CreateSession", "bucket", "", "is not served"},
	} {
		if _, err := s3api.Compose(c.operation, c.bucket, c.key, nil); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s %s/%s: %v, want %q", c.operation, c.bucket, c.key, err, c.words)
		}
	}
}
