package s3api

import (
	"net/http"
	"slices"
)

// An operation is a row of the table of operations: how a request for it is
// told from others, what it may hold, and what it touches. What no row permits
// is refused.
type operation struct {
	name   string
	method string
	level  level
	marks  []mark   // parameters that make a request this operation, all of them
	header string   // header that makes a request this operation, if any
	params []string // further parameters, sent on
	drops  []string // further parameters that are accepted and not sent on
	// headers that are sent on; one that ends in "*" permits every name that
	// begins so. Those of everyOperation are permitted in each.
	headers []string
	body    BodyKind
	// sumsBody says that checksum headers speak of the body. Where the body is
	// a document, which is sent anew, they are checked by SetBody.
	sumsBody bool
	touches  []touch
	// perObject says that the touches hold for each object that the body names.
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
}

// A subject is what a touch is of.
type subject int

const (
	itself subject = iota // what the path names
	origin                // the source of the copy
	listed                // the keys under the prefix parameter
)

// The headers that belong together.
var (
	everyOperation = []string{"X-Amz-Expected-Bucket-Owner"}
	conditions     = []string{"If-Match", "If-None-Match"}
	dates          = []string{"If-Modified-Since", "If-Unmodified-Since"}
	// SSE-C keys go through: whoever brings them must bring them again to read.
	customerKey = []string{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "X-Amz-Server-Side-Encryption-Customer-Key",
		"X-Amz-Server-Side-Encryption-Customer-Key-Md5"}
	encryption = []string{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
		"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "X-Amz-Server-Side-Encryption-Context"}
	checksums   = []string{"X-Amz-Checksum-*"}
	dataSums    = []string{"Content-Md5", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Checksum-*"}
	description = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
		"X-Amz-Meta-*", "X-Amz-Storage-Class"}
	privileged = []string{"X-Amz-Acl", "X-Amz-Grant-Full-Control", "X-Amz-Grant-Read", "X-Amz-Grant-Read-Acp", "X-Amz-Grant-Write-Acp",
		"X-Amz-Tagging", "X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date", "X-Amz-Object-Lock-Legal-Hold"}
	copySource = []string{copySourceHeader, "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match",
		"X-Amz-Copy-Source-If-Modified-Since", "X-Amz-Copy-Source-If-Unmodified-Since",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key-Md5", "X-Amz-Source-Expected-Bucket-Owner"}
	overrides = []string{"response-cache-control", "response-content-disposition", "response-content-encoding",
		"response-content-language", "response-content-type", "response-expires"}
)

const (
	copySourceHeader = "X-Amz-Copy-Source"
	taggingDirective = "X-Amz-Tagging-Directive"
)

// operations is the table. The order of its rows means nothing: of the rows
// that fit a request, the one with the most marks is taken.
var operations = slices.Concat(bucketOperations, objectOperations, multipartOperations)

var bucketOperations = []operation{
	{
		// It has no targets: the caller filters the answer. All buckets are
		// returned in one page, so that no continuation token is ever issued.
		name: "ListBuckets", method: http.MethodGet, level: onService,
		params: []string{"prefix", "bucket-region"}, drops: []string{"max-buckets"},
	},
	{
		name: "HeadBucket", method: http.MethodHead, level: onBucket,
		touches: []touch{{access: Reads, action: "s3:ListBucket", scope: Some}},
	},
	{
		name: "GetBucketLocation", method: http.MethodGet, level: onBucket, marks: []mark{{"location", ""}},
		touches: []touch{{access: Reads, action: "s3:GetBucketLocation", scope: Some}},
	},
	{
		name: "ListObjects", method: http.MethodGet, level: onBucket,
		params:  []string{"delimiter", "encoding-type", "marker", "max-keys", "prefix"},
		headers: []string{"X-Amz-Optional-Object-Attributes"},
		touches: []touch{{access: Reads, action: "s3:ListBucket", on: listed, scope: Under}},
	},
	{
		name: "ListObjectsV2", method: http.MethodGet, level: onBucket, marks: []mark{{"list-type", "2"}},
		params:  []string{"continuation-token", "delimiter", "encoding-type", "fetch-owner", "max-keys", "prefix", "start-after"},
		headers: []string{"X-Amz-Optional-Object-Attributes"},
		touches: []touch{{access: Reads, action: "s3:ListBucket", on: listed, scope: Under}},
	},
	{
		name: "DeleteObjects", method: http.MethodPost, level: onBucket, marks: []mark{{"delete", ""}},
		headers: []string{"X-Amz-Bypass-Governance-Retention"}, body: XMLBody, sumsBody: true, perObject: true,
		touches: []touch{{access: Deletes, action: "s3:DeleteObject", versioned: "s3:DeleteObjectVersion", scope: Exact}},
	},
	{
		name: "ListMultipartUploads", method: http.MethodGet, level: onBucket, marks: []mark{{"uploads", ""}},
		params:  []string{"delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker"},
		touches: []touch{{access: Reads, action: "s3:ListBucketMultipartUploads", on: listed, scope: Under}},
	},
}

var objectOperations = []operation{
	{
		name: "GetObject", method: http.MethodGet, level: onObject,
		params:  append([]string{"versionId", "partNumber"}, overrides...),
		headers: slices.Concat(conditions, dates, customerKey, []string{"Range", "If-Range", "X-Amz-Checksum-Mode"}),
		touches: []touch{{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", scope: Exact}},
	},
	{
		name: "HeadObject", method: http.MethodHead, level: onObject,
		params:  append([]string{"versionId", "partNumber"}, overrides...),
		headers: slices.Concat(conditions, dates, customerKey, []string{"Range", "If-Range", "X-Amz-Checksum-Mode"}),
		touches: []touch{{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", scope: Exact}},
	},
	{
		name: "GetObjectTagging", method: http.MethodGet, level: onObject, marks: []mark{{"tagging", ""}},
		params:  []string{"versionId"},
		touches: []touch{{access: Reads, action: "s3:GetObjectTagging", versioned: "s3:GetObjectVersionTagging", scope: Exact}},
	},
	{
		name: "PutObject", method: http.MethodPut, level: onObject, body: StreamBody, sumsBody: true,
		headers: slices.Concat(conditions, customerKey, encryption, dataSums, description, privileged),
		touches: []touch{{access: Updates, action: "s3:PutObject", scope: Exact}},
	},
	{
		name: "CopyObject", method: http.MethodPut, level: onObject, header: copySourceHeader,
		headers: slices.Concat(conditions, customerKey, encryption, description, privileged, copySource,
			[]string{"X-Amz-Checksum-Algorithm", "X-Amz-Metadata-Directive", taggingDirective}),
		touches: []touch{
			{access: Updates, action: "s3:PutObject", scope: Exact},
			{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", on: origin, scope: Exact},
			{access: Reads, action: "s3:GetObjectTagging", versioned: "s3:GetObjectVersionTagging", on: origin, scope: Exact,
				unless: [2]string{taggingDirective, "REPLACE"}},
		},
	},
	{
		name: "DeleteObject", method: http.MethodDelete, level: onObject, params: []string{"versionId"},
		headers: []string{"If-Match", "X-Amz-Bypass-Governance-Retention", "X-Amz-If-Match-Last-Modified-Time", "X-Amz-If-Match-Size"},
		touches: []touch{{access: Deletes, action: "s3:DeleteObject", versioned: "s3:DeleteObjectVersion", scope: Exact}},
	},
}

var multipartOperations = []operation{
	{
		name: "CreateMultipartUpload", method: http.MethodPost, level: onObject, marks: []mark{{"uploads", ""}},
		headers: slices.Concat(customerKey, encryption, description, privileged, []string{"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type"}),
		touches: []touch{{access: Updates, action: "s3:PutObject", scope: Exact}},
	},
	{
		name: "UploadPart", method: http.MethodPut, level: onObject, marks: []mark{{"partNumber", given}, {"uploadId", given}},
		headers: slices.Concat(customerKey, dataSums), body: StreamBody, sumsBody: true,
		touches: []touch{{access: Updates, action: "s3:PutObject", scope: Exact}},
	},
	{
		name: "UploadPartCopy", method: http.MethodPut, level: onObject, marks: []mark{{"partNumber", given}, {"uploadId", given}},
		header:  copySourceHeader,
		headers: slices.Concat(customerKey, copySource, []string{"X-Amz-Copy-Source-Range"}),
		touches: []touch{
			{access: Updates, action: "s3:PutObject", scope: Exact},
			{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", on: origin, scope: Exact},
		},
	},
	{
		name: "CompleteMultipartUpload", method: http.MethodPost, level: onObject, marks: []mark{{"uploadId", given}}, body: XMLBody,
		headers: slices.Concat(conditions, customerKey, checksums, []string{"X-Amz-Mp-Object-Size"}),
		touches: []touch{{access: Updates, action: "s3:PutObject", scope: Exact}},
	},
	{
		// To abort is to update, not to delete: it takes back parts that an
		// uploader sent and that are no object yet. Whoever may begin an upload
		// must be able to clean up after it.
		name: "AbortMultipartUpload", method: http.MethodDelete, level: onObject, marks: []mark{{"uploadId", given}},
		headers: []string{"X-Amz-If-Match-Initiated-Time"},
		touches: []touch{{access: Updates, action: "s3:AbortMultipartUpload", scope: Exact}},
	},
	{
		name: "ListParts", method: http.MethodGet, level: onObject, marks: []mark{{"uploadId", given}},
		params: []string{"max-parts", "part-number-marker"}, headers: customerKey,
		touches: []touch{{access: Reads, action: "s3:ListMultipartUploadParts", scope: Exact}},
	},
}

// subresources has the parameters that make a request another operation at
// Amazon S3, whether the table has that operation or not.
var subresources = []string{
	"abac", "accelerate", "acl", "analytics", "annotation", "annotations", "attributes", "cors", "delete", "encryption",
	"intelligent-tiering", "inventory", "legal-hold", "lifecycle", "list-type", "location", "logging", "metadataAnnotationTable",
	"metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics", "notification", "object-lock",
	"ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment",
	"restore", "retention", "select", "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
}

// An implication is a target that a header adds to an operation's own.
type implication struct {
	header string   // or a beginning and "*"
	mild   []string // values with which it merely updates
	access Access   // with any other value
	action string
}

var implications = []implication{
	// Every other canned ACL and every grant lets someone in who was not.
	{"X-Amz-Acl", []string{"private", "bucket-owner-full-control"}, Manages, "s3:PutObjectAcl"},
	{"X-Amz-Grant-*", nil, Manages, "s3:PutObjectAcl"},
	{"X-Amz-Tagging", nil, Updates, "s3:PutObjectTagging"},
	{"X-Amz-Object-Lock-Mode", nil, Updates, "s3:PutObjectRetention"},
	{"X-Amz-Object-Lock-Retain-Until-Date", nil, Updates, "s3:PutObjectRetention"},
	{"X-Amz-Object-Lock-Legal-Hold", nil, Updates, "s3:PutObjectLegalHold"},
	{"X-Amz-Bypass-Governance-Retention", nil, Manages, "s3:BypassGovernanceRetention"},
}
