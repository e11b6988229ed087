package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// workers are the clients that do one thing after the other.
const workers = 6

// things is how many objects each worker writes again and again.
const things = 12

// A worker is one client, with people whose sessions it uses and objects that
// nobody else writes.
type worker struct {
	*soak
	n      int
	random *rand.Rand
	alice  *soakPerson // who may
	carol  *soakPerson // who has a role, and may nothing
	folder string
	things []*thing
	old    aws.Credentials // which it had before
}

func (s *soak) newWorker(n int) *worker {
	w := &worker{soak: s, n: n, random: s.random(fmt.Sprintf("worker %d %d", n, s.loads))}
	role := engineerRole
	if n%3 == 2 {
		role = briefRole
	}
	w.alice = s.newPerson(fmt.Sprintf("alice-%d", n), role, "data-engineering")
	w.carol = s.newPerson(fmt.Sprintf("carol-%d", n), staffRole, "staff")
	w.folder = fmt.Sprintf("soak/open/%d-%x/", n, w.random.Uint32())
	for i := range things {
		w.things = append(w.things, s.stock.thing(fmt.Sprintf("%s%02d", w.folder, i)))
	}
	return w
}

// run does things until ctx ends. What has been begun is finished.
func (w *worker) run(ctx context.Context) {
	defer w.alice.leave()
	defer w.carol.leave()
	for wait(ctx, time.Duration(w.random.IntN(60))*time.Millisecond) {
		w.act()
	}
}

// act does one thing. The shares are of a hundred.
func (w *worker) act() {
	o := w.things[w.random.IntN(len(w.things))]
	switch n := w.random.IntN(100); {
	case n < 30:
		w.read(o)
	case n < 32:
		w.readShared(w.stock.big(), "")
	case n < 42:
		w.readPart(w.stock.small(w.random))
	case n < 50:
		w.head(o)
	case n < 55:
		w.list()
	case n < 77:
		w.write(o)
	case n < 81:
		w.remove(o)
	case n < 84:
		w.removeSome()
	case n < 88:
		w.copyOf(o)
	case n < 94:
		w.forbidden()
	default:
		w.wrong()
	}
}

func (w *worker) name() *string { return aws.String(bucket) }

// read reads what the worker has written.
func (w *worker) read(o *thing) {
	if !w.known(o) {
		return
	}
	i := &intent{what: "GetObject"}
	if o.may[0] == absent {
		i.what, i.want = "GetObject of nothing", []int{http.StatusNotFound}
	}
	got, err := w.alice.s3.GetObject(about(i), &s3.GetObjectInput{Bucket: w.name(), Key: &o.key})
	if err == nil {
		hash := sha256.New()
		if _, err = io.Copy(hash, got.Body); err == nil && contentSum(hash.Sum(nil)) != o.may[0] {
			w.fault("%s came back as something else", o.key)
		}
		got.Body.Close()
	}
	w.failed(i, err)
}

// readShared reads an object whole, or a range of it.
func (w *worker) readShared(o sharedObject, part string) []byte {
	i := &intent{what: "GetObject of " + sizeWord(len(o.data))}
	input := &s3.GetObjectInput{Bucket: w.name(), Key: &o.key}
	if part != "" {
		i.what, input.Range = "GetObject, a range", &part
	}
	got, err := w.alice.s3.GetObject(about(i), input)
	var data []byte
	if err == nil {
		hash := sha256.New()
		var kept bytes.Buffer
		into := io.Writer(&kept)
		if part == "" {
			into = hash
		}
		_, err = io.Copy(into, got.Body)
		got.Body.Close()
		data = kept.Bytes()
		if err == nil && part == "" && contentSum(hash.Sum(nil)) != sha256.Sum256(o.data) {
			w.fault("%s came back as something else", o.key)
		}
	}
	w.failed(i, err)
	if err != nil {
		return nil
	}
	return data
}

func sizeWord(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return "up to 100 KiB"
}

func (w *worker) readPart(o sharedObject) {
	first := w.random.IntN(len(o.data))
	last := first + w.random.IntN(len(o.data)-first)
	if data := w.readShared(o, fmt.Sprintf("bytes=%d-%d", first, last)); data != nil && !bytes.Equal(data, o.data[first:last+1]) {
		w.fault("%s: bytes %d to %d came back as something else", o.key, first, last)
	}
}

func (w *worker) head(o *thing) {
	if !w.known(o) {
		return
	}
	i := &intent{what: "HeadObject"}
	if o.may[0] == absent {
		i.what, i.want = "HeadObject of nothing", []int{http.StatusNotFound}
	}
	_, err := w.alice.s3.HeadObject(about(i), &s3.HeadObjectInput{Bucket: w.name(), Key: &o.key})
	w.failed(i, err)
}

// list lists the worker's folder page by page, and compares.
func (w *worker) list() {
	i := &intent{what: "ListObjectsV2"}
	found := map[string]bool{}
	pages := s3.NewListObjectsV2Paginator(w.alice.s3, &s3.ListObjectsV2Input{Bucket: w.name(), Prefix: &w.folder, MaxKeys: aws.Int32(5)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(about(i))
		if err != nil {
			w.failed(i, err)
			return
		}
		for _, o := range page.Contents {
			found[aws.ToString(o.Key)] = true
		}
	}
	for _, o := range w.things {
		if time.Now().After(o.until) && len(o.may) == 1 && found[o.key] != (o.may[0] != absent) {
			w.fault("%s: listed %v, and it is there: %v", o.key, found[o.key], o.may[0] != absent)
		}
	}
}

func (w *worker) remove(o *thing) {
	if !w.free(o) {
		return
	}
	i := &intent{what: "DeleteObject"}
	_, err := w.alice.s3.DeleteObject(about(i), &s3.DeleteObjectInput{Bucket: w.name(), Key: &o.key})
	w.failed(i, err)
	o.wrote(absent, err == nil, w.journal.sure(i))
}

func (w *worker) removeSome() {
	var batch []*thing
	var names []types.ObjectIdentifier
	for _, k := range w.random.Perm(len(w.things))[:3] {
		if o := w.things[k]; w.free(o) {
			batch, names = append(batch, o), append(names, types.ObjectIdentifier{Key: &o.key})
		}
	}
	if len(batch) == 0 {
		return
	}
	kept := "soak/kept/one" // is answered for itself
	names = append(names, types.ObjectIdentifier{Key: &kept})
	i := &intent{what: "DeleteObjects, one of them blocked"}
	got, err := w.alice.s3.DeleteObjects(about(i), &s3.DeleteObjectsInput{Bucket: w.name(), Delete: &types.Delete{Objects: names}})
	w.failed(i, err)
	if err == nil && (len(got.Errors) != 1 || aws.ToString(got.Errors[0].Key) != kept || aws.ToString(got.Errors[0].Code) != "AccessDenied") {
		w.fault("a batch with one object that must not go was answered with %d errors, not one", len(got.Errors))
	}
	for _, o := range batch {
		o.wrote(absent, err == nil, w.journal.sure(i))
	}
}

// copyOf copies a shared object over one of the worker's.
func (w *worker) copyOf(o *thing) {
	if !w.free(o) {
		return
	}
	from := w.stock.small(w.random)
	i := &intent{what: "CopyObject"}
	_, err := w.alice.s3.CopyObject(about(i), &s3.CopyObjectInput{Bucket: w.name(), Key: &o.key, CopySource: aws.String(url.PathEscape(bucket + "/" + from.key))})
	w.failed(i, err)
	o.wrote(sha256.Sum256(from.data), err == nil, w.journal.sure(i))
}
