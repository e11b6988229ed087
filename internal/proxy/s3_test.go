package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/gimme-broker/gimme/pkg/audit"
)

func wantCode(t *testing.T, err error, code, sentence string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("want %s, got %v", code, err)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), sentence) {
		t.Errorf("want %s with %q, got %s: %s", code, sentence, api.ErrorCode(), api.ErrorMessage())
	}
}

func TestWhatIsAllowedPassesThroughUnchanged(t *testing.T) {
	c := start(t, nil)
	client := c.s3(c.login(nil))
	bucket := aws.String("lake")
	for _, key := range []string{
		"customers/plain.csv", "customers/a b+c%2Fd%25.csv", "customers//double", "customers/ünï—✓.csv", "customers/?acl&x=y#z", "customers/~!*'();:@&=$,[]",
	} {
		body := strings.Repeat(key, 1000)
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: bucket, Key: &key, Body: strings.NewReader(body), ContentType: aws.String("text/csv"), Metadata: map[string]string{"owner": "alice"},
		})
		if err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
		if got, ok := c.stored("lake", key); !ok || got != body {
			t.Errorf("%q is stored as %d bytes, %v", key, len(got), ok)
		}
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
		if err != nil {
			t.Fatalf("get %q: %v", key, err)
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || string(got) != body || aws.ToString(out.ContentType) != "text/csv" || out.Metadata["owner"] != "alice" {
			t.Errorf("get %q: %d bytes, %v, %v", key, len(got), out.Metadata, err)
		}
	}
	ranged, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("customers/plain.csv"), Range: aws.String("bytes=10-18")})
	if err != nil {
		t.Fatal(err)
	}
	if part, _ := io.ReadAll(ranged.Body); string(part) != "plain.csv" {
		t.Errorf("range: %q", part)
	}
	if _, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("customers/plain.csv")}); err != nil {
		t.Error(err)
	}
	list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("customers/")})
	if err != nil || len(list.Contents) != 6 {
		t.Errorf("list: %v, %v", list, err)
	}
	_, err = client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("customers/copy.csv"), CopySource: aws.String("lake/customers/plain.csv")})
	if err != nil {
		t.Error(err)
	}
	if _, ok := c.stored("lake", "customers/copy.csv"); !ok {
		t.Error("the copy is not there")
	}
}

// An allowed request has a decision with its reasons, and an outcome of the
// same id with what became of it.
func TestAnAllowedRequestHasDecisionAndOutcome(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	client := c.s3(c.login(nil))
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, out.Body)
	out.Body.Close()
	if err := c.stop(); err != nil { // the outcome is written after the last byte
		t.Fatal(err)
	}
	events := c.events()
	if len(events) != 3 || events[2].Kind != audit.KindAdmin {
		t.Fatalf("got %+v", events)
	}
	decision, outcome := events[0], events[1]
	if decision.Kind != audit.KindDecision || decision.Decision != audit.Allowed || !slices.Equal(decision.Labels, []string{"SENSITIVE"}) ||
		len(decision.Reasons) != 1 || decision.Reasons[0].Policy != "customer-data" || decision.Request.Operation != "GetObject" ||
		!slices.Equal(decision.Request.Actions, []string{"s3:GetObject"}) || !slices.Equal(decision.Request.Access, []string{"reads"}) ||
		decision.Request.Bucket != "lake" || decision.Request.Key != "customers/x" || decision.Role != roleEveryone || decision.Client.IP != "127.0.0.1" ||
		decision.Principal.Email != "alice@example.com" || decision.Principal.Subject != "alice-1" || decision.Session == nil || !strings.HasPrefix(decision.PolicyDigest, "sha256:") {
		t.Errorf("decision: %+v", decision)
	}
	if outcome.Kind != audit.KindOutcome || outcome.ID != decision.ID || outcome.Response.Status != 200 || outcome.Response.Bytes != 5 ||
		outcome.Upstream.Endpoint != c.store.URL || outcome.Upstream.RequestID == "" {
		t.Errorf("outcome: %+v %+v %+v", outcome, outcome.Response, outcome.Upstream)
	}
}

func TestMultipart(t *testing.T) {
	c := start(t, nil)
	client := c.s3(c.login(nil))
	bucket, key := aws.String("lake"), aws.String("customers/large.bin")
	parts := [][]byte{random(5<<20, 1), random(1<<20+7, 2)}
	created, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var done []types.CompletedPart
	for i, part := range parts {
		n := aws.Int32(int32(i + 1))
		out, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: created.UploadId, PartNumber: n, Body: bytes.NewReader(part)})
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, types.CompletedPart{PartNumber: n, ETag: out.ETag})
	}
	completed, err := client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: created.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := c.URL() + "/lake/customers/large.bin"; aws.ToString(completed.Location) != want {
		t.Errorf("Location is %q, want %q", aws.ToString(completed.Location), want)
	}
	if got, _ := c.stored("lake", "customers/large.bin"); got != string(slices.Concat(parts...)) {
		t.Error("the object differs from its parts")
	}
	aborted, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("customers/never")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String("customers/never"), UploadId: aborted.UploadId}); err != nil {
		t.Error(err)
	}
}

func random(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, seed))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestPolicyBlocksBeforeTheUpstream(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	c.put("lake", "customers/x?", "other")
	c.put("unlabelled-bucket", "x", "hello")
	alice, bobs := c.s3(c.login(nil)), c.s3(c.login(bob))
	lake := aws.String("lake")
	for _, test := range []struct {
		name     string
		do       func() error
		sentence string
		label    string
	}{
		{"delete", func() error {
			_, err := alice.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: lake, Key: aws.String("customers/x")})
			return err
		}, "alice@example.com may not DeleteObject s3://lake/customers/x (label SENSITIVE): policy customer-data", "SENSITIVE"},
		{"read by another person", func() error {
			_, err := bobs.GetObject(t.Context(), &s3.GetObjectInput{Bucket: lake, Key: aws.String("customers/x")})
			return err
		}, "bob@example.com may not GetObject s3://lake/customers/x (label SENSITIVE)", "SENSITIVE"},
		{"read of what is not there", func() error {
			_, err := bobs.GetObject(t.Context(), &s3.GetObjectInput{Bucket: lake, Key: aws.String("customers/absent")})
			return err
		}, "bob@example.com may not GetObject s3://lake/customers/absent (label SENSITIVE)", "SENSITIVE"},
		{"unlabelled", func() error {
			_, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("unlabelled-bucket"), Key: aws.String("x")})
			return err
		}, "alice@example.com may not GetObject s3://unlabelled-bucket/x", ""},
		{"beside a prefix", func() error {
			_, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: lake, Key: aws.String("customersx")})
			return err
		}, "alice@example.com may not GetObject s3://lake/customersx", ""},
		{"a bucket whose name is longer", func() error {
			_, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("secret-bucket-2"), Key: aws.String("x")})
			return err
		}, "alice@example.com may not GetObject s3://secret-bucket-2/x", ""},
		{"copy out of reach", func() error {
			_, err := bobs.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: lake, Key: aws.String("public/x"), CopySource: aws.String("lake/customers/x")})
			return err
		}, "bob@example.com may not CopyObject s3://lake/public/x (label PUBLIC): policy public-data has no rule that lets you update PUBLIC data; needed: membership of data-engineering; and s3://lake/customers/x (label SENSITIVE): policy", "SENSITIVE"},
		{"listing of a prefix", func() error {
			_, err := bobs.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: lake, Prefix: aws.String("customers/")})
			return err
		}, "bob@example.com may not ListObjectsV2", "SENSITIVE"},
		{"listing of a shorter prefix", func() error {
			_, err := bobs.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: lake, Prefix: aws.String("cust")})
			return err
		}, "bob@example.com may not ListObjectsV2", "SENSITIVE"},
		{"listing of a bucket in which nothing may be read", func() error {
			_, err := bobs.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("secret-bucket")})
			return err
		}, "bob@example.com may not ListObjectsV2 s3://secret-bucket", "SENSITIVE"},
		{"an ACL on the way", func() error {
			_, err := alice.PutObject(t.Context(), &s3.PutObjectInput{Bucket: lake, Key: aws.String("customers/x"), Body: strings.NewReader("y"), ACL: types.ObjectCannedACLPublicRead})
			return err
		}, "alice@example.com may not PutObject s3://lake/customers/x", "SENSITIVE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantCode(t, test.do(), "AccessDenied", test.sentence)
			c.wantNothingUpstream()
			e := c.wantOneRefusal("AccessDenied", test.sentence)
			if test.label != "" && !slices.Contains(e.Labels, test.label) || len(e.Reasons) == 0 {
				t.Errorf("labels %q, reasons %+v", e.Labels, e.Reasons)
			}
		})
	}
	if got, _ := c.stored("lake", "customers/x"); got != "hello" {
		t.Errorf("the object is now %q", got)
	}
}

// What is not served is refused by its name, and who may not manage a bucket
// does not learn how it is configured.
func TestOperationsThatAreNotForAlice(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	alice := c.s3(c.login(nil))
	lake, key := aws.String("lake"), aws.String("customers/x")
	for name, test := range map[string]struct {
		code string
		do   func() error
	}{
		"GetBucketPolicy": {"AccessDenied", func() error {
			_, err := alice.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: lake})
			return err
		}},
		"GetObjectAcl": {"AccessDenied", func() error {
			_, err := alice.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: lake, Key: key})
			return err
		}},
		"DeleteBucket": {"AccessDenied", func() error {
			_, err := alice.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: lake})
			return err
		}},
		"GetObjectTorrent": {"NotImplemented", func() error {
			_, err := alice.GetObjectTorrent(t.Context(), &s3.GetObjectTorrentInput{Bucket: lake, Key: key})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, test.do(), test.code, "")
			c.wantNothingUpstream()
			if e := c.wantOneRefusal(test.code, ""); e.Request == nil || e.Request.Bucket != "lake" || e.Request.Operation != name {
				t.Errorf("the event does not say what was asked: %+v", e.Request)
			}
		})
	}
}

func TestBatchDeleteIsDecidedKeyByKey(t *testing.T) {
	c := start(t, nil)
	for _, key := range []string{"public/a", "public/b", "customers/x", "customers/y"} {
		c.put("lake", key, key)
	}
	alice := c.s3(c.login(nil))
	remove := func(keys ...string) *s3.DeleteObjectsOutput {
		t.Helper()
		var ids []types.ObjectIdentifier
		for _, k := range keys {
			ids = append(ids, types.ObjectIdentifier{Key: &k})
		}
		out, err := alice.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("lake"), Delete: &types.Delete{Objects: ids}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}

	out := remove("public/a", "customers/x", "public/b", "customers/y")
	if len(out.Deleted) != 2 || len(out.Errors) != 2 || aws.ToString(out.Errors[0].Key) != "customers/x" || aws.ToString(out.Errors[0].Code) != "AccessDenied" ||
		!strings.Contains(aws.ToString(out.Errors[0].Message), "alice@example.com may not DeleteObject s3://lake/customers/x (label SENSITIVE)") {
		t.Errorf("got %+v, errors %+v", out.Deleted, out.Errors)
	}
	if seen := c.store.seen(); len(seen) != 1 {
		t.Errorf("upstream saw %q", seen)
	}
	for key, want := range map[string]bool{"public/a": false, "public/b": false, "customers/x": true, "customers/y": true} {
		if _, there := c.stored("lake", key); there != want {
			t.Errorf("%s is there: %v", key, there)
		}
	}
	told := decisions(c.events())
	if len(told) != 2 || told[0].Decision != audit.Blocked || !slices.Equal(told[0].Request.Keys, []string{"customers/x", "customers/y"}) ||
		told[1].Decision != audit.Allowed || !slices.Equal(told[1].Request.Keys, []string{"public/a", "public/b"}) || told[0].ID != told[1].ID {
		t.Errorf("events: %+v", told)
	}

	if out := remove("customers/x"); len(out.Errors) != 1 || len(out.Deleted) != 0 {
		t.Errorf("got %+v", out)
	}
	c.wantNothingUpstream()
	if told := c.events(); len(told) != 1 || told[0].Decision != audit.Blocked {
		t.Errorf("events: %+v", told)
	}
}

func TestListBucketsShowsWhatOneMayUse(t *testing.T) {
	c := start(t, nil)
	for name, want := range map[string]struct {
		who     map[string]any
		buckets []string
	}{
		"alice": {nil, []string{"lake", "secret-bucket"}},
		"bob":   {bob, []string{"lake"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := c.s3(c.login(want.who)).ListBuckets(t.Context(), &s3.ListBucketsInput{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range out.Buckets {
				got = append(got, aws.ToString(b.Name))
			}
			if !slices.Equal(got, want.buckets) {
				t.Errorf("got %q, want %q", got, want.buckets)
			}
		})
	}
}

func TestPresignedURLs(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	c.put("lake", "customers/y", "hello")
	presign := s3.NewPresignClient(c.s3(c.login(nil)))
	get, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(url string, header ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	if status, body := fetch(get.URL); status != 200 || body != "hello" {
		t.Fatalf("got %d %q", status, body)
	}
	if status, body := fetch(get.URL, "Range", "bytes=1-2"); status != 206 || body != "el" {
		t.Errorf("an unsigned range on a read: got %d %q", status, body)
	}
	c.events()
	c.store.seen()
	for name, test := range map[string]struct {
		url    string
		header []string
		code   string
	}{
		"another key":            {strings.Replace(get.URL, "customers/x", "customers/y", 1), nil, "SignatureDoesNotMatch"},
		"longer life":            {strings.Replace(get.URL, "X-Amz-Expires=900", "X-Amz-Expires=9000", 1), nil, "SignatureDoesNotMatch"},
		"an unsigned amz header": {get.URL, []string{"X-Amz-Copy-Source", "lake/customers/y"}, "AccessDenied"},
		"a parameter more":       {get.URL + "&versionId=1", nil, "SignatureDoesNotMatch"},
		"two authentications":    {get.URL, []string{"Authorization", "AWS4-HMAC-SHA256 x"}, "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := fetch(test.url, test.header...)
			if status < 400 || !strings.Contains(body, "<Code>"+test.code+"</Code>") {
				t.Errorf("got %d %s", status, body)
			}
			c.wantNothingUpstream()
			c.wantOneRefusal(test.code, "")
		})
	}
}

func TestUpstreamErrorsReachTheClientWithoutTheUpstreamsSecrets(t *testing.T) {
	c := start(t, nil)
	alice := c.s3(c.login(nil))
	get := func(key string) error {
		_, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key})
		return err
	}
	wantCode(t, get("customers/absent"), "NoSuchKey", "")

	answer := func(status int, xml string) {
		c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(status)
			io.WriteString(w, xml)
			return true
		})
	}
	for name, test := range map[string]struct {
		status int
		xml    string
		code   string
	}{
		"its signature check fails": {403, `<Error><Code>SignatureDoesNotMatch</Code><Message>m</Message><AWSAccessKeyId>` + upstreamKey + `</AWSAccessKeyId><StringToSign>canary-string</StringToSign></Error>`, "InternalError"},
		"redirect":                  {307, `<Error><Code>TemporaryRedirect</Code><Endpoint>elsewhere.example</Endpoint></Error>`, "InternalError"},
		"not XML":                   {500, `canary-page`, "InternalError"},
		"throttled":                 {503, `<Error><Code>SlowDown</Code><Message>Reduce your rate</Message><HostId>canary-host</HostId></Error>`, "SlowDown"},
	} {
		t.Run(name, func(t *testing.T) {
			answer(test.status, test.xml)
			c.store.seen()
			err := get("customers/x")
			wantCode(t, err, test.code, "")
			for _, canary := range []string{upstreamKey, "canary", "elsewhere"} {
				if strings.Contains(err.Error(), canary) {
					t.Errorf("%q reached the client: %v", canary, err)
				}
			}
			seen := c.store.seen()
			if test.status == 307 && len(seen) == 2 && seen[1] == "HEAD /lake" { // where the bucket is
				seen = seen[:1]
			}
			if len(seen) != 1 {
				t.Errorf("upstream saw %q", seen)
			}
		})
	}
}

func TestAnAnswerThatBreaksOffNeverLooksWhole(t *testing.T) {
	c := start(t, nil)
	alice := c.s3(c.login(nil))
	c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Length", "1000000")
		w.Write(bytes.Repeat([]byte("x"), 500000))
		panic(http.ErrAbortHandler)
	})
	out, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	if err == nil {
		_, err = io.Copy(io.Discard, out.Body)
	}
	if err == nil {
		t.Error("a part was taken for the whole")
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if events := c.events(); len(events) != 3 || !strings.Contains(events[1].Error, "cut") {
		t.Errorf("events: %+v", events)
	}
}

func TestTheUpstreamIsDown(t *testing.T) {
	c := start(t, nil)
	alice := c.s3(c.login(nil))
	c.store.Close()
	_, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	wantCode(t, err, "ServiceUnavailable", "The real S3 cannot be reached.")
}

func TestGetCallerIdentity(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	provider := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil })
	out, err := c.sts(provider).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := aws.ToString(out.Arn), "arn:aws:sts::111122223333:assumed-role/lake-reader/alice@example.com"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.events()
	keys.SecretAccessKey += "x"
	_, err = c.sts(provider).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "SignatureDoesNotMatch", "")
	c.wantOneRefusal("SignatureDoesNotMatch", "")
}

// Secrets are in no event and no log line, at any level.
func TestNoSecretIsWritten(t *testing.T) {
	c := start(t, nil)
	token := c.provider.token(t, nil)
	keys, err := c.assume(roleEveryone, token)
	if err != nil {
		t.Fatal(err)
	}
	alice := c.s3(keys)
	key := aws.String("customers/x")
	alice.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: key, Body: strings.NewReader("canary-body")})
	alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: key})
	alice.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: key})
	wrong := keys
	wrong.SecretAccessKey = "canary-wrong-secret"
	c.s3(wrong).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: key})
	c.assume(roleEngineers, c.provider.token(t, bob))
	presigned, err := s3.NewPresignClient(alice).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultTransport.RoundTrip(must(http.NewRequest(http.MethodGet, presigned.URL+"x", nil))); err == nil {
		response.Body.Close()
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	written := c.log.String() + fmt.Sprint(c.rawEvents())
	_, signature, _ := strings.Cut(presigned.URL, "X-Amz-Signature=")
	for what, canary := range map[string]string{
		"ID token": token, "its signature": token[strings.LastIndex(token, ".")+1:], "secret": keys.SecretAccessKey, "session token": keys.SessionToken,
		"upstream secret": upstreamSecret, "body": "canary-body", "wrong secret": "canary-wrong-secret", "signature": signature,
	} {
		if strings.Contains(written, canary) {
			t.Errorf("%s was written", what)
		}
	}
	if !strings.Contains(written, "customers/x") {
		t.Error("nothing was written at all")
	}
}
