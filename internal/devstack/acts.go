package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// logIn runs gimme as p, in a browser or with the login page filled in.
func (t *story) logIn(ctx context.Context, p Person, profile string) (string, error) {
	within, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var browser sync.WaitGroup
	open := t.options.OpenBrowser
	if t.options.Browser {
		t.shown(fmt.Sprintf("Your browser opens. Log in as %s with the password %s", p.Email, p.Password.Reveal()))
	} else {
		open = func(_ context.Context, address string) error {
			// A browser does not keep gimme waiting until it is closed.
			browser.Go(func() {
				if err := logIn(within, p, address); err != nil {
					stop(err)
				}
			})
			return nil
		}
	}
	var stdout bytes.Buffer
	stderr := &margin{to: t.teller}
	code := t.options.Gimme(within, Invocation{
		// Two people share this home: whom a login is of has to be said.
		Args: []string{"s3", "--address", t.url, "--profile", profile, "--login-hint", p.Email},
		Env:  t.environment(), OpenBrowser: open, Stdout: &stdout, Stderr: stderr,
	})
	cause := context.Cause(within)
	stop(nil)
	browser.Wait()
	if err := stderr.Close(); err != nil {
		return "", err
	}
	switch {
	case code != 0:
		return "", errors.Join(fmt.Errorf("gimme ended with exit code %d", code), cause)
	case stdout.Len() > 0:
		return "", fmt.Errorf("gimme wrote to standard output: %q", stdout.String())
	}
	return t.holdsKeys(ctx, p, profile)
}

// holdsKeys checks what gimme wrote.
func (t *story) holdsKeys(ctx context.Context, p Person, profile string) (string, error) {
	written, err := config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = []string{t.awsConfig()}, []string{t.awsCredentials()}
	})
	if err != nil {
		return "", fmt.Errorf("the profile cannot be read: %w", err)
	}
	if keys := written.Credentials; keys.AccessKeyID == "" || keys.SecretAccessKey == "" || keys.SessionToken == "" {
		return "", fmt.Errorf("profile %q holds no session", profile)
	}
	info, err := os.Stat(t.awsCredentials())
	if err != nil {
		return "", err
	}
	if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" { // which has no such modes
		return "", fmt.Errorf("the credentials file has mode %v", info.Mode().Perm())
	}
	return fmt.Sprintf("%s is logged in; profile %s holds short-lived keys", p.Email, profile), nil
}

func (t *story) showProfile(_ context.Context, profile string) (string, error) {
	written, err := os.ReadFile(t.awsConfig())
	if err != nil {
		return "", err
	}
	t.shown(string(written))
	if !strings.Contains(string(written), t.url) {
		return "", fmt.Errorf("profile %q does not lead to the sidecar", profile)
	}
	return "every tool that reads AWS profiles now goes through the sidecar", nil
}

func (t *story) upload(ctx context.Context) (string, error) {
	c, err := t.s3Client(ctx, aliceProfile)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(t.path(sampleFile))
	if err != nil {
		return "", err
	}
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: new(lake), Key: new(customersKey), Body: bytes.NewReader(data), ContentType: new("text/csv")})
	if err != nil {
		return "", err
	}
	if err := t.stored(ctx, customersKey, data); err != nil {
		return "", err
	}
	return fmt.Sprintf("upload: ./%s to s3://%s/%s (%s)", sampleFile, lake, customersKey, size(len(data))), nil
}

// stored asks the S3 server itself.
func (t *story) stored(ctx context.Context, key string, want []byte) error {
	got, err := t.s3.Object(ctx, lake, key)
	if err != nil {
		return fmt.Errorf("the S3 server does not have the object: %w", err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("the S3 server has other bytes under %s", key)
	}
	return nil
}

func (t *story) uploadInParts(ctx context.Context) (string, error) {
	c, err := t.s3Client(ctx, aliceProfile)
	if err != nil {
		return "", err
	}
	data := make([]byte, t.recipe.history)
	if _, err := rand.NewChaCha8([32]byte{}).Read(data); err != nil { // any bytes will do
		return "", err
	}
	upload, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: new(lake), Key: new(historyKey)})
	if err != nil {
		return "", err
	}
	var parts []types.CompletedPart
	for part := range slices.Chunk(data, partSize) {
		number := int32(len(parts) + 1)
		sent, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: new(lake), Key: new(historyKey), UploadId: upload.UploadId, PartNumber: &number, Body: bytes.NewReader(part)})
		if err != nil {
			return "", err
		}
		parts = append(parts, types.CompletedPart{PartNumber: &number, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32})
	}
	_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: new(lake), Key: new(historyKey), UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return "", err
	}
	if err := t.stored(ctx, historyKey, data); err != nil {
		return "", err
	}
	return fmt.Sprintf("upload: ./history.bin to s3://%s/%s (%s in %d parts)", lake, historyKey, size(len(data)), len(parts)), nil
}

func (t *story) list(ctx context.Context) (string, error) {
	c, err := t.s3Client(ctx, aliceProfile)
	if err != nil {
		return "", err
	}
	page, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: new(lake), Prefix: new("customers/"), Delimiter: new("/")})
	if err != nil {
		return "", err
	}
	var keys, lines []string
	for _, o := range page.Contents {
		keys = append(keys, *o.Key)
		lines = append(lines, fmt.Sprintf("%s %10d %s", o.LastModified.Format("2006-01-02 15:04:05"), *o.Size, strings.TrimPrefix(*o.Key, "customers/")))
	}
	t.shown(strings.Join(lines, "\n"))
	if got, want := strings.Join(keys, " "), customersKey+" "+historyKey; got != want {
		return "", fmt.Errorf("listed %q, want %q", got, want)
	}
	return "both objects are there", nil
}

func (t *story) download(ctx context.Context) (string, error) {
	c, err := t.s3Client(ctx, aliceProfile)
	if err != nil {
		return "", err
	}
	if _, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: new(lake), Key: new(customersKey)}); err != nil {
		return "", err
	}
	data, err := read(ctx, c, customersKey)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(t.path("copy.csv"), data, 0o600); err != nil {
		return "", err
	}
	return fmt.Sprintf("download: s3://%s/%s to ./copy.csv (%s)", lake, customersKey, size(len(data))), nil
}

func read(ctx context.Context, c *s3.Client, key string) ([]byte, error) {
	got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: new(lake), Key: &key})
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(got.Body)
	return data, errors.Join(err, got.Body.Close())
}

func (t *story) compare(context.Context) (string, error) {
	data, err := os.ReadFile(t.path("copy.csv"))
	if err != nil {
		return "", err
	}
	if string(data) != sampleCSV {
		return "", errors.New("the copy differs")
	}
	return "not a byte differs", nil
}

func (t *story) remove(ctx context.Context) (string, error) {
	c, err := t.s3Client(ctx, aliceProfile)
	if err != nil {
		return "", err
	}
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: new(lake), Key: new(customersKey)})
	sentence, err := t.refusal(err, t.alice.Email, "DeleteObject")
	if err != nil {
		return "", err
	}
	t.shown(fmt.Sprintf("delete failed: s3://%s/%s An error occurred (AccessDenied) when calling the DeleteObject operation: %s", lake, customersKey, sentence))
	if err := t.stored(ctx, customersKey, []byte(sampleCSV)); err != nil {
		return "", fmt.Errorf("after a delete that was refused: %w", err)
	}
	return "blocked, and the object is still there", nil
}

func (t *story) readPublic(ctx context.Context) (string, error) {
	c, err := t.s3Client(ctx, bobProfile)
	if err != nil {
		return "", err
	}
	data, err := read(ctx, c, "public/holidays.csv")
	if err != nil {
		return "", err
	}
	t.shown(string(data))
	if string(data) != holidaysCSV {
		return "", errors.New("these are not the bytes that were stored")
	}
	return "he reads what everyone may read", nil
}

func (t *story) readSensitive(ctx context.Context) (string, error) {
	c, err := t.s3Client(ctx, bobProfile)
	if err != nil {
		return "", err
	}
	_, err = read(ctx, c, customersKey)
	sentence, err := t.refusal(err, t.bob.Email, "GetObject")
	if err != nil {
		return "", err
	}
	t.shown("An error occurred (AccessDenied) when calling the GetObject operation: " + sentence)
	return "blocked: customer data is not for him", nil
}

// refusal returns the sentence with which operation was blocked, and fails
// unless it says who was blocked, from what, and by which policy.
func (t *story) refusal(err error, person, operation string) (string, error) {
	if err == nil {
		return "", fmt.Errorf("%s was allowed; it should be blocked", operation)
	}
	blocked, ok := errors.AsType[smithy.APIError](err)
	if !ok || blocked.ErrorCode() != "AccessDenied" {
		return "", fmt.Errorf("%s failed, but was not blocked: %w", operation, err)
	}
	for _, part := range []string{person, operation, "s3://" + lake + "/" + customersKey, "SENSITIVE", "policy customer-data"} {
		if !strings.Contains(blocked.ErrorMessage(), part) {
			return "", fmt.Errorf("the refusal does not name %q: %s", part, blocked.ErrorMessage())
		}
	}
	return blocked.ErrorMessage(), nil
}
