package s3api

import "net/http"

// accessOperations say who else may come in. To read that is to manage, too:
// it names accounts, networks and roles that a reader of the data has no need
// to know.
var accessOperations = []operation{
	{
		name: "GetBucketAbac", method: http.MethodGet, level: onBucket, marks: []mark{{"abac", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketABAC", scope: Some}},
	},
	{
		name: "PutBucketAbac", method: http.MethodPut, level: onBucket, marks: []mark{{"abac", ""}},
		body: XMLBody, document: "AbacStatus",
		touches: []touch{{access: Manages, action: "s3:PutBucketABAC", scope: Under}},
	},
	{
		name: "GetBucketAcl", method: http.MethodGet, level: onBucket, marks: []mark{{"acl", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketAcl", scope: Some}},
	},
	{
		name: "PutBucketAcl", method: http.MethodPut, level: onBucket, marks: []mark{{"acl", ""}},
		headers: []group{acl, bucketGrants},
		body:    XMLBody, document: "AccessControlPolicy", needsSum: true,
		optional: true,
		touches:  []touch{{access: Manages, action: "s3:PutBucketAcl", scope: Under}},
	},
	{
		name: "GetObjectAcl", method: http.MethodGet, level: onObject, marks: []mark{{"acl", ""}},
		params: []string{"versionId"}, headers: []group{payer},
		touches: []touch{{access: Manages, action: "s3:GetObjectAcl", versioned: "s3:GetObjectVersionAcl", scope: Exact}},
	},
	{
		name: "PutObjectAcl", method: http.MethodPut, level: onObject, marks: []mark{{"acl", ""}},
		params: []string{"versionId"}, headers: []group{acl, bucketGrants, payer},
		body: XMLBody, document: "AccessControlPolicy", needsSum: true, optional: true,
		touches: []touch{{access: Manages, action: "s3:PutObjectAcl", versioned: "s3:PutObjectVersionAcl", scope: Exact}},
	},
	{
		name: "GetBucketOwnershipControls", method: http.MethodGet, level: onBucket, marks: []mark{{"ownershipControls", ""}},
		touches: []touch{{access: Reads, action: "s3:GetBucketOwnershipControls", scope: Some}},
	},
	{
		name: "PutBucketOwnershipControls", method: http.MethodPut, level: onBucket, marks: []mark{{"ownershipControls", ""}},
		body: XMLBody, document: "OwnershipControls", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketOwnershipControls", scope: Under}},
	},
	{
		name: "DeleteBucketOwnershipControls", method: http.MethodDelete, level: onBucket, marks: []mark{{"ownershipControls", ""}},
		touches: []touch{{access: Manages, action: "s3:PutBucketOwnershipControls", scope: Under}},
	},
	{
		name: "GetBucketPolicy", method: http.MethodGet, level: onBucket, marks: []mark{{"policy", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketPolicy", scope: Some}},
	},
	{
		name: "PutBucketPolicy", method: http.MethodPut, level: onBucket, marks: []mark{{"policy", ""}},
		headers: []group{{"X-Amz-Confirm-Remove-Self-Bucket-Access"}},
		body:    XMLBody, document: "Policy", needsSum: true,
		longest: maxPolicy,
		touches: []touch{{access: Manages, action: "s3:PutBucketPolicy", scope: Under}},
	},
	{
		name: "DeleteBucketPolicy", method: http.MethodDelete, level: onBucket, marks: []mark{{"policy", ""}},
		touches: []touch{{access: Manages, action: "s3:DeleteBucketPolicy", scope: Under}},
	},
	{
		name: "GetBucketPolicyStatus", method: http.MethodGet, level: onBucket, marks: []mark{{"policyStatus", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketPolicyStatus", scope: Some}},
	},
	{
		name: "GetBucketWebsite", method: http.MethodGet, level: onBucket, marks: []mark{{"website", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketWebsite", scope: Some}},
	},
	{
		name: "PutBucketWebsite", method: http.MethodPut, level: onBucket, marks: []mark{{"website", ""}},
		body: XMLBody, document: "WebsiteConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketWebsite", scope: Under}},
	},
	{
		name: "DeleteBucketWebsite", method: http.MethodDelete, level: onBucket, marks: []mark{{"website", ""}},
		touches: []touch{{access: Manages, action: "s3:DeleteBucketWebsite", scope: Under}},
	},
	{
		name: "GetPublicAccessBlock", method: http.MethodGet, level: onBucket, marks: []mark{{"publicAccessBlock", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketPublicAccessBlock", scope: Some}},
	},
	{
		name: "PutPublicAccessBlock", method: http.MethodPut, level: onBucket, marks: []mark{{"publicAccessBlock", ""}},
		body: XMLBody, document: "PublicAccessBlockConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketPublicAccessBlock", scope: Under}},
	},
	{
		name: "DeletePublicAccessBlock", method: http.MethodDelete, level: onBucket, marks: []mark{{"publicAccessBlock", ""}},
		touches: []touch{{access: Manages, action: "s3:PutBucketPublicAccessBlock", scope: Under}},
	},
}
