package s3api_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// documentLines has a request of each kind of document but policies.
var documentLines = []string{
	"POST /bucket?delete", "POST /bucket/k?uploadId=u", "PUT /bucket", "PUT /bucket?acl", "PUT /bucket?logging", "PUT /bucket?replication",
	"PUT /bucket?inventory&id=1", "PUT /bucket?analytics&id=1", "PUT /bucket?notification", "PUT /bucket?lifecycle", "PUT /bucket/k?tagging",
	"PUT /bucket/k?legal-hold", "POST /bucket/k?restore", "PUT /bucket?encryption", "PUT /bucket?website", "PUT /bucket?cors", "PUT /bucket/k?encryption",
}

// What is sent on is read as what came was.
func FuzzDocument(f *testing.F) {
	f.Add(uint8(4), "<BucketLoggingStatus><LoggingEnabled><TargetBucket> other </TargetBucket></LoggingEnabled></BucketLoggingStatus>")
	f.Add(uint8(3), `<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>u</URI></Grantee></Grant></AccessControlList></AccessControlPolicy>`)
	f.Add(uint8(5), "<ReplicationConfiguration><Rule><Destination><Bucket>arn:aws:s3:::other</Bucket></Destination></Rule></ReplicationConfiguration>")
	f.Add(uint8(2), "")
	f.Add(uint8(8), "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>")
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		line := documentLines[int(which)%len(documentLines)]
		call, err := s3api.Parse(request(line))
		if err != nil {
			t.Fatal(err)
		}
		before := call.Targets
		if err := call.SetBody([]byte(body)); err != nil {
			if _, ok := errors.AsType[*s3api.Error](err); !ok || !cmp.Equal(before, call.Targets) || call.EncodeBody(nil) != nil {
				t.Fatalf("%s %q: %v left %+v behind", line, body, err, call.Targets)
			}
			return
		}
		encoded := call.EncodeBody(nil)
		again, err := s3api.Parse(request(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := again.SetBody(encoded); err != nil || !cmp.Equal(call.Targets, again.Targets) || string(again.EncodeBody(nil)) != string(encoded) {
			t.Fatalf("%s %q became %q: %v, %+v, %+v", line, body, encoded, err, call.Targets, again.Targets)
		}
	})
}

// A policy that is taken means to encoding/json what is sent on means.
func FuzzBucketPolicy(f *testing.F) {
	for _, policy := range []string{`{}`, `{"Statement":[{"Effect":"Deny","Condition":{"Bool":{"aws:SecureTransport":false}},"n":1e400}]}`, `{"a":"\ud800"}`,
		`{"a":1,"A":2}`, `{"a":"\u2028<&>"}`, `{"a":{"a":[null,true,-0.0]}} `} {
		f.Add(policy)
	}
	f.Fuzz(func(t *testing.T, policy string) {
		call, err := s3api.Parse(request("PUT /bucket?policy"))
		if err != nil {
			t.Fatal(err)
		}
		if err := call.SetBody([]byte(policy)); err != nil {
			if refusal, ok := errors.AsType[*s3api.Error](err); !ok || refusal.Operation != "PutBucketPolicy" || call.EncodeBody(nil) != nil {
				t.Fatalf("%q: %v", policy, err)
			}
			return
		}
		encoded := string(call.EncodeBody(nil))
		if !reflect.DeepEqual(decoded(t, policy), decoded(t, encoded)) {
			t.Fatalf("%q became %q", policy, encoded)
		}
		if err := call.SetBody([]byte(encoded)); err != nil || string(call.EncodeBody(nil)) != encoded {
			t.Fatalf("%q became %q, then %q: %v", policy, encoded, call.EncodeBody(nil), err)
		}
	})
}

func decoded(t *testing.T, policy string) any {
	d := json.NewDecoder(strings.NewReader(policy))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", policy, err)
	}
	return v
}

func TestGrantees(t *testing.T) {
	const xsi = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	acl := func(root, grantee string) string {
		return "<AccessControlPolicy" + root + "><AccessControlList><Grant><Grantee" + grantee + "><ID>i</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"
	}
	put := func(body string) (*s3api.Call, error) {
		call, err := s3api.Parse(request("PUT /bucket?acl"))
		if err != nil {
			t.Fatal(err)
		}
		return call, call.SetBody([]byte(body))
	}
	want := `<Grantee ` + xsi + ` xsi:type="CanonicalUser"><ID>i</ID></Grantee>`
	for _, body := range []string{
		acl("", " "+xsi+` xsi:type="CanonicalUser"`), acl(" "+xsi, ` xsi:type="CanonicalUser"`),
		acl(` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`, ` xsi:type="CanonicalUser" `+xsi),
	} {
		if call, err := put(body); err != nil || !strings.Contains(string(call.EncodeBody(nil)), want) {
			t.Errorf("%s became %s: %v", body, call.EncodeBody(nil), err)
		}
	}
	for name, body := range map[string]string{
		"undeclared":        acl("", ` xsi:type="CanonicalUser"`),
		"other namespace":   acl("", ` xmlns:xsi="urn:x" xsi:type="CanonicalUser"`),
		"other prefix":      acl("", ` xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="CanonicalUser"`),
		"unknown type":      acl("", " "+xsi+` xsi:type="Everyone"`),
		"no namespace":      acl("", ` type="CanonicalUser"`),
		"other attribute":   acl("", " "+xsi+` xsi:nil="true"`),
		"twice":             acl("", " "+xsi+` xsi:type="Group" xsi:type="CanonicalUser"`),
		"on another":        strings.Replace(acl(" "+xsi, ""), "<ID>", `<ID xsi:type="Group">`, 1),
		"declared for none": "<AccessControlPolicy><Owner " + xsi + "/></AccessControlPolicy>",
	} {
		if call, err := put(body); err == nil || call.EncodeBody(nil) != nil {
			t.Errorf("%s: %s is accepted", name, body)
		}
	}
	tags, err := s3api.Parse(request("PUT /bucket?tagging"))
	if err != nil {
		t.Fatal(err)
	}
	if tags.SetBody([]byte("<Tagging "+xsi+"><TagSet/></Tagging>")) == nil {
		t.Error("a document without grantees may speak of them")
	}
}
