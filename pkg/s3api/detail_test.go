package s3api_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

func TestErrorDetails(t *testing.T) {
	body := []byte(`<?xml version="1.0"?>
<Error><Code>InvalidArgument</Code><Message>m</Message><ArgumentName>partNumber</ArgumentName><ArgumentValue>a &lt; b</ArgumentValue>` +
		`<AWSAccessKeyId>canary</AWSAccessKeyId><StringToSign>canary</StringToSign><Endpoint>canary</Endpoint><HostId>canary</HostId><RequestId>canary</RequestId></Error>`)
	want := []s3api.Detail{{Name: "ArgumentName", Value: "partNumber"}, {Name: "ArgumentValue", Value: "a < b"}}
	got := s3api.ParseErrorDetails(body)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := s3api.ParseErrorDetails(s3api.ErrorXML("InvalidArgument", "m", "/b/k", "id", got...)); !cmp.Equal(want, again) {
		t.Errorf("written and read: %v", again)
	}
	for name, body := range map[string][]byte{
		"of the sidecar's signature": bytes.ReplaceAll(body, []byte("partNumber"), []byte("Authorization")),
		"no XML":                     []byte("a page"),
		"cut":                        body[:len(body)-9],
	} {
		if got := s3api.ParseErrorDetails(body); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
