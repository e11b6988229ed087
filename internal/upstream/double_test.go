package upstream_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gimme-broker/gimme/internal/upstream"
	"github.com/gimme-broker/gimme/internal/upstream/ststest"
)

const (
	baseKey    = ststest.Key
	baseSecret = ststest.Secret
	baseToken  = ststest.Token
	role       = "arn:aws:iam::111122223333:role/data-engineering"
)

var alice = upstream.Principal{Issuer: "https://idp.example/realms/one", Subject: "alice", Email: "alice@example.com", Name: "Alice", Groups: []string{"g"}}

func base() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(baseKey, baseSecret, baseToken)
}

type stsDouble = ststest.STS

// clean keeps the machine's own AWS configuration out of a test.
func clean(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, t.TempDir()+"/none")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "")
	}
}

// assumeRole is upstream.AssumeRole, which must work.
func assumeRole(t *testing.T, o upstream.AssumeRoleOptions) upstream.Source {
	t.Helper()
	s, err := upstream.AssumeRole(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
