package s3api

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
)

// A DeleteResult is the answer to DeleteObjects, key by key.
type DeleteResult struct {
	Deleted []DeletedObject `xml:"Deleted"`
	Errors  []DeleteError   `xml:"Error"`
}

// A DeletedObject is one that was deleted, or hidden by a delete marker.
type DeletedObject struct {
	Key                   string
	VersionID             string `xml:"VersionId"`
	DeleteMarker          *bool  // nil where the upstream does not say
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId"`
}

// A DeleteError is one that was not deleted, and why.
type DeleteError struct {
	Key       string
	VersionID string `xml:"VersionId"`
	Code      string
	Message   string
}

// ParseDeleteResult reads the upstream's answer to DeleteObjects, in front of
// which white space may stand. An error document is an error; ask ParseErrorXML
// first.
func ParseDeleteResult(document []byte) (DeleteResult, error) {
	var r DeleteResult
	err := readAnswer(document, "DeleteResult", &r)
	return r, err
}

// Block adds that the object of t was not deleted, with the code AccessDenied
// and message, which is for the person who asked.
func (r *DeleteResult) Block(t Target, message string) {
	r.Errors = append(r.Errors, DeleteError{t.Key, t.VersionID, "AccessDenied", message})
}

// Add adds all that o says.
func (r *DeleteResult) Add(o DeleteResult) {
	r.Deleted = append(r.Deleted, o.Deleted...)
	r.Errors = append(r.Errors, o.Errors...)
}

// XML returns the result as a document.
func (r DeleteResult) XML() []byte {
	return answer("DeleteResult", func(b *bytes.Buffer) {
		for _, d := range r.Deleted {
			b.WriteString("<Deleted>")
			leaf(b, "Key", d.Key)
			optional(b, "VersionId", d.VersionID)
			if d.DeleteMarker != nil {
				leaf(b, "DeleteMarker", strconv.FormatBool(*d.DeleteMarker))
			}
			optional(b, "DeleteMarkerVersionId", d.DeleteMarkerVersionID)
			b.WriteString("</Deleted>")
		}
		for _, e := range r.Errors {
			b.WriteString("<Error>")
			leaf(b, "Key", e.Key)
			optional(b, "VersionId", e.VersionID)
			leaf(b, "Code", e.Code)
			leaf(b, "Message", e.Message)
			b.WriteString("</Error>")
		}
	})
}

// A BucketList is the answer to ListBuckets.
type BucketList struct {
	Owner             Owner
	Buckets           []Bucket `xml:"Buckets>Bucket"`
	Prefix            string
	ContinuationToken string // not empty when the upstream has more; never given to the client
}

// An Owner is who owns the buckets of a list, as the upstream names it.
type Owner struct {
	ID          string
	DisplayName string
}

// A Bucket is one of a list, in the words of the upstream.
type Bucket struct {
	Name         string
	CreationDate string // RFC 3339
	Region       string `xml:"BucketRegion"`
	ARN          string `xml:"BucketArn"`
}

// ParseListBuckets reads the upstream's answer to ListBuckets.
func ParseListBuckets(document []byte) (BucketList, error) {
	var l BucketList
	err := readAnswer(document, "ListAllMyBucketsResult", &l)
	return l, err
}

// Filter returns the list with only the buckets that keep wants.
func (l BucketList) Filter(keep func(name string) bool) BucketList {
	var kept []Bucket
	for _, b := range l.Buckets {
		if keep(b.Name) {
			kept = append(kept, b)
		}
	}
	l.Buckets = kept
	return l
}

// XML returns the list as a document, without ContinuationToken: what it lists
// is the one page that there is.
func (l BucketList) XML() []byte {
	return answer("ListAllMyBucketsResult", func(b *bytes.Buffer) {
		b.WriteString("<Owner>")
		leaf(b, "ID", l.Owner.ID)
		optional(b, "DisplayName", l.Owner.DisplayName)
		b.WriteString("</Owner><Buckets>")
		for _, x := range l.Buckets {
			b.WriteString("<Bucket>")
			leaf(b, "Name", x.Name)
			optional(b, "CreationDate", x.CreationDate)
			optional(b, "BucketRegion", x.Region)
			optional(b, "BucketArn", x.ARN)
			b.WriteString("</Bucket>")
		}
		b.WriteString("</Buckets>")
		optional(b, "Prefix", l.Prefix)
	})
}

// A CompleteResult is the answer to CompleteMultipartUpload. Location, an
// address of the upstream, is to be replaced before the client sees it.
type CompleteResult struct {
	Location  string
	Bucket    string
	Key       string
	ETag      string
	Checksums []Checksum // those that came, and ChecksumType
}

// A Checksum is an element such as ChecksumCRC32 and its text.
type Checksum struct{ Name, Value string }

// ParseCompleteResult reads the upstream's answer to CompleteMultipartUpload, in
// front of which white space may stand. An error document is an error; ask
// ParseErrorXML first, also when the status is 200.
func ParseCompleteResult(document []byte) (CompleteResult, error) {
	var doc struct {
		Location, Bucket, Key, ETag string
		Rest                        []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := readAnswer(document, "CompleteMultipartUploadResult", &doc); err != nil {
		return CompleteResult{}, err
	}
	r := CompleteResult{Location: doc.Location, Bucket: doc.Bucket, Key: doc.Key, ETag: doc.ETag}
	for _, e := range doc.Rest {
		if isChecksum(e.XMLName.Local) {
			r.Checksums = append(r.Checksums, Checksum{e.XMLName.Local, e.Text})
		}
	}
	return r, nil
}

func isChecksum(name string) bool {
	return name == "ChecksumType" || permits(checksumNames, name)
}

// XML returns the result as a document. Checksums with unknown names are left
// out.
func (r CompleteResult) XML() []byte {
	return answer("CompleteMultipartUploadResult", func(b *bytes.Buffer) {
		leaf(b, "Location", r.Location)
		leaf(b, "Bucket", r.Bucket)
		leaf(b, "Key", r.Key)
		leaf(b, "ETag", r.ETag)
		for _, c := range r.Checksums {
			if isChecksum(c.Name) {
				leaf(b, c.Name, c.Value)
			}
		}
	})
}

// CheckCopyResult says whether document is the whole answer of a copy that
// succeeded: operation is CopyObject or UploadPartCopy.
func CheckCopyResult(operation string, document []byte) error {
	root := map[string]string{"CopyObject": "CopyObjectResult", "UploadPartCopy": "CopyPartResult"}[operation]
	var r struct{ ETag string }
	if err := readAnswer(document, root, &r); err != nil {
		return err
	}
	if r.ETag == "" {
		return fmt.Errorf("%s without ETag", root)
	}
	return nil
}

// readAnswer reads a document of the upstream, whose root must have that name.
// It is lenient where the reader of requests is strict: what the upstream says
// beyond what is known here is left behind.
func readAnswer(document []byte, root string, v any) error {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimSpace(document)))
	for {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("read %s: %w", root, err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name.Local != root {
			return fmt.Errorf("read %s: the document is a %q", root, start.Name.Local)
		}
		if err := d.DecodeElement(v, &start); err != nil {
			return fmt.Errorf("read %s: %w", root, err)
		}
		return nil
	}
}

// answer returns a document with that root.
func answer(root string, inside func(*bytes.Buffer)) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<" + root + ` xmlns="` + namespace + `">`)
	inside(&b)
	b.WriteString("</" + root + ">")
	return b.Bytes()
}
