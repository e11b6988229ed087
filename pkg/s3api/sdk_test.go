package s3api_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// captured is what a client sent.
type captured struct {
	request *http.Request
	body    []byte
}

// clientFor returns an S3 client whose requests end in *c.
func clientFor(c *captured) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("https://s3.example"), UsePathStyle: true, DisableS3ExpressSessionAuth: aws.Bool(true),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AK", SecretAccessKey: "SK", SessionToken: "T"}, nil
		}),
		RetryMaxAttempts: 1,
		HTTPClient: roundTrip(func(r *http.Request) (*http.Response, error) {
			c.request = r
			if r.Body != nil {
				c.body, _ = io.ReadAll(r.Body)
			}
			return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
		}),
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

// requestOf is r as a verifier hands it on: decoded, without the parameters of
// authentication.
func requestOf(t *testing.T, u *url.URL, method string, header http.Header) s3api.Request {
	t.Helper()
	path, err := url.PathUnescape(u.EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	req := s3api.Request{Method: method, Path: path, Header: header.Clone()}
	req.Header.Del("Authorization")
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			t.Fatal(pair, err1, err2)
		}
		if !slices.Contains([]string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token",
			"X-Amz-Signature", "X-Amz-SignedHeaders"}, n) {
			req.Query = append(req.Query, s3api.Param{Name: n, Value: v})
		}
	}
	return req
}

var (
	moment = aws.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	text   = aws.String("text")
	bkt    = aws.String("bucket-1")
	objKey = aws.String("a b/ü+%/~'k")
	number = aws.Int32(3)
)

// sdkCalls has a call of each operation with everything that the table permits.
var sdkCalls = map[string]func(ctx context.Context, c *s3.Client) error{
	"ListBuckets": func(ctx context.Context, c *s3.Client) error {
		_, err := c.ListBuckets(ctx, &s3.ListBucketsInput{Prefix: text, BucketRegion: text, MaxBuckets: number})
		return err
	},
	"HeadBucket": func(ctx context.Context, c *s3.Client) error {
		_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bkt, ExpectedBucketOwner: text})
		return err
	},
	"GetBucketLocation": func(ctx context.Context, c *s3.Client) error {
		_, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: bkt, ExpectedBucketOwner: text})
		return err
	},
	"ListObjects": func(ctx context.Context, c *s3.Client) error {
		_, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: bkt, Delimiter: aws.String("/"), EncodingType: "url", Marker: text,
			MaxKeys: number, Prefix: aws.String("a/"), OptionalObjectAttributes: []types.OptionalObjectAttributes{"RestoreStatus"}})
		return err
	},
	"ListObjectsV2": func(ctx context.Context, c *s3.Client) error {
		_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bkt, Delimiter: aws.String("/"), EncodingType: "url", StartAfter: text,
			MaxKeys: number, Prefix: aws.String("a/"), ContinuationToken: text, FetchOwner: aws.Bool(true),
			OptionalObjectAttributes: []types.OptionalObjectAttributes{"RestoreStatus"}, ExpectedBucketOwner: text})
		return err
	},
	"GetObject": func(ctx context.Context, c *s3.Client) error {
		_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bkt, Key: objKey, ChecksumMode: "ENABLED", IfMatch: text, IfNoneMatch: text,
			IfModifiedSince: moment, IfUnmodifiedSince: moment, PartNumber: number, Range: aws.String("bytes=0-1"), VersionId: text,
			ResponseCacheControl: text, ResponseContentDisposition: text, ResponseContentEncoding: text, ResponseContentLanguage: text,
			ResponseContentType: text, ResponseExpires: moment, SSECustomerAlgorithm: text, SSECustomerKey: text, SSECustomerKeyMD5: text})
		return err
	},
	"HeadObject": func(ctx context.Context, c *s3.Client) error {
		_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bkt, Key: objKey, ChecksumMode: "ENABLED", IfMatch: text, IfNoneMatch: text,
			IfModifiedSince: moment, IfUnmodifiedSince: moment, PartNumber: number, Range: aws.String("bytes=0-1"), VersionId: text,
			ResponseContentType: text, SSECustomerAlgorithm: text, SSECustomerKey: text, SSECustomerKeyMD5: text})
		return err
	},
	"GetObjectTagging": func(ctx context.Context, c *s3.Client) error {
		_, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bkt, Key: objKey, VersionId: text})
		return err
	},
	"PutObject": func(ctx context.Context, c *s3.Client) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bkt, Key: objKey, Body: strings.NewReader("data"), ACL: "private",
			BucketKeyEnabled: aws.Bool(true), CacheControl: text, ChecksumCRC32: text, ContentDisposition: text, ContentEncoding: text,
			ContentLanguage: text, ContentMD5: text, ContentType: text, Expires: moment, GrantRead: text, GrantFullControl: text,
			GrantReadACP: text, GrantWriteACP: text, IfMatch: text, IfNoneMatch: text, Metadata: map[string]string{"One": "1", "two": "2"},
			ObjectLockLegalHoldStatus: "ON", ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: moment, SSECustomerAlgorithm: text,
			SSECustomerKey: text, SSECustomerKeyMD5: text, SSEKMSEncryptionContext: text, SSEKMSKeyId: text, ServerSideEncryption: "aws:kms",
			StorageClass: "STANDARD_IA", Tagging: text, ExpectedBucketOwner: text})
		return err
	},
	"CopyObject": func(ctx context.Context, c *s3.Client) error {
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bkt, Key: objKey, CopySource: aws.String("source-1/k?versionId=v"),
			ACL: "private", BucketKeyEnabled: aws.Bool(true), CacheControl: text, ChecksumAlgorithm: "SHA256", ContentDisposition: text,
			ContentEncoding: text, ContentLanguage: text, ContentType: text, CopySourceIfMatch: text, CopySourceIfModifiedSince: moment,
			CopySourceIfNoneMatch: text, CopySourceIfUnmodifiedSince: moment, CopySourceSSECustomerAlgorithm: text, CopySourceSSECustomerKey: text,
			CopySourceSSECustomerKeyMD5: text, Expires: moment, ExpectedSourceBucketOwner: text, IfMatch: text, IfNoneMatch: text,
			Metadata: map[string]string{"one": "1"}, MetadataDirective: "REPLACE", TaggingDirective: "REPLACE", Tagging: text,
			ServerSideEncryption: "AES256", SSEKMSEncryptionContext: text, SSEKMSKeyId: text, StorageClass: "STANDARD"})
		return err
	},
	"DeleteObject": func(ctx context.Context, c *s3.Client) error {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bkt, Key: objKey, VersionId: text, BypassGovernanceRetention: aws.Bool(true),
			IfMatch: text, IfMatchLastModifiedTime: moment, IfMatchSize: aws.Int64(1)})
		return err
	},
	"DeleteObjects": func(ctx context.Context, c *s3.Client) error {
		_, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bkt, BypassGovernanceRetention: aws.Bool(true), Delete: &types.Delete{
			Quiet: aws.Bool(true), Objects: []types.ObjectIdentifier{{Key: objKey}, {Key: aws.String("<&\n>"), VersionId: text, ETag: text,
				LastModifiedTime: moment, Size: aws.Int64(1)}}}})
		return err
	},
	"CreateMultipartUpload": func(ctx context.Context, c *s3.Client) error {
		_, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bkt, Key: objKey, ACL: "private", ChecksumAlgorithm: "CRC32",
			ChecksumType: "COMPOSITE", ContentType: text, Expires: moment, Metadata: map[string]string{"one": "1"}, Tagging: text,
			ObjectLockLegalHoldStatus: "ON", ObjectLockMode: "COMPLIANCE", ObjectLockRetainUntilDate: moment, StorageClass: "STANDARD",
			SSECustomerAlgorithm: text, SSECustomerKey: text, SSECustomerKeyMD5: text})
		return err
	},
	"UploadPart": func(ctx context.Context, c *s3.Client) error {
		_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bkt, Key: objKey, PartNumber: number, UploadId: text, Body: strings.NewReader("data"),
			ContentMD5: text, SSECustomerAlgorithm: text, SSECustomerKey: text, SSECustomerKeyMD5: text})
		return err
	},
	"UploadPartCopy": func(ctx context.Context, c *s3.Client) error {
		_, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bkt, Key: objKey, PartNumber: number, UploadId: text,
			CopySource: aws.String("source-1/k"), CopySourceRange: aws.String("bytes=0-9"), CopySourceIfMatch: text, ExpectedSourceBucketOwner: text,
			SSECustomerAlgorithm: text, SSECustomerKey: text, SSECustomerKeyMD5: text, CopySourceSSECustomerAlgorithm: text})
		return err
	},
	"CompleteMultipartUpload": func(ctx context.Context, c *s3.Client) error {
		_, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bkt, Key: objKey, UploadId: text, ChecksumCRC64NVME: text,
			ChecksumType: "FULL_OBJECT", IfMatch: text, IfNoneMatch: text, MpuObjectSize: aws.Int64(9), MultipartUpload: &types.CompletedMultipartUpload{
				Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String(`"e"`), ChecksumCRC32: text, ChecksumSHA512: text}, {PartNumber: number}}}})
		return err
	},
	"AbortMultipartUpload": func(ctx context.Context, c *s3.Client) error {
		_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bkt, Key: objKey, UploadId: text, IfMatchInitiatedTime: moment})
		return err
	},
	"ListParts": func(ctx context.Context, c *s3.Client) error {
		_, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: bkt, Key: objKey, UploadId: text, MaxParts: number, PartNumberMarker: text,
			SSECustomerAlgorithm: text, SSECustomerKey: text, SSECustomerKeyMD5: text})
		return err
	},
	"ListMultipartUploads": func(ctx context.Context, c *s3.Client) error {
		_, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bkt, Delimiter: aws.String("/"), EncodingType: "url",
			KeyMarker: text, MaxUploads: number, Prefix: aws.String("a/"), UploadIdMarker: text})
		return err
	},
}

// lost has what the SDK sends and Parse rightly leaves out, with the operation
// for which it does, or "" for all.
var lost = map[string]string{
	"x-id": "", "max-buckets": "ListBuckets",
	"Accept-Encoding": "", "Amz-Sdk-Invocation-Id": "", "Amz-Sdk-Request": "", "User-Agent": "", "Content-Length": "",
	"X-Amz-Content-Sha256": "", "X-Amz-Date": "", "X-Amz-Security-Token": "", "X-Amz-Decoded-Content-Length": "", "X-Amz-Trailer": "",
	"Content-Encoding": "UploadPart", "Content-Type": "UploadPart", "X-Amz-Sdk-Checksum-Algorithm": "DeleteObjects", "X-Amz-Checksum-Crc32": "DeleteObjects",
}

func mayLose(operation, name string) bool {
	for_, ok := lost[name]
	return ok && (for_ == "" || for_ == operation)
}

func TestEveryOperationOfTheSDK(t *testing.T) {
	for operation, send := range sdkCalls {
		t.Run(operation, func(t *testing.T) {
			var sent captured
			if err := send(t.Context(), clientFor(&sent)); err == nil || sent.request == nil {
				t.Fatalf("nothing was sent: %v", err)
			}
			r := requestOf(t, sent.request.URL, sent.request.Method, sent.request.Header)
			c, err := s3api.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if c.Operation != operation {
				t.Fatalf("taken for %s", c.Operation)
			}
			if c.Path() != strings.TrimSuffix(r.Path, "/") && c.Path() != r.Path {
				t.Errorf("Path() = %q of %q", c.Path(), r.Path)
			}
			for _, p := range r.Query {
				if !slices.Contains(c.Query, p) && !mayLose(operation, p.Name) {
					t.Errorf("lost parameter %v", p)
				}
			}
			for name, values := range r.Header {
				want := strings.TrimSuffix(values[0], ",aws-chunked")
				if c.Header.Get(name) != want && !mayLose(operation, name) {
					t.Errorf("header %s: %q became %q", name, values, c.Header[name])
				}
			}
			if c.Body != s3api.XMLBody {
				return
			}
			if err := c.SetBody(sent.body); err != nil {
				t.Fatal(err)
			}
			again := c.EncodeBody(nil)
			if err := c.SetBody(again); err == nil && operation == "DeleteObjects" {
				t.Error("the checksum of the first document fits the second")
			}
		})
	}
}

func TestPresignedBySDK(t *testing.T) {
	p := s3.NewPresignClient(clientFor(new(captured)))
	put, err := p.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: bkt, Key: objKey, ACL: "public-read", Tagging: aws.String("a=b"),
		StorageClass: "STANDARD_IA"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(put.URL)
	if err != nil {
		t.Fatal(err)
	}
	if !u.Query().Has("x-amz-acl") && put.SignedHeader.Get("X-Amz-Acl") == "" {
		t.Fatalf("the SDK signs no ACL: %s", put.URL)
	}
	header := put.SignedHeader.Clone()
	header.Del("Host")
	header.Del("Content-Length")
	c, err := s3api.Parse(requestOf(t, u, put.Method, header))
	if err != nil {
		t.Fatal(err)
	}
	if c.Header.Get("X-Amz-Acl") != "public-read" || c.Header.Get("X-Amz-Tagging") != "a=b" || c.Header.Get("X-Amz-Storage-Class") == "" {
		t.Errorf("headers: %v", c.Header)
	}
	manages := s3api.Target{Access: s3api.Manages, Action: "s3:PutObjectAcl", Bucket: *bkt, Key: *objKey, Scope: s3api.Exact}
	if !slices.Contains(c.Targets, manages) {
		t.Errorf("targets: %v", c.Targets)
	}
	get, err := p.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bkt, Key: objKey})
	if err != nil {
		t.Fatal(err)
	}
	if u, err = url.Parse(get.URL); err != nil {
		t.Fatal(err)
	}
	if c, err := s3api.Parse(requestOf(t, u, get.Method, nil)); err != nil || c.Operation != "GetObject" {
		t.Errorf("%v, %v", c, err)
	}
}
