package s3api_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// sameWithoutParameters are operations that the SDK asks for exactly as for
// another one, as long as it says nothing more.
var sameWithoutParameters = map[string]string{"ListDirectoryBuckets": "ListBuckets"}

// Each operation is told from the others by what its request must hold.
func TestTheLeastThatTheSDKSends(t *testing.T) {
	known := table(t)
	client := reflect.TypeFor[*s3.Client]()
	for name := range everyOperation() {
		t.Run(name, func(t *testing.T) {
			m, _ := client.MethodByName(name)
			input := reflect.New(m.Type.In(2).Elem())
			var sent captured
			for range 20 { // members that the SDK misses, until it misses none
				err := send(t.Context(), m, clientFor(&sent), input)
				if sent.request != nil {
					break
				}
				if !fillMissing(input.Elem(), name, err) {
					t.Fatalf("nothing was sent: %v", err)
				}
			}
			if other, ok := sameWithoutParameters[name]; ok {
				name = other
			}
			checkParsed(t, known[name], sent)
		})
	}
}

func send(ctx context.Context, m reflect.Method, client *s3.Client, input reflect.Value) error {
	out := m.Func.Call([]reflect.Value{reflect.ValueOf(client), reflect.ValueOf(ctx), input})
	err, _ := out[1].Interface().(error)
	return err
}

// fillMissing fills the members of input that err says are missing, and the
// documents without which there is nothing to configure.
func fillMissing(input reflect.Value, owner string, err error) bool {
	missing, ok := errors.AsType[smithy.InvalidParamsError](err)
	if !ok {
		return false
	}
	for _, e := range missing.Errs() {
		param, _ := errors.AsType[smithy.InvalidParamError](e)
		path := strings.Split(param.Field(), ".")
		if f := input.FieldByName(path[1]); f.IsValid() {
			fill(f, owner, path[1])
		}
	}
	for i := range input.NumField() {
		f, what := input.Field(i), input.Type().Field(i)
		if f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.Struct && f.Type().Elem().PkgPath() != "time" && what.IsExported() {
			fill(f, owner, what.Name)
		}
	}
	return true
}

// The targets of requests for configuration.
func TestTargetsOfConfiguration(t *testing.T) {
	managed := func(action string) s3api.Target {
		return s3api.Target{Access: manages, Action: "s3:" + action, Bucket: "bucket", Scope: s3api.Under}
	}
	told := func(action string) s3api.Target {
		return s3api.Target{Access: manages, Action: "s3:" + action, Bucket: "bucket", Scope: s3api.Some}
	}
	for _, c := range []struct {
		line, header, body, operation string
		targets                       []s3api.Target
	}{
		{"PUT /bucket", "", "", "CreateBucket", []s3api.Target{managed("CreateBucket")}},
		{"PUT /bucket", "X-Amz-Acl: private", "", "CreateBucket", []s3api.Target{managed("CreateBucket"), managed("PutBucketAcl")}},
		{"PUT /bucket", "X-Amz-Bucket-Object-Lock-Enabled: true", "", "CreateBucket",
			[]s3api.Target{managed("CreateBucket"), managed("PutBucketObjectLockConfiguration"), managed("PutBucketVersioning")}},
		{"PUT /bucket", "X-Amz-Object-Ownership: ObjectWriter", "", "CreateBucket", []s3api.Target{managed("CreateBucket"), managed("PutBucketOwnershipControls")}},
		{"PUT /bucket", "", "<CreateBucketConfiguration><Tags><Tag><Key>k</Key><Value>v</Value></Tag></Tags></CreateBucketConfiguration>", "CreateBucket",
			[]s3api.Target{managed("CreateBucket"), managed("TagResource")}},
		{"DELETE /bucket", "", "", "DeleteBucket", []s3api.Target{managed("DeleteBucket")}},
		{"GET /bucket?policy", "", "", "GetBucketPolicy", []s3api.Target{told("GetBucketPolicy")}},
		{"GET /bucket?acl", "", "", "GetBucketAcl", []s3api.Target{told("GetBucketAcl")}},
		{"GET /bucket?inventory", "", "", "ListBucketInventoryConfigurations", []s3api.Target{told("GetInventoryConfiguration")}},
		{"GET /bucket?inventory&id=a", "", "", "GetBucketInventoryConfiguration", []s3api.Target{told("GetInventoryConfiguration")}},
		{"GET /bucket?lifecycle", "", "", "GetBucketLifecycleConfiguration", []s3api.Target{some("GetLifecycleConfiguration")}},
		{"GET /bucket?versioning", "", "", "GetBucketVersioning", []s3api.Target{some("GetBucketVersioning")}},
		{"DELETE /bucket?lifecycle", "", "", "DeleteBucketLifecycle", []s3api.Target{managed("PutLifecycleConfiguration")}},
		{"GET /bucket/k?acl", "", "", "GetObjectAcl", []s3api.Target{exact(manages, "GetObjectAcl", "k", "")}},
		{"PUT /bucket/k?acl&versionId=v", "X-Amz-Acl: private", "", "PutObjectAcl", []s3api.Target{exact(manages, "PutObjectVersionAcl", "k", "v")}},
		{"GET /bucket/k?attributes&versionId=v", "X-Amz-Object-Attributes: ETag", "", "GetObjectAttributes",
			[]s3api.Target{exact(reads, "GetObjectVersion", "k", "v"), exact(reads, "GetObjectVersionAttributes", "k", "v")}},
		{"PUT /bucket/k?legal-hold", "", "<LegalHold><Status>ON</Status></LegalHold>", "PutObjectLegalHold", []s3api.Target{exact(updates, "PutObjectLegalHold", "k", "")}},
		{"PUT /bucket/k?legal-hold", "", "<LegalHold><Status>OFF</Status></LegalHold>", "PutObjectLegalHold", []s3api.Target{exact(manages, "PutObjectLegalHold", "k", "")}},
		{"PUT /bucket/k?legal-hold", "", "<LegalHold/>", "PutObjectLegalHold", []s3api.Target{exact(manages, "PutObjectLegalHold", "k", "")}},
		{"PUT /bucket/k?retention", "X-Amz-Bypass-Governance-Retention: true", "<Retention/>", "PutObjectRetention",
			[]s3api.Target{exact(updates, "PutObjectRetention", "k", ""), exact(manages, "BypassGovernanceRetention", "k", "")}},
		{"PUT /bucket/k?tagging", "", "<Tagging><TagSet/></Tagging>", "PutObjectTagging", []s3api.Target{exact(updates, "PutObjectTagging", "k", "")}},
		{"DELETE /bucket/k?tagging&versionId=v", "", "", "DeleteObjectTagging", []s3api.Target{exact(updates, "DeleteObjectVersionTagging", "k", "v")}},
		{"PUT /bucket/k", "X-Amz-Website-Redirect-Location: /x", "", "PutObject", []s3api.Target{exact(updates, "PutObject", "k", ""), exact(manages, "PutObject", "k", "")}},
		{"GET /bucket?versions&prefix=p", "", "", "ListObjectVersions", []s3api.Target{under("ListBucketVersions", "p")}},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, c.header)
		}
		call, err := s3api.Parse(request(c.line, headers...))
		if err == nil && call.Body == s3api.XMLBody {
			err = call.SetBody([]byte(c.body))
		}
		if err != nil || call.Operation != c.operation {
			t.Errorf("%s %s: %+v, %v", c.line, c.header, call, err)
			continue
		}
		if !reflect.DeepEqual(call.Targets, c.targets) {
			t.Errorf("%s %s %s: targets %+v, want %+v", c.line, c.header, c.body, call.Targets, c.targets)
		}
		if call.Body == s3api.XMLBody && c.body == "" && (call.EncodeBody(nil) != nil || call.Header.Get("Content-Type") != "") {
			t.Errorf("%s: a document is sent on although none came", c.line)
		}
	}
}

func TestNotServedByName(t *testing.T) {
	for line, operation := range map[string]string{
		"POST /bucket": "PostObject", "OPTIONS /bucket/k": "Preflight", "OPTIONS /bucket": "Preflight", "GET /bucket?session": "CreateSession",
		"POST /WriteGetObjectResponse": "WriteGetObjectResponse", "PUT /bucket/k?renameObject": "RenameObject", "GET /?max-directory-buckets=1": "ListDirectoryBuckets",
		"POST /bucket/k?select&select-type=2": "SelectObjectContent", "GET /bucket/k?torrent": "GetObjectTorrent", "POST /bucket?metadataTable": "CreateBucketMetadataTableConfiguration",
		"POST /bucket?policy": "", "PATCH /bucket/k": "", "GET /bucket?unheard-of": "ListObjects", "GET /bucket/k?uploads": "",
	} {
		call, err := s3api.Parse(request(line))
		if refusal, ok := errors.AsType[*s3api.Error](err); !ok || call != nil || refusal.Operation != operation {
			t.Errorf("%s: %+v, want one that names %q", line, err, operation)
		}
	}
}
