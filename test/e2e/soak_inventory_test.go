package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A contentSum is the SHA-256 of what is in an object.
type contentSum [sha256.Size]byte

// absent is that of no object.
var absent = contentSum{}

// A thing is an object that one worker writes, and what may be in it: one
// content, or several after a write of which nobody knows what became.
type thing struct {
	key   string
	may   []contentSum
	until time.Time // until then a write may still arrive
}

// An inventory is all that has been written, and all that must not exist.
type inventory struct {
	direct *s3.Client
	shared []sharedObject // which nobody changes
	mu     sync.Mutex
	things []*thing
}

// A sharedObject is read by everybody.
type sharedObject struct {
	key  string
	data []byte
}

// bigSize is that of the largest shared object.
const bigSize = 24 << 20

func newInventory(t *testing.T, s *soak) *inventory {
	t.Helper()
	k, random := &inventory{direct: s.upstream.direct}, s.random("shared")
	put := func(key string, size int) {
		o := sharedObject{key, contentOf(random, size)}
		k.shared = append(k.shared, o)
		k.things = append(k.things, &thing{key: key, may: []contentSum{sha256.Sum256(o.data)}})
		if _, err := k.direct.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(o.data)}); err != nil {
			t.Fatal(err)
		}
	}
	put("soak/open/shared/big", bigSize)
	for n := range 8 {
		put(fmt.Sprintf("soak/open/shared/%d", n), 100+random.IntN(100_000))
	}
	put("soak/kept/one", 1000)
	put("soak/gate/one", 1000)
	put("soak/shut/one", 1000)
	return k
}

func (k *inventory) big() sharedObject                    { return k.shared[0] }
func (k *inventory) small(random *rand.Rand) sharedObject { return k.shared[1+random.IntN(8)] }

// contentOf makes a body.
func contentOf(random *rand.Rand, size int) []byte {
	data := make([]byte, size)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(random.Uint32())
	}
	_, _ = rand.NewChaCha8(seed).Read(data) // it never fails
	return data
}

// thing is a new object that does not exist yet.
func (k *inventory) thing(key string) *thing {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := &thing{key: key, may: []contentSum{absent}}
	k.things = append(k.things, o)
	return o
}

// lateness is how long after its connection was cut a write may still arrive at
// the upstream.
const lateness = 3 * time.Second

// wrote notes a write: acknowledged says whether its client was told that it is
// done, sure whether no other attempt of it may be under way.
func (o *thing) wrote(content contentSum, acknowledged, sure bool) {
	if acknowledged {
		o.may = []contentSum{content}
	} else if !slices.Contains(o.may, content) {
		o.may = append(o.may, content)
	}
	if !acknowledged || !sure {
		o.until = time.Now().Add(lateness)
	}
}

// known says whether it is certain what is in o. A doubt that can be cleared by
// now is cleared around the sidecar.
func (s *soak) known(o *thing) bool {
	return time.Now().After(o.until) && (len(o.may) == 1 || s.intact(o))
}

// free says whether o may be written to: it is certain what is in it, and that is
// in it, so that nothing is overwritten before somebody has looked.
func (s *soak) free(o *thing) bool {
	return time.Now().After(o.until) && s.intact(o)
}

// intact says whether what is in o is what may be, around the sidecar.
func (s *soak) intact(o *thing) bool {
	is, err := s.stock.look(o.key)
	if err != nil || !slices.Contains(o.may, is) {
		s.fault("object %s: %x is in it, and not what was acknowledged: %x (%v)", o.key, is[:4], o.may[0][:4], err)
		o.until = time.Now().Add(time.Hour) // nobody comes across it again
		return false
	}
	o.may = []contentSum{is}
	return true
}

// look reads an object straight from the upstream.
func (k *inventory) look(key string) (contentSum, error) {
	got, err := k.direct.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if _, none := errors.AsType[*types.NoSuchKey](err); none {
		return absent, nil
	}
	if err != nil {
		return absent, err
	}
	defer got.Body.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, got.Body); err != nil {
		return absent, err
	}
	return contentSum(hash.Sum(nil)), nil
}

// judgeObjects reads every object straight from the upstream.
func (s *soak) judgeObjects() {
	exists := map[string]bool{}
	pages := s3.NewListObjectsV2Paginator(s.stock.direct, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("soak/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			s.fault("list the upstream: %v", err)
			return
		}
		for _, o := range page.Contents {
			exists[aws.ToString(o.Key)] = true
		}
	}
	intact := 0
	for _, o := range s.stock.things {
		is := absent
		var err error
		if exists[o.key] {
			is, err = s.stock.look(o.key)
		}
		delete(exists, o.key)
		if err != nil || !slices.Contains(o.may, is) {
			s.fault("object %s in the end: %x is in it, and not what was acknowledged: %x (%v)", o.key, is[:4], o.may[0][:4], err)
			continue
		}
		intact++
	}
	for key := range exists {
		s.fault("object %s exists, and nobody was told that it was written", key)
	}
	s.t.Logf("objects: %d of %d are what they have to be", intact, len(s.stock.things))
}
