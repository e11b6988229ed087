package rig

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"text/template"

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

// folders are what the bucket has.
var folders = []struct {
	name        string
	size, count int
}{{"small", Small, 100}, {"medium", Medium, 8}, {"large", Large, 1}, {"list", 1, Listed}, {"put", 0, 0}}

// writeObjects puts the objects into folder, as nginx and versitygw serve them.
func writeObjects(folder string) ([]Object, error) {
	var all []Object
	for _, f := range folders {
		if err := os.MkdirAll(filepath.Join(folder, Bucket, f.name), 0o755); err != nil {
			return nil, err
		}
		for i := range f.count {
			o := Object{fmt.Sprintf("%s/%04d.bin", f.name, i), Noise(f.size, uint64(i))}
			if err := os.WriteFile(filepath.Join(folder, Bucket, o.Key), o.Content, 0o644); err != nil {
				return nil, err
			}
			all = append(all, o)
		}
	}
	return all, nil
}

const listing = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{{.Bucket}}</Name><Prefix>{{.Prefix}}</Prefix><Delimiter>/</Delimiter><KeyCount>{{len .Objects}}</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>
{{- range .Objects}}<Contents><Key>{{.Key}}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;00000000000000000000000000000000&quot;</ETag><Size>{{len .Content}}</Size><StorageClass>STANDARD</StorageClass></Contents>{{end}}
{{- range .Folders}}<CommonPrefixes><Prefix>{{.}}</Prefix></CommonPrefixes>{{end}}</ListBucketResult>`

const buckets = `<?xml version="1.0" encoding="UTF-8"?>
<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>nobody</ID></Owner><Buckets><Bucket><Name>` + Bucket + `</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>`

// writeListings puts the documents that S3 would list the objects with into
// folder, for nginx to serve: one a folder of the bucket, "top" of the bucket
// and "buckets".
func writeListings(folder string, objects []Object) error {
	type page struct {
		Bucket, Prefix string
		Objects        []Object
		Folders        []string
	}
	top := page{Bucket: Bucket}
	pages := make(map[string]page)
	for _, f := range folders {
		p := page{Bucket: Bucket, Prefix: f.name + "/"}
		for _, o := range objects {
			if strings.HasPrefix(o.Key, p.Prefix) {
				p.Objects = append(p.Objects, o)
			}
		}
		pages[f.name] = p
		top.Folders = append(top.Folders, p.Prefix)
	}
	pages["top"] = top
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	t := template.Must(template.New("").Parse(listing))
	for name, p := range pages {
		var b bytes.Buffer
		if err := t.Execute(&b, p); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name+".xml"), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "buckets.xml"), []byte(buckets), 0o644)
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
	return []load.Operation{load.List(Bucket, "list/", Listed)}
}

// Puts stores a body under a few keys in turn.
func (r *Rig) Puts(body *load.Body) []load.Operation {
	var all []load.Operation
	for i := range 4 {
		all = append(all, load.Put(Bucket, fmt.Sprintf("put/%d.bin", i), body))
	}
	return all
}
