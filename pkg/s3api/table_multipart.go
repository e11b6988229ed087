package s3api

import "net/http"

// multipartOperations write objects in parts.
var multipartOperations = []operation{
	{
		name: "CreateMultipartUpload", method: http.MethodPost, level: onObject, marks: []mark{{"uploads", ""}},
		headers: []group{customerKey, encryption, description, acl, objectGrants, privileged, payer, {"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type"}},
		extras:  objectExtras,
		touches: []touch{{access: Updates, action: "s3:PutObject", scope: Exact}},
	},
	{
		name: "UploadPart", method: http.MethodPut, level: onObject, marks: []mark{{"partNumber", given}, {"uploadId", given}},
		headers: []group{customerKey, dataSums, payer},
		body:    StreamBody,
		touches: []touch{{access: Updates, action: "s3:PutObject", scope: Exact}},
	},
	{
		name: "UploadPartCopy", method: http.MethodPut, level: onObject, marks: []mark{{"partNumber", given}, {"uploadId", given}}, header: copySourceHeader,
		headers: []group{customerKey, payer, copySource, copyKey, {"X-Amz-Copy-Source-Range"}},
		touches: []touch{
			{access: Updates, action: "s3:PutObject", scope: Exact},
			{access: Reads, action: "s3:GetObject", versioned: "s3:GetObjectVersion", on: origin, scope: Exact},
		},
	},
	{
		// Its checksum headers speak of the object that it makes.
		name: "CompleteMultipartUpload", method: http.MethodPost, level: onObject, marks: []mark{{"uploadId", given}},
		headers: []group{conditions, customerKey, sums, payer, {"X-Amz-Mp-Object-Size"}},
		body:    XMLBody, document: "CompleteMultipartUpload", longest: MaxXMLBody, sumsObject: true,
		touches: []touch{{access: Updates, action: "s3:PutObject", scope: Exact}},
	},
	{
		// To abort is to update, not to delete: it takes back parts that an
		// uploader sent and that are no object yet. Whoever may begin an upload
		// must be able to clean up after it.
		name: "AbortMultipartUpload", method: http.MethodDelete, level: onObject, marks: []mark{{"uploadId", given}},
		headers: []group{payer, {"X-Amz-If-Match-Initiated-Time"}},
		touches: []touch{{access: Updates, action: "s3:AbortMultipartUpload", scope: Exact}},
	},
	{
		name: "ListParts", method: http.MethodGet, level: onObject, marks: []mark{{"uploadId", given}},
		params: []string{"max-parts", "part-number-marker"}, headers: []group{customerKey, payer},
		touches: []touch{{access: Reads, action: "s3:ListMultipartUploadParts", scope: Exact}},
	},
}
