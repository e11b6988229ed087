package e2e_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// A minioClient is a Go program on minio-go.
type minioClient struct{ *minio.Client }

func startMinio(t *testing.T, p s3Place) driven {
	t.Helper()
	return newMinio(t, p, false)
}

// newMinio makes a client as docs/clients.md says. With trailers it puts
// checksums behind bodies.
func newMinio(t *testing.T, p s3Place, trailers bool) *minioClient {
	t.Helper()
	transport, err := minio.DefaultTransport(p.secure)
	if err != nil {
		t.Fatal(err)
	}
	transport.DialContext = p.dial
	if p.secure {
		transport.TLSClientConfig.RootCAs = p.roots // what SSL_CERT_FILE does
	}
	lookup := minio.BucketLookupPath
	if p.virtual != "" {
		lookup = minio.BucketLookupDNS
	}
	client, err := minio.New(p.host, &minio.Options{
		Creds:  credentials.NewStaticV4(p.keys.AccessKeyID, p.keys.SecretAccessKey, p.keys.SessionToken),
		Secure: p.secure, Region: "us-east-1", BucketLookup: lookup, Transport: transport, TrailingHeaders: trailers, MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &minioClient{client}
}

func (c *minioClient) do(t *testing.T, call s3Call) s3Reply {
	t.Helper()
	reply, err := c.try(t, call)
	if err != nil {
		t.Fatalf("%s %q: %v", call.Do, call.Key, err)
	}
	return reply
}

func (c *minioClient) try(t *testing.T, call s3Call) (reply s3Reply, err error) {
	ctx := t.Context()
	switch call.Do {
	case doPut:
		_, err = c.FPutObject(ctx, call.Bucket, call.Key, call.File, minio.PutObjectOptions{DisableMultipart: true})
	case doUpload:
		_, err = c.FPutObject(ctx, call.Bucket, call.Key, call.File, minio.PutObjectOptions{PartSize: 8 << 20})
	case doGet, doDownload:
		err = c.FGetObject(ctx, call.Bucket, call.Key, call.File, minio.GetObjectOptions{})
	case doRange:
		err = c.part(t, call)
	case doHead:
		var got minio.ObjectInfo
		got, err = c.StatObject(ctx, call.Bucket, call.Key, minio.StatObjectOptions{})
		reply.Size = got.Size
	case doList:
		for o := range c.ListObjects(ctx, call.Bucket, minio.ListObjectsOptions{Prefix: call.Key, Recursive: true, MaxKeys: 2}) {
			if o.Err != nil {
				return reply, o.Err
			}
			reply.Keys = append(reply.Keys, o.Key)
		}
	case doCopy:
		_, err = c.CopyObject(ctx, minio.CopyDestOptions{Bucket: call.Bucket, Object: call.To}, minio.CopySrcOptions{Bucket: call.Bucket, Object: call.Key})
	case doDelete:
		objects := make(chan minio.ObjectInfo, len(call.Keys))
		for _, k := range call.Keys {
			objects <- minio.ObjectInfo{Key: k}
		}
		close(objects)
		for fault := range c.RemoveObjects(ctx, call.Bucket, objects, minio.RemoveObjectsOptions{}) {
			err = errors.Join(err, fault.Err)
		}
	default:
		return c.more(ctx, call)
	}
	return reply, err
}

// more are presigned addresses and tags.
func (c *minioClient) more(ctx context.Context, call s3Call) (reply s3Reply, err error) {
	var signed *url.URL
	switch call.Do {
	case doPresignGet:
		signed, err = c.Presign(ctx, http.MethodGet, call.Bucket, call.Key, time.Minute, nil)
	case doPresignPut:
		signed, err = c.PresignedPutObject(ctx, call.Bucket, call.Key, time.Minute)
	case doPutTags:
		set, bad := tags.NewTags(call.Tags, true)
		if bad != nil {
			return reply, bad
		}
		err = c.PutObjectTagging(ctx, call.Bucket, call.Key, set, minio.PutObjectTaggingOptions{})
	case doGetTags:
		set, bad := c.GetObjectTagging(ctx, call.Bucket, call.Key, minio.GetObjectTaggingOptions{})
		if bad != nil {
			return reply, bad
		}
		reply.Tags = set.ToMap()
	default:
		err = errors.New("it is not told how")
	}
	if signed != nil {
		reply.URL = signed.String()
	}
	return reply, err
}

func (c *minioClient) part(t *testing.T, call s3Call) error {
	var options minio.GetObjectOptions
	if err := options.SetRange(call.First, call.Last); err != nil {
		return err
	}
	got, err := c.GetObject(t.Context(), call.Bucket, call.Key, options)
	if err != nil {
		return err
	}
	defer got.Close()
	_, err = io.Copy(create(t, call.File), got)
	return err
}
