package s3api

import (
	"iter"
)

// An operation is a row of the table of operations: how a request for it is
// told from others, what it may hold, and what it touches. What no row permits
// is refused.
type operation struct {
	name   string
	method string
	level  level
	marks  []mark // parameters that make a request this operation, all of them
	header string // header that makes a request this operation, if any
	path   string // path in path style that makes a request this operation, although it names no bucket

	refused string // why the operation is not served, the end of a sentence; "" when it is
	twin    string // the operation of which this is an older name, with requests that look the same

	params  []string // further parameters, sent on
	drops   []string // further parameters that are accepted and not sent on
	headers []group  // headers that are sent on
	// ownerless says that the operation does not take the header with which
	// clients say whose bucket they expect. All others do.
	ownerless bool

	body     BodyKind
	document string // the root of its document, see documents.txt
	longest  int    // length of the longest document in bytes; 0: maxDocument
	optional bool   // the document may be missing
	needsSum bool   // S3 demands a checksum of the document
	// sumsObject says that checksum headers speak of the object, not of the
	// document. All others speak of the body.
	sumsObject bool

	touches []touch
	extras  []implication // further targets that headers imply
	// filtered is the action of an operation that touches nothing, because anyone
	// may ask and is answered with less.
	filtered string
	// perObject says that touches and extras hold for each object that the
	// document names.
	perObject bool
}

// A level says what the path of an operation names.
type level string

const (
	onService level = "service"
	onBucket  level = "bucket"
	onObject  level = "object"
)

// A mark is a parameter that tells operations apart, and the value it must have.
type mark struct{ name, value string }

// given is the value of a mark that must have some value.
const given = "*"

// A touch is a kind of target of an operation.
type touch struct {
	access    Access
	action    string
	versioned string // action instead, when a version is named; "" if there is none
	on        subject
	scope     Scope
	// unless is a header and its value with which the operation does not touch
	// this.
	unless [2]string
	// calm is an element of the document and its value with which the operation
	// merely updates.
	calm [2]string
}

// A subject is what a touch is of.
type subject int

const (
	itself subject = iota // what the path names
	origin                // the source of the copy
	listed                // the keys under the prefix parameter
)

// An implication is a target that a header adds to an operation's own. A
// target of a bucket is everything in it.
type implication struct {
	header string   // or a beginning and "*"
	calm   []string // values with which it merely updates
	access Access   // with any other value
	action string
	on     subject // itself or origin
}

var objectExtras = []implication{
	// Every other canned ACL and every grant lets someone in who was not.
	{"X-Amz-Acl", []string{"private", "bucket-owner-full-control"}, Manages, "s3:PutObjectAcl", itself},
	{"X-Amz-Grant-*", nil, Manages, "s3:PutObjectAcl", itself},
	{"X-Amz-Tagging", nil, Updates, "s3:PutObjectTagging", itself},
	{"X-Amz-Object-Lock-Mode", nil, Updates, "s3:PutObjectRetention", itself},
	{"X-Amz-Object-Lock-Retain-Until-Date", nil, Updates, "s3:PutObjectRetention", itself},
	{"X-Amz-Object-Lock-Legal-Hold", nil, Updates, "s3:PutObjectLegalHold", itself},
	{"X-Amz-Object-Lock-Event-Hold", nil, Updates, "s3:PutObjectRetention", itself},
	{"X-Amz-Object-Lock-Event-Hold-*", nil, Updates, "s3:PutObjectRetention", itself},
	{"X-Amz-Object-Annotation-Directive", nil, Updates, "s3:PutObjectAnnotation", itself},
	{"X-Amz-Object-Annotation-Directive", nil, Reads, "s3:GetObjectAnnotation", origin},
	// It sends whoever opens the object on a website somewhere else.
	{"X-Amz-Website-Redirect-Location", nil, Manages, "s3:PutObject", itself},
	{"X-Amz-Bypass-Governance-Retention", nil, Manages, "s3:BypassGovernanceRetention", itself},
}

var bucketExtras = []implication{
	{"X-Amz-Acl", nil, Manages, "s3:PutBucketAcl", itself},
	{"X-Amz-Grant-*", nil, Manages, "s3:PutBucketAcl", itself},
	{"X-Amz-Object-Ownership", nil, Manages, "s3:PutBucketOwnershipControls", itself},
	{"X-Amz-Bucket-Object-Lock-Enabled", nil, Manages, "s3:PutBucketObjectLockConfiguration", itself},
	{"X-Amz-Bucket-Object-Lock-Enabled", nil, Manages, "s3:PutBucketVersioning", itself},
}

// A group has names of headers that belong together. One that ends in "*"
// permits every name that begins so.
type group []string

var (
	conditions = group{"If-Match", "If-None-Match"}
	dates      = group{"If-Modified-Since", "If-Unmodified-Since"}
	// SSE-C keys go through: whoever brings them must bring them again to read.
	customerKey = group{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "X-Amz-Server-Side-Encryption-Customer-Key",
		"X-Amz-Server-Side-Encryption-Customer-Key-Md5"}
	encryption = group{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
		"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "X-Amz-Server-Side-Encryption-Context"}
	sums = group{"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Md5",
		"X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256", "X-Amz-Checksum-Sha512", "X-Amz-Checksum-Type", "X-Amz-Checksum-Xxhash128",
		"X-Amz-Checksum-Xxhash3", "X-Amz-Checksum-Xxhash64"}
	dataSums = group{"Content-Md5", "X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc64nvme",
		"X-Amz-Checksum-Md5", "X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256", "X-Amz-Checksum-Sha512", "X-Amz-Checksum-Type",
		"X-Amz-Checksum-Xxhash128", "X-Amz-Checksum-Xxhash3", "X-Amz-Checksum-Xxhash64", "X-Amz-Sdk-Checksum-Algorithm"}
	description = group{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
		"X-Amz-Meta-*", "X-Amz-Storage-Class"}
	acl          = group{"X-Amz-Acl"}
	objectGrants = group{"X-Amz-Grant-Full-Control", "X-Amz-Grant-Read", "X-Amz-Grant-Read-Acp", "X-Amz-Grant-Write-Acp"}
	bucketGrants = group{"X-Amz-Grant-Full-Control", "X-Amz-Grant-Read", "X-Amz-Grant-Read-Acp", "X-Amz-Grant-Write", "X-Amz-Grant-Write-Acp"}
	privileged   = group{"X-Amz-Tagging", "X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date", "X-Amz-Object-Lock-Legal-Hold",
		"X-Amz-Object-Lock-Event-Hold", "X-Amz-Object-Lock-Event-Hold-*", "X-Amz-Website-Redirect-Location"}
	copySource = group{copySourceHeader, "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match",
		"X-Amz-Copy-Source-If-Modified-Since", "X-Amz-Copy-Source-If-Unmodified-Since", "X-Amz-Source-Expected-Bucket-Owner"}
	copyKey = group{"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key-Md5"}
	bypass             = group{"X-Amz-Bypass-Governance-Retention"}
	payer              = group{"X-Amz-Request-Payer"}
	optionalAttributes = group{"X-Amz-Optional-Object-Attributes"}
)

const (
	copySourceHeader = "X-Amz-Copy-Source"
	taggingDirective = "X-Amz-Tagging-Directive"
	ownerHeader      = "X-Amz-Expected-Bucket-Owner"
)

// tables together are the table of operations. The order of rows means nothing
// to Parse: of those that fit a request, the one with the most marks is taken.
var tables = [...][]operation{listOperations, objectOperations, annotationOperations, multipartOperations, bucketOperations,
	accessOperations, flowOperations, refusedOperations, unmodelledOperations}

// rows yields the whole table.
func rows() iter.Seq[*operation] {
	return func(yield func(*operation) bool) {
		for _, t := range tables {
			for i := range t {
				if !yield(&t[i]) {
					return
				}
			}
		}
	}
}

// row returns the row of that name.
func row(name string) *operation {
	for op := range rows() {
		if op.name == name {
			return op
		}
	}
	return nil
}

// subresources has the parameters that make a request another operation at
// Amazon S3, whether the table has that operation or not.
var subresources = []string{
	"abac", "accelerate", "acl", "analytics", "annotation", "annotations", "attributes", "cors", "delete", "encryption",
	"intelligent-tiering", "inventory", "legal-hold", "lifecycle", "list-type", "location", "logging", "max-directory-buckets",
	"metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics",
	"notification", "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock", "renameObject",
	"replication", "requestPayment", "restore", "retention", "select", "select-type", "session", "tagging", "torrent", "uploadId",
	"uploads", "versioning", "versions", "website",
}

// permits says whether one of the headers of g is name.
func (g group) permits(name string) bool { return permits(g, name) }

// takes says whether the operation sends the header of that name on.
func (op *operation) takes(name string) bool {
	for _, g := range op.headers {
		if g.permits(name) {
			return true
		}
	}
	return name == ownerHeader && !op.ownerless
}

// maxDocument is the length in bytes of the longest document of most
// operations.
const maxDocument = 1 << 20
