package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The upstream's own keys, which only the sidecar has.
const (
	upstreamKey    = "UPSTREAMKEYID0000000"
	upstreamSecret = "upstream/secret+key/that/no/client/ever/sees"
)

// bucket is where the data lives.
const bucket = "acme-lake"

// An upstream is a versitygw, which verifies every signature, behind a
// recorder.
type upstream struct {
	*recorder
	direct *s3.Client // around recorder and sidecar
}

// startUpstream starts an upstream with a bucket and one object in each kind of
// data.
func startUpstream(t *testing.T) *upstream {
	t.Helper()
	path := need(t, versitygw)
	folder, address := t.TempDir(), freeAddress(t)
	for _, name := range []string{"iam", "versions", "data"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, command{
		path: path, dir: folder, env: environment(folder),
		args: []string{
			"--keep-alive", "-p", address, "--health", "/healthz", "-q", "-a", upstreamKey, "-s", upstreamSecret,
			"--iam-dir", filepath.Join(folder, "iam"), "posix", "--versioning-dir", filepath.Join(folder, "versions"), filepath.Join(folder, "data"),
		},
	})
	p.ready(t, &http.Client{Timeout: time.Second}, "http://"+address+"/healthz")
	u := &upstream{startRecorder(t, address), s3Client("http://"+address, upstreamKey, upstreamSecret, "")}
	if _, err := u.direct.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatalf("make the bucket: %v", err)
	}
	for _, key := range []string{"customers/2026.csv", "open/readme.txt", "payroll/2026.csv"} {
		u.put(t, key, contents(key))
	}
	return u
}

// contents is what stands in an object from the start.
func contents(key string) string { return "this is " + key + "\n" }

func s3Client(endpoint, id, secret, token string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint), Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	})
}

func (u *upstream) put(t *testing.T, key, text string) {
	t.Helper()
	_, err := u.direct.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(text)})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

// get reads an object around the sidecar. It is "" when there is none.
func (u *upstream) get(t *testing.T, key string) string {
	t.Helper()
	got, err := u.direct.GetObject(context.WithoutCancel(t.Context()), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if _, absent := errors.AsType[*types.NoSuchKey](err); absent {
		return ""
	}
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer got.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(got.Body); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
