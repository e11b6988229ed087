package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gimme-broker/gimme/internal/proxy"
)

const servicePolicy = `
name: services
data: [PUBLIC]
rules:
  - identities: {services: [backup]}
    reads: [{data: any}]
  - identities: {groups: [data-engineering]}
    reads: [{data: any}]
`

// withServiceKey starts a sidecar that has a service key, whose entry edit may
// change.
func withServiceKey(t *testing.T, edit func(*proxy.NewServiceKey)) (*sidecar, proxy.NewServiceKey) {
	t.Helper()
	return withServiceKeyAnd(t, edit, "")
}

// withServiceKeyAnd does so, with more in the configuration.
func withServiceKeyAnd(t *testing.T, edit func(*proxy.NewServiceKey), more string) (*sidecar, proxy.NewServiceKey) {
	t.Helper()
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.files(c.config())
	made, err := c.load().MakeServiceKey("backup", roleEveryone, []string{"127.0.0.0/8", "::1/128"}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	shown := made
	if edit != nil {
		edit(&made)
	}
	c.launch(func(config string) string { return config + entry(made) + more })
	c.write("policies/services.yaml", servicePolicy)
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	c.events()
	return c, shown
}

// entry is the configuration of a service key.
func entry(k proxy.NewServiceKey) string {
	return fmt.Sprintf("service_keys:\n  - {access_key_id: %s, service: %q, role: %q, from: [\"%s\"], expires: %s}\n",
		k.AccessKeyID, k.Service, k.Role, strings.Join(k.From, `", "`), k.Expires.Format(time.RFC3339))
}

func pair(k proxy.NewServiceKey) aws.Credentials {
	return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey}
}

// A service reads what the policies give it, under its own name in every event.
func TestServiceKey(t *testing.T) {
	c, key := withServiceKey(t, nil)
	c.put("lake", "public/a.txt", "hello")
	if _, err := c.s3(pair(key)).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/a.txt")}); err != nil {
		t.Fatal(err)
	}
	events := c.events()
	if len(events) != 2 {
		t.Fatalf("want a decision and an outcome, got %+v", events)
	}
	for _, e := range events {
		if e.Principal == nil || e.Principal.Service != "backup" || e.Principal.Subject != "service:backup" || e.Session.ID != key.AccessKeyID || e.Role != roleEveryone {
			t.Errorf("%+v does not tell of the service", e)
		}
	}
	if strings.Contains(c.rawEvents(), key.SecretAccessKey) || strings.Contains(c.log.String(), key.SecretAccessKey) {
		t.Error("the secret is in the log")
	}
	c.store.seen()

	_, err := c.s3(pair(key)).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/a.txt")})
	wantCode(t, err, "AccessDenied", "service:backup may not GetObject")
	c.wantOneRefusal("AccessDenied", "service:backup may not GetObject")
	c.wantNothingUpstream()

	url, err := s3.NewPresignClient(c.s3(pair(key))).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/a.txt")})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(url.URL)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("a presigned URL: %s", response.Status)
	}
	got, err := c.sts(credentials.StaticCredentialsProvider{Value: pair(key)}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *got.Arn != "arn:aws:sts::111122223333:assumed-role/lake-reader/backup" || *got.UserId != key.AccessKeyID+":backup" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Whoever holds a pair that is not, or no longer, good for anything is refused,
// with one event, and nothing goes upstream.
func TestServiceKeyRefused(t *testing.T) {
	for name, row := range map[string]struct {
		edit     func(*proxy.NewServiceKey) // of the entry
		sign     func(*proxy.NewServiceKey) // of what is signed with
		code     string
		sentence string
	}{
		"elsewhere":       {edit: func(k *proxy.NewServiceKey) { k.From = []string{"10.20.0.0/16", "2001:db8::/32"} }, code: "AccessDenied", sentence: "may not be used from 127.0.0.1"},
		"expired":         {edit: func(k *proxy.NewServiceKey) { k.Expires = time.Now().Add(-time.Second) }, code: "ExpiredToken", sentence: "expired at"},
		"wrong secret":    {sign: func(k *proxy.NewServiceKey) { k.SecretAccessKey = strings.ToLower(k.SecretAccessKey) }, code: "SignatureDoesNotMatch"},
		"not configured":  {sign: another, code: "InvalidAccessKeyId", sentence: "not signed with credentials of this sidecar"},
		"not one of ours": {sign: func(k *proxy.NewServiceKey) { k.AccessKeyID = "AKIDEXAMPLE" }, code: "InvalidAccessKeyId"},
		"a session's id":  {sign: func(k *proxy.NewServiceKey) { k.AccessKeyID = "GM" + k.AccessKeyID[2:] }, code: "InvalidAccessKeyId"},
	} {
		t.Run(name, func(t *testing.T) {
			c, key := withServiceKey(t, row.edit)
			if row.sign != nil {
				row.sign(&key)
			}
			_, err := c.s3(pair(key)).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/a.txt")})
			wantCode(t, err, row.code, row.sentence)
			c.wantOneRefusal(row.code, row.sentence)
			c.wantNothingUpstream()
			_, err = c.sts(credentials.StaticCredentialsProvider{Value: pair(key)}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			wantCode(t, err, row.code, row.sentence)
			c.wantOneRefusal(row.code, row.sentence)
		})
	}
}

// another is an id of the same keyring that no entry has: the last character
// but one is another random one.
func another(k *proxy.NewServiceKey) {
	other := byte('A')
	if k.AccessKeyID[27] == other {
		other = 'B'
	}
	k.AccessKeyID = k.AccessKeyID[:27] + string(other) + k.AccessKeyID[28:]
}
