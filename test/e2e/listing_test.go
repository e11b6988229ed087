package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	listedBucket = "listed"
	listedKeys   = 10_000
)

// A shelf is a bucket of which a person may read an uneven part: what ends in
// .pub and is not hidden.
type shelf struct {
	objects  []string // all keys, in order
	versions []string // and their versions and delete markers
	uploads  []string
}

func mayRead(key string) bool {
	return strings.HasSuffix(key, ".pub") && !strings.Contains(key, "hidden")
}

// listedKey is the key of that number: at the top and in folders; hidden ones one
// by one, in rows longer than a page, and in folders of their own.
func listedKey(i int) string {
	folder := ""
	switch {
	case i < 1500:
	case i < 8000:
		folder = fmt.Sprintf("t%02d/", i/100)
	case i < 8500:
		folder = fmt.Sprintf("u%02d/é a+b&c/", i/100)
	case i < 9000:
		folder = fmt.Sprintf("v-hidden/%02d/", i/100)
	default:
		folder = "w/deep/er/"
	}
	switch {
	case i%7 == 0, i >= 2500 && i < 5200 && i%900 != 0, i < 40, i >= listedKeys-40:
		return fmt.Sprintf("%s%05d-hidden.pub", folder, i)
	}
	return fmt.Sprintf("%s%05d.pub", folder, i)
}

// newShelf fills the bucket, with further versions and delete markers here and
// there, and begins uploads.
func newShelf(t *testing.T, u *upstream) *shelf {
	t.Helper()
	bucket := aws.String(listedBucket)
	if _, err := u.direct.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := u.direct.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	s := &shelf{}
	var mu sync.Mutex // guards s
	var wg sync.WaitGroup
	numbers := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range numbers {
				object, versions, upload, err := stock(context.WithoutCancel(t.Context()), u, i)
				mu.Lock()
				if err != nil {
					t.Error(err)
				}
				if object {
					s.objects = append(s.objects, listedKey(i))
				}
				if upload != "" {
					s.uploads = append(s.uploads, listedKey(i)+" "+upload)
				}
				for _, v := range versions {
					s.versions = append(s.versions, listedKey(i)+" "+v)
				}
				mu.Unlock()
			}
		})
	}
	for i := range listedKeys {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	slices.Sort(s.objects)
	return s
}

// stock makes the object of that number, and perhaps more of that name.
func stock(ctx context.Context, u *upstream, i int) (object bool, versions []string, upload string, err error) {
	bucket, key := aws.String(listedBucket), aws.String(listedKey(i))
	for range 1 + i%11/10 {
		put, err := u.direct.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("x")})
		if err != nil {
			return false, nil, "", err
		}
		versions = append(versions, aws.ToString(put.VersionId))
	}
	object = i%23 != 22
	if !object {
		gone, err := u.direct.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
		if err != nil {
			return false, nil, "", err
		}
		versions = append(versions, aws.ToString(gone.VersionId))
	}
	if i%13 == 0 {
		begun, err := u.direct.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
		if err != nil {
			return false, nil, "", err
		}
		upload = aws.ToString(begun.UploadId)
	}
	return object, versions, upload, nil
}

// want is what may be shown of names that begin with prefix.
func want(names []string, prefix, delimiter string) (reply s3Reply) {
	for _, name := range names {
		key, _, _ := strings.Cut(name, ".pub ")
		if key != name {
			key += ".pub"
		}
		if !mayRead(key) || !strings.HasPrefix(key, prefix) {
			continue
		}
		if before, _, found := strings.Cut(key[len(prefix):], delimiter); found && delimiter != "" {
			if p := prefix + before + delimiter; !slices.Contains(reply.Prefixes, p) {
				reply.Prefixes = append(reply.Prefixes, p)
			}
			continue
		}
		reply.Keys = append(reply.Keys, name)
	}
	return reply
}

// compare fails the test unless got is want, once each, and in order where
// ordered.
func compare(t *testing.T, what string, got, want []string, ordered bool) {
	t.Helper()
	if !ordered {
		got, want = slices.Clone(got), slices.Clone(want)
		slices.Sort(got)
		slices.Sort(want)
	}
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Errorf("%s: %d of them, want %d; from %d on there is %q, want %q", what, len(got), len(want), i, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
}

// Each client lists all that the person may read of 10,000 keys, once each and in
// order, with its own way of turning pages.
func TestListings(t *testing.T) {
	t.Parallel()
	p, u := startProvider(t, place{}), startUpstream(t)
	c := startSidecar(t, u, settings{Issuer: p.issuer}, nil)
	_, host, _ := strings.Cut(c.address, "://")
	at := newS3Place(t, s3Place{address: c.address, host: host, keys: c.session(t, p, "alice", engineerRole)})
	s := newShelf(t, u)
	for _, client := range []struct {
		name    string
		start   func(t *testing.T, p s3Place) driven
		ways    []string
		encoded []string // where names may be encoded: paginators hand markers back as they came, and botocore decodes only what it has encoded itself
	}{
		{"aws-sdk-go-v2", startGoSDK, []string{"v2", "v1", "versions", "uploads"}, []string{"v2", "v1"}},
		{"boto3", startBoto3, []string{"v2", "v1", "versions", "uploads"}, []string{"v2"}},
		{"@aws-sdk", startJavaScript, []string{"v2"}, []string{"v2"}},
	} {
		t.Run(client.name, func(t *testing.T) {
			d := client.start(t, at)
			for _, way := range client.ways {
				for _, delimiter := range []string{"", "/"} {
					call := s3Call{Do: doPages, Bucket: listedBucket, Way: way, Page: 1000, Delimiter: delimiter}
					s.list(t, d, call)
					if slices.Contains(client.encoded, way) {
						call.Page, call.Encoded = 333, true
						s.list(t, d, call)
					}
					if way != "uploads" { // versitygw does not take its own markers back
						call.Page = 100
					}
					call.Key = "u8"
					s.list(t, d, call)
				}
			}
		})
	}
	t.Run("programs", func(t *testing.T) { s.programs(t, at) })
	c.wantCounted(t)
}

func (s *shelf) list(t *testing.T, d driven, call s3Call) {
	t.Helper()
	names := map[string][]string{"v1": s.objects, "v2": s.objects, "versions": s.versions, "uploads": s.uploads}[call.Way]
	got, want := d.do(t, call), want(names, call.Key, call.Delimiter)
	what := fmt.Sprintf("%s %q %q encoded %v", call.Way, call.Key, call.Delimiter, call.Encoded)
	objects := call.Way == "v1" || call.Way == "v2"
	compare(t, what, got.Keys, want.Keys, objects)
	compare(t, what+" folders", got.Prefixes, want.Prefixes, objects)
	if strings.Contains(fmt.Sprint(got), "hidden") {
		t.Errorf("%s: a hidden name is shown", what)
	}
}

// programs list as people do at a terminal.
func (s *shelf) programs(t *testing.T, at s3Place) {
	all, top := want(s.objects, "", ""), want(s.objects, "", "/")
	lines := func(out string, cut func(line string) string) []string {
		var list []string
		for line := range strings.Lines(out) {
			list = append(list, cut(strings.TrimSuffix(line, "\n")))
		}
		return list
	}
	ls := func(line string) string { // date, time, size, name
		return strings.TrimSpace(line[min(len(line), len("2026-03-02 09:14:07          1 ")):])
	}
	t.Run("aws CLI", func(t *testing.T) {
		aws := startAWSCLI(t, at).(*awsProgram)
		compare(t, "s3 ls --recursive", lines(aws.run(t, "s3", "ls", "--recursive", "s3://"+listedBucket).out, ls), all.Keys, true)
		compare(t, "s3 ls", lines(aws.run(t, "s3", "ls", "s3://"+listedBucket+"/").out, ls), slices.Concat(top.Prefixes, top.Keys), false)
		compare(t, "list-objects", strings.Fields(aws.run(t, "s3api", "list-objects", "--bucket", listedBucket, "--prefix", "t", "--page-size", "200", "--query", "Contents[].[Key]", "--output", "text").out),
			want(s.objects, "t", "").Keys, true)
	})
	t.Run("rclone", func(t *testing.T) {
		r := startRclone(t, at).(*rclone)
		for _, version := range []string{"1", "2"} {
			args := []string{"lsf", "--s3-list-version", version, "sidecar:" + listedBucket}
			plain := func(line string) string { return line }
			compare(t, "lsf", lines(r.run(t, args...).out, plain), slices.Concat(top.Prefixes, top.Keys), false)
			compare(t, "lsf -R --fast-list", lines(r.run(t, append(args, "-R", "--files-only", "--fast-list")...).out, plain), all.Keys, false)
		}
	})
	t.Run("s3cmd", func(t *testing.T) {
		got := startS3cmd(t, at).do(t, s3Call{Do: doList, Bucket: listedBucket})
		compare(t, "ls --recursive", got.Keys, all.Keys, true)
	})
	t.Run("minio-go", func(t *testing.T) {
		got := startMinio(t, at).do(t, s3Call{Do: doList, Bucket: listedBucket, Key: "u8"})
		compare(t, "ListObjects", got.Keys, want(s.objects, "u8", "").Keys, true)
	})
}

// wantCounted asserts that the audit log says how much was hidden.
func (c *sidecar) wantCounted(t *testing.T) {
	t.Helper()
	var objects, hidden int
	for _, e := range c.events(t) {
		if e.Kind == "outcome" && e.Request.Bucket == listedBucket {
			objects, hidden = objects+e.Response.Objects, hidden+e.Response.Hidden
		}
	}
	if objects < listedKeys || hidden < listedKeys/10 {
		t.Errorf("the audit log tells of %d entries that were shown and %d that were hidden", objects, hidden)
	}
}
