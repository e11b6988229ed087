package rig

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/gimme-broker/gimme/test/load"
)

// Bucket is where everything lies.
const Bucket = "lake"

// Sizes of objects.
const (
	Small  = 4 << 10
	Medium = 1 << 20
	Large  = 64 << 20

	// Listed is how many objects a listing has.
	Listed = 1000
)

// An Object lies in the upstream from the start.
type Object struct {
	Key     string
	Content []byte
}

// writeObjects puts the objects into folder, as nginx and versitygw serve them,
// and beside them the listing that nginx gives.
func writeObjects(folder string) ([]Object, error) {
	var all []Object
	for _, kind := range []struct {
		folder      string
		size, count int
	}{{"small", Small, 100}, {"medium", Medium, 8}, {"large", Large, 1}} {
		for i := range kind.count {
			all = append(all, Object{fmt.Sprintf("%s/%03d.bin", kind.folder, i), Noise(kind.size, uint64(i))})
		}
	}
	write := func(key string, content []byte) error {
		path := filepath.Join(folder, Bucket, key)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, content, 0o644)
	}
	for _, o := range all {
		if err := write(o.Key, o.Content); err != nil {
			return nil, err
		}
	}
	for i := range Listed {
		if err := write(listedKey(i), []byte("x")); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(folder, Bucket, "put"), 0o755); err != nil {
		return nil, err
	}
	return all, os.WriteFile(filepath.Join(filepath.Dir(folder), "listing.xml"), listing(), 0o644)
}

const listPrefix = "list/"

func listedKey(i int) string { return fmt.Sprintf("%sobject-%04d.txt", listPrefix, i) }

// listing is the document that S3 would give of what begins with listPrefix.
func listing() []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	fmt.Fprintf(&b, `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>%s</Name><Prefix>%s</Prefix><KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>`, Bucket, listPrefix, Listed, Listed)
	for i := range Listed {
		fmt.Fprintf(&b, `<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;9dd4e461268c8034f5c8564e155c67a6&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>`, listedKey(i))
	}
	b.WriteString(`</ListBucketResult>`)
	return b.Bytes()
}

// Noise is content that cannot be compressed, the same for the same seed.
func Noise(size int, seed uint64) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// Gets reads the objects of that size in turn.
func (r *Rig) Gets(size int) []load.Operation {
	return r.each(size, func(o Object) load.Operation { return load.Get(Bucket, o.Key, o.Content) })
}

// Heads asks about the objects of that size in turn.
func (r *Rig) Heads(size int) []load.Operation {
	return r.each(size, func(o Object) load.Operation { return load.Head(Bucket, o.Key, int64(size)) })
}

func (r *Rig) each(size int, f func(Object) load.Operation) []load.Operation {
	var all []load.Operation
	for _, o := range r.objects {
		if len(o.Content) == size {
			all = append(all, f(o))
		}
	}
	return all
}

// Lists lists the objects that are there for that.
func (r *Rig) Lists() []load.Operation {
	return []load.Operation{load.List(Bucket, listPrefix, Listed)}
}

// Puts stores a body under a few keys in turn.
func (r *Rig) Puts(body *load.Body) []load.Operation {
	var all []load.Operation
	for i := range 4 {
		all = append(all, load.Put(Bucket, fmt.Sprintf("put/%d.bin", i), body))
	}
	return all
}
