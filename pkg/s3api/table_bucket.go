package s3api

import "net/http"

// bucketOperations are the life of buckets and the configuration that ordinary
// clients ask for. To read it is to read the bucket; to write it is to manage
// everything in it.
var bucketOperations = []operation{
	{
		name: "CreateBucket", method: http.MethodPut, level: onBucket, ownerless: true,
		headers: []group{acl, bucketGrants, {"X-Amz-Bucket-Namespace", "X-Amz-Bucket-Object-Lock-Enabled", "X-Amz-Object-Ownership"}},
		body:    XMLBody, document: "CreateBucketConfiguration", optional: true, extras: bucketExtras,
		touches: []touch{{access: Manages, action: "s3:CreateBucket", scope: Under}},
	},
	{
		name: "DeleteBucket", method: http.MethodDelete, level: onBucket,
		touches: []touch{{access: Manages, action: "s3:DeleteBucket", scope: Under}},
	},
	{
		name: "GetBucketAccelerateConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"accelerate", ""}},
		headers: []group{payer},
		touches: []touch{{access: Reads, action: "s3:GetAccelerateConfiguration", scope: Some}},
	},
	{
		name: "PutBucketAccelerateConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"accelerate", ""}},
		body: XMLBody, document: "AccelerateConfiguration",
		touches: []touch{{access: Manages, action: "s3:PutAccelerateConfiguration", scope: Under}},
	},
	{
		name: "GetBucketCors", method: http.MethodGet, level: onBucket, marks: []mark{{"cors", ""}},
		touches: []touch{{access: Reads, action: "s3:GetBucketCORS", scope: Some}},
	},
	{
		name: "PutBucketCors", method: http.MethodPut, level: onBucket, marks: []mark{{"cors", ""}},
		body: XMLBody, document: "CORSConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketCORS", scope: Under}},
	},
	{
		name: "DeleteBucketCors", method: http.MethodDelete, level: onBucket, marks: []mark{{"cors", ""}},
		touches: []touch{{access: Manages, action: "s3:PutBucketCORS", scope: Under}},
	},
	{
		name: "GetBucketEncryption", method: http.MethodGet, level: onBucket, marks: []mark{{"encryption", ""}},
		touches: []touch{{access: Reads, action: "s3:GetEncryptionConfiguration", scope: Some}},
	},
	{
		name: "PutBucketEncryption", method: http.MethodPut, level: onBucket, marks: []mark{{"encryption", ""}},
		body: XMLBody, document: "ServerSideEncryptionConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutEncryptionConfiguration", scope: Under}},
	},
	{
		name: "DeleteBucketEncryption", method: http.MethodDelete, level: onBucket, marks: []mark{{"encryption", ""}},
		touches: []touch{{access: Manages, action: "s3:PutEncryptionConfiguration", scope: Under}},
	},
	{
		name: "GetBucketLifecycleConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"lifecycle", ""}},
		touches: []touch{{access: Reads, action: "s3:GetLifecycleConfiguration", scope: Some}},
	},
	{
		name: "GetBucketLifecycle", method: http.MethodGet, level: onBucket, marks: []mark{{"lifecycle", ""}}, twin: "GetBucketLifecycleConfiguration",
	},
	{
		name: "PutBucketLifecycleConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"lifecycle", ""}},
		headers: []group{{"X-Amz-Transition-Default-Minimum-Object-Size"}},
		body:    XMLBody, document: "LifecycleConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutLifecycleConfiguration", scope: Under}},
	},
	{
		name: "PutBucketLifecycle", method: http.MethodPut, level: onBucket, marks: []mark{{"lifecycle", ""}}, twin: "PutBucketLifecycleConfiguration",
	},
	{
		name: "DeleteBucketLifecycle", method: http.MethodDelete, level: onBucket, marks: []mark{{"lifecycle", ""}},
		touches: []touch{{access: Manages, action: "s3:PutLifecycleConfiguration", scope: Under}},
	},
	{
		name: "GetBucketLocation", method: http.MethodGet, level: onBucket, marks: []mark{{"location", ""}},
		touches: []touch{{access: Reads, action: "s3:GetBucketLocation", scope: Some}},
	},
	{
		name: "GetBucketRequestPayment", method: http.MethodGet, level: onBucket, marks: []mark{{"requestPayment", ""}},
		touches: []touch{{access: Reads, action: "s3:GetBucketRequestPayment", scope: Some}},
	},
	{
		name: "PutBucketRequestPayment", method: http.MethodPut, level: onBucket, marks: []mark{{"requestPayment", ""}},
		body: XMLBody, document: "RequestPaymentConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketRequestPayment", scope: Under}},
	},
	{
		name: "GetBucketTagging", method: http.MethodGet, level: onBucket, marks: []mark{{"tagging", ""}},
		touches: []touch{{access: Reads, action: "s3:GetBucketTagging", scope: Some}},
	},
	{
		name: "PutBucketTagging", method: http.MethodPut, level: onBucket, marks: []mark{{"tagging", ""}},
		body: XMLBody, document: "Tagging", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketTagging", scope: Under}},
	},
	{
		name: "DeleteBucketTagging", method: http.MethodDelete, level: onBucket, marks: []mark{{"tagging", ""}},
		touches: []touch{{access: Manages, action: "s3:PutBucketTagging", scope: Under}},
	},
	{
		name: "GetBucketVersioning", method: http.MethodGet, level: onBucket, marks: []mark{{"versioning", ""}},
		touches: []touch{{access: Reads, action: "s3:GetBucketVersioning", scope: Some}},
	},
	{
		name: "PutBucketVersioning", method: http.MethodPut, level: onBucket, marks: []mark{{"versioning", ""}},
		headers: []group{{"X-Amz-Mfa"}},
		body:    XMLBody, document: "VersioningConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketVersioning", scope: Under}},
	},
	{
		name: "GetObjectLockConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"object-lock", ""}},
		touches: []touch{{access: Reads, action: "s3:GetBucketObjectLockConfiguration", scope: Some}},
	},
	{
		name: "PutObjectLockConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"object-lock", ""}},
		headers: []group{payer, {"X-Amz-Bucket-Object-Lock-Token"}},
		body:    XMLBody, document: "ObjectLockConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketObjectLockConfiguration", scope: Under}},
	},
}
