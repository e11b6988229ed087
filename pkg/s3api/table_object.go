package s3api

import "net/http"

// objectOperations read and write whole objects, and what belongs to them.
var objectOperations = []operation{
	{
		name: "GetObject", method: http.MethodGet, level: onObject,
		params: []string{"versionId", "partNumber", "response-cache-control", "response-content-disposition", "response-content-encoding",
			"response-content-language", "response-content-type", "response-expires"},
		headers: []group{conditions, dates, customerKey, payer, {"Range", "If-Range", "X-Amz-Checksum-Mode"}},
		touches: []touch{{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", scope: Exact}},
	},
	{
		name: "HeadObject", method: http.MethodHead, level: onObject,
		params: []string{"versionId", "partNumber", "response-cache-control", "response-content-disposition", "response-content-encoding",
			"response-content-language", "response-content-type", "response-expires"},
		headers: []group{conditions, dates, customerKey, payer, {"Range", "If-Range", "X-Amz-Checksum-Mode"}},
		touches: []touch{{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", scope: Exact}},
	},
	{
		name: "GetObjectAttributes", method: http.MethodGet, level: onObject, marks: []mark{{"attributes", ""}},
		params:  []string{"versionId"},
		headers: []group{customerKey, payer, {"X-Amz-Max-Parts", "X-Amz-Object-Attributes", "X-Amz-Part-Number-Marker"}},
		touches: []touch{
			{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", scope: Exact},
			{access: Reads, action: "s3:GetObjectAttributes", versioned: "s3:GetObjectVersionAttributes", scope: Exact},
		},
	},
	{
		name: "PutObject", method: http.MethodPut, level: onObject, body: StreamBody, extras: objectExtras,
		headers: []group{conditions, customerKey, encryption, dataSums, description, acl, objectGrants, privileged, payer, {"X-Amz-Write-Offset-Bytes"}},
		touches: []touch{{access: Updates, action: "s3:PutObject", scope: Exact}},
	},
	{
		name: "CopyObject", method: http.MethodPut, level: onObject, header: copySourceHeader, extras: objectExtras,
		headers: []group{conditions, customerKey, encryption, description, acl, objectGrants, privileged, payer, copySource, copyKey,
			{"X-Amz-Checksum-Algorithm", "X-Amz-Metadata-Directive", "X-Amz-Object-Annotation-Directive", taggingDirective}},
		touches: []touch{
			{access: Updates, action: "s3:PutObject", scope: Exact},
			{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", on: origin, scope: Exact},
			{access: Reads, action: "s3:GetObjectTagging", versioned: "s3:GetObjectVersionTagging", on: origin, scope: Exact,
				unless: [2]string{taggingDirective, "REPLACE"}},
		},
	},
	{
		name: "DeleteObject", method: http.MethodDelete, level: onObject,
		params: []string{"versionId"}, headers: []group{payer, bypass, {"If-Match", "X-Amz-If-Match-Last-Modified-Time", "X-Amz-If-Match-Size", "X-Amz-Mfa"}},
		extras:  objectExtras,
		touches: []touch{{access: Deletes, action: "s3:DeleteObject", versioned: "s3:DeleteObjectVersion", scope: Exact}},
	},
	{
		name: "DeleteObjects", method: http.MethodPost, level: onBucket, marks: []mark{{"delete", ""}},
		headers: []group{payer, bypass, {"X-Amz-Mfa"}}, extras: objectExtras,
		body: XMLBody, document: "Delete", needsSum: true, longest: MaxXMLBody, perObject: true,
		touches: []touch{{access: Deletes, action: "s3:DeleteObject", versioned: "s3:DeleteObjectVersion", scope: Exact}},
	},
	{
		name: "RestoreObject", method: http.MethodPost, level: onObject, marks: []mark{{"restore", ""}},
		params: []string{"versionId"}, headers: []group{payer},
		body: XMLBody, document: "RestoreRequest", optional: true,
		touches: []touch{{access: Updates, action: "s3:RestoreObject", scope: Exact}},
	},
	{
		name: "UpdateObjectEncryption", method: http.MethodPut, level: onObject, marks: []mark{{"encryption", ""}},
		params: []string{"versionId"}, headers: []group{payer},
		body: XMLBody, document: "ObjectEncryption", needsSum: true,
		touches: []touch{{access: Updates, action: "s3:UpdateObjectEncryption", scope: Exact}},
	},
	{
		name: "GetObjectTagging", method: http.MethodGet, level: onObject, marks: []mark{{"tagging", ""}},
		params: []string{"versionId"}, headers: []group{payer},
		touches: []touch{{access: Reads, action: "s3:GetObjectTagging", versioned: "s3:GetObjectVersionTagging", scope: Exact}},
	},
	{
		name: "PutObjectTagging", method: http.MethodPut, level: onObject, marks: []mark{{"tagging", ""}},
		params: []string{"versionId"}, headers: []group{payer},
		body: XMLBody, document: "Tagging", needsSum: true,
		touches: []touch{{access: Updates, action: "s3:PutObjectTagging", versioned: "s3:PutObjectVersionTagging", scope: Exact}},
	},
	{
		name: "DeleteObjectTagging", method: http.MethodDelete, level: onObject, marks: []mark{{"tagging", ""}},
		params:  []string{"versionId"},
		touches: []touch{{access: Updates, action: "s3:DeleteObjectTagging", versioned: "s3:DeleteObjectVersionTagging", scope: Exact}},
	},
	{
		name: "GetObjectLegalHold", method: http.MethodGet, level: onObject, marks: []mark{{"legal-hold", ""}},
		params: []string{"versionId"}, headers: []group{payer},
		touches: []touch{{access: Reads, action: "s3:GetObjectLegalHold", scope: Exact}},
	},
	{
		// To place a hold is to update; to lift one is to manage.
		name: "PutObjectLegalHold", method: http.MethodPut, level: onObject, marks: []mark{{"legal-hold", ""}},
		params: []string{"versionId"}, headers: []group{payer},
		body: XMLBody, document: "LegalHold", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutObjectLegalHold", scope: Exact, calm: [2]string{"Status", "ON"}}},
	},
	{
		name: "GetObjectRetention", method: http.MethodGet, level: onObject, marks: []mark{{"retention", ""}},
		params: []string{"versionId"}, headers: []group{payer},
		touches: []touch{{access: Reads, action: "s3:GetObjectRetention", scope: Exact}},
	},
	{
		// To shorten what stands takes the header of bypass, which manages.
		name: "PutObjectRetention", method: http.MethodPut, level: onObject, marks: []mark{{"retention", ""}},
		params: []string{"versionId"}, headers: []group{payer, bypass},
		body: XMLBody, document: "Retention", needsSum: true,
		extras:  objectExtras,
		touches: []touch{{access: Updates, action: "s3:PutObjectRetention", scope: Exact}},
	},
}
