package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A stage is where the script is played: a client, its place, and a bucket that
// nobody else uses.
type stage struct {
	driven
	s3Program
	s3Place
	upstream *upstream
	fetch    *http.Client // for presigned addresses
	bucket   string
	big      file // what goes in parts
}

// A step of the script. needs are the operations without which it cannot be
// played at all.
type step struct {
	name  string
	needs []operation
	play  func(*stage, *testing.T)
}

// script is what every client does. No step leaves anything for the next.
func script() []step {
	return []step{
		{"put, get and head", nil, (*stage).small},
		{"list", nil, (*stage).list},
		{"copy", nil, (*stage).copies},
		{"ranged get", []operation{doRange}, (*stage).ranged},
		{"in parts", nil, (*stage).inParts},
		{"delete many", []operation{doDelete}, (*stage).deleteMany},
		{"presigned get", []operation{doPresignGet}, (*stage).presignedGet},
		{"presigned put", []operation{doPresignPut}, (*stage).presignedPut},
		{"tags", []operation{doPutTags}, (*stage).tags},
		{"odd keys", nil, (*stage).oddKeys},
	}
}

// play plays the whole script. A step is left out only for a reason that the
// table has.
func (s *stage) play(t *testing.T) {
	for _, step := range script() {
		if slices.ContainsFunc(step.needs, func(o operation) bool { return s.lacks[o] != "" }) {
			t.Logf("%s: %s %s", step.name, s.name, s.lacks[step.needs[0]])
			continue
		}
		t.Run(step.name, func(t *testing.T) { step.play(s, t) })
	}
}

// do fills in the bucket.
func (s *stage) do(t *testing.T, c s3Call) s3Reply {
	t.Helper()
	c.Bucket = s.bucket
	return s.driven.do(t, c)
}

func (s *stage) small(t *testing.T) {
	f := newFile(t, 70_001)
	s.do(t, s3Call{Do: doPut, Key: "small", File: f.path})
	s.has(t, "small", f)
	if size := s.do(t, s3Call{Do: doHead, Key: "small"}).Size; size != f.size {
		t.Errorf("head tells %d bytes, want %d", size, f.size)
	}
	s.comesBack(t, doGet, "small", f)
}

// list goes through several pages, where the client lets one choose their size.
func (s *stage) list(t *testing.T) {
	var want []string
	for _, name := range []string{"list/a", "list/b", "list/c/d", "list/e f", "list/é"} {
		s.direct(t, name, name)
		want = append(want, name)
	}
	s.direct(t, "listless", "")
	if got := s.do(t, s3Call{Do: doList, Key: "list/"}).Keys; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}

func (s *stage) copies(t *testing.T) {
	f := newFile(t, 5_000)
	s.do(t, s3Call{Do: doPut, Key: "copy/from here+é", File: f.path})
	s.do(t, s3Call{Do: doCopy, Key: "copy/from here+é", To: "copy/to there&ü"})
	s.has(t, "copy/to there&ü", f)
}

func (s *stage) ranged(t *testing.T) {
	f := newFile(t, 10_000)
	s.do(t, s3Call{Do: doPut, Key: "ranged", File: f.path})
	into := filepath.Join(t.TempDir(), "part")
	s.do(t, s3Call{Do: doRange, Key: "ranged", File: into, First: 1_234, Last: 5_677})
	whole := readFile(t, f.path)
	if got := readFile(t, into); got != whole[1_234:5_678] {
		t.Errorf("got %d bytes, not those that were asked for", len(got))
	}
}

func (s *stage) inParts(t *testing.T) {
	before := len(s.upstream.requests())
	s.do(t, s3Call{Do: doUpload, Key: "in parts", File: s.big.path})
	parts := 0
	for _, r := range s.upstream.requests()[before:] {
		if strings.HasPrefix(r.line, "PUT /"+s.bucket+"/in%20parts?partNumber=") {
			parts++
		}
	}
	if parts < 2 {
		t.Errorf("it went up in %d parts", parts)
	}
	s.has(t, "in parts", s.big)
	s.comesBack(t, doDownload, "in parts", s.big)
	s.remove(t, "in parts")
}

func (s *stage) deleteMany(t *testing.T) {
	keys := []string{"delete/1", "delete/2 é", "delete/a&b<c>"}
	for _, k := range keys {
		s.direct(t, k, k)
	}
	s.direct(t, "deleted", "stays")
	before := len(s.upstream.requests())
	s.do(t, s3Call{Do: doDelete, Key: "delete/", Keys: keys})
	if got := s.below(t, "delete"); !maps.Equal(got, map[string]string{"deleted": digest("stays")}) {
		t.Errorf("left are %v", slices.Sorted(maps.Keys(got)))
	}
	batches := 0
	for _, r := range s.upstream.requests()[before:] {
		if strings.HasPrefix(r.line, "POST /"+s.bucket+"?delete") {
			batches++
		}
	}
	if batches != 1 {
		t.Errorf("%d requests deleted many, want one", batches)
	}
}

func (s *stage) presignedGet(t *testing.T) {
	f := newFile(t, 3_000)
	s.do(t, s3Call{Do: doPut, Key: "presigned/down é", File: f.path})
	status, body := s.follow(t, http.MethodGet, s.do(t, s3Call{Do: doPresignGet, Key: "presigned/down é"}), "")
	if status != http.StatusOK || digest(body) != f.digest {
		t.Errorf("%d, %d bytes", status, len(body))
	}
}

func (s *stage) presignedPut(t *testing.T) {
	f := newFile(t, 3_000)
	status, body := s.follow(t, http.MethodPut, s.do(t, s3Call{Do: doPresignPut, Key: "presigned/up é"}), readFile(t, f.path))
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	s.has(t, "presigned/up é", f)
}

// follow does with a presigned address what whoever it is handed to does.
func (s *stage) follow(t *testing.T, method string, signed s3Reply, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, signed.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range signed.Headers {
		r.Header.Set(name, value)
	}
	response, err := s.fetch.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(got)
}

func (s *stage) tags(t *testing.T) {
	s.direct(t, "tagged", "tagged")
	want := map[string]string{"team": "data", "a key": "a+b=c/d:e@f_g"}
	s.do(t, s3Call{Do: doPutTags, Key: "tagged", Tags: want})
	if got := s.do(t, s3Call{Do: doGetTags, Key: "tagged"}).Tags; !maps.Equal(got, want) {
		t.Errorf("the tags are %v, want %v", got, want)
	}
}

// comesBack gets key and compares it byte for byte.
func (s *stage) comesBack(t *testing.T, how operation, key string, f file) {
	t.Helper()
	into := filepath.Join(t.TempDir(), "back")
	s.do(t, s3Call{Do: how, Key: key, File: into})
	if size, got := digestFile(t, into); got != f.digest {
		t.Errorf("%q came back otherwise: %d bytes of %d", key, size, f.size)
	}
}

// direct makes an object around the sidecar.
func (s *stage) direct(t *testing.T, key, text string) {
	t.Helper()
	_, err := s.upstream.direct.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(key), Body: strings.NewReader(text)})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func (s *stage) remove(t *testing.T, key string) {
	t.Helper()
	if _, err := s.upstream.direct.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(key)}); err != nil {
		t.Fatal(err)
	}
}

// has fails the test unless the upstream holds f as key.
func (s *stage) has(t *testing.T, key string, f file) {
	t.Helper()
	got, err := s.upstream.direct.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(key)})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	defer got.Body.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.digest {
		t.Errorf("upstream, %q is something else: %d bytes, want %d", key, size, f.size)
	}
}

// below are the digests of all objects whose keys begin with prefix, as the
// upstream has them.
func (s *stage) below(t *testing.T, prefix string) map[string]string {
	t.Helper()
	found := map[string]string{}
	pages := s3.NewListObjectsV2Paginator(s.upstream.direct, &s3.ListObjectsV2Input{Bucket: aws.String(s.bucket), Prefix: aws.String(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got, err := s.upstream.direct.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(got.Body)
			got.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			found[aws.ToString(o.Key)] = digest(string(text))
		}
	}
	return found
}

// A file holds random bytes.
type file struct {
	path   string
	size   int64
	digest string // hex of its SHA-256
}

// newFile makes a file of bytes that no other file of any run has.
func newFile(t *testing.T, size int64) file {
	t.Helper()
	return newFileIn(t, t.TempDir(), "random", size)
}

func newFileIn(t *testing.T, folder, name string, size int64) file {
	t.Helper()
	f := file{path: filepath.Join(folder, name), size: size}
	to, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(to, sum), rand.NewChaCha8(seed), size); err != nil {
		t.Fatal(err)
	}
	f.digest = hex.EncodeToString(sum.Sum(nil))
	return f
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func digestFile(t *testing.T, path string) (int64, string) {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	sum := sha256.New()
	size, err := io.CopyBuffer(sum, from, bytes.Repeat([]byte{0}, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return size, hex.EncodeToString(sum.Sum(nil))
}
