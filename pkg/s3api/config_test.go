package s3api_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// What a document names beyond the bucket of the request is touched, too.
func TestBucketsInsideDocuments(t *testing.T) {
	for _, c := range []struct {
		name, line, body string
		more             s3api.Target
	}{
		{"replication", "PUT /bucket?replication", `<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::other</Bucket></Destination></Rule></ReplicationConfiguration>`,
			s3api.Target{Access: s3api.Updates, Bucket: "other", Scope: s3api.Under}},
		{"logging", "PUT /bucket?logging", `<BucketLoggingStatus><LoggingEnabled><TargetBucket>other</TargetBucket><TargetPrefix>p</TargetPrefix></LoggingEnabled></BucketLoggingStatus>`,
			s3api.Target{Access: s3api.Updates, Bucket: "other", Scope: s3api.Under}},
		{"inventory", "PUT /bucket?inventory&id=1", `<InventoryConfiguration><Destination><S3BucketDestination><Format>CSV</Format><Bucket>arn:aws:s3:::other</Bucket></S3BucketDestination></Destination><IsEnabled>true</IsEnabled><Id>1</Id><IncludedObjectVersions>All</IncludedObjectVersions><Schedule><Frequency>Daily</Frequency></Schedule></InventoryConfiguration>`,
			s3api.Target{Access: s3api.Updates, Bucket: "other", Scope: s3api.Under}},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, err := s3api.Parse(request(c.line))
			if err != nil {
				t.Fatal(err)
			}
			if err := call.SetBody([]byte(c.body)); err != nil {
				t.Fatal(err)
			}
			var own, other int
			for _, target := range call.Targets {
				switch target.Bucket {
				case "bucket":
					own++
					if target.Access != s3api.Manages || target.Scope != s3api.Under || target.Key != "" {
						t.Errorf("of the bucket itself: %+v", target)
					}
				case c.more.Bucket:
					other++
					target.Action = ""
					if diff := cmp.Diff(c.more, target); diff != "" {
						t.Errorf("of the other bucket (-want +got):\n%s", diff)
					}
				default:
					t.Errorf("%+v", target)
				}
			}
			if own == 0 || other != 1 {
				t.Errorf("targets %+v", call.Targets)
			}
			bad, err := s3api.Parse(request(c.line))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"arn:aws:s3:eu-west-1:111122223333:accesspoint/ap", "x-s3alias", "UPPER", "", "arn:aws:s3:::"} {
				body := strings.NewReplacer("arn:aws:s3:::other", name, ">other<", ">"+name+"<").Replace(c.body)
				if err := bad.SetBody([]byte(body)); err == nil {
					t.Errorf("%q is taken for a bucket: %+v", name, bad.Targets)
				}
			}
		})
	}
}

// A restore that writes somewhere, or runs a query, is none.
func TestRestoreWithOutput(t *testing.T) {
	for _, body := range []string{
		`<RestoreRequest><Type>SELECT</Type></RestoreRequest>`,
		`<RestoreRequest><Days>1</Days><OutputLocation><S3><BucketName>other</BucketName><Prefix>p</Prefix></S3></OutputLocation></RestoreRequest>`,
	} {
		call, err := s3api.Parse(request("POST /bucket/k?restore"))
		if err != nil {
			t.Fatal(err)
		}
		if err := call.SetBody([]byte(body)); err == nil {
			t.Errorf("accepted: %s", body)
		}
	}
	call, err := s3api.Parse(request("POST /bucket/k?restore"))
	if err != nil {
		t.Fatal(err)
	}
	if err := call.SetBody([]byte(`<RestoreRequest><Days>1</Days></RestoreRequest>`)); err != nil {
		t.Error(err)
	}
}

// A bucket's policy is read strictly and written anew.
func TestBucketPolicyDocuments(t *testing.T) {
	put := func(body string) (*s3api.Call, error) {
		call, err := s3api.Parse(request("PUT /bucket?policy"))
		if err != nil {
			t.Fatal(err)
		}
		return call, call.SetBody([]byte(body))
	}
	call, err := put("{\n \"Version\": \"2012-10-17\", \"Statement\": [ {\"Effect\": \"Deny\", \"Principal\": \"*\", \"Action\": \"s3:*\", \"Resource\": \"*\"} ] }")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(call.EncodeBody(nil)); !strings.Contains(got, `"Effect":"Deny"`) || strings.Contains(got, "\n") {
		t.Errorf("sent on: %s", got)
	}
	if !call.NeedsChecksum {
		t.Error("S3 wants a checksum of it")
	}
	for name, body := range map[string]string{
		"two effects": `{"Statement": [{"Effect": "Deny", "Effect": "Allow"}]}`,
		"cut":         `{"Statement": [`, "more": `{} {}`, "no object": `[]`, "nothing": ``, "text": `"x"`, "invalid UTF-8": "{\"a\": \"\xff\"}",
		"a name in two cases": `{"Statement": [], "statement": []}`, "half a surrogate": `{"a": "\ud800"}`, "half a surrogate in a name": `{"\udc00": 1}`,
		"17 deep": strings.Repeat(`{"a":`, 17) + "{}" + strings.Repeat("}", 17),
		"deep":    strings.Repeat(`{"a":`, 10_000), "long": `{"a": "` + strings.Repeat("x", 20<<10) + `"}`,
	} {
		call, err := put(body)
		if _, ok := errors.AsType[*s3api.Error](err); !ok || call.EncodeBody(nil) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// White space around the name of a bucket is no part of it, for any reader.
func TestSpaceAroundDestinations(t *testing.T) {
	call, err := s3api.Parse(request("PUT /bucket?logging"))
	if err != nil {
		t.Fatal(err)
	}
	if err := call.SetBody([]byte("<BucketLoggingStatus><LoggingEnabled><TargetBucket>\n other </TargetBucket></LoggingEnabled></BucketLoggingStatus>")); err != nil {
		t.Fatal(err)
	}
	if sent := string(call.EncodeBody(nil)); !strings.Contains(sent, "<TargetBucket>other</TargetBucket>") || call.Targets[1].Bucket != "other" {
		t.Errorf("%s is sent on, and %+v decided upon", sent, call.Targets)
	}
}
