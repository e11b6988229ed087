package s3api

import "net/http"

// listOperations name what is there.
var listOperations = []operation{
	{
		// It has no targets: the caller filters the answer. All buckets are
		// returned in one page, so that no continuation token is ever issued.
		name: "ListBuckets", method: http.MethodGet, level: onService, ownerless: true,
		params: []string{"prefix", "bucket-region"}, drops: []string{"max-buckets"},
		filtered: "s3:ListAllMyBuckets",
	},
	{
		name: "HeadBucket", method: http.MethodHead, level: onBucket,
		touches: []touch{{access: Reads, action: "s3:ListBucket", scope: Some}},
	},
	{
		name: "ListObjects", method: http.MethodGet, level: onBucket,
		params:  []string{"delimiter", "encoding-type", "marker", "max-keys", "prefix"},
		headers: []group{payer, optionalAttributes},
		touches: []touch{{access: Reads, action: "s3:ListBucket", on: listed, scope: Under}},
	},
	{
		name: "ListObjectsV2", method: http.MethodGet, level: onBucket, marks: []mark{{"list-type", "2"}},
		params:  []string{"continuation-token", "delimiter", "encoding-type", "fetch-owner", "max-keys", "prefix", "start-after"},
		headers: []group{payer, optionalAttributes},
		touches: []touch{{access: Reads, action: "s3:ListBucket", on: listed, scope: Under}},
	},
	{
		name: "ListObjectVersions", method: http.MethodGet, level: onBucket, marks: []mark{{"versions", ""}},
		params:  []string{"delimiter", "encoding-type", "key-marker", "max-keys", "prefix", "version-id-marker"},
		headers: []group{payer, optionalAttributes},
		touches: []touch{{access: Reads, action: "s3:ListBucketVersions", on: listed, scope: Under}},
	},
	{
		name: "ListMultipartUploads", method: http.MethodGet, level: onBucket, marks: []mark{{"uploads", ""}},
		params:  []string{"delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker"},
		headers: []group{payer},
		touches: []touch{{access: Reads, action: "s3:ListBucketMultipartUploads", on: listed, scope: Under}},
	},
}
