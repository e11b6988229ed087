package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A goSDK is a Go program with the SDK and its transfer manager.
type goSDK struct {
	*s3.Client
	manager *transfermanager.Client
}

func startGoSDK(t *testing.T, p s3Place) driven {
	t.Helper()
	options := []func(*config.LoadOptions) error{
		config.WithSharedConfigProfile("sidecar"), config.WithRetryMaxAttempts(1),
		config.WithSharedConfigFiles([]string{filepath.Join(p.home, ".aws", "config")}),
		config.WithSharedCredentialsFiles([]string{filepath.Join(p.home, ".aws", "credentials")}),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.DialContext = p.dial })),
	}
	if p.secure { // what AWS_CA_BUNDLE does
		options = append(options, config.WithCustomCABundle(strings.NewReader(readFile(t, p.ca))))
	}
	loaded, err := config.LoadDefaultConfig(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(loaded)
	return &goSDK{client, transfermanager.New(client)}
}

// dial goes where an address says, or, where buckets are names of hosts, to the
// sidecar.
func (p s3Place) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.virtual != "" {
		address = p.virtual
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (c *goSDK) do(t *testing.T, call s3Call) s3Reply {
	t.Helper()
	reply, err := c.try(t, call)
	if err != nil {
		t.Fatalf("%s %q: %v", call.Do, call.Key, err)
	}
	return reply
}

func (c *goSDK) try(t *testing.T, call s3Call) (reply s3Reply, err error) {
	ctx, name, key := t.Context(), aws.String(call.Bucket), aws.String(call.Key)
	switch call.Do {
	case doPut:
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: key, Body: open(t, call.File)})
	case doGet:
		err = c.fetch(t, &s3.GetObjectInput{Bucket: name, Key: key}, call.File)
	case doRange:
		err = c.fetch(t, &s3.GetObjectInput{Bucket: name, Key: key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", call.First, call.Last))}, call.File)
	case doHead:
		var got *s3.HeadObjectOutput
		if got, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: name, Key: key}); err == nil {
			reply.Size = aws.ToInt64(got.ContentLength)
		}
	case doList:
		reply.Keys, err = c.list(ctx, call)
	case doPages:
		reply, err = c.pages(ctx, call)
	case doCopy:
		source := call.Bucket + "/" + strings.ReplaceAll(url.QueryEscape(call.Key), "+", "%20")
		_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: name, Key: aws.String(call.To), CopySource: aws.String(source)})
	case doUpload:
		_, err = c.manager.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: name, Key: key, Body: open(t, call.File)})
	case doDownload:
		_, err = c.manager.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: name, Key: key, WriterAt: create(t, call.File)})
	case doDelete:
		var objects []types.ObjectIdentifier
		for _, k := range call.Keys {
			objects = append(objects, types.ObjectIdentifier{Key: aws.String(k)})
		}
		_, err = c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: name, Delete: &types.Delete{Objects: objects}})
	default:
		return c.more(ctx, call)
	}
	return reply, err
}

// more are presigned addresses and tags.
func (c *goSDK) more(ctx context.Context, call s3Call) (reply s3Reply, err error) {
	name, key := aws.String(call.Bucket), aws.String(call.Key)
	presigner := s3.NewPresignClient(c.Client, s3.WithPresignExpires(time.Minute))
	switch call.Do {
	case doPresignGet:
		r, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: key})
		if err != nil {
			return reply, err
		}
		reply.URL = r.URL
	case doPresignPut:
		r, err := presigner.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: key})
		if err != nil {
			return reply, err
		}
		reply.URL = r.URL
	case doPutTags:
		var set []types.Tag
		for k, v := range call.Tags {
			set = append(set, types.Tag{Key: aws.String(k), Value: aws.String(v)})
		}
		_, err = c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: name, Key: key, Tagging: &types.Tagging{TagSet: set}})
	case doGetTags:
		got, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: name, Key: key})
		if err != nil {
			return reply, err
		}
		reply.Tags = map[string]string{}
		for _, tag := range got.TagSet {
			reply.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	default:
		err = errors.New("it is not told how")
	}
	return reply, err
}

func (c *goSDK) fetch(t *testing.T, input *s3.GetObjectInput, into string) error {
	got, err := c.GetObject(t.Context(), input)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	_, err = io.Copy(create(t, into), got.Body)
	return err
}

func (c *goSDK) list(ctx context.Context, call s3Call) ([]string, error) {
	var keys []string
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String(call.Bucket), Prefix: aws.String(call.Key), MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	return keys, nil
}

// open and create are for files that are closed when the test ends.
func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	return closed(t, f, err)
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	return closed(t, f, err)
}

func closed(t *testing.T, f *os.File, err error) *os.File {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
