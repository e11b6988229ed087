// Package s3api knows what an S3 request is: which operation it names, every
// bucket and object that it touches, and which of its parameters and headers
// belong to it. It knows the same of answers: what an error document says,
// what a batch delete did, which headers of an answer are for the client.
//
// It works on path-style requests whose signature has been verified, and
// builds what is to be sent upstream from what it parsed; nothing it did not
// understand is passed on. An operation, parameter or header that the table of
// operations does not know is refused, never ignored.
//
// It decides nothing about who may do what, does no I/O and reads no clock. It
// follows the Amazon S3 API Reference (2006-03-01) and, for actions, the
// Service Authorization Reference for Amazon S3.
package s3api

import "net/http"

// An Access is one of the four kinds of access that policies speak of.
type Access string

// The kinds of access.
const (
	Reads   Access = "reads"
	Updates Access = "updates"
	Deletes Access = "deletes"
	Manages Access = "manages" // bucket configuration, ACLs, the life of buckets, lifted locks
)

// A Scope says how much of what it names a target touches.
type Scope string

// The scopes.
const (
	Exact Scope = "exact" // the one resource
	Under Scope = "under" // everything in the bucket whose key begins with Key, for listings
	Some  Scope = "some"  // something inside the bucket, whichever
)

// A Target is one thing that a request touches, and how. A request is allowed
// when each of its targets is.
type Target struct {
	Access    Access
	Action    string // IAM action, such as "s3:GetObject"
	Bucket    string
	Key       string // with Scope Under: a prefix of keys, possibly empty
	VersionID string // empty when no version is named
	Scope     Scope
}

// A Request is a verified S3 request. Path is decoded exactly once and begins
// with "/"; Query is decoded, without the parameters of authentication; Header
// holds canonical names, as net/http makes them.
type Request struct {
	Method string
	Path   string
	Bucket string // of the host, as BucketOfHost finds it: Path then names the key alone; "": Path begins with the bucket
	Query  []Param
	Header http.Header
	// KeepDotSegments permits keys with "." or ".." between their slashes,
	// which are refused otherwise because stores on a file system collapse them.
	KeepDotSegments bool
}

// A Param is one query parameter, decoded.
type Param struct{ Name, Value string }

// A BodyKind says what the body of a request is.
type BodyKind int

// The kinds of body.
const (
	NoBody     BodyKind = iota // none; one that arrives is to be refused
	StreamBody                 // object data, to be streamed
	XMLBody                    // a document, to be read whole and given to SetBody; a bucket policy is JSON
)

// MaxXMLBody is the length in bytes of the longest document that SetBody takes
// of any operation. Of most it takes less.
const MaxXMLBody = 2 << 20

// A Call is a request that was understood. Query, Header and Path are what is
// to be sent upstream: only what the operation permits.
type Call struct {
	Operation string // the operation's name in the S3 API, such as "DeleteObject"
	Bucket    string // empty for ListBuckets
	Key       string // empty for operations on a bucket
	VersionID string // the versionId parameter; of the copy, not of its source
	// Targets is what the request touches. It is empty for ListBuckets, whose
	// answer is to be filtered instead, and for DeleteObjects until SetBody has
	// read the body.
	Targets []Target
	Query   []Param
	Header  http.Header
	Body    BodyKind
	// Promised has the checksum headers that speak of a streamed body, such as
	// x-amz-checksum-crc32 and content-md5, in lower case. They stand in Header,
	// too; nobody has checked them yet.
	Promised []Param
	// NeedsChecksum says that S3 demands a checksum of the document that
	// EncodeBody returns, such as x-amz-checksum-sha256. The sender adds it.
	NeedsChecksum bool

	keepDots bool
	op       *operation
	sums     []Param // checksum headers that SetBody checks
	document node    // what SetBody read
	policy   []byte  // the same of a document in JSON
}

// Path returns the decoded path for upstream: "/", "/bucket" or "/bucket/key".
func (c *Call) Path() string {
	switch {
	case c.Bucket == "":
		return "/"
	case c.Key == "":
		return "/" + c.Bucket
	default:
		return "/" + c.Bucket + "/" + c.Key
	}
}
