package devstack_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/devstack"
)

const bucket = "acme-lake"

func startS3(t *testing.T) *devstack.S3 {
	t.Helper()
	server, err := devstack.StartS3(bucket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func client(server *devstack.S3, key, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(server.Endpoint()),
		Region:       "us-east-1",
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
		}),
	})
}

func owner(server *devstack.S3) *s3.Client {
	return client(server, server.AccessKeyID(), server.SecretAccessKey().Reveal())
}

func TestS3KeepsObjects(t *testing.T) {
	server := startS3(t)
	c, data := owner(server), []byte("id,name\n1,Ada\n")

	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: new(bucket), Key: new("a b/ü+.csv"), Body: bytes.NewReader(data), ContentType: new("text/csv"),
		Metadata: map[string]string{"from": "test"},
	}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: new(bucket), Key: new("a b/ü+.csv")})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(body, data) || got.Metadata["from"] != "test" {
		t.Errorf("got %q with %v, %v", body, got.Metadata, err)
	}
	if _, err := c.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: new(bucket), Key: new("copy"), CopySource: new(bucket + "/a%20b/%C3%BC%2B.csv"),
	}); err != nil {
		t.Fatal(err)
	}
	if copied, err := server.Object(t.Context(), bucket, "copy"); err != nil || !bytes.Equal(copied, data) {
		t.Errorf("the copy is %q, %v", copied, err)
	}
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: new(bucket), Delimiter: new("/")})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Contents) != 1 || len(list.CommonPrefixes) != 1 || *list.Contents[0].Key != "copy" || *list.CommonPrefixes[0].Prefix != "a b/" {
		t.Errorf("listed %v and %v", list.Contents, list.CommonPrefixes)
	}
	gone, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: new(bucket), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: new("copy")}, {Key: new("a b/ü+.csv")}},
	}})
	if err != nil || len(gone.Deleted) != 2 || len(gone.Errors) != 0 {
		t.Errorf("deleted %v, %v", gone, err)
	}
	if _, err := server.Object(t.Context(), bucket, "copy"); err == nil {
		t.Error("the copy is still there")
	}
}

func TestS3JoinsParts(t *testing.T) {
	server := startS3(t)
	c, key := owner(server), "parts"
	upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: new(bucket), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	var parts []types.CompletedPart
	for n, part := range [][]byte{bytes.Repeat([]byte("a"), 5<<20), []byte("the end")} {
		number := int32(n + 1)
		sent, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: new(bucket), Key: &key, UploadId: upload.UploadId, PartNumber: &number, Body: bytes.NewReader(part),
		})
		if err != nil {
			t.Fatal(err)
		}
		parts, want = append(parts, types.CompletedPart{ETag: sent.ETag, PartNumber: &number}), append(want, part...)
	}
	if _, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: new(bucket), Key: &key, UploadId: upload.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := server.Object(t.Context(), bucket, key); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
	}
}

// put sends body with the payload hash and further headers signed, as the
// sidecar does.
func put(t *testing.T, server *devstack.S3, body io.Reader, hash string, header map[string]string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.Endpoint()+"/"+bucket+"/key", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", hash)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	keys := aws.Credentials{AccessKeyID: server.AccessKeyID(), SecretAccessKey: server.SecretAccessKey().Reveal()}
	err = v4.NewSigner().SignHTTP(t.Context(), keys, r, hash, "s3", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}

func TestS3PayloadForms(t *testing.T) {
	sum := func(s string) string { d := sha256.Sum256([]byte(s)); return hex.EncodeToString(d[:]) }
	const framed = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
	for _, c := range []struct {
		name, body, hash string
		header           map[string]string
		status           int
		stored           string
	}{
		{"unsigned", "hello", "UNSIGNED-PAYLOAD", nil, 200, "hello"},
		{"digest", "hello", sum("hello"), nil, 200, "hello"},
		{"trailer", framed, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", map[string]string{
			"X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": "x-amz-checksum-crc32", "Content-Encoding": "aws-chunked",
		}, 200, "hello"},
		{"another digest", "hello", sum("jello"), nil, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := startS3(t)
			if status := put(t, server, strings.NewReader(c.body), c.hash, c.header); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			got, err := server.Object(t.Context(), bucket, "key")
			if diff := cmp.Diff(c.stored, string(got)); diff != "" || (err == nil) != (c.status == 200) {
				t.Errorf("stored %q, %v", got, err)
			}
		})
	}
}

func TestS3RefusesOtherKeys(t *testing.T) {
	server := startS3(t)
	for name, c := range map[string]struct {
		key, secret, code string
	}{
		"wrong secret": {server.AccessKeyID(), "wrong", "SignatureDoesNotMatch"},
		"unknown key":  {"AKIDUNKNOWN", server.SecretAccessKey().Reveal(), "InvalidAccessKeyId"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(server, c.key, c.secret).PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: new(bucket), Key: new("key"), Body: strings.NewReader("x"),
			})
			refusal, ok := errors.AsType[smithy.APIError](err)
			if !ok || refusal.ErrorCode() != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
			if _, err := server.Object(t.Context(), bucket, "key"); err == nil {
				t.Error("the object was stored")
			}
		})
	}
	resp, err := http.Get(server.Endpoint() + "/" + bucket)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("without a signature: status %d, %v", resp.StatusCode, err)
	}
}
