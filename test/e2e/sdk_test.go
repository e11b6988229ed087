package e2e_test

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// TestGoSDK is a Go program that knows a profile and nothing of gimme.
func TestGoSDK(t *testing.T) {
	w := newWorld(t, settings{})
	w.loginAs(t, "alice")
	client := goClient(t, w)
	name, key := aws.String(bucket), aws.String("customers/from go.csv")

	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: key, Body: strings.NewReader("from go")}); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: name, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(got.Body); err != nil || string(body) != "from go" {
		t.Errorf("got %q, %v", body, err)
	}
	got.Body.Close()
	if head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: name, Key: key}); err != nil || aws.ToInt64(head.ContentLength) != 7 {
		t.Errorf("head: %+v, %v", head, err)
	}
	var keys []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: name, Prefix: aws.String("customers/"), MaxKeys: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	if !slices.Equal(keys, []string{"customers/2026.csv", "customers/from go.csv"}) {
		t.Errorf("listed %q", keys)
	}
	goManager(t, w, client)

	at := w.sidecar.mark(t)
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: key})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "AccessDenied" || !strings.Contains(e.ErrorMessage(), "lets you delete SENSITIVE data") {
		t.Errorf("delete: %v", err)
	}
	at.refused(t)
}

// goClient is an S3 client as a program makes it that reads a profile.
func goClient(t *testing.T, w *world) *s3.Client {
	t.Helper()
	loaded, err := config.LoadDefaultConfig(t.Context(),
		config.WithSharedConfigProfile("sidecar"), config.WithRetryMaxAttempts(1),
		config.WithSharedConfigFiles([]string{w.configFile()}), config.WithSharedCredentialsFiles([]string{w.credentialsFile()}))
	if err != nil {
		t.Fatal(err)
	}
	return s3.NewFromConfig(loaded)
}

// goManager uploads in parts, as the transfer manager does.
func goManager(t *testing.T, w *world, client *s3.Client) {
	t.Helper()
	manager := transfermanager.New(client, func(o *transfermanager.Options) { o.PartSizeBytes = 5 << 20; o.MultipartUploadThreshold = 5 << 20 })
	text := strings.Repeat("0123456789abcde\n", 12<<20/16)
	if _, err := manager.UploadObject(t.Context(), &transfermanager.UploadObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("customers/zz-big"), Body: strings.NewReader(text),
	}); err != nil {
		t.Fatalf("upload in parts: %v", err)
	}
	if w.upstream.get(t, "customers/zz-big") != text {
		t.Error("12 MiB came to be something else")
	}
	down, err := manager.GetObject(t.Context(), &transfermanager.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("customers/zz-big")})
	if err != nil {
		t.Fatalf("download in parts: %v", err)
	}
	if back, err := io.ReadAll(down.Body); err != nil || string(back) != text {
		t.Errorf("12 MiB came back otherwise: %d bytes, %v", len(back), err)
	}
}

// A program is written for another SDK; it prints JSON.
type program struct {
	path string
	args []string // before the command
	dir  string
}

// told is what a program prints.
type told struct {
	Body, Code, Message, Etag string
	Length, Status            int
	Keys                      []string
}

func (p program) run(t *testing.T, w *world, args ...string) told {
	t.Helper()
	got := finish(t, command{path: p.path, args: append(slices.Clone(p.args), args...), env: w.env("AWS_PROFILE=sidecar", "ENDPOINT="+w.sidecar.address), dir: p.dir}).must(t)
	var answer told
	if err := json.Unmarshal([]byte(got.out), &answer); err != nil {
		t.Fatalf("%v: %s%s", err, got.out, got.err)
	}
	return answer
}

// TestJavaScriptSDK and TestPythonSDK have programs do the same.
func TestJavaScriptSDK(t *testing.T) {
	node := need(t, nodeParts)
	otherSDK(t, program{path: "node", args: []string{filepath.Join(node, "s3.mjs")}, dir: node})
}

func TestPythonSDK(t *testing.T) {
	python := need(t, boto3)
	script, err := filepath.Abs(filepath.Join("python", "s3.py"))
	if err != nil {
		t.Fatal(err)
	}
	otherSDK(t, program{path: python, args: []string{script}})
}

func otherSDK(t *testing.T, p program) {
	w := newWorld(t, settings{})
	w.loginAs(t, "alice")
	const key = "customers/from a program é.csv"
	if got := p.run(t, w, "put", bucket, key, "from a program"); got.Etag == "" {
		t.Fatalf("put: %+v", got)
	}
	if got := p.run(t, w, "get", bucket, key); got.Body != "from a program" {
		t.Errorf("get: %+v", got)
	}
	if got := p.run(t, w, "head", bucket, key); got.Length != len("from a program") {
		t.Errorf("head: %+v", got)
	}
	if got := p.run(t, w, "list", bucket, "customers/"); !slices.Equal(got.Keys, []string{"customers/2026.csv", key}) {
		t.Errorf("list: %+v", got)
	}
	at := w.sidecar.mark(t)
	if got := p.run(t, w, "delete", bucket, key); got.Code != "AccessDenied" || !strings.Contains(got.Message, "lets you delete SENSITIVE data") || got.Status != 403 {
		t.Errorf("delete: %+v", got)
	}
	at.refused(t)
}
