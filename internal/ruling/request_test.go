package ruling_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
)

func ask(access policy.Access, path string, scope policy.Scope) policy.Question {
	return policy.Question{Access: access, Path: path, Scope: scope}
}

// What a request in words puts to the policy is what the sidecar would put to it.
func TestMatter(t *testing.T) {
	const object = "s3://finance/reports/q1.csv"
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, c := range []struct {
		name    string
		request ruling.Request
		want    []policy.Question
	}{
		{"a read", ruling.Request{Operation: "GetObject", On: object}, []policy.Question{ask(policy.Reads, "finance/reports/q1.csv", policy.Exact)}},
		{"a read that has two actions", ruling.Request{Operation: "GetObjectAttributes", On: object},
			[]policy.Question{ask(policy.Reads, "finance/reports/q1.csv", policy.Exact), ask(policy.Reads, "finance/reports/q1.csv", policy.Exact)}},
		{"a copy needs both ends", ruling.Request{Operation: "CopyObject", On: object, Source: "s3://lake/a b+ü/?x", Header: header("X-Amz-Tagging-Directive", "REPLACE")},
			[]policy.Question{ask(policy.Updates, "finance/reports/q1.csv", policy.Exact), ask(policy.Reads, "lake/a b+ü/?x", policy.Exact)}},
		{"a header that lets everybody in", ruling.Request{Operation: "PutObject", On: object, Header: header("x-amz-acl", "public-read")},
			[]policy.Question{ask(policy.Updates, "finance/reports/q1.csv", policy.Exact), ask(policy.Manages, "finance/reports/q1.csv", policy.Exact)}},
		{"a part", ruling.Request{Operation: "UploadPart", On: object}, []policy.Question{ask(policy.Updates, "finance/reports/q1.csv", policy.Exact)}},
		{"one of a batch", ruling.Request{Operation: "DeleteObjects", On: "s3://finance/a<&>b"}, []policy.Question{ask(policy.Deletes, "finance/a<&>b", policy.Exact)}},
		{"a document that calms", ruling.Request{Operation: "PutObjectLegalHold", On: object, Body: "<LegalHold><Status>ON</Status></LegalHold>"},
			[]policy.Question{ask(policy.Updates, "finance/reports/q1.csv", policy.Exact)}},
		{"the same unsaid", ruling.Request{Operation: "PutObjectLegalHold", On: object}, []policy.Question{ask(policy.Manages, "finance/reports/q1.csv", policy.Exact)}},
		{"a key that stores may read otherwise", ruling.Request{Operation: "GetObject", On: "s3://finance/a//b"},
			[]policy.Question{ask(policy.Reads, "finance/a//b", policy.Exact), ask(policy.Reads, "finance/a/b", policy.Exact)}},
		{"a kind of access", ruling.Request{Operation: "deletes", On: object}, []policy.Question{ask(policy.Deletes, "finance/reports/q1.csv", policy.Exact)}},
		{"of a bucket", ruling.Request{Operation: "manages", On: "s3://finance"}, []policy.Question{ask(policy.Manages, "finance", policy.Exact)}},
		{"of all below", ruling.Request{Operation: "reads", On: "s3://finance/reports/"}, []policy.Question{ask(policy.Reads, "finance/reports/", policy.Under)}},
		{"of a whole bucket", ruling.Request{Operation: "reads", On: "s3://finance/"}, []policy.Question{ask(policy.Reads, "finance/", policy.Under)}},
		{"whether a bucket is shown", ruling.Request{Operation: "ListBuckets", On: "s3://finance"}, ruling.Shown("finance")},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.request.Matter()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, m.Questions); diff != "" {
				t.Error(diff)
			}
			if m.Operation != c.request.Operation || m.Resource != c.request.On || m.AnyOf != (c.request.Operation == "ListBuckets") {
				t.Errorf("%+v", m)
			}
		})
	}
}

// A listing needs something of what it could show, and with strict listings all.
func TestMatterOfListing(t *testing.T) {
	for strict, scope := range map[bool]policy.Scope{false: policy.Some, true: policy.Under} {
		for _, operation := range []string{"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"} {
			m, err := ruling.Request{Operation: operation, On: "s3://finance/reports/", Strict: strict}.Matter()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]policy.Question{ask(policy.Reads, "finance/reports/", scope)}, m.Questions); diff != "" {
				t.Errorf("%s: %s", operation, diff)
			}
		}
		m, err := ruling.Request{Operation: "CreateBucket", On: "s3://finance", Strict: strict}.Matter()
		if err != nil || m.Questions[0].Scope != policy.Under {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

func TestMatterFaults(t *testing.T) {
	const object = "s3://finance/reports/q1.csv"
	for _, c := range []struct {
		request ruling.Request
		words   string
	}{
		{ruling.Request{Operation: "GetObjct", On: object}, `"GetObjct" is no operation of S3, and none of reads, updates, deletes, manages, did you mean "GetObject"?`},
		{ruling.Request{Operation: "read", On: object}, `did you mean "reads"?`},
		{ruling.Request{Operation: "", On: object}, `"" is no operation`},
		{ruling.Request{Operation: "GetObject", On: "finance/x"}, `"finance/x": a bucket, or a bucket and a key, is wanted, such as s3://`},
		{ruling.Request{Operation: "GetObject", On: "s3:///x"}, "is wanted"},
		{ruling.Request{Operation: "GetObject", On: "s3://finance"}, "GetObject is about an object"},
		{ruling.Request{Operation: "GetObject", On: "s3://Finance/x"}, "is not a valid bucket name"},
		{ruling.Request{Operation: "reads", On: "s3://Finance/x"}, "is not a valid bucket name"},
		{ruling.Request{Operation: "reads", On: "s3://finance/../x"}, `path segment ".."`},
		{ruling.Request{Operation: "GetBucketPolicy", On: object}, "GetBucketPolicy is about a bucket"},
		{ruling.Request{Operation: "CreateSession", On: "s3://finance"}, "CreateSession is not served"},
		{ruling.Request{Operation: "CopyObject", On: object}, "CopyObject needs a source, such as s3://"},
		{ruling.Request{Operation: "CopyObject", On: object, Source: "lake/x"}, `"lake/x": a bucket`},
		{ruling.Request{Operation: "CopyObject", On: object, Source: "s3://lake"}, "does not name an object"},
		{ruling.Request{Operation: "GetObject", On: object, Source: object}, "GetObject has no source"},
		{ruling.Request{Operation: "GetObject", On: object, Header: http.Header{"x-amz-acl": {"private"}}}, `The header "X-Amz-Acl" is not accepted with GetObject`},
		{ruling.Request{Operation: "reads", On: object, Header: http.Header{"x-amz-acl": {"private"}}}, "reads takes no source, header or body"},
		{ruling.Request{Operation: "GetObject", On: object, Body: "x"}, "GetObject takes no document"},
		{ruling.Request{Operation: "PutObjectTagging", On: object, Body: "<x/>"}, "Tagging"},
		{ruling.Request{Operation: "DeleteObjects", On: "s3://finance"}, "key by key"},
		{ruling.Request{Operation: "DeleteObjects", On: object, Body: "<Delete/>"}, "key by key"},
		{ruling.Request{Operation: "ListBuckets", On: object}, "name one alone"},
	} {
		if m, err := c.request.Matter(); err == nil || m != nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%+v: %+v, %v, want %q", c.request, m, err, c.words)
		}
	}
}

func TestDecideAnyOf(t *testing.T) {
	set, _, err := policy.Parse(policy.Source{Name: "map", Data: []byte("L: [{repo: S3, attributes: [finance/in/]}]")},
		[]policy.Source{{Name: "p", Data: []byte("name: p\ndata: [L]\nrules: [{updates: [{data: any}]}]")}}, policy.Options{Repo: ruling.Repo})
	if err != nil {
		t.Fatal(err)
	}
	for bucket, allowed := range map[string]bool{"finance": true, "lake": false} {
		m, err := ruling.Request{Operation: "ListBuckets", On: "s3://" + bucket}.Matter()
		if err != nil {
			t.Fatal(err)
		}
		if d := m.Decide(set, &policy.Principal{}, nil); d.Allowed != allowed || len(d.Reasons()) == 0 {
			t.Errorf("%s: %+v", bucket, d)
		}
	}
}
